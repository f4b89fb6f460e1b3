//! When to keep the training state, and for how long.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use trainbook_store::{Metric, Name};

use crate::clock::Clock;
use crate::monitor::Monitor;
use crate::setting::require;
use crate::{
    Callback, CallbackError, CallbackRecipe, CallbackState, CheckpointKey, CheckpointRequest,
    Counters, Direction, Effects, EpochEnd, FitStart, Flow, Phase, Reply, Setup, StepEnd,
    Validated,
};

const NAME: &str = "Checkpoint";

/// Asks for checkpoints at the end of epochs or between their steps. The trainer writes them once
/// every callback has seen the moment, so that they hold the state of all of them, and the store
/// keeps them with the run. From any of them the fit goes on to the same end as if nothing had
/// interrupted it.
///
/// | | when | label | kept |
/// |---|---|---|---|
/// | [`best`](Self::best) | the metric is better | `best`; of several `best-epoch-0005`, in the middle of an epoch `best-step-000123` | the best |
/// | [`last`](Self::last) | after every epoch | `last` | the newest |
/// | [`every_epochs`](Self::every_epochs) | after every `n`th epoch | `epoch-0005` | all |
/// | [`every_steps`](Self::every_steps) | behind every `n`th update | `step-000100` | all |
/// | [`every_minutes`](Self::every_minutes) | behind a step, by the clock | `step-000100` | all |
///
/// [`keep`](Self::keep) says how many are kept instead. One that is no longer kept is released in
/// the run's record once the one that takes its place is on disk, so that a crash in between leaves
/// both; its file goes with the next collection of garbage. A fit that goes on with another is a
/// run of its own: it never releases what that one has kept, and counts what it keeps anew. The best
/// values of the other count all the same, so that it keeps no checkpoint that is worse.
///
/// Add several to keep several kinds. What one releases, another keeps under the same label as long
/// as it wants.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Checkpoint {
    when: When,
    /// How many are kept; `None` as it is usual for `when`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    keep: Option<u64>,
    /// Those that are kept, the oldest first.
    #[serde(skip)]
    kept: Vec<Kept>,
    #[serde(skip)]
    clock: Clock,
    /// By the clock, when the fit began or the last one was taken.
    #[serde(skip)]
    since: Duration,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum When {
    Best(Monitor),
    Last,
    EveryEpochs(u64),
    EverySteps(u64),
    EveryMinutes(f64),
}

/// A checkpoint that is kept.
#[derive(Clone, Debug)]
struct Kept {
    /// The metric's value, where there is one.
    value: Option<f64>,
    /// Which it is; `None` for one of an earlier run, which is that run's to keep.
    key: Option<CheckpointKey>,
}

impl Checkpoint {
    fn new(when: When) -> Self {
        let (keep, kept, clock, since) = (None, Vec::new(), Clock::default(), Duration::ZERO);
        Self { when, keep, kept, clock, since }
    }

    /// Under the label `best`, whenever the metric is strictly better than ever before. What the
    /// trainer measures has a direction; for what a callback logs, larger is better when the name
    /// contains a word such as "accuracy", "f1" or "r2", else smaller; [`minimize`](Self::minimize)
    /// and [`maximize`](Self::maximize) say otherwise. A value that is NaN or infinite is never the
    /// best.
    ///
    /// The best alone is kept. With [`keep(k)`](Self::keep) and `k` > 1, the `k` best are, under the
    /// labels `best-epoch-0005`, … after the epochs that they followed, counted from 1 over the
    /// trainer's life, and `best-step-000123`, … after the steps behind which a validation in the
    /// middle of an epoch found them; the record has the metric of each. A value must then be better than the worst
    /// of `k`, and of equal ones the older stays.
    pub fn best(metric: impl AsRef<str>) -> Self {
        Self::new(When::Best(Monitor::of(metric)))
    }

    /// Under the label `last`, after every epoch. The newest alone is kept, or with
    /// [`keep(k)`](Self::keep) the newest `k`.
    pub fn last() -> Self {
        Self::new(When::Last)
    }

