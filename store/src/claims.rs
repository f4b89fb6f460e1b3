//! Which checkpoints of a run are still kept.

use std::collections::{HashMap, VecDeque};

use crate::event::RunEvent;
use crate::object_id::ObjectId;

/// The checkpoints that a journal has spoken of so far and has not taken back, by label and object.
///
/// Every record of a checkpoint is a claim of its own. A label and an object that were recorded
/// twice, by two callbacks at the same moment, are kept until both are released.
#[derive(Debug, Default)]
pub(crate) struct Claims(HashMap<(String, ObjectId), VecDeque<usize>>);

impl Claims {
    /// Takes note of the event at this place of the journal. Gives the place of the event that it
    /// takes back, if it does.
    pub(crate) fn note(&mut self, event: &RunEvent, place: usize) -> Option<usize> {
        match event {
            RunEvent::Checkpoint { label, object, .. } => {
                self.0.entry((label.clone(), *object)).or_default().push_back(place);
                None
            }
            // One of which the journal knows nothing takes nothing back.
            RunEvent::Released { label, object } => {
                self.0.get_mut(&(label.clone(), *object))?.pop_front()
            }
            _ => None,
        }
    }
}
