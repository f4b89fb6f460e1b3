//! How large gradients are, tensor by tensor, and what that says.

mod median;
mod names;
mod ratio;
mod verdict;

use serde::{Deserialize, Serialize};
use trainbook_store::Name;

use crate::{
    AfterUpdate, Callback, CallbackError, CallbackRecipe, CallbackState, Effects, EpochEnd, FitEnd,
    FitStart, Flow, GradientView, Phase, Reply, Resource, StepEnd,
};
use names::{FINAL, Names, RAW, UPDATE_RATIO};
use ratio::Before;
use verdict::Track;

/// Logs the size of the gradients as the backward pass left them, before clipping:
///
/// - `gradient_norm`: the Euclidean norm over all of them,
/// - `gradient_norm/<tensor>`, `gradient_max/<tensor>` (largest absolute value) and
///   `gradient_zero_share/<tensor>` (share of exact zeros) for each trainable tensor,
/// - `gradient_nans/<tensor>` and `gradient_infs/<tensor>` (numbers of elements) where there are any.
///
/// These are metrics of steps. At the end of every epoch it warns, once in a fit of each matter and
/// tensor and with the figures, of
///
/// - a gradient that was zero in all steps,
/// - gradients that vanish or explode: the median over the epoch of the norm for the first weights,
///   divided by that for the last, is below 1e-3 or above 1e3. Weights here are tensors of two
///   dimensions and more, in the order of the network; steps where one of the two is 0 do not count,
/// - updates that are small or large beside the weights, if it looks at [`ratios`](Self::ratios).
///
/// It looks at every element once, so use it as `every(10, GradientMonitor::new())`. Warnings go by the
/// steps that it is shown; in an epoch of more than 256 of them, by as many that are spread evenly.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct GradientMonitor {
    // Records of older runs have neither.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    after_clipping: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    ratios: bool,
    #[serde(skip)]
    raw: Names,
    #[serde(skip)]
    last: Names,
    #[serde(skip)]
    ratio_names: Vec<Name>,
    #[serde(skip)]
    before: Before,
    #[serde(skip)]
    track: Track,
}

impl GradientMonitor {
    /// Watches every step it is shown.
    pub fn new() -> Self {
        Self::default()
    }

    /// Logs the same numbers of the gradients as the optimiser sees them, after clipping and all
    /// other changes, under names that begin with `final_`: `final_gradient_norm`,
    /// `final_gradient_norm/<tensor>` and so on. There are none in steps whose update is skipped.
    /// Costs another look at every element. Default: not.
    #[must_use]
    pub fn after_clipping(mut self) -> Self {
        self.after_clipping = true;
        self
    }

    /// Logs `update_ratio/<tensor>`, the norm of an update divided by that of the weights before it,
    /// `‖Δw‖ / ‖w‖`, for each trainable tensor whose weights are not all 0. There is none in steps
    /// whose update is skipped. Costs a copy of all weights, in memory and in every step it is shown.
    /// Default: not.
    ///
    /// About 1e-3 is usual (Karpathy, "Building makemore, part 3"). Warns of weights of two dimensions
    /// and more for which the median over an epoch is above 1e-1; and below 1e-5, if the learning rate
    /// came to half of the largest one of the fit so far.
    #[must_use]
    pub fn ratios(mut self) -> Self {
        self.ratios = true;
        self
    }
}

impl Callback for GradientMonitor {
    fn effects(&self) -> Effects {
        let mut effects = Effects::in_phase(Phase::Observe).reads(Resource::Gradients);
        effects = RAW.declare(effects);
        if self.after_clipping {
            effects = FINAL.declare(effects);
        }
        if self.ratios {
            let ratios = Resource::StepMetricsUnder(UPDATE_RATIO);
            effects = effects.reads(Resource::Weights).writes(ratios);
        }
        effects
    }

    fn recipe(&self) -> Option<CallbackRecipe> {
        let Self { after_clipping, ratios, .. } = *self;
        Some(CallbackRecipe::GradientMonitor(Self { after_clipping, ratios, ..Self::new() }))
    }

    fn fit_start(&mut self, _: &FitStart<'_>) -> Reply {
        self.track = Track::default();
        Ok(Flow::Continue)
    }

    fn raw_gradients(&mut self, step: &GradientView<'_>) -> Reply {
        let (tensors, stats) = (step.gradients.tensors(), step.gradients.stats()?);
        self.raw.log(&RAW, tensors, &stats, step.log);
        self.track.epoch.gradients(tensors, &stats);
        Ok(Flow::Continue)
    }

    fn final_gradients(&mut self, step: &GradientView<'_>) -> Reply {
        let tensors = step.gradients.tensors();
        if self.after_clipping {
            self.last.log(&FINAL, tensors, &step.gradients.stats()?, step.log);
        }
        if self.ratios {
            if self.ratio_names.len() != tensors.len() {
                self.ratio_names =
                    tensors.iter().map(|tensor| names::under(&UPDATE_RATIO, tensor)).collect();
            }
            self.before.take(step.weights, tensors)?;
        }
        Ok(Flow::Continue)
    }

    fn after_update(&mut self, update: &AfterUpdate<'_>) -> Reply {
        if self.ratios
            && let Some(ratios) = self.before.ratios(update.weights)?
        {
            for (name, ratio) in self.ratio_names.iter().zip(&ratios) {
                if !ratio.is_nan() {
                    update.log.push(name.clone(), *ratio);
                }
            }
            self.track.epoch.ratios(&ratios);
        }
        Ok(Flow::Continue)
    }

    fn step_end(&mut self, step: &StepEnd<'_>) -> Reply {
        self.track.rate(step.learning_rate);
        Ok(Flow::Continue)
    }

    fn epoch_end(&mut self, epoch: &EpochEnd<'_>) -> Reply {
        let warnings = self.track.judge(epoch.counters.epoch + 1);
        warnings.into_iter().for_each(|warning| epoch.log.warn(warning));
        Ok(Flow::Continue)
    }

    fn fit_end(&mut self, _: &mut FitEnd<'_>) -> Result<(), CallbackError> {
        self.before = Before::default();
        Ok(())
    }

    fn save(&self) -> Result<CallbackState, CallbackError> {
        CallbackState::of("GradientMonitor", &self.track)
    }

    fn load(&mut self, state: &CallbackState) -> Result<(), CallbackError> {
        // Older checkpoints have no state of it.
        if *state != CallbackState::empty() {
            self.track = state.get("GradientMonitor")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
