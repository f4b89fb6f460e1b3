//! No update from a NaN.

use serde::{Deserialize, Serialize};
use trainbook_store::Name;

use crate::{
    Callback, CallbackError, CallbackRecipe, CallbackState, Effects, EpochEnd, Flow, GradientView,
    Gradients, NonFinite, Phase, Reply, Resource, StopKind, StopReason,
};

const SKIPPED_UPDATES: Name = Name::new_static("skipped_updates");

/// How many sample numbers a stop reason names.
const SAMPLES_NAMED: usize = 8;

/// Stops the fit when a loss or a gradient is NaN or infinite, before the update that would carry
/// it into the weights, and says where it begins: it computes the forward pass again and names the
/// first layer that gives such a number, and for which samples; if there is none, the last tensor
/// whose gradient has one, at which the backward pass met it first. And at which step (the number of its
/// last batch, from 1).
///
/// A stop that is asked for before the update also skips this step's update, so the weights stay as
/// they were after the last good step.
///
/// With [`skip_up_to`](Self::skip_up_to) such a step is only skipped, and `skipped_updates` (over
/// the trainer's life) is logged at the end of every epoch.
///
/// Steps whose numbers are finite cost one gradient norm. On an accelerator it waits for norm and loss
/// at every step: `every(10, NanGuard::new())` waits less often, and updates with what is between.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct NanGuard {
    #[serde(rename = "skip_up_to")]
    skip: u64,
    #[serde(skip)]
    counts: Counts,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Counts {
    in_a_row: u64,
    skipped: u64,
}

impl NanGuard {
    /// Stops at the first loss or gradient that is not finite.
    pub fn new() -> Self {
        Self::default()
    }

    /// Skips up to `steps` such steps in a row, and stops at the next one. Default: 0.
    #[must_use]
    pub fn skip_up_to(mut self, steps: u64) -> Self {
        self.skip = steps;
        self
    }
}

impl Callback for NanGuard {
    fn effects(&self) -> Effects {
        let effects =
            Effects::in_phase(Phase::Guard).reads(Resource::Gradients).writes(Resource::Stop);
        if self.skip > 0 { effects.writes(Resource::Metric(SKIPPED_UPDATES)) } else { effects }
    }

    fn recipe(&self) -> Option<CallbackRecipe> {
        Some(CallbackRecipe::NanGuard(Self { skip: self.skip, counts: Counts::default() }))
    }

    fn raw_gradients(&mut self, step: &GradientView<'_>) -> Reply {
        let (norm, loss) = (step.gradients.global_norm()?, step.loss.get());
        if norm.is_finite() && loss.is_finite() {
            self.counts.in_a_row = 0;
            return Ok(Flow::Continue);
        }
        self.counts.skipped += 1;
        self.counts.in_a_row += 1;
        if self.counts.in_a_row <= self.skip {
            return Ok(Flow::SkipUpdate);
        }
        // The next fit of this trainer may skip again.
        self.counts.in_a_row = 0;
        let replayed = step.replay.first_non_finite();
        let what = blame(loss, norm, step.gradients, &replayed)?;
        let at = step.counters.batches_seen;
        let detail = match &replayed {
            // The forward pass names the samples itself.
            Ok(Some(_)) => format!("{what} at step {at}"),
            _ => format!("{what} at step {at} (samples {})", list(step.samples)),
        };
        Ok(Flow::Stop(StopReason::new(StopKind::NonFinite, detail)))
    }

    fn epoch_end(&mut self, epoch: &EpochEnd<'_>) -> Reply {
        if self.skip > 0 {
            epoch.log.push(SKIPPED_UPDATES, self.counts.skipped as f64);
        }
        Ok(Flow::Continue)
    }

    fn save(&self) -> Result<CallbackState, CallbackError> {
        CallbackState::of("NanGuard", &self.counts)
    }

    fn load(&mut self, state: &CallbackState) -> Result<(), CallbackError> {
        self.counts = state.get("NanGuard")?;
        Ok(())
    }
}

