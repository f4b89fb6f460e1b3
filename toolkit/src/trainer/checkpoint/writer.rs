//! A thread that writes checkpoints while training goes on.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;

use trainbook_callbacks::seam::KeptCheckpoints;
use trainbook_callbacks::{CheckpointRequest, Counters};
use trainbook_store::{Metric, ObjectId, RunEvent, RunWriter};

use super::Checkpoint;
use crate::Error;
use crate::trainer::voice::Voice;

/// Encodes, hashes and stores the checkpoints of one run, one after the other. Training waits only
/// while its state is copied, or when the one before the last is still being written, so that never
/// more than three copies are in memory, and the bytes of one file.
pub(in crate::trainer) struct CheckpointWriter {
    jobs: SyncSender<Job>,
    /// What has become of each job, in their order.
    ends: Receiver<Option<Written>>,
    /// How many of them have not been heard of.
    waiting: usize,
    thread: JoinHandle<Option<ObjectId>>,
}

/// A checkpoint that is on disk.
pub(in crate::trainer) struct Written {
    pub counters: Counters,
    pub label: String,
    pub metric: Option<Metric>,
    pub object: ObjectId,
    pub bytes: u64,
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
        let (end, ends) = channel();
        let run = run.clone();
        let thread = std::thread::Builder::new()
            .name("checkpoints".to_owned())
            .spawn(move || serve(&run, &voice, &waiting, &end))
            .map_err(|e| Error::State(format!("the system gives no thread to write it: {e}")))?;
        Ok(Self { jobs, ends, waiting: 0, thread })
    }

    /// Writes this state under the label that was asked for. A store that cannot take it does not
    /// end training: that becomes a warning of the run.
    pub fn write(&mut self, checkpoint: Checkpoint, request: CheckpointRequest) {
        // A thread that is gone is noticed by `finish`.
        if self.jobs.send(Job { checkpoint, request }).is_ok() {
            self.waiting += 1;
        }
    }

    /// The checkpoints that have been written since the last call, in their order; waits for all that
    /// were asked for, if that is wanted.
    pub fn written(&mut self, all: bool) -> Vec<Written> {
        let mut written = Vec::new();
        while self.waiting > 0 {
            // A thread that is gone writes no more.
            let end = if all { self.ends.recv().ok() } else { self.ends.try_recv().ok() };
            let Some(end) = end else { break };
            self.waiting -= 1;
            written.extend(end);
        }
        written
    }

    /// Waits until everything is written; gives the object of the last one, if it could be.
    pub fn finish(self) -> Option<ObjectId> {
        drop(self.jobs);
        self.thread.join().ok().flatten()
    }
}

fn serve(
    run: &RunWriter,
    voice: &Voice,
    waiting: &Receiver<Job>,
    ends: &Sender<Option<Written>>,
) -> Option<ObjectId> {
    let (mut last, mut kept) = (None, KeptCheckpoints::default());
    for Job { checkpoint, request } in waiting {
        let counters = checkpoint.rest.counters;
        let stored = catch_unwind(AssertUnwindSafe(|| {
            let bytes = checkpoint.encode().map_err(|error| error.to_string())?;
            let object = run.store().put_object(&bytes).map_err(|error| error.to_string())?;
            Ok((object, bytes.len() as u64))
        }))
        .unwrap_or_else(|_| Err("a panic while it was encoded".to_owned()));
        last = stored.as_ref().ok().map(|(object, _)| *object);
        let end = match stored {
            Ok((object, bytes)) => {
                let (label, metric) = (request.label.clone(), request.metric.clone());
                let written = Written { counters, label, metric, object, bytes };
                kept.record(run, request, counters, object).then_some(written)
            }
            Err(error) => {
                let text = format!("checkpoint {} was not written: {error}", request.label);
                voice.warn(&text);
                run.event(RunEvent::Warning { text });
                kept.failed(request, counters);
                None
            }
        };
        // Whoever asked may be gone.
        let _ = ends.send(end);
    }
    last
}
