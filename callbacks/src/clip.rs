//! Gradients of limited size.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use trainbook_store::{Name, Value};

use crate::setting::require;
use crate::{
    Callback, CallbackError, CallbackRecipe, CallbackState, Effects, EpochEnd, EpochStart, Flow,
    GradientEdit, Phase, Reply, Resource, Setup,
};

const NAME: &str = "Clip";

/// How many norms [`Clip::percentile`] remembers.
const HISTORY: u64 = 1000;

const CLIPPED: Name = Name::new_static("clipped");
const CLIPPED_SHARE: Name = Name::new_static("clipped_share");

/// Limits the gradients before the update.
///
/// Logs `clipped` (1 when this step's gradients were changed, else 0) at every step and
/// `clipped_share` (their mean over the epoch) at the end of every epoch. More than a half is a
/// sign that the learning rate is too high; a good limit clips about one step in ten. (Not so for
/// [`percentile`](Self::percentile), which is there to clip.)
///
/// Gradients whose norm is NaN or infinite are left as they are: scaling them would only spread the
/// damage. [`NanGuard`](crate::NanGuard) deals with them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Clip {
    #[serde(flatten)]
    limit: Limit,
    #[serde(skip)]
    counts: Counts,
    #[serde(skip)]
    norms: Norms,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Limit {
    GlobalNorm(f64),
    Value(f32),
    Percentile { percent: f64, history: u64 },
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Counts {
    steps: u64,
    clipped: u64,
}

impl Clip {
    /// Scales all gradients by `min(1, max / (norm + 1e-6))`, where `norm` is the Euclidean norm
    /// over all of them, as `torch.nn.utils.clip_grad_norm_` does. `max` is in the unit of the
    /// norm; 1.0 is a usual choice.
    pub fn global_norm(max: f64) -> Self {
        Self::of(Limit::GlobalNorm(max))
    }

    /// Limits every element to `[-limit, limit]`, as `torch.nn.utils.clip_grad_value_` does. This
    /// changes the gradient's direction.
    pub fn value(limit: f32) -> Self {
        Self::of(Limit::Value(limit))
    }

    /// As [`global_norm`](Self::global_norm), with a limit that follows the gradients: the
    /// `percent`th percentile of the norms of the last 1000 steps, this one's included and as they
    /// were before clipping (AutoClip: Seetharaman et al. 2020, arXiv:2007.14469, where 10 is the
    /// usual choice and all steps are remembered). Above 0 and below 100.
    ///
    /// Between two norms the percentile is linear, as `numpy.percentile` has it: of `n` sorted norms
    /// it stands at `percent / 100 · (n − 1)`, counted from 0. A norm that is not above it is left as
    /// it is, and while it is 0 nothing is clipped. A norm that is NaN or infinite is not remembered.
    ///
    /// The limit is there to clip: about `100 − percent` of 100 steps are. The norms, 8 bytes each,
    /// are part of every checkpoint.
    pub fn percentile(percent: f64) -> Self {
        Self::of(Limit::Percentile { percent, history: HISTORY })
    }

    /// How many norms [`percentile`](Self::percentile) remembers: at least 2. Default: 1000. Changes
    /// nothing for other limits.
    #[must_use]
    pub fn history(mut self, steps: u64) -> Self {
        if let Limit::Percentile { history, .. } = &mut self.limit {
            *history = steps;
        }
        self
    }

    fn of(limit: Limit) -> Self {
        Self { limit, counts: Counts::default(), norms: Norms::default() }
    }
}

/// The norms of the last steps.
#[derive(Clone, Debug, Default)]
struct Norms {
    /// From the oldest to the newest.
    recent: VecDeque<f64>,
    /// The same, from the smallest to the largest: kept so, since sorting at every step would cost
    /// more than a place for one.
    sorted: Vec<f64>,
}

impl Norms {
    /// One more, and no more than `most` in all.
    fn push(&mut self, norm: f64, most: u64) {
        self.recent.push_back(norm);
        self.sorted.insert(self.place(norm), norm);
        while self.recent.len() as u64 > most
            && let Some(oldest) = self.recent.pop_front()
        {
            self.sorted.remove(self.place(oldest));
        }
    }

    fn place(&self, norm: f64) -> usize {
        self.sorted.partition_point(|&known| known < norm)
    }

    /// See [`Clip::percentile`]; 0 of none.
    fn percentile(&self, percent: f64) -> f64 {
        let place = percent / 100.0 * self.sorted.len().saturating_sub(1) as f64;
        let at = |place: f64| self.sorted.get(place as usize).copied().unwrap_or_default();
        let (below, above) = (at(place.floor()), at(place.ceil()));
        below + (above - below) * place.fract()
    }
}

impl FromIterator<f64> for Norms {
    fn from_iter<I: IntoIterator<Item = f64>>(norms: I) -> Self {
        let recent: VecDeque<f64> = norms.into_iter().collect();
        let mut sorted = Vec::from(recent.clone());
        sorted.sort_by(f64::total_cmp);
        Self { recent, sorted }
    }
}

/// What to multiply gradients of this norm by, at most 1 (`torch.nn.utils.clip_grad_norm_`).
fn coefficient(norm: f64, max: f64) -> f32 {
    (max / (norm + 1e-6)).min(1.0) as f32
}

impl Callback for Clip {
    fn effects(&self) -> Effects {
        Effects::in_phase(Phase::Change)
            .writes(Resource::Gradients)
            .writes(Resource::StepMetric(CLIPPED))
            .writes(Resource::Metric(CLIPPED_SHARE))
    }

    fn params(&self) -> Vec<(&'static str, Value)> {
        match self.limit {
            Limit::GlobalNorm(max) => vec![("clip_norm", max.into())],
            Limit::Value(limit) => vec![("clip_value", limit.into())],
            Limit::Percentile { percent, .. } => vec![("clip_percentile", percent.into())],
        }
    }

    fn recipe(&self) -> Option<CallbackRecipe> {
        Some(CallbackRecipe::Clip(Self::of(self.limit)))
    }

    fn setup(&mut self, _: &mut Setup) -> Result<(), CallbackError> {
        let (setting, limit) = match self.limit {
            Limit::GlobalNorm(max) => ("global_norm", max),
            Limit::Value(limit) => ("value", limit.into()),
            Limit::Percentile { percent, history } => {
                let within = percent > 0.0 && percent < 100.0;
                require(within, NAME, "percentile", percent, "above 0 and below 100")?;
                return require(history >= 2, NAME, "history", history, "at least 2");
            }
        };
        require(limit > 0.0 && limit.is_finite(), NAME, setting, limit, "a finite number above 0")
    }

    fn epoch_start(&mut self, _: &EpochStart<'_>) -> Reply {
        self.counts = Counts::default();
        Ok(Flow::Continue)
    }

    fn change_gradients(&mut self, step: &mut GradientEdit<'_>) -> Reply {
        let norm = step.gradients.global_norm()?;
        let clipped = norm.is_finite()
            && match self.limit {
                Limit::GlobalNorm(max) => {
                    let coefficient = coefficient(norm, max);
                    if coefficient < 1.0 {
                        step.gradients.scale(coefficient)?;
                    }
                    coefficient < 1.0
                }
                // No element is larger than the norm, so a small norm needs no pass over the
                // elements.
                Limit::Value(limit) if norm <= f64::from(limit) => false,
                Limit::Value(limit) => {
                    step.gradients.clamp(limit)?;
                    step.gradients.global_norm()? < norm
                }
                Limit::Percentile { percent, history } => {
                    self.norms.push(norm, history);
                    let max = self.norms.percentile(percent);
                    let clips = 0.0 < max && max < norm;
                    if clips {
                        step.gradients.scale(coefficient(norm, max))?;
                    }
                    clips
                }
            };
        self.counts.steps += 1;
        self.counts.clipped += u64::from(clipped);
        step.log.push(CLIPPED, f64::from(u8::from(clipped)));
        Ok(Flow::Continue)
    }

    fn epoch_end(&mut self, epoch: &EpochEnd<'_>) -> Reply {
        if self.counts.steps > 0 {
            epoch.log.push(CLIPPED_SHARE, self.counts.clipped as f64 / self.counts.steps as f64);
        }
        Ok(Flow::Continue)
    }

    fn save(&self) -> Result<CallbackState, CallbackError> {
        match self.limit {
            Limit::Percentile { .. } => {
                CallbackState::of(NAME, &(&self.counts, &self.norms.recent))
            }
            Limit::GlobalNorm(_) | Limit::Value(_) => CallbackState::of(NAME, &self.counts),
        }
    }

    fn load(&mut self, state: &CallbackState) -> Result<(), CallbackError> {
        match self.limit {
            Limit::Percentile { .. } => {
                let (counts, norms): (Counts, Vec<f64>) = state.get(NAME)?;
                (self.counts, self.norms) = (counts, norms.into_iter().collect());
            }
            Limit::GlobalNorm(_) | Limit::Value(_) => self.counts = state.get(NAME)?,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{Fake, setup_error};

    /// Two tensors with norm 5 · factor.
    fn gradients(factor: f32) -> Vec<Vec<f32>> {
        vec![vec![3.0 * factor], vec![0.0, -4.0 * factor]]
    }

    #[test]
    fn the_norm_is_limited_as_torch_does() {
        // torch.nn.utils.clip_grad_norm_ on [3], [0, -4] with max_norm 1: coefficient 1 / (5 +
        // 1e-6)
        let mut fake = Fake::with(Clip::global_norm(1.0)).batches(2);
        fake.gradients = Box::new(|step| gradients(if step == 1 { 1.0 } else { 0.1 }));
        fake.fit(1);
        let clipped = &fake.seen.gradients[0];
        assert!((f64::from(clipped[0][0]) - 0.599_999_88).abs() < 1e-7, "{clipped:?}");
        assert!((f64::from(clipped[1][1]) + 0.799_999_84).abs() < 1e-7, "{clipped:?}");
        assert_eq!(fake.seen.gradients[1], gradients(0.1), "a norm of 0.5 is below 1");
        assert_eq!(fake.seen.step_metric("clipped"), [1.0, 0.0]);
        assert_eq!(fake.seen.epoch_metric("clipped_share"), [0.5]);
    }

    #[test]
    fn the_coefficient_never_grows_gradients() {
        assert_eq!(coefficient(0.0, 1.0), 1.0);
        assert_eq!(coefficient(0.5, 1.0), 1.0);
        assert_eq!(coefficient(2.0 - 1e-6, 1.0), 0.5);
    }

    #[test]
    fn elements_are_limited() {
        let mut fake = Fake::with(Clip::value(3.5)).batches(3);
        fake.gradients = Box::new(|step| match step {
            1 => gradients(1.0),
            2 => vec![vec![3.4], vec![-3.4, 3.5]],
            _ => gradients(0.1),
        });
        fake.fit(1);
        assert_eq!(fake.seen.gradients[0], [vec![3.0], vec![0.0, -3.5]]);
        assert_eq!(fake.seen.gradients[1], [vec![3.4], vec![-3.4, 3.5]]);
        assert_eq!(fake.seen.step_metric("clipped"), [1.0, 0.0, 0.0]);
    }

    #[test]
    fn what_is_not_finite_is_left_alone() {
        for clip in [Clip::global_norm(1.0), Clip::value(1.0)] {
            let mut fake = Fake::with(clip).batches(1);
            fake.gradients = Box::new(|_| vec![vec![f32::INFINITY], vec![7.0, 0.0]]);
            fake.fit(1);
            assert_eq!(fake.seen.gradients[0], [vec![f32::INFINITY], vec![7.0, 0.0]]);
            assert_eq!(fake.seen.step_metric("clipped"), [0.0]);
        }
    }

    #[test]
    fn the_share_starts_anew_with_each_epoch() {
        let mut fake = Fake::with(Clip::global_norm(1.0)).batches(2);
        fake.gradients = Box::new(|step| gradients(if step <= 3 { 1.0 } else { 0.1 }));
        fake.fit(2);
        assert_eq!(fake.seen.epoch_metric("clipped_share"), [1.0, 0.5]);
    }

    /// `numpy.percentile` of the last `history` norms, by sorting.
    fn sorted_out(norms: &[f64], history: usize, percent: f64) -> f64 {
        let mut last = norms[norms.len().saturating_sub(history)..].to_vec();
        last.sort_by(f64::total_cmp);
        let place = percent / 100.0 * (last.len() - 1) as f64;
        let (below, above) = (last[place.floor() as usize], last[place.ceil() as usize]);
        below + (above - below) * place.fract()
    }

    #[test]
    fn the_percentile_is_that_of_numpy() {
        // numpy.percentile([15, 20, 35, 40, 50], [10, 40, 99.5])
        let norms = [35.0, 15.0, 50.0, 20.0, 40.0];
        let known: Norms = norms.into_iter().collect();
        for (percent, expected) in [(10.0, 17.0), (40.0, 29.0), (99.5, 49.8)] {
            assert!((known.percentile(percent) - expected).abs() < 1e-12, "{percent}");
            assert!((sorted_out(&norms, 9, percent) - expected).abs() < 1e-12, "{percent}");
        }
        assert_eq!(Norms::default().percentile(50.0), 0.0);
    }

    #[test]
    fn the_limit_follows_the_norms_of_the_last_steps() {
        // Ups and downs, equal norms among them, that also shrink over the fit.
        let norm = |step: u64| (step * 37 % 11 + 1) as f32 / (1 + step / 20) as f32;
        for (percent, history) in [(10.0, 7), (50.0, 16), (90.0, 1000)] {
            let clip = Clip::percentile(percent).history(history);
            let mut fake = Fake::with(clip).batches(20);
            fake.gradients = Box::new(move |step| match step {
                30 => vec![vec![f32::INFINITY], vec![0.0, 0.0]],
                _ => vec![vec![norm(step)], vec![0.0, 0.0]],
            });
            fake.fit(3);
            let mut norms = Vec::new();
            for step in (1..=60).filter(|step| *step != 30) {
                norms.push(f64::from(norm(step)));
                let (norm, limit) = (norm(step), sorted_out(&norms, history as usize, percent));
                let clips = f64::from(norm) > limit;
                let expected = if clips { norm * coefficient(norm.into(), limit) } else { norm };
                let got = fake.seen.gradients[step as usize - 1][0][0];
                assert!((got - expected).abs() <= 1e-6 * expected, "{step}: {got}, {expected}");
                let logged = fake.seen.step_metric("clipped")[step as usize - 1];
                assert_eq!(logged, f64::from(u8::from(clips)), "step {step}, {percent} %");
            }
            assert_eq!(fake.seen.gradients[29][0], [f32::INFINITY]);
        }
    }

    #[test]
    fn while_the_percentile_is_0_nothing_is_clipped() {
        let mut fake = Fake::with(Clip::percentile(10.0)).batches(4);
        fake.gradients = Box::new(|step| gradients(if step <= 2 { 0.0 } else { 1.0 }));
        fake.fit(1);
        assert_eq!(fake.seen.step_metric("clipped"), [0.0; 4]);
        assert_eq!(fake.seen.gradients[3], gradients(1.0));
    }

    #[test]
    fn a_state_of_a_fixed_limit_is_what_it_was() {
        let state = Clip::global_norm(1.0).save().unwrap();
        assert_eq!(state, CallbackState::of("Clip", &Counts::default()).unwrap());
        let json = serde_json::to_string(&Clip::percentile(10.0).recipe()).unwrap();
        assert_eq!(json, r#"{"callback":"Clip","percentile":{"percent":10.0,"history":1000}}"#);
    }

    #[test]
    fn senseless_limits_are_refused() {
        for (clip, setting) in [
            (Clip::percentile(0.0), "percentile"),
            (Clip::global_norm(0.0), "global_norm"),
            (Clip::value(0.0), "value"),
        ] {
            let error = setup_error(clip);
            assert!(error.contains(&format!("{setting} is 0, and must be")), "{error}");
        }
        assert_eq!(
            setup_error(Clip::percentile(100.0)),
            "set up Clip: percentile is 100, and must be above 0 and below 100"
        );
        assert_eq!(
            setup_error(Clip::percentile(10.0).history(1)),
            "set up Clip: history is 1, and must be at least 2"
        );
        assert_eq!(
            setup_error(Clip::global_norm(-1.0)),
            "set up Clip: global_norm is -1, and must be a finite number above 0"
        );
        assert_eq!(
            setup_error(Clip::value(f32::NAN)),
            "set up Clip: value is NaN, and must be a finite number above 0"
        );
    }

    #[test]
    fn what_is_small_is_not_gone_over() {
        let passes = |clip: Clip, factor: f32| {
            let mut fake = Fake::with(clip).batches(4);
            fake.gradients = Box::new(move |_| gradients(factor));
            fake.fit(1);
            (fake.seen.norm_calls, fake.seen.changes)
        };
        assert_eq!(passes(Clip::value(5.0), 1.0), (4, 0), "the norm is 5, and no element above it");
        assert_eq!(passes(Clip::value(4.5), 1.0), (8, 4));
        assert_eq!(passes(Clip::global_norm(6.0), 1.0), (4, 0));
        assert_eq!(passes(Clip::global_norm(4.0), 1.0), (4, 4));
    }

    #[test]
    fn an_epoch_without_steps_has_no_share() {
        let mut fake = Fake::with(Clip::global_norm(1.0)).batches(0);
        fake.fit(1);
        assert_eq!(fake.seen.epoch_logs, [[]]);
    }
}
