//! Which checkpoints of a run are still kept.

use std::collections::{HashMap, VecDeque};

use crate::event::RunEvent;
use crate::name::Name;
use crate::object_id::ObjectId;

/// The checkpoints that a journal has spoken of so far and has not taken back, by label and object.
///
/// Every record of a checkpoint is a claim of its own. A label and an object that were recorded
/// twice, by two callbacks at the same moment, are kept until both are released.
#[derive(Debug, Default)]
pub(crate) struct Claims(HashMap<(String, ObjectId), VecDeque<Claim>>);

/// A record of a checkpoint: its place, and the metric that earned it.
type Claim = (usize, Option<Name>);

impl Claims {
    /// Takes note of the event at this place of the journal. Gives the place of the event that it
    /// takes back, if it does.
    pub(crate) fn note(&mut self, event: &RunEvent, place: usize) -> Option<usize> {
        match event {
            RunEvent::Checkpoint { label, object, metric, .. } => {
                let claim = (place, metric.as_ref().map(|metric| metric.name.clone()));
                self.0.entry((label.clone(), *object)).or_default().push_back(claim);
                None
            }
            // One of which the journal knows nothing takes nothing back.
            RunEvent::Released { label, object, metric } => {
                let claims = self.0.get_mut(&(label.clone(), *object))?;
                let earned = |claim: &Claim| metric.is_none() || claim.1 == *metric;
                let first = claims.iter().position(earned)?;
                claims.remove(first).map(|(place, _)| place)
            }
            _ => None,
        }
    }
}
