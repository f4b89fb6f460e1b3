//! The run's metrics into its journal.

use std::collections::VecDeque;

use trainbook_store::{Metric, Name, RunEvent, RunWriter};

use crate::{
    Callback, CallbackError, Effects, EpochEnd, FitEnd, FitStart, Flow, MetricLog, Phase, Reading,
    Reply, StepEnd, Validated,
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
/// All stand under the number of batches seen so far, so that one axis serves all curves. A loss that
/// is still on an accelerator is recorded, with what else there is of its step, when it is known; the
/// recorder never waits for one.
#[derive(Default)]
pub struct Recorder {
    run: Option<RunWriter>,
    row: Vec<Metric>,
    /// Steps whose loss is not known yet, and those behind them.
    late: VecDeque<LateStep>,
}

struct LateStep {
    step: u64,
    loss: Reading,
    others: Vec<Metric>,
    warnings: Vec<String>,
}

impl Recorder {
    /// Records into the run that the fit starts.
    pub fn new() -> Self {
        Self::default()
    }

    fn record_step(&mut self, step: &StepEnd<'_>) {
        let rate = Metric { name: LEARNING_RATE, value: step.learning_rate };
        let loss = step.late_loss();
        self.record_late();
        match loss.get() {
            Some(value) if self.late.is_empty() => {
                let own = [Metric { name: LOSS, value }, rate];
                self.record(step.counters.batches_seen, |row| row.extend(own), step.log);
            }
            _ if self.run.is_some() => {
                let mut others = vec![rate];
                step.log.read(|logged| others.extend_from_slice(logged));
                let warnings = step.log.read_warnings(<[String]>::to_vec);
                let step = step.counters.batches_seen;
                self.late.push_back(LateStep { step, loss, others, warnings });
            }
            _ => {}
        }
    }

    /// Records the late steps whose loss is known by now, in order.
    fn record_late(&mut self) {
        while let Some(value) = self.late.front().and_then(|late| late.loss.get())
            && let Some(LateStep { step, others, warnings, .. }) = self.late.pop_front()
        {
            let Some(run) = &self.run else { continue };
            self.row.clear();
            self.row.push(Metric { name: LOSS, value });
            self.row.extend(others);
            run.log(step, &self.row);
            warnings.into_iter().for_each(|text| run.event(RunEvent::Warning { text }));
        }
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
        self.late.clear();
        Ok(Flow::Continue)
    }

    fn step_end(&mut self, step: &StepEnd<'_>) -> Reply {
        self.record_step(step);
        Ok(Flow::Continue)
    }

    fn validated(&mut self, validated: &Validated<'_>) -> Reply {
        self.record_late();
        let metrics = validated.metrics;
        let fill = |row: &mut Vec<Metric>| row.extend_from_slice(metrics);
        self.record(validated.counters.batches_seen, fill, validated.log);
        Ok(Flow::Continue)
    }

    fn epoch_end(&mut self, epoch: &EpochEnd<'_>) -> Reply {
        self.record_late();
        let fill = |row: &mut Vec<Metric>| {
            row.push(Metric { name: EPOCH, value: (epoch.counters.epoch + 1) as f64 });
            row.extend_from_slice(epoch.metrics);
        };
        self.record(epoch.counters.batches_seen, fill, epoch.log);
        Ok(Flow::Continue)
    }

    fn fit_end(&mut self, _: &mut FitEnd<'_>) -> Result<(), CallbackError> {
        self.record_late();
        if let (Some(first), Some(run)) = (self.late.front(), &self.run) {
            // The device has failed, as the fit's error says.
            let (steps, first) = (self.late.len(), first.step);
            let text = format!("the losses of {steps} steps from {first} on could not be read");
            run.event(RunEvent::Warning { text });
            self.late.drain(..).for_each(|late| run.log(late.step, &late.others));
        }
        // A writer that is kept would keep the run's journal open.
        self.run = None;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use trainbook_store::{RunEvent, RunStart, Store, TimedEvent};

    use super::Recorder;
    use crate::fake::Fake;
    use crate::{CallbackError, Clip, Flow, Stack, every, on_step_end};

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

    /// The losses that a run has, and its warnings.
    fn recorded(mut fake: Fake, steps: usize, spoil: impl FnOnce(&mut Fake)) -> (Losses, Fake) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        fake.device.steps = steps;
        fake.loss = Box::new(|step| step as f32 / 2.0);
        fake.run = Some(store.start_run(RunStart::default()).unwrap());
        spoil(&mut fake);
        fake.fit(2);
        let run = fake.run.take().unwrap();
        run.flush().unwrap();
        let id = run.id().to_string();
        drop(run);
        let record = store.run(&id).unwrap();
        let series = |name: &str| record.series.get(name).cloned().unwrap_or_default();
        assert_eq!(series("learning_rate").len(), 10);
        let warning = |event: &TimedEvent| match &event.event {
            RunEvent::Warning { text } => Some(text.clone()),
            _ => None,
        };
        ((series("loss"), record.events.iter().filter_map(warning).collect()), fake)
    }

    type Losses = (Vec<(u64, f64)>, Vec<String>);

    #[test]
    fn losses_that_come_late_stand_at_their_steps_and_nobody_waits_for_them() {
        let at_once = recorded(Fake::with(Recorder::new()).batches(5), 0, |_| {}).0;
        assert_eq!(at_once.0.len(), 10);
        for steps in [1, 2, 3, 7] {
            let fake = Fake::with(Recorder::new()).batches(5);
            let (late, fake) = recorded(fake, steps, |_| {});
            assert_eq!((&late, fake.device.waits.get()), (&at_once, 0), "{steps}");
        }
        // Who looks waits, once for all behind it, and changes nothing.
        let mut stack = Stack::new();
        stack.push(Recorder::new());
        let look = on_step_end(|step| {
            assert_eq!(step.loss(), step.loss());
            Ok(Flow::Continue)
        });
        stack.push(every(3, look));
        let (late, fake) = recorded(Fake::new(stack).batches(5), 7, |_| {});
        assert_eq!((late, fake.device.waits.get()), (at_once, 4));
    }

    #[test]
    fn losses_that_a_broken_device_keeps_are_missed_aloud() {
        let (late, fake) = recorded(Fake::with(Recorder::new()).batches(5), 4, |fake| {
            fake.device.broken.set(true);
        });
        assert_eq!(late.0, []);
        assert_eq!(late.1, ["the losses of 10 steps from 1 on could not be read"]);
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
