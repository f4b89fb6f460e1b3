//! When to keep the training state.

use serde::{Deserialize, Serialize};
use trainbook_store::{Metric, Name};

use crate::monitor::Monitor;
use crate::setting::require;
use crate::{
    Callback, CallbackError, CallbackRecipe, CallbackState, CheckpointRequest, Direction, Effects,
    EpochEnd, FitStart, Flow, Phase, Reply, Setup, StepEnd,
};

/// Asks for checkpoints at the end of epochs or between their steps. The trainer writes them once
/// every callback has seen the moment, so that they hold the state of all of them, and the store
/// keeps them with the run. From any of them the fit goes on to the same end as if nothing had
/// interrupted it.
///
/// Add several to keep several kinds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Checkpoint {
    when: When,
    #[serde(skip)]
    best: Option<f64>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum When {
    Best(Monitor),
    Last,
    EveryEpochs(u64),
    EverySteps(u64),
}

impl Checkpoint {
    /// Under the label `best`, whenever the metric is strictly better than ever before. What the
    /// trainer measures has a direction; for what a callback logs, larger is better when the name
    /// contains a word such as "accuracy", "f1" or "r2", else smaller; [`minimize`](Self::minimize)
    /// and [`maximize`](Self::maximize) say otherwise. A value that is NaN or infinite is never the
    /// best.
    pub fn best(metric: impl AsRef<str>) -> Self {
        Self { when: When::Best(Monitor::of(metric)), best: None }
    }

    /// Under the label `last`, after every epoch.
    pub fn last() -> Self {
        Self { when: When::Last, best: None }
    }

    /// Under the labels `epoch-0005`, `epoch-0010`, … for `n` = 5: after every `n`th epoch, counted
    /// from 1 over the trainer's life.
    pub fn every_epochs(n: u64) -> Self {
        Self { when: When::EveryEpochs(n), best: None }
    }

    /// Smaller values of the metric are better. Changes nothing without a metric.
    #[must_use]
    pub fn minimize(self) -> Self {
        self.better(Direction::Minimize)
    }

    /// Larger values of the metric are better. Changes nothing without a metric.
    #[must_use]
    pub fn maximize(self) -> Self {
        self.better(Direction::Maximize)
    }

    /// Under the labels `step-000100`, `step-000200`, … for `n` = 100: behind every `n`th update that
    /// was applied, counted from 1 over the trainer's life.
    pub fn every_steps(n: u64) -> Self {
        Self { when: When::EverySteps(n), best: None }
    }

    fn better(mut self, mode: Direction) -> Self {
        if let When::Best(monitor) = &mut self.when {
            monitor.better(mode);
        }
        self
    }
}

/// What is saved, now and in older checkpoints.
#[derive(Deserialize)]
#[serde(untagged)]
enum Saved {
    Of(Name, Option<f64>),
    Older(Option<f64>),
}

impl Callback for Checkpoint {
    fn effects(&self) -> Effects {
        let effects = Effects::in_phase(Phase::Save).needs_store();
        match &self.when {
            When::Best(monitor) => effects.reads(monitor.resource()),
            When::Last | When::EveryEpochs(_) | When::EverySteps(_) => effects,
        }
    }

    fn recipe(&self) -> Option<CallbackRecipe> {
        Some(CallbackRecipe::Checkpoint(Self { when: self.when.clone(), best: None }))
    }

    fn setup(&mut self, _: &mut Setup) -> Result<(), CallbackError> {
        match self.when {
            When::EveryEpochs(n) => require(n > 0, "Checkpoint", "every_epochs", n, "at least 1"),
            When::EverySteps(n) => require(n > 0, "Checkpoint", "every_steps", n, "at least 1"),
            When::Best(_) | When::Last => Ok(()),
        }
    }

    fn fit_start(&mut self, fit: &FitStart<'_>) -> Reply {
        if let When::Best(monitor) = &mut self.when {
            monitor.begin(fit);
        }
        Ok(Flow::Continue)
    }

    fn step_end(&mut self, step: &StepEnd<'_>) -> Reply {
        let updates = step.counters.updates_applied;
        if let When::EverySteps(n) = self.when
            && step.applied
            && updates.is_multiple_of(n)
        {
            let label = format!("step-{updates:06}");
            step.request_checkpoint(CheckpointRequest { label, metric: None });
        }
        Ok(Flow::Continue)
    }

    fn epoch_end(&mut self, epoch: &EpochEnd<'_>) -> Reply {
        let finished = epoch.counters.epoch + 1;
        match &self.when {
            When::Best(Monitor { metric, mode, .. }) => {
                if let Some(value) = epoch.metric(metric)
                    && mode.improves(value, self.best, 0.0)
                {
                    self.best = Some(value);
                    let metric = Some(Metric { name: metric.clone(), value });
                    epoch
                        .request_checkpoint(CheckpointRequest { label: "best".to_owned(), metric });
                }
            }
            When::Last => epoch
                .request_checkpoint(CheckpointRequest { label: "last".to_owned(), metric: None }),
            When::EveryEpochs(n) if finished.is_multiple_of(*n) => {
                epoch.request_checkpoint(CheckpointRequest {
                    label: format!("epoch-{finished:04}"),
                    metric: None,
                });
            }
            When::EveryEpochs(_) | When::EverySteps(_) => {}
        }
        Ok(Flow::Continue)
    }

