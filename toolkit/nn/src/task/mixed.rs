//! Mixed precision in the processor's memory: what there is beside weights and gradients.

use trainbook_callbacks::StepScale;

use super::Recipe;
use super::precision::{LossScaleState, LossScaler, Precision};
use crate::NnError;
use crate::host::half;
use crate::parameters::{Layout, Slot};

/// What mixed precision needs beside weights and gradients.
pub struct Mixed {
    scaler: LossScaler,
    /// The tensors as the network computes with them: f16 where their layers say so.
    working: Vec<f32>,
    /// The gradients of one batch's scaled loss, in the trained tensors.
    scaled: Vec<f32>,
    /// What is carried along and not trained, such as running means, as it was before the step.
    statistics: Vec<f32>,
}

impl Mixed {
    /// `None` in f32.
    pub fn new(recipe: &Recipe, layout: &Layout) -> Result<Option<Self>, NnError> {
        Ok(match recipe.precision {
            Precision::F32 => None,
            Precision::Mixed => Some(Self {
                scaler: LossScaler::new(recipe.loss_scale)?,
                working: vec![0.0; layout.len()],
                scaled: vec![0.0; layout.trained_len()],
                statistics: vec![0.0; layout.len() - layout.trained_len()],
            }),
        })
    }

    /// Begins a batch, which may be the first one of its step, without gradients: what the network
    /// computes with, of these tensors.
    pub fn begin(&mut self, values: &[f32], layout: &Layout, first: bool) -> &[f32] {
        if first {
            self.statistics.copy_from_slice(&values[layout.trained_len()..]);
        }
        self.working.copy_from_slice(values);
        for slot in layout.slots().iter().filter(|slot| slot.half) {
            half::round(&mut self.working[slot.range()]);
        }
        self.scaled.fill(0.0);
        &self.working
    }

    /// Scales the loss's gradient in the outputs. Gives what the network computes with, and where
    /// its gradients belong.
    pub fn scaled(&mut self, gradient: &mut [f32]) -> (&[f32], &mut Vec<f32>) {
        let scale = self.scaler.state.scale;
        gradient.iter_mut().for_each(|g| *g *= scale);
        (&self.working, &mut self.scaled)
    }

    /// Adds the batch's gradients of these tensors to those of the step.
    pub fn gather<'s>(&mut self, trained: impl Iterator<Item = &'s Slot>, into: &mut [f32]) {
        for slot in trained {
            let scaled = &mut self.scaled[slot.range()];
            if slot.half {
                half::round(scaled);
            }
            self.scaler.unscale(scaled, &mut into[slot.range()]);
        }
    }

    /// Ends a step: says how it was, and moves on to the scale of the next one.
    pub fn end_step(&mut self) -> StepScale {
        self.scaler.end_step()
    }

    /// What is carried along, as it was before the step.
    pub fn statistics(&self) -> &[f32] {
        &self.statistics
    }

    /// Forgets the step under way.
    pub fn clear(&mut self) {
        self.scaler.clear();
    }

    /// How far the scale has come.
    pub fn state(&self) -> LossScaleState {
        self.scaler.state
    }

    /// Goes on from a state; without one, from the beginning.
    ///
    /// # Errors
    /// No scale is like that.
    pub fn load(&mut self, state: Option<LossScaleState>) -> Result<(), NnError> {
        self.scaler.load(state)
    }

    /// How many numbers it holds.
    pub fn len(&self) -> usize {
        self.working.len() + self.scaled.len() + self.statistics.len()
    }
}
