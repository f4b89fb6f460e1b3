//! A thread that writes checkpoints while training goes on.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use trainbook_callbacks::CheckpointRequest;
use trainbook_callbacks::seam::KeptCheckpoints;
use trainbook_store::{ObjectId, RunEvent, RunWriter};

use super::Checkpoint;
use crate::Error;
use crate::trainer::voice::Voice;

/// Encodes, hashes and stores the checkpoints of one run, one after the other. Training waits only
/// while its state is copied, or when the one before the last is still being written, so that never
/// more than three copies are in memory, and the bytes of one file.
pub(in crate::trainer) struct CheckpointWriter {
    jobs: SyncSender<Job>,
    thread: JoinHandle<Option<ObjectId>>,
}

struct Job {
    checkpoint: Checkpoint,
    request: CheckpointRequest,
}

impl CheckpointWriter {
    /// # Errors
    /// The system gives no thread.
    pub fn new(run: &RunWriter, voice: Voice) -> Result<Self, Error> {
        let (jobs, waiting) = sync_channel(1);
        let run = run.clone();
        let thread = std::thread::Builder::new()
            .name("checkpoints".to_owned())
            .spawn(move || serve(&run, &voice, &waiting))
            .map_err(|e| Error::State(format!("the system gives no thread to write it: {e}")))?;
        Ok(Self { jobs, thread })
    }

    /// Writes this state under the label that was asked for. A store that cannot take it does not
    /// end training: that becomes a warning of the run.
    pub fn write(&self, checkpoint: Checkpoint, request: CheckpointRequest) {
        // A thread that is gone is noticed by `finish`.
        let _ = self.jobs.send(Job { checkpoint, request });
    }

    /// Waits until everything is written; gives the object of the last one, if it could be.
    pub fn finish(self) -> Option<ObjectId> {
        drop(self.jobs);
        self.thread.join().ok().flatten()
    }
}

fn serve(run: &RunWriter, voice: &Voice, waiting: &Receiver<Job>) -> Option<ObjectId> {
    let (mut last, mut kept) = (None, KeptCheckpoints::default());
    for Job { checkpoint, request } in waiting {
        let counters = checkpoint.rest.counters;
        let stored = catch_unwind(AssertUnwindSafe(|| {
            let bytes = checkpoint.encode().map_err(|error| error.to_string())?;
            run.store().put_object(&bytes).map_err(|error| error.to_string())
        }))
        .unwrap_or_else(|_| Err("a panic while it was encoded".to_owned()));
        last = stored.as_ref().ok().copied();
        match stored {
            Ok(object) => kept.record(run, request, counters, object),
            Err(error) => {
                let text = format!("checkpoint {} was not written: {error}", request.label);
                voice.warn(&text);
                run.event(RunEvent::Warning { text });
                kept.failed(request, counters);
            }
        }
    }
    last
}