    /// Under the labels `epoch-0005`, `epoch-0010`, … for `n` = 5: after every `n`th epoch, counted
    /// from 1 over the trainer's life. All are kept, or with [`keep(k)`](Self::keep) the newest `k`.
    pub fn every_epochs(n: u64) -> Self {
        Self::new(When::EveryEpochs(n))
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
    /// was applied, counted from 1 over the trainer's life. All are kept, or with
    /// [`keep(k)`](Self::keep) the newest `k`.
    pub fn every_steps(n: u64) -> Self {
        Self::new(When::EverySteps(n))
    }

    /// Under the labels `step-000123`, …: behind the first applied update when so many minutes,
    /// above 0, have passed since the fit began or the last one was taken. All are kept, or with
    /// [`keep(k)`](Self::keep) the newest `k`.
    ///
    /// Behind which updates that is differs from fit to fit; what the fit comes to does not. A
    /// resumed fit begins to count the minutes anew.
    ///
    /// ```
    /// use trainbook_callbacks::Checkpoint;
    ///
    /// let checkpoint = Checkpoint::every_minutes(10).keep(2);
    /// ```
    pub fn every_minutes(minutes: impl Into<f64>) -> Self {
        Self::new(When::EveryMinutes(minutes.into()))
    }

    /// How many are kept, at least 1: the best of [`best`](Self::best), of the others the newest.
    #[must_use]
    pub fn keep(mut self, k: u64) -> Self {
        self.keep = Some(k);
        self
    }

    /// Takes the time from `clock`, which tells how long ago some fixed moment was. Default: the
    /// system's clock that never goes back. Not part of what is recorded.
    #[must_use]
    pub fn clock(mut self, clock: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        self.clock = Clock::of(clock);
        self
    }

    fn better(mut self, mode: Direction) -> Self {
        if let When::Best(monitor) = &mut self.when {
            monitor.better(mode);
        }
        self
    }

    /// How many are kept; `None` for all.
    fn limit(&self) -> Option<u64> {
        self.keep.or(match self.when {
            When::Best(_) | When::Last => Some(1),
            When::EveryEpochs(_) | When::EverySteps(_) | When::EveryMinutes(_) => None,
        })
    }

    /// Asks for one at this place, which takes the place of those that are too many then.
    fn take(
        &mut self,
        label: String,
        metric: Option<Metric>,
        counters: Counters,
    ) -> CheckpointRequest {
        let mut request = CheckpointRequest { metric, ..CheckpointRequest::new(label) };
        let Some(limit) = self.limit() else { return request };
        let value = request.metric.as_ref().map(|metric| metric.value);
        self.kept.push(Kept { value, key: Some(request.key(counters)) });
        while self.kept.len() as u64 > limit {
            let goes = self.kept.remove(self.next_to_go());
            request.releases.extend(goes.key);
        }
        request
    }

    /// Asks for one if its metric is among the best: under the label `best`, or one of its own where
    /// several are kept.
    fn best_of(
        &mut self,
        value: impl FnOnce(&str) -> Option<f64>,
        label: impl FnOnce() -> String,
        counters: Counters,
    ) -> Option<CheckpointRequest> {
        let When::Best(Monitor { metric, mode, .. }) = &self.when else { return None };
        let value = value(metric).filter(|value| self.is_among_the_best(*value, *mode))?;
        let metric = Some(Metric { name: metric.clone(), value });
        let label = if self.limit() == Some(1) { "best".to_owned() } else { label() };
        Some(self.take(label, metric, counters))
    }

    /// Which of those that are kept is dispensed with first.
    fn next_to_go(&self) -> usize {
        match &self.when {
            When::Best(monitor) => worst(&self.kept, monitor.mode).unwrap_or_default(),
            _ => 0,
        }
    }

    /// Whether the value is among the best that are to be kept.
    fn is_among_the_best(&self, value: f64, mode: Direction) -> bool {
        let values = self.kept.iter().filter_map(|kept| kept.value);
        let not_worse = values.filter(|kept| !mode.is_better(value, *kept)).count() as u64;
        value.is_finite() && self.limit().is_none_or(|limit| not_worse < limit)
    }

    fn step_label(counters: Counters) -> String {
        format!("step-{:06}", counters.updates_applied)
    }
}

/// Which has the worst value; of equal ones the newest.
fn worst(kept: &[Kept], mode: Direction) -> Option<usize> {
    let mut worst: Option<(usize, f64)> = None;
    for (at, value) in kept.iter().enumerate().filter_map(|(at, kept)| Some((at, kept.value?))) {
        if worst.is_none_or(|(_, than)| !mode.is_better(value, than)) {
            worst = Some((at, value));
        }
    }
    worst.map(|(at, _)| at)
}

/// What is saved, now and in older checkpoints.
#[derive(Deserialize)]
#[serde(untagged)]
enum Saved {
    Of(Name, Vec<f64>),
    Best(Name, Option<f64>),
    Older(Option<f64>),
}

impl Callback for Checkpoint {
    fn effects(&self) -> Effects {
        let effects = Effects::in_phase(Phase::Save).needs_store();
        match &self.when {
            When::Best(monitor) => effects.reads(monitor.resource()),
            _ => effects,
        }
    }

