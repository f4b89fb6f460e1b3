//! The run's metrics into its journal.

use trainbook_store::{Metric, Name, RunEvent, RunWriter};

use crate::{
    Callback, CallbackError, Effects, EpochEnd, FitEnd, FitStart, Flow, MetricLog, Phase, Reply,
    StepEnd, Validated,
};

const LOSS: Name = Name::new_static("loss");
const LEARNING_RATE: Name = Name::new_static("learning_rate");
const EPOCH: Name = Name::new_static("epoch");

/// Records every metric of a run. The trainer adds it when it has a store.
///
/// - At every step: `loss`, `learning_rate`, and what callbacks logged.
/// - At the end of every epoch: the trainer's metrics, what callbacks logged, and `epoch`, the
///   number of epochs finished.
/// - At every validation in the middle of an epoch: its metrics, and what callbacks logged.
/// - At all of them: warnings.
///
/// All stand under the number of batches seen so far, so that one axis serves all curves.
#[derive(Default)]
pub struct Recorder {
    run: Option<RunWriter>,
    row: Vec<Metric>,
}

impl Recorder {
    /// Records into the run that the fit starts.
    pub fn new() -> Self {
        Self::default()
    }

    fn record(&mut self, step: u64, fill: impl FnOnce(&mut Vec<Metric>), log: &MetricLog) {
        let Some(run) = &self.run else { return };
        self.row.clear(); // keeps its memory: a step allocates nothing here
        fill(&mut self.row);
        log.read(|logged| self.row.extend_from_slice(logged));
        run.log(step, &self.row);
        log.read_warnings(|warnings| {
            for text in warnings {
                run.event(RunEvent::Warning { text: text.clone() });
            }
        });
    }
}

impl Callback for Recorder {
    fn effects(&self) -> Effects {
        Effects::in_phase(Phase::Record).needs_store()
    }

    fn fit_start(&mut self, fit: &FitStart<'_>) -> Reply {
        self.run = fit.run.cloned();
        Ok(Flow::Continue)
    }

    fn step_end(&mut self, step: &StepEnd<'_>) -> Reply {
        let own = [
            Metric { name: LOSS, value: step.loss().into() },
            Metric { name: LEARNING_RATE, value: step.learning_rate },
        ];
        self.record(step.counters.batches_seen, |row| row.extend(own), step.log);
        Ok(Flow::Continue)
    }

    fn validated(&mut self, validated: &Validated<'_>) -> Reply {
        let metrics = validated.metrics;
        let fill = |row: &mut Vec<Metric>| row.extend_from_slice(metrics);
        self.record(validated.counters.batches_seen, fill, validated.log);
        Ok(Flow::Continue)
    }

    fn epoch_end(&mut self, epoch: &EpochEnd<'_>) -> Reply {
        let fill = |row: &mut Vec<Metric>| {
            row.push(Metric { name: EPOCH, value: (epoch.counters.epoch + 1) as f64 });
            row.extend_from_slice(epoch.metrics);
        };
        self.record(epoch.counters.batches_seen, fill, epoch.log);
        Ok(Flow::Continue)
    }

    fn fit_end(&mut self, _: &mut FitEnd<'_>) -> Result<(), CallbackError> {
        // A writer that is kept would keep the run's journal open.
        self.run = None;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use trainbook_store::{RunStart, Store};

    use super::Recorder;
    use crate::fake::Fake;
    use crate::{CallbackError, Clip, Stack};

    #[test]
    fn a_run_holds_every_metric_under_the_batches_seen() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let mut stack = Stack::new();
        stack.push(Recorder::new());
        stack.push(Clip::global_norm(1.0));
        let mut fake = Fake::new(stack).batches(2);
        fake.loss = Box::new(|step| step as f32 / 2.0);
        fake.metrics = Box::new(|epoch| vec![("val_loss", epoch as f64 - 1.0)]);
        fake.run = Some(store.start_run(RunStart::default()).unwrap());
        fake.fit(2);
        let run = fake.run.take().unwrap();
        run.flush().unwrap();
        let id = run.id().to_string();
        drop(run);

        let record = store.run(&id).unwrap();
        let series: Vec<_> =
            record.series.iter().map(|(name, points)| (name.as_str(), points.as_slice())).collect();
        assert_eq!(
            series,
            [
                ("clipped", &[(1, 1.0), (2, 1.0), (3, 1.0), (4, 1.0)][..]),
                ("clipped_share", &[(2, 1.0), (4, 1.0)]),
                ("epoch", &[(2, 1.0), (4, 2.0)]),
                ("learning_rate", &[(1, 1.0), (2, 1.0), (3, 1.0), (4, 1.0)]),
                ("loss", &[(1, 0.5), (2, 1.0), (3, 1.5), (4, 2.0)]),
                ("val_loss", &[(2, -1.0), (4, 0.0)]),
            ]
        );
        assert_eq!(fake.seen.error, None);
    }

    #[test]
    fn the_writer_is_let_go_when_the_fit_ends() {
        // What shows others that the run is over is that nobody holds its writer any more; the
        // recorder outlives the fit in the stack.
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let mut fake = Fake::with(Recorder::new());
        fake.run = Some(store.start_run(RunStart::default()).unwrap());
        let id = fake.run.as_ref().unwrap().id().to_string();
        fake.fit(1);
        fake.run = None;
        assert_eq!(store.run(&id).unwrap().summary.state, trainbook_store::RunState::Crashed);
    }

    #[test]
    fn without_a_run_it_is_silent_and_planned_only_with_a_store() {
        let mut fake = Fake::with(Recorder::new());
        assert!(matches!(fake.stack.plan(&[], false), Err(CallbackError::NeedsStore { .. })));
        fake.fit(1);
        assert_eq!(fake.seen.error, None);
    }
}