/// What is not finite, and where that begins.
fn blame(
    loss: f32,
    norm: f64,
    gradients: &dyn Gradients,
    replayed: &Result<Option<NonFinite>, CallbackError>,
) -> Result<String, CallbackError> {
    if let Ok(Some(NonFinite { layer, samples, nans, infs })) = replayed {
        let what = kinds(*nans, *infs);
        let of = if samples.len() == 1 { "sample" } else { "samples" };
        let loss = if loss.is_finite() { String::new() } else { format!("; the loss is {loss}") };
        return Ok(format!("forward, {layer} gives {what} for {of} {}{loss}", list(samples)));
    }
    let stats = gradients.stats()?;
    let mut bad = gradients.tensors().iter().zip(&stats).filter(|(_, s)| s.nans + s.infs > 0);
    // The backward pass goes from the last tensor to the first, and carries along what it meets.
    let tensor = if loss.is_finite() { bad.next_back() } else { bad.next() };
    let tensor = tensor.map(|(tensor, s)| {
        format!("gradient of {} has {} of {}", tensor.name, kinds(s.nans, s.infs), s.len)
    });
    let what = match tensor {
        Some(tensor) if loss.is_finite() => format!("backward, {tensor}"),
        Some(tensor) => format!("loss is {loss} and {tensor}"),
        None if loss.is_finite() => format!("gradient norm is {norm}"),
        None => format!("loss is {loss}"),
    };
    Ok(match replayed {
        Err(error) => format!("{what} (looking for the layer failed to {error})"),
        _ if loss.is_finite() => what,
        _ => format!("{what}, though every layer's output is finite, computed again in f32,"),
    })
}

/// "2 NaN and 1 infinite".
fn kinds(nans: usize, infs: usize) -> String {
    let kinds = [(nans, "NaN"), (infs, "infinite")];
    let counts: Vec<_> =
        kinds.iter().filter(|(n, _)| *n > 0).map(|(n, kind)| format!("{n} {kind}")).collect();
    counts.join(" and ")
}