    fn save(&self) -> Result<CallbackState, CallbackError> {
        match &self.when {
            When::Best(monitor) => CallbackState::of("Checkpoint", &(&monitor.metric, self.best)),
            _ => Ok(CallbackState::empty()),
        }
    }

    fn load(&mut self, state: &CallbackState) -> Result<(), CallbackError> {
        if let When::Best(Monitor { metric, .. }) = &self.when {
            let saved: Saved = state.get("Checkpoint")?;
            self.best = match saved {
                // The best of another metric says nothing about this one.
                Saved::Of(of, best) => best.filter(|_| of == *metric),
                Saved::Older(best) => best,
            };
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Checkpoint;
    use crate::fake::{Fake, setup_error};
    use crate::{Callback, CallbackError, Stack};

    fn labels(checkpoint: Checkpoint, losses: &'static [f64]) -> Vec<String> {
        let mut fake = Fake::with(checkpoint);
        fake.metrics = Box::new(|epoch| {
            vec![("val_loss", losses[epoch as usize]), ("val_accuracy", losses[epoch as usize])]
        });
        fake.fit(losses.len() as u64);
        let label = |r: &crate::CheckpointRequest| match &r.metric {
            Some(m) => format!("{} {}={}", r.label, m.name, m.value),
            None => r.label.clone(),
        };
        fake.seen
            .requests
            .iter()
            .map(|epoch| epoch.iter().map(label).collect::<Vec<_>>().join("; "))
            .collect()
    }

    #[test]
    fn the_best_is_kept_when_it_is_strictly_better() {
        let losses = &[f64::NAN, 3.0, 3.0, 2.0, 4.0, f64::NEG_INFINITY];
        assert_eq!(
            labels(Checkpoint::best("val_loss"), losses),
            ["", "best val_loss=3", "", "best val_loss=2", "", ""]
        );
        let accuracies = &[0.1, 0.3, 0.2, f64::INFINITY];
        let best = ["best val_accuracy=0.1", "best val_accuracy=0.3", "", ""];
        assert_eq!(labels(Checkpoint::best("val_accuracy"), accuracies), best);
        assert_eq!(
            labels(Checkpoint::best("val_loss").maximize(), &[1.0, 2.0])[1],
            "best val_loss=2"
        );
        assert_eq!(labels(Checkpoint::best("val_accuracy").minimize(), &[1.0, 2.0])[1], "");
    }

    #[test]
    fn the_rhythm_is_kept() {
        assert_eq!(labels(Checkpoint::last(), &[1.0, 2.0]), ["last", "last"]);
        assert_eq!(
            labels(Checkpoint::every_epochs(2), &[1.0; 5]),
            ["", "epoch-0002", "", "epoch-0004", ""]
        );
        let mut fake = Fake::with(Checkpoint::every_steps(2));
        fake.gradients = Box::new(|step| vec![vec![1.0 / step as f32]]);
        fake.fit(2);
        assert_eq!(fake.seen.step_requests, ["step-000002", "step-000004", "step-000006"]);
        let mut skipping = Stack::new();
        skipping.push(crate::NanGuard::new().skip_up_to(1));
        skipping.push(Checkpoint::every_steps(2));
        let mut fake = Fake::new(skipping);
        let nan = |step| if step == 2 { f32::NAN } else { 1.0 };
        fake.gradients = Box::new(move |step| vec![vec![nan(step)]]);
        fake.fit(1);
        assert_eq!(fake.seen.applied, [true, false, true]);
        assert_eq!(fake.seen.step_requests, ["step-000002"], "a skipped update is none");
        assert!(setup_error(Checkpoint::every_steps(0)).contains("every_steps is 0"));
        assert_eq!(
            setup_error(Checkpoint::every_epochs(0)),
            "set up Checkpoint: every_epochs is 0, and must be at least 1"
        );
    }

    #[test]
    fn a_best_is_taken_back_for_its_own_metric_alone() {
        let saved = |best: Option<f64>| {
            let checkpoint = Checkpoint { best, ..Checkpoint::best("val_loss") };
            checkpoint.save().unwrap()
        };
        let loaded = |mut checkpoint: Checkpoint, state: &crate::CallbackState| {
            checkpoint.load(state).unwrap();
            checkpoint.best
        };
        for best in [None, Some(0.5), Some(f64::NEG_INFINITY)] {
            assert_eq!(loaded(Checkpoint::best("val_loss"), &saved(best)), best);
            assert_eq!(loaded(Checkpoint::best("val_accuracy"), &saved(best)), None);
            let older = crate::CallbackState::of("Checkpoint", &best).unwrap();
            assert_eq!(loaded(Checkpoint::best("val_loss"), &older), best);
        }
        assert_eq!(Checkpoint::last().save().unwrap(), crate::CallbackState::empty());
    }

    #[test]
    fn it_needs_a_store_and_its_metric() {
        let mut stack = Stack::new();
        stack.push(Checkpoint::best("val_loss"));
        assert!(matches!(
            stack.plan(&["val_loss".into()], false),
            Err(CallbackError::NeedsStore { .. })
        ));
        assert!(matches!(
            stack.plan(&["train_loss".into()], true),
            Err(CallbackError::UnknownMetric { .. })
        ));
        assert!(stack.plan(&["val_loss".into()], true).is_ok());
    }
}
