//! What a fit in the background tells those who ask, and by what they ask it to stop.
//!
//! The thread that trains waits for nobody: while somebody reads, its news wait with it until the
//! next moment.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};
use std::time::Instant;

use trainbook_callbacks::{
    Callback, Counters, EpochEnd, EpochStart, FitStart, Flow, MetricLog, Reply, StepEnd, StopKind,
    StopReason, Validated,
};
use trainbook_store::{Metric, Name, RunId, Store};

use super::run::Run;
use super::training_status::{TrainingState, TrainingStatus};
use crate::Error;

/// Warnings that are kept; of others it is known how many there were.
const MOST_WARNINGS: usize = 100;

/// The metrics of which a fit without a store keeps every point: those that its chart shows.
const DRAWN: [&str; 5] = ["loss", "train_loss", "val_loss", "val_accuracy", "learning_rate"];

/// A metric by name, as (step, value).
pub(super) type Series = BTreeMap<Name, Vec<(u64, f64)>>;

/// What the thread that trains and the handle share.
pub(super) struct Watch {
    /// Why the fit is to stop; of several reasons the first.
    stop: OnceLock<&'static str>,
    began: Instant,
    seen: Mutex<Seen>,
}

/// What the fit has told.
struct Seen {
    status: TrainingStatus,
    /// The metrics of the status.
    newest: BTreeMap<Name, f64>,
    /// Where the run is recorded.
    store: Option<Store>,
    /// Empty with a store, which has them.
    series: Series,
}

impl Watch {
    /// Of a fit that begins now.
    pub fn new() -> Self {
        let seen = Seen {
            status: TrainingStatus::default(),
            newest: BTreeMap::new(),
            store: None,
            series: Series::new(),
        };
        Self { stop: OnceLock::new(), began: Instant::now(), seen: Mutex::new(seen) }
    }

    /// Asks the fit to stop.
    pub fn stop(&self, why: &'static str) {
        // Who asked first has been heard.
        let _ = self.stop.set(why);
    }

    /// A warning that comes from elsewhere than a callback.
    pub fn warn(&self, text: &str) {
        self.lock().status.warn(text);
    }

    /// How the fit ended.
    pub fn end(&self, outcome: &Result<Run, Error>) {
        let state = match outcome {
            Ok(run) if run.stopped_because().kind == StopKind::Completed => TrainingState::Finished,
            Ok(run) => TrainingState::Stopped(run.stopped_because().clone()),
            Err(error) => TrainingState::Failed(error.to_string()),
        };
        let seconds = self.began.elapsed().as_secs_f64();
        let mut seen = self.lock();
        (seen.status.state, seen.status.seconds) = (state, seconds);
    }

    /// Where the fit is.
    pub fn status(&self) -> TrainingStatus {
        let (mut status, newest) = {
            let seen = self.lock();
            (seen.status.clone(), seen.newest.clone())
        };
        status.metrics = newest.into_iter().map(|(name, value)| Metric { name, value }).collect();
        if status.state == TrainingState::Running {
            status.seconds = self.began.elapsed().as_secs_f64();
            if self.stop.get().is_some() {
                status.state = TrainingState::Stopping;
            }
        }
        status
    }

    /// The run and the store that records it, if one does.
    pub fn recorded(&self) -> Option<(Store, RunId)> {
        let seen = self.lock();
        Some((seen.store.clone()?, seen.status.run.clone()?))
    }