fn list(samples: &[usize]) -> String {
    let mut named: Vec<_> = samples.iter().take(SAMPLES_NAMED).map(usize::to_string).collect();
    if samples.len() > SAMPLES_NAMED {
        named.push("…".to_owned());
    }
    named.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{Fake, FakeGradients, tensors};

    fn bad() -> Vec<Vec<f32>> {
        vec![vec![1.0], vec![f32::NAN, f32::NAN]]
    }

    fn good() -> Vec<Vec<f32>> {
        vec![vec![1.0], vec![1.0, 1.0]]
    }

    #[test]
    fn a_nan_gradient_stops_the_fit_before_the_update() {
        let mut fake = Fake::with(NanGuard::new()).batches(5);
        fake.gradients = Box::new(|step| if step == 3 { bad() } else { good() });
        fake.fit(1);
        let reason = fake.seen.reason.unwrap();
        assert_eq!(reason.kind, StopKind::NonFinite);
        assert_eq!(
            reason.to_string(),
            "non_finite (NanGuard): backward, gradient of 0.bias has 2 NaN of 2 at step 3 (samples \
             6, 7, 8)"
        );
        assert_eq!(fake.seen.applied, [true, true, false]);
        assert_eq!((fake.seen.norm_calls, fake.seen.stats_calls), (3, 1));
    }

    #[test]
    fn a_nan_loss_stops_even_when_the_gradients_are_finite() {
        // ReLU as max(0, x) turns NaN into 0, so gradients need not show it.
        let mut fake = Fake::with(NanGuard::new()).batches(5);
        fake.loss = Box::new(|step| if step == 2 { f32::NAN } else { 1.0 });
        fake.fit(1);
        assert_eq!(
            fake.seen.reason.unwrap().detail,
            "loss is NaN, though every layer's output is finite, computed again in f32, at step 2 \
             (samples 3, 4, 5)"
        );
        assert_eq!(fake.seen.applied, [true, false]);
    }

    #[test]
    fn skipping_is_limited_to_steps_in_a_row() {
        let mut fake = Fake::with(NanGuard::new().skip_up_to(2)).batches(8);
        // bad: 2, 3 (a good one between), then 5, 6, 7
        fake.gradients =
            Box::new(|step| if matches!(step, 2 | 3 | 5 | 6 | 7) { bad() } else { good() });
        fake.fit(1);
        assert_eq!(fake.seen.applied, [true, false, false, true, false, false, false]);
        assert_eq!(fake.counters.batches_seen, 7);
        assert!(fake.seen.reason.unwrap().detail.ends_with("at step 7 (samples 18, 19, 20)"));
    }

    #[test]
    fn skipped_updates_are_counted_over_the_trainers_life() {
        let mut fake = Fake::with(NanGuard::new().skip_up_to(2)).batches(4);
        fake.gradients = Box::new(|step| if matches!(step, 2 | 4 | 9) { bad() } else { good() });
        fake.fit(2);
        fake.fit(1);
        assert_eq!(fake.seen.epoch_metric("skipped_updates"), [2.0, 2.0, 3.0]);
    }

    #[test]
    fn the_fit_behind_a_stop_may_skip_again() {
        let mut fake = Fake::with(NanGuard::new().skip_up_to(1)).batches(4);
        fake.gradients = Box::new(|step| if matches!(step, 1..=3) { bad() } else { good() });
        fake.fit(1);
        assert_eq!(fake.seen.reason.as_ref().unwrap().kind, StopKind::NonFinite);
        assert_eq!(fake.counters.batches_seen, 2);
        fake.fit(1);
        assert_eq!(fake.seen.reason.as_ref().unwrap().kind, StopKind::Completed);
        assert_eq!(fake.seen.applied, [false, false, false, true, true, true]);
    }

    #[test]
    fn only_the_skipping_guard_logs() {
        let mut fake = Fake::with(NanGuard::new()).batches(2);
        fake.fit(1);
        assert_eq!(fake.seen.epoch_logs, [[]]);
    }

    #[test]
    fn the_layer_and_the_sample_are_named_where_the_forward_pass_makes_it() {
        let mut fake = Fake::with(NanGuard::new()).batches(5);
        fake.loss = Box::new(|step| if step == 2 { f32::NAN } else { 1.0 });
        fake.gradients = Box::new(|step| if step == 2 { bad() } else { good() });
        fake.replay = Box::new(|step| {
            assert_eq!(step, 2, "only a step that is bad is computed again");
            let layer = "2 (Wave)".to_owned();
            Ok(Some(NonFinite { layer, samples: vec![137], nans: 3, infs: 1 }))
        });
        fake.fit(1);
        assert_eq!(
            fake.seen.reason.unwrap().detail,
            "forward, 2 (Wave) gives 3 NaN and 1 infinite for sample 137; the loss is NaN at step 2"
        );
    }

    #[test]
    fn blame_names_everything_known() {
        let told = |loss: f32, gradients: Vec<Vec<f32>>, replayed| {
            let mut fake = Fake::with(NanGuard::new()).batches(1);
            fake.loss = Box::new(move |_| loss);
            fake.gradients = Box::new(move |_| gradients.clone());
            fake.replay = Box::new(move |_| match replayed {
                true => Ok(None),
                false => Err(CallbackError::custom("find its memory")),
            });
            fake.fit(1);
            fake.seen.reason.unwrap().detail
        };
        // Forward all is finite, so it begins with the last tensor, which backward comes first.
        let both = || vec![vec![f32::INFINITY], vec![f32::NAN, 1.0]];
        assert_eq!(
            told(1.0, both(), true),
            "backward, gradient of 0.bias has 1 NaN of 2 at step 1 (samples 0, 1, 2)"
        );
        assert_eq!(
            told(f32::INFINITY, both(), true),
            "loss is inf and gradient of 0.weight has 1 infinite of 1, though every layer's output \
             is finite, computed again in f32, at step 1 (samples 0, 1, 2)"
        );
        assert_eq!(
            told(1.0, both(), false),
            "backward, gradient of 0.bias has 1 NaN of 2 (looking for the layer failed to find its \
             memory) at step 1 (samples 0, 1, 2)"
        );
        assert_eq!(list(&[1, 2, 3, 4, 5, 6, 7, 8]), "1, 2, 3, 4, 5, 6, 7, 8");
        assert_eq!(list(&[1, 2, 3, 4, 5, 6, 7, 8, 9]), "1, 2, 3, 4, 5, 6, 7, 8, …");
        // Finite, each of them, and yet their norm is not.
        let gradients = FakeGradients::of(&tensors([("a", &[1])]), vec![vec![1.0]]);
        let told = blame(0.5, f64::INFINITY, &gradients, &Ok(None)).unwrap();
        assert_eq!(told, "gradient norm is inf");
    }
}
