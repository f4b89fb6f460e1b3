//! Stopping when a metric no longer improves.

use serde::{Deserialize, Serialize};
use trainbook_store::Value;

use crate::monitor::Monitor;
use crate::number::short;
use crate::setting::require;
use crate::{
    Callback, CallbackError, CallbackRecipe, CallbackState, Direction, Effects, EpochEnd, FitEnd,
    FitStart, Flow, Phase, Reply, Resource, Setup, Snapshot, StopKind, StopReason, Validated,
    Weights,
};

/// Stops the fit when a metric has not improved for some checks. A check is the end of an epoch, and
/// where the trainer is asked to validate every so many steps, every validation that measures the
/// metric; patience counts those then.
///
/// The rules are those of Lightning's `EarlyStopping`, in its order; `baseline`, `start_from` and
/// `restore_best` follow Keras, and `min_epochs` is that of Lightning's trainer. At each check, with the metric's value `v` (signs for a metric that
/// is minimised):
///
/// 1. `v` is NaN or infinite: stop, unless `check_finite(false)`.
/// 2. `v < stopping_threshold`: stop, it is good enough.
/// 3. `v > divergence_threshold`: stop, it is hopeless.
/// 4. `v + min_delta < best`: an improvement. `best` becomes `v`, and the wait begins anew (with a
///    baseline: only if `v + min_delta < baseline` too).
/// 5. Else the wait grows by one, and at `patience` the fit stops.
///
/// With [`min_epochs`](Self::min_epochs) no stop counts before so many epochs are done; what the check
/// behind them finds is judged anew.
///
/// Unlike Lightning, a value that reaches the stopping threshold also becomes the best, so that
/// `restore_best` keeps it. Unlike Keras, a NaN never becomes the best. A fit that follows on a
/// finished one waits anew; the best stays.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EarlyStopping {
    #[serde(flatten)]
    rule: Rule,
    restore_best: bool,
    #[serde(skip)]
    track: Track,
    #[serde(skip)]
    weights: Option<Snapshot>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Rule {
    #[serde(flatten)]
    monitor: Monitor,
    patience: u64,
    min_delta: f64,
    start_from: u64,
    baseline: Option<f64>,
    stopping_threshold: Option<f64>,
    divergence_threshold: Option<f64>,
    check_finite: bool,
    // Records of older runs have none, and a run that does without looks as theirs do.
    #[serde(default, skip_serializing_if = "is_zero")]
    min_epochs: u64,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Track {
    best: Option<Best>,
    wait: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Best {
    value: f64,
    /// In which epoch it was reached, counted from 1.
    epoch: u64,
}

impl EarlyStopping {
    /// Watches this metric. What the trainer measures has a direction; for what a callback logs,
    /// larger is better when the name contains a word such as "accuracy", "f1" or "r2", else smaller.
    pub fn on(metric: impl AsRef<str>) -> Self {
        let rule = Rule {
            monitor: Monitor::of(metric),
            patience: 3,
            min_delta: 0.0,
            start_from: 0,
            baseline: None,
            stopping_threshold: None,
            divergence_threshold: None,
            check_finite: true,
            min_epochs: 0,
        };
        Self { rule, restore_best: false, track: Track::default(), weights: None }
    }

    /// Stops at this many checks in a row without an improvement. Default: 3; 0 is the same as 1.
    #[must_use]
    pub fn patience(mut self, checks: u64) -> Self {
        self.rule.patience = checks;
        self
    }

    /// Only a change of more than this counts as an improvement. In the unit of the metric, at
    /// least 0. Default: 0.
    #[must_use]
    pub fn min_delta(mut self, delta: f64) -> Self {
        self.rule.min_delta = delta;
        self
    }

    /// Smaller is better.
    #[must_use]
    pub fn minimize(mut self) -> Self {
        self.rule.monitor.better(Direction::Minimize);
        self
    }

    /// Larger is better.
    #[must_use]
    pub fn maximize(mut self) -> Self {
        self.rule.monitor.better(Direction::Maximize);
        self
    }

    /// Does not look at the first `epochs` epochs of the trainer's life. Default: 0.
    #[must_use]
    pub fn start_from(mut self, epochs: u64) -> Self {
        self.rule.start_from = epochs;
        self
    }

    /// Stops at no check before `epochs` epochs of the trainer's life are done, whatever it finds.
    /// Unlike with [`start_from`](Self::start_from), they are looked at: the best of them is kept, and
    /// they are waited through. A stop that did not count is forgotten; if there is still reason for
    /// one when the epochs are done, it is the check at their end, or a later one, that stops.
    /// Default: 0.
    #[must_use]
    pub fn min_epochs(mut self, epochs: u64) -> Self {
        self.rule.min_epochs = epochs;
        self
    }

    /// The wait begins anew only for improvements that also beat this value. Default: none.
    #[must_use]
    pub fn baseline(mut self, value: f64) -> Self {
        self.rule.baseline = Some(value);
        self
    }

    /// Stops as soon as the metric is better than this. Default: none.
    #[must_use]
    pub fn stopping_threshold(mut self, value: f64) -> Self {
        self.rule.stopping_threshold = Some(value);
        self
    }

    /// Stops as soon as the metric is worse than this. Default: none.
    #[must_use]
    pub fn divergence_threshold(mut self, value: f64) -> Self {
        self.rule.divergence_threshold = Some(value);
        self
    }

    /// Whether to stop at a value that is NaN or infinite. Default: true. With false it counts as a
    /// check without an improvement.
    #[must_use]
    pub fn check_finite(mut self, check: bool) -> Self {
        self.rule.check_finite = check;
        self
    }

    /// At the end of the fit, however it ends, puts the weights of the best check back. Costs a
    /// copy of all weights in memory and in every checkpoint. Changes nothing when no check
    /// improved.
    #[must_use]
    pub fn restore_best(mut self) -> Self {
        self.restore_best = true;
        self
    }
}

/// What one check found.
#[derive(Debug, Default, PartialEq)]
struct Check {
    improved: bool,
    stop: Option<String>,
}

impl Rule {
    /// One check, in the epoch of this number, counted from 1; `track` goes from one check to the next.
    fn check(&self, track: &mut Track, epoch: u64, value: f64) -> Check {
        let improved =
            self.monitor.mode.improves(value, track.best.map(|b| b.value), self.min_delta);
        let before = track.best;
        let mut check = Check::default();
        let mut stop = |why: String, best: Option<Best>| {
            let best = best.map_or("no check was finite before".to_owned(), |b| {
                format!("best {} in epoch {}", short(b.value), b.epoch)
            });
            check.stop = Some(format!("{} {why}; {best}", self.monitor.metric));
        };
        if self.check_finite && !value.is_finite() {
            stop(format!("is {value} in epoch {epoch}"), before);
            return check;
        }
        let good_enough = self
            .stopping_threshold
            .filter(|threshold| self.monitor.mode.is_better(value, *threshold));
        let hopeless = self
            .divergence_threshold
            .filter(|threshold| self.monitor.mode.is_better(*threshold, value));
        if let (Some(threshold), None) = (hopeless, good_enough) {
            stop(
                format!("is {} in epoch {epoch}, worse than {}", short(value), short(threshold)),
                before,
            );
            return check;
        }
        if improved {
            track.best = Some(Best { value, epoch });
        }
        if let Some(threshold) = good_enough {
            stop(
                format!("is {} in epoch {epoch}, better than {}", short(value), short(threshold)),
                track.best,
            );
        } else if !improved {
            track.wait += 1;
            if track.wait >= self.patience {
                let checks = if track.wait == 1 { "check" } else { "checks" };
                let missed = match (self.baseline, before) {
                    (Some(baseline), Some(b))
                        if !self.monitor.mode.improves(b.value, Some(baseline), self.min_delta) =>
                    {
                        format!("beaten {}", short(baseline))
                    }
                    _ => "improved".to_owned(),
                };
                stop(format!("has not {missed} for {} {checks}", track.wait), before);
            }
        } else if self.monitor.mode.improves(value, self.baseline, self.min_delta) {
            track.wait = 0;
        } else {
            track.wait += 1; // Keras counts it, and stops only at a check without an improvement
        }
        check.improved = improved;
        check
    }
}

impl EarlyStopping {
    /// A check in the epoch of this number, counted from 0, behind so many whole ones.
    fn check(&mut self, epoch: u64, done: u64, value: f64, weights: &dyn Weights) -> Reply {
        if epoch < self.rule.start_from {
            return Ok(Flow::Continue);
        }
        let mut check = self.rule.check(&mut self.track, epoch + 1, value);
        if done < self.rule.min_epochs {
            check.stop = None;
        }
        if check.improved && self.restore_best {
            self.weights = Some(weights.snapshot()?);
        }
        Ok(check.stop.map_or(Flow::Continue, |why| {
            Flow::Stop(StopReason::new(StopKind::EarlyStopping, why))
        }))
    }
}

impl Callback for EarlyStopping {
    fn effects(&self) -> Effects {
        let effects = Effects::in_phase(Phase::Decide)
            .reads(self.rule.monitor.resource())
            .writes(Resource::Stop);
        if self.restore_best { effects.writes(Resource::Weights) } else { effects }
    }

    fn params(&self) -> Vec<(&'static str, Value)> {
        vec![("patience", self.rule.patience.into())]
    }

    fn recipe(&self) -> Option<CallbackRecipe> {
        let Rule { baseline, stopping_threshold, divergence_threshold, .. } = self.rule;
        // Infinity has no place in JSON.
        let levels = [baseline, stopping_threshold, divergence_threshold];
        if levels.into_iter().flatten().any(|level| !level.is_finite()) {
            return None;
        }
        let (track, weights) = (Track::default(), None);
        let (rule, restore_best) = (self.rule.clone(), self.restore_best);
        Some(CallbackRecipe::EarlyStopping(Self { rule, restore_best, track, weights }))
    }

    fn setup(&mut self, _: &mut Setup) -> Result<(), CallbackError> {
        const NAME: &str = "EarlyStopping";
        let rule = &self.rule;
        let delta = rule.min_delta;
        require(
            delta >= 0.0 && delta.is_finite(),
            NAME,
            "min_delta",
            delta,
            "a finite number, at least 0",
        )?;
        let levels = [
            ("baseline", rule.baseline),
            ("stopping_threshold", rule.stopping_threshold),
            ("divergence_threshold", rule.divergence_threshold),
        ];
        for (setting, value) in levels {
            let value = value.unwrap_or_default();
            require(!value.is_nan(), NAME, setting, value, "a number")?;
        }
        Ok(())
    }

    fn fit_start(&mut self, fit: &FitStart<'_>) -> Reply {
        let rule = &mut self.rule;
        rule.monitor.begin(fit);
        if let (Some(stop), Some(diverged)) = (rule.stopping_threshold, rule.divergence_threshold) {
            require(
                rule.monitor.mode.is_better(stop, diverged),
                "EarlyStopping",
                "divergence_threshold",
                diverged,
                "worse than the stopping threshold",
            )?;
        }
        Ok(Flow::Continue)
    }

    fn validated(&mut self, validated: &Validated<'_>) -> Reply {
        let epoch = validated.counters.epoch;
        match validated.metric(&self.rule.monitor.metric) {
            Some(value) => self.check(epoch, epoch, value, validated.weights),
            None => Ok(Flow::Continue), // one of whole epochs
        }
    }

    fn epoch_end(&mut self, epoch: &EpochEnd<'_>) -> Reply {
        if epoch.counters.epoch < self.rule.start_from {
            return Ok(Flow::Continue);
        }
        let value = self.rule.monitor.value(epoch)?;
        self.check(epoch.counters.epoch, epoch.counters.epoch + 1, value, epoch.weights)
    }

    fn fit_end(&mut self, fit: &mut FitEnd<'_>) -> Result<(), CallbackError> {
        self.track.wait = 0;
        self.weights.as_ref().map_or(Ok(()), |weights| fit.restore(weights))
    }

    fn save(&self) -> Result<CallbackState, CallbackError> {
        CallbackState::of("EarlyStopping", &(&self.track, &self.weights))
    }

    fn load(&mut self, state: &CallbackState) -> Result<(), CallbackError> {
        (self.track, self.weights) = state.get("EarlyStopping")?;
        Ok(())
    }
}

#[cfg(test)]
#[path = "early_stopping_tests.rs"]
mod tests;
