//! What a network makes of rows.

use trainbook_core::array::{Array, Numbers};
use trainbook_onnx::Head;

use super::{Run, Trainer};
use crate::Error;
use crate::data::{DataError, Dataset};
use crate::nn::loss::TargetKind;
use crate::task::{Loss, Model};

/// A network with what stands before it and behind it.
struct Predictor<'a> {
    model: &'a dyn Model,
    data: &'a Dataset,
    loss: &'a Loss,
}

impl Predictor<'_> {
    fn of_rows(&self, features: &[f32], rows: usize) -> Result<Vec<f32>, Error> {
        let shape = std::iter::once(rows).chain(self.data.shape().iter().copied());
        let input = Array::f32(shape.collect::<Vec<_>>(), features.to_vec());
        Ok(self.outputs(&input)?.floats().to_vec())
    }

    fn outputs(&self, input: &Array) -> Result<Array, Error> {
        match &input.numbers {
            Numbers::F32(numbers) => {
                let normalized = normalized(self.data, numbers.clone())?;
                self.of_normalized(&Array::f32(input.shape.clone(), normalized))
            }
            Numbers::I64(_) => self.of_normalized(input),
        }
    }

    /// As an exported file computes, which refuses nothing: what has no logarithm becomes NaN.
    fn as_exported(&self, input: &Array) -> Result<Array, Error> {
        let mut input = input.clone();
        if let Numbers::F32(numbers) = &mut input.numbers {
            let rows = numbers.chunks_mut(self.data.width().max(1));
            rows.for_each(|row| self.data.normalization().apply(row));
        }
        self.of_normalized(&input)
    }

    fn of_normalized(&self, input: &Array) -> Result<Array, Error> {
        let mut outputs = self.model.predict(input)?;
        if let (Some(scaling), Numbers::F32(values)) =
            (self.data.target_scaling(), &mut outputs.numbers)
        {
            scaling.invert(values);
        }
        Ok(outputs)
    }

    fn probabilities(&self, input: &Array) -> Result<Array, Error> {
        let loss = self.loss.objective();
        let of_labels = self.loss.is_of_labels();
        if loss.takes() == TargetKind::Values && !of_labels {
            let reason =
                format!("{} is on values, which have no probabilities; use predict", loss.name());
            return Err(DataError::Refused { action: "give probabilities for", reason }.into());
        }
        let mut outputs = self.outputs(input)?;
        let width = outputs.shape.last().copied().unwrap_or(1).max(1);
        let Numbers::F32(logits) = &mut outputs.numbers else { return Ok(outputs) };
        if of_labels {
            logits.iter_mut().for_each(|x| *x = sigmoid(*x) as f32);
        } else {
            let head = Head { softmax: true, class: false };
            if let Some(probabilities) = head.apply(std::mem::take(logits), width).pop() {
                *logits = probabilities;
            }
        }
        Ok(outputs)
    }
}

impl Run {
    fn predictor(&self) -> Predictor<'_> {
        Predictor { model: &*self.model, data: &self.data, loss: &self.loss }
    }

    /// The network's raw outputs for rows of features before normalisation, row-major; where targets
    /// were scaled, in their own unit.
    ///
    /// # Errors
    /// The rows are not such as the network was fitted to, or a number has no logarithm where it takes
    /// one ([`Normalize::log1p`](crate::data::Normalize::log1p)).
    pub fn predict(&self, features: &[f32], rows: usize) -> Result<Vec<f32>, Error> {
        self.predictor().of_rows(features, rows)
    }

    /// The network's raw outputs for rows as they stand in the data: numbers before normalisation,
    /// or indices; the batch is the first dimension of both. Where targets were scaled, in their own
    /// unit.
    ///
    /// # Errors
    /// The rows are not such as the network was fitted to, or a number has no logarithm where it takes
    /// one ([`Normalize::log1p`](crate::data::Normalize::log1p)).
    pub fn predict_on(&self, input: &Array) -> Result<Array, Error> {
        self.predictor().outputs(input)
    }

    pub(super) fn predict_as_exported(&self, input: &Array) -> Result<Array, Error> {
        self.predictor().as_exported(input)
    }

    pub(super) fn predict_on_normalized(&self, input: &Array) -> Result<Array, Error> {
        self.predictor().of_normalized(input)
    }

    /// Probabilities in place of the raw outputs: their softmax over the classes, or with
    /// [`BinaryCrossEntropy`](crate::nn::loss::BinaryCrossEntropy) each one's sigmoid.
    ///
    /// # Errors
    /// The rows are not such as the network was fitted to, or it was trained on values.
    pub fn predict_proba(&self, input: &Array) -> Result<Array, Error> {
        self.predictor().probabilities(input)
    }
}

/// With the network as it is now; see [`Run`] for what each gives.
impl Trainer {
    fn predictor(&self) -> Predictor<'_> {
        Predictor { model: self.task.model(), data: &self.data, loss: &self.recipe.loss }
    }

    /// As [`Run::predict`].
    ///
    /// # Errors
    /// As there.
    pub fn predict(&self, features: &[f32], rows: usize) -> Result<Vec<f32>, Error> {
        self.predictor().of_rows(features, rows)
    }

    /// As [`Run::predict_on`].
    ///
    /// # Errors
    /// As there.
    pub fn predict_on(&self, input: &Array) -> Result<Array, Error> {
        self.predictor().outputs(input)
    }

    /// As [`Run::predict_proba`].
    ///
    /// # Errors
    /// As there.
    pub fn predict_proba(&self, input: &Array) -> Result<Array, Error> {
        self.predictor().probabilities(input)
    }
}

/// The probability of a label, from its logit.
pub(super) fn sigmoid(logit: f32) -> f64 {
    1.0 / (1.0 + (-f64::from(logit)).exp())
}

/// Rows as the network takes them.
pub(super) fn normalized(data: &Dataset, mut features: Vec<f32>) -> Result<Vec<f32>, Error> {
    data.normalize_rows(&mut features)?;
    Ok(features)
}
