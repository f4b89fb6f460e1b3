//! Limits on how far training goes.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Clock;
use crate::setting::require;
use crate::{
    Callback, CallbackError, CallbackRecipe, Counters, Effects, EpochEnd, FitStart, Flow, Phase,
    Reply, Resource, Setup, StepEnd, StopKind, StopReason,
};

const NAME: &str = "Budget";

/// A stop file is looked for at most this often.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Ends training when it has used up so many steps, epochs or seconds, or when a file exists;
/// of several limits the first to be reached.
///
/// The fit ends right behind the step that reaches a limit, without judging the weights, and can be
/// resumed from there as if nothing had been. Steps and epochs count over the trainer's life, so
/// that a resumed run has what is left of them, and a fit that begins with nothing left trains
/// nothing; time is that of one fit, and a resumed run has all of it again. Schedules know nothing
/// of a budget: they plan for the whole fit, so for a schedule that ends with the last step, ask the
/// fit for so many steps.
///
/// ```
/// use std::time::Duration;
/// use trainbook_callbacks::Budget;
///
/// let budget = Budget::wall_time(Duration::from_secs(3600)).or_steps(10_000).or_stop_file("stop");
/// ```
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Budget {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    steps: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    epochs: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    wall_seconds: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stop_file: Option<PathBuf>,
    #[serde(skip)]
    clock: Clock,
    /// When this fit began, by the clock.
    #[serde(skip)]
    began: Duration,
    /// When the file is looked for next, by the clock.
    #[serde(skip)]
    next_look: Duration,
}

impl Budget {
    /// This many updates, applied or skipped; at least 1. The fit ends as
    /// [`StopKind::Budget`].
    pub fn steps(limit: u64) -> Self {
        Self::default().or_steps(limit)
    }

    /// This many epochs, at least 1; one that was cut short counts. The fit ends as
    /// [`StopKind::Budget`].
    pub fn epochs(limit: u64) -> Self {
        Self::default().or_epochs(limit)
    }

    /// This much time in a fit, validation and recording included, above 0. The fit ends as
    /// [`StopKind::Budget`].
    pub fn wall_time(limit: Duration) -> Self {
        Self::default().or_wall_time(limit)
    }

    /// Until there is something at this path, which is looked for when a fit begins and then at
    /// most four times a second, at the end of steps. It is not removed. What cannot be looked for,
    /// for want of a permission or because a network's disk is away, is not there. The fit ends as
    /// [`StopKind::Requested`].
    pub fn stop_file(path: impl Into<PathBuf>) -> Self {
        Self::default().or_stop_file(path)
    }

    /// Also a limit on [`steps`](Self::steps).
    #[must_use]
    pub fn or_steps(mut self, limit: u64) -> Self {
        self.steps = Some(limit);
        self
    }

    /// Also a limit on [`epochs`](Self::epochs).
    #[must_use]
    pub fn or_epochs(mut self, limit: u64) -> Self {
        self.epochs = Some(limit);
        self
    }

    /// Also a limit on [`wall_time`](Self::wall_time).
    #[must_use]
    pub fn or_wall_time(mut self, limit: Duration) -> Self {
        self.wall_seconds = Some(limit.as_secs_f64());
        self
    }

    /// Also a [`stop_file`](Self::stop_file).
    #[must_use]
    pub fn or_stop_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.stop_file = Some(path.into());
        self
    }

    /// Takes the time from `clock`, which tells how long ago some fixed moment was. Default: the
    /// system's clock that never goes back. Not part of what is recorded.
    #[must_use]
    pub fn clock(mut self, clock: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        self.clock = Clock::of(clock);
        self
    }

    /// What is used up, with this many epochs done.
    fn exhausted(&mut self, counters: Counters, epochs: u64) -> Option<StopReason> {
        let budget = |why: String| Some(StopReason::new(StopKind::Budget, why));
        if let Some(limit) = self.steps
            && counters.updates_attempted >= limit
        {
            return budget(format!(
                "{} done of {limit}",
                counted(counters.updates_attempted, "step")
            ));
        }
        if let Some(limit) = self.epochs
            && epochs >= limit
        {
            return budget(format!("{} done of {limit}", counted(epochs, "epoch")));
        }
        if let Some(limit) = self.wall_seconds {
            let spent = self.clock.now().saturating_sub(self.began).as_secs_f64();
            if spent >= limit {
                return budget(format!("{spent:.1} s spent of {limit:.1} s"));
            }
        }
        self.stop_file_exists()
    }

    fn stop_file_exists(&mut self) -> Option<StopReason> {
        let path = self.stop_file.as_ref()?;
        let now = self.clock.now();
        if now < self.next_look {
            return None;
        }
        self.next_look = now + LOOK_EVERY;
        let why = || format!("the stop file {} exists", path.display());
        path.exists().then(|| StopReason::new(StopKind::Requested, why()))
    }
}

impl Callback for Budget {
    fn effects(&self) -> Effects {
        Effects::in_phase(Phase::Decide).writes(Resource::Stop)
    }

    fn recipe(&self) -> Option<CallbackRecipe> {
        // A path that is no text has no place in JSON.
        if self.stop_file.as_ref().is_some_and(|path| path.to_str().is_none()) {
            return None;
        }
        let Self { steps, epochs, wall_seconds, stop_file, .. } = self.clone();
        let limits = Self { steps, epochs, wall_seconds, stop_file, ..Self::default() };
        Some(CallbackRecipe::Budget(limits))
    }

    fn setup(&mut self, _: &mut Setup) -> Result<(), CallbackError> {
        for (setting, limit) in [("steps", self.steps), ("epochs", self.epochs)] {
            require(limit != Some(0), NAME, setting, 0, "at least 1")?;
        }
        let seconds = self.wall_seconds.unwrap_or(1.0);
        require(seconds > 0.0, NAME, "wall_time", seconds, "more than 0 seconds")
    }

    fn fit_start(&mut self, fit: &FitStart<'_>) -> Reply {
        self.began = self.clock.now();
        self.next_look = Duration::ZERO;
        Ok(self.exhausted(fit.counters, fit.counters.epoch).map_or(Flow::Continue, Flow::Stop))
    }

    fn step_end(&mut self, step: &StepEnd<'_>) -> Reply {
        let epochs = step.counters.epoch;
        Ok(self.exhausted(step.counters, epochs).map_or(Flow::Continue, Flow::Stop))
    }

    fn epoch_end(&mut self, epoch: &EpochEnd<'_>) -> Reply {
        let epochs = epoch.counters.epoch + 1;
        Ok(self.exhausted(epoch.counters, epochs).map_or(Flow::Continue, Flow::Stop))
    }
}

fn counted(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
#[path = "budget_tests.rs"]
mod tests;