    /// Every point that is drawn of a fit without a store.
    pub fn series(&self) -> Series {
        self.lock().series.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread's side: hears every moment, and asks for the stop.
pub(super) struct Witness {
    watch: Arc<Watch>,
    first_epoch: u64,
    /// What could not be told while somebody read.
    waiting: Vec<News>,
}

enum News {
    Start { run: Option<(Store, RunId)>, counters: Counters, epochs: u64, batches: u64 },
    Values { step: u64, metrics: Vec<Metric>, warnings: Vec<String> },
    EpochsDone(u64),
}

impl Witness {
    pub fn new(watch: Arc<Watch>) -> Self {
        Self { watch, first_epoch: 0, waiting: Vec::new() }
    }

    fn tell(&mut self, news: News) {
        self.waiting.push(news);
        let mut seen = match self.watch.seen.try_lock() {
            Ok(seen) => seen,
            Err(TryLockError::Poisoned(seen)) => seen.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        self.waiting.drain(..).for_each(|news| seen.hear(news));
    }

    fn tell_values(&mut self, step: u64, mut metrics: Vec<Metric>, log: &MetricLog) {
        log.read(|logged| metrics.extend_from_slice(logged));
        let warnings = log.read_warnings(<[String]>::to_vec);
        self.tell(News::Values { step, metrics, warnings });
    }

    /// Whether somebody has asked for the fit to stop.
    fn flow(&self) -> Flow {
        self.watch
            .stop
            .get()
            .map_or(Flow::Continue, |why| Flow::Stop(StopReason::new(StopKind::Interrupted, *why)))
    }
}

impl Seen {
    fn hear(&mut self, news: News) {
        let status = &mut self.status;
        match news {
            News::Start { run, counters, epochs, batches } => {
                let (store, run) = run.unzip();
                (self.store, status.run) = (store, run);
                (status.step, status.epochs) = (counters.batches_seen, epochs);
                status.batches_per_epoch = batches;
            }
            News::Values { step, metrics, warnings } => {
                status.step = step;
                warnings.iter().for_each(|text| status.warn(text));
                for Metric { name, value } in metrics {
                    if self.store.is_none() && DRAWN.contains(&name.as_str()) {
                        self.series.entry(name.clone()).or_default().push((step, value));
                    }
                    self.newest.insert(name, value);
                }
            }
            News::EpochsDone(epochs) => status.epoch = epochs,
        }
    }
}

impl TrainingStatus {
    fn warn(&mut self, text: &str) {
        if self.warnings.len() < MOST_WARNINGS {
            self.warnings.push(text.to_owned());
        } else {
            self.more_warnings += 1;
        }
    }
}

impl Callback for Witness {
    fn fit_start(&mut self, fit: &FitStart<'_>) -> Reply {
        self.first_epoch = fit.counters.epoch;
        self.tell(News::Start {
            run: fit.run.map(|run| (run.store().clone(), run.id().clone())),
            counters: fit.counters,
            epochs: fit.horizon.epochs,
            batches: fit.horizon.batches_per_epoch,
        });
        Ok(self.flow())
    }

    fn epoch_start(&mut self, _: &EpochStart<'_>) -> Reply {
        Ok(self.flow())
    }

    fn step_end(&mut self, step: &StepEnd<'_>) -> Reply {
        let metrics = vec![
            Metric { name: Name::new_static("loss"), value: step.loss().into() },
            Metric { name: Name::new_static("learning_rate"), value: step.learning_rate },
        ];
        self.tell_values(step.counters.batches_seen, metrics, step.log);
        Ok(self.flow())
    }

    fn validated(&mut self, validated: &Validated<'_>) -> Reply {
        let step = validated.counters.batches_seen;
        self.tell_values(step, validated.metrics.to_vec(), validated.log);
        Ok(self.flow())
    }

    fn epoch_end(&mut self, epoch: &EpochEnd<'_>) -> Reply {
        let step = epoch.counters.batches_seen;
        self.tell_values(step, epoch.metrics.to_vec(), epoch.log);
        self.tell(News::EpochsDone(epoch.counters.epoch + 1 - self.first_epoch));
        Ok(Flow::Continue)
    }
}

/// What a reader held up is told at the end all the same.
impl Drop for Witness {
    fn drop(&mut self) {
        let mut seen = self.watch.lock();
        self.waiting.drain(..).for_each(|news| seen.hear(news));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_reads_holds_up_nobody_and_hears_all_of_it_later() {
        let watch = Arc::new(Watch::new());
        let mut witness = Witness::new(Arc::clone(&watch));
        let loss = |step| {
            let metrics = vec![Metric { name: Name::new_static("loss"), value: step as f64 }];
            News::Values { step, metrics, warnings: Vec::new() }
        };
        let reader = watch.lock();
        witness.tell(loss(1)); // would hang here
        witness.tell(loss(2));
        assert_eq!(reader.status.step, 0);
        drop(reader);
        witness.tell(loss(3));
        let points = |watch: &Watch| watch.series()["loss"].clone();
        assert_eq!(points(&watch), [(1, 1.0), (2, 2.0), (3, 3.0)]);

        let reader = watch.lock();
        witness.tell(loss(4));
        drop(reader);
        drop(witness);
        assert_eq!(watch.status().step, 4);
    }
}
