//! By how much an update changes the weights.

use std::collections::HashMap;

use crate::seam::sum_of_squares;
use crate::{CallbackError, TensorInfo, Weights};

/// The trained weights as they were before an update, tensor by tensor as the gradients have them.
#[derive(Clone, Debug, Default)]
pub(super) struct Before {
    /// For each tensor of the weights, which one of the gradients' it is; none for running
    /// statistics.
    places: Vec<Option<usize>>,
    tensors: Vec<Tensor>,
    /// Whether they are those before this step's update.
    taken: bool,
}

#[derive(Clone, Debug, Default)]
struct Tensor {
    values: Vec<f32>,
    norm: f64,
}

impl Before {
    /// Copies the weights, of which `trained` have gradients.
    pub fn take(
        &mut self,
        weights: &dyn Weights,
        trained: &[TensorInfo],
    ) -> Result<(), CallbackError> {
        if self.places.is_empty() || self.tensors.len() != trained.len() {
            let known: HashMap<&str, usize> =
                trained.iter().enumerate().map(|(at, tensor)| (tensor.name.as_str(), at)).collect();
            let infos = weights.tensor_infos();
            self.places = infos.iter().map(|of| known.get(of.name.as_str()).copied()).collect();
            self.tensors.resize_with(trained.len(), Tensor::default);
        }
        let Self { places, tensors, .. } = self;
        weights.each(&mut |at, values| {
            if let Some(place) = places[at] {
                let tensor = &mut tensors[place];
                tensor.values.clear(); // keeps its memory
                tensor.values.extend_from_slice(values);
                tensor.norm = sum_of_squares(values).sqrt();
            }
        })?;
        self.taken = true;
        Ok(())
    }

    /// `‖after − before‖ / ‖before‖` of each tensor, NaN where the norm before was 0; `None` if they
    /// were not copied before this update.
    pub fn ratios(&mut self, weights: &dyn Weights) -> Result<Option<Vec<f64>>, CallbackError> {
        if !std::mem::take(&mut self.taken) {
            return Ok(None);
        }
        let Self { places, tensors, .. } = self;
        let mut ratios = vec![f64::NAN; tensors.len()];
        weights.each(&mut |at, values| {
            if let Some(place) = places[at] {
                let Tensor { values: before, norm } = &mut tensors[place];
                before.iter_mut().zip(values).for_each(|(before, after)| *before = after - *before);
                if *norm > 0.0 {
                    ratios[place] = sum_of_squares(before).sqrt() / *norm;
                }
            }
        })?;
        Ok(Some(ratios))
    }
}
