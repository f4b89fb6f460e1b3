//! How a run records the checkpoints that callbacks ask for, and releases those that they no longer
//! keep.

use std::collections::{HashMap, VecDeque};

use trainbook_store::{ObjectId, RunEvent, RunWriter};

use super::{CheckpointKey, CheckpointRequest, Counters};

/// The checkpoints that one run keeps, for whoever writes them.
///
/// What a request releases is released once the run's record has the new checkpoint on disk; where
/// it cannot be written, everything stays until one is that takes its place in turn. What this run has not
/// recorded is passed over, so that no run releases what another keeps.
#[derive(Debug, Default)]
pub struct KeptCheckpoints {
    kept: HashMap<CheckpointKey, VecDeque<ObjectId>>,
    /// What those would have released that could not be written.
    missed: HashMap<CheckpointKey, VecDeque<Vec<CheckpointKey>>>,
}

impl KeptCheckpoints {
    /// Records a checkpoint that was asked for, taken at this place and put as this object, and
    /// releases what it takes the place of. Returns when it is on disk; false if it could not be
    /// recorded, and [`RunWriter::problem`] says why.
    pub fn record(
        &mut self,
        run: &RunWriter,
        request: CheckpointRequest,
        counters: Counters,
        object: ObjectId,
    ) -> bool {
        let key = request.key(counters);
        let CheckpointRequest { label, metric, releases } = request;
        let CheckpointKey { step, epoch, .. } = key;
        let event = RunEvent::Checkpoint { label, step, epoch, object, metric };
        if run.event_on_disk(event).is_err() {
            self.missed.entry(key).or_default().push_back(releases);
            return false;
        }
        let mut going = VecDeque::from(releases);
        while let Some(key) = going.pop_front() {
            if let Some(object) = take(&mut self.kept, &key) {
                let CheckpointKey { label, metric, .. } = key;
                run.event(RunEvent::Released { label, object, metric });
            } else if let Some(instead) = take(&mut self.missed, &key) {
                // What was kept in its place.
                going.extend(instead);
            }
        }
        self.kept.entry(key).or_default().push_back(object);
        true
    }

    /// A checkpoint that was asked for could not be put: what it would have released stays.
    pub fn failed(&mut self, request: CheckpointRequest, counters: Counters) {
        let key = request.key(counters);
        self.missed.entry(key).or_default().push_back(request.releases);
    }
}

fn take<T>(from: &mut HashMap<CheckpointKey, VecDeque<T>>, key: &CheckpointKey) -> Option<T> {
    let values = from.get_mut(key)?;
    let first = values.pop_front();
    if values.is_empty() {
        from.remove(key);
    }
    first
}