    fn recipe(&self) -> Option<CallbackRecipe> {
        let keep = self.keep;
        Some(CallbackRecipe::Checkpoint(Self { keep, ..Self::new(self.when.clone()) }))
    }

    fn setup(&mut self, _: &mut Setup) -> Result<(), CallbackError> {
        if let Some(k) = self.keep {
            require(k > 0, NAME, "keep", k, "at least 1")?;
        }
        match self.when {
            When::EveryEpochs(n) => require(n > 0, NAME, "every_epochs", n, "at least 1"),
            When::EverySteps(n) => require(n > 0, NAME, "every_steps", n, "at least 1"),
            When::EveryMinutes(minutes) => {
                // The other side is what a duration can be.
                let is_a_time =
                    minutes > 0.0 && Duration::try_from_secs_f64(minutes * 60.0).is_ok();
                require(is_a_time, NAME, "every_minutes", minutes, "more than 0, and finite")
            }
            When::Best(_) | When::Last => Ok(()),
        }
    }

    fn fit_start(&mut self, fit: &FitStart<'_>) -> Reply {
        // What was kept so far, another run keeps: its values say what is better than before.
        match &mut self.when {
            When::Best(monitor) => {
                monitor.begin(fit);
                self.kept.iter_mut().for_each(|kept| kept.key = None);
            }
            _ => self.kept.clear(),
        }
        self.since = self.clock.now();
        Ok(Flow::Continue)
    }

    fn step_end(&mut self, step: &StepEnd<'_>) -> Reply {
        let counters = step.counters;
        let is_due = step.applied
            && match self.when {
                When::EverySteps(n) => counters.updates_applied.is_multiple_of(n),
                When::EveryMinutes(minutes) => {
                    let now = self.clock.now();
                    let is_due = now.saturating_sub(self.since).as_secs_f64() >= minutes * 60.0;
                    if is_due {
                        self.since = now;
                    }
                    is_due
                }
                When::Best(_) | When::Last | When::EveryEpochs(_) => false,
            };
        if is_due {
            step.request_checkpoint(self.take(Self::step_label(counters), None, counters));
        }
        Ok(Flow::Continue)
    }

    /// Of the best alone: all others go by steps, epochs or time.
    fn validated(&mut self, validated: &Validated<'_>) -> Reply {
        let counters = validated.counters;
        // A skipped update does not move the applied ones.
        let label = || format!("best-step-{:06}", counters.updates_attempted);
        if let Some(best) = self.best_of(|metric| validated.metric(metric), label, counters) {
            validated.request_checkpoint(best);
        }
        Ok(Flow::Continue)
    }

    fn epoch_end(&mut self, epoch: &EpochEnd<'_>) -> Reply {
        let finished = epoch.counters.epoch + 1;
        let counters = Counters { epoch: finished, ..epoch.counters };
        match &self.when {
            When::Best(_) => {
                let label = || format!("best-epoch-{finished:04}");
                if let Some(best) = self.best_of(|metric| epoch.metric(metric), label, counters) {
                    epoch.request_checkpoint(best);
                }
            }
            When::Last => {
                epoch.request_checkpoint(self.take("last".to_owned(), None, counters));
            }
            When::EveryEpochs(n) if finished.is_multiple_of(*n) => {
                let label = format!("epoch-{finished:04}");
                epoch.request_checkpoint(self.take(label, None, counters));
            }
            When::EveryEpochs(_) | When::EverySteps(_) | When::EveryMinutes(_) => {}
        }
        Ok(Flow::Continue)
    }

    /// Of the best their values. What else is kept is the run's alone.
    fn save(&self) -> Result<CallbackState, CallbackError> {
        match &self.when {
            When::Best(monitor) => {
                let values: Vec<f64> = self.kept.iter().filter_map(|kept| kept.value).collect();
                CallbackState::of(NAME, &(&monitor.metric, values))
            }
            _ => Ok(CallbackState::empty()),
        }
    }

    fn load(&mut self, state: &CallbackState) -> Result<(), CallbackError> {
        if let When::Best(Monitor { metric, .. }) = &self.when {
            let saved: Saved = state.get(NAME)?;
            let values = match saved {
                // The best of another metric says nothing about this one.
                Saved::Of(of, _) | Saved::Best(of, _) if of != *metric => Vec::new(),
                Saved::Of(_, values) => values,
                Saved::Best(_, best) | Saved::Older(best) => best.into_iter().collect(),
            };
            let kept = |value| Kept { value: Some(value), key: None };
            self.kept = values.into_iter().map(kept).collect();
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "checkpoint_tests.rs"]
mod tests;
