//! The loss before the first step, beside that of outputs that know nothing.

use std::fmt;

use serde::Serialize;

use super::baselines::blind;
use crate::Error;
use crate::data::Part;
use crate::nn::loss::TargetKind;
use crate::task::Loss;
use crate::trainer::{Evaluation, Trainer};

const NAME: &str = "look at the loss before the first step";
/// A loss that is by more than such a share above that of outputs that know nothing is too large: of
/// classes and labels, and of values, to which outputs of the targets' own size add as much.
const TOO_LARGE: [f64; 2] = [0.2, 0.5];
/// A loss that is by more than such a share below the best constant has been trained.
const TRAINED: f64 = 0.05;

/// The loss with which a network begins.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LossAtStart {
    /// That of the network, on the training part, as it predicts.
    pub loss: f64,
    /// That of outputs that are all 0: ln C for C classes under cross-entropy.
    pub zeros: f64,
    /// That of the best constant: of classes their shares, of values their mean.
    pub prior: f64,
    /// Whether outputs are values, which should begin near their mean; otherwise they are logits or
    /// logarithms, which should begin near 0.
    pub values: bool,
}

impl Trainer {
    /// The network's loss on the whole training part as it is now, usually before the first step,
    /// beside what can be had without looking: outputs of 0 (−ln(1/C) for C classes), and the best
    /// constant (the classes' shares, or the mean of the values). A network that begins far above
    /// them begins with outputs that are too large, or has targets that are not scaled; one below the
    /// constant has learned from these rows.
    ///
    /// The trainer is unchanged, which is asserted by hash.
    ///
    /// # Errors
    /// The network or its loss cannot be computed.
    pub fn loss_at_start(&self) -> Result<LossAtStart, Error> {
        let before = self.state_hash()?;
        let model = self.task.model();
        let shape = &model.planned().root.output.shape;
        let (loss, data) = (&self.recipe.loss, &self.data);
        let of = |predict: &blind::Predict<'_>| {
            Evaluation::of_outputs(predict, shape, loss, &[], data, Part::Train, |_| {})
                .map(|evaluation| evaluation.loss)
        };
        let prior = blind::constant(data, loss, shape)?;
        let found = LossAtStart {
            loss: of(&|input| model.predict(input))?,
            zeros: of(&|input| Ok(blind::repeat(&[0.0], input.rows(), shape)))?,
            prior: of(&|input| Ok(blind::repeat(&prior, input.rows(), shape)))?,
            values: loss.objective().takes() == TargetKind::Values
                && !matches!(loss, Loss::BinaryCrossEntropy(_) | Loss::PoissonNll(_)),
        };
        self.is_still(before, NAME)?;
        Ok(found)
    }
}

impl LossAtStart {
    /// Whether it is finite and not far above that of outputs that know nothing: by no more than 20 % of
    /// that of outputs of 0, or, of values, 50 % of that of the best constant.
    pub fn is_sound(&self) -> bool {
        let known = if self.values { self.prior } else { self.zeros };
        self.loss.is_finite()
            && self.loss <= known + TOO_LARGE[usize::from(self.values)] * known.abs()
    }

    /// Whether it is below that of the best constant, as of a network that has learned from these rows.
    pub fn is_trained(&self) -> bool {
        self.loss < self.prior - TRAINED * self.prior.abs()
    }
}

impl fmt::Display for LossAtStart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { loss, zeros, prior, .. } = self;
        write!(
            f,
            "the loss is {loss:.4}; outputs of 0 have {zeros:.4}, the best constant {prior:.4}"
        )?;
        match self.is_sound() {
            true if self.is_trained() => f.write_str(": the network has learned from these rows"),
            true => Ok(()),
            false => write!(
                f,
                ": the network begins with outputs that are too large, or the targets are not scaled"
            ),
        }
    }
}

trainbook_core::shown_as_text!(LossAtStart);
