//! What is minimised.
//!
//! Open `objective.rs` first. A [`Loss`] is one of the library's losses or one of your own, as a
//! value; each loss is a file. All of them average as PyTorch's `reduction="mean"` does.
//!
//! | loss | outputs | targets |
//! |---|---|---|
//! | [`CrossEntropy`], [`Focal`] | logits [N, C] or [N, T, C] | a class for each row or position |
//! | [`BinaryCrossEntropy`] | logits [N, …] | 0 to 1 for each |
//! | [`MeanSquaredError`], [`MeanAbsoluteError`], [`Huber`] | [N, …] | a value for each |
//! | [`PoissonNll`] | logarithms of means [N, …] | a count for each |

mod binary_cross_entropy;
mod closure;
mod cross_entropy;
mod custom;
mod each_value;
mod focal;
mod huber;
mod mean_absolute_error;
mod mean_squared_error;
mod misfit;
mod objective;
mod poisson_nll;
mod weighted;

use std::sync::Arc;

use dfdx::tensor::{Cpu, Tensor};
use dfdx::tensor_ops::{TryAdd, TryMul};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use trainbook_core::batch::{Batch, Mixed, Targets};

pub use binary_cross_entropy::BinaryCrossEntropy;
pub use cross_entropy::CrossEntropy;
pub use custom::Custom;
pub use focal::Focal;
pub use huber::Huber;
pub use mean_absolute_error::MeanAbsoluteError;
pub use mean_squared_error::MeanSquaredError;
pub use objective::Objective;
pub use poisson_nll::PoissonNll;
pub use trainbook_core::batch::TargetKind;

use crate::NnError;
use crate::host::HostTensor;
use crate::on_dfdx::{Backend, Flow, Real, Taped};
use custom::through_host;

/// What is minimised, as a value. Reads and writes itself as a JSON object whose `loss` is the
/// name: `{"loss": "CrossEntropy", "label_smoothing": 0.1}`; what is left out is at its default.
/// One of your own writes only its name and what it takes,
/// `{"loss": "Custom", "name": "Hinge", "takes": "values"}`, and is read as a loss that this program
/// lacks: whoever computes with it is told so.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "loss")]
#[non_exhaustive]
pub enum Loss {
    /// How unlikely classes are, of which one holds.
    CrossEntropy(CrossEntropy),
    /// The same, with less weight on what is right already.
    Focal(Focal),
    /// How unlikely labels are, each for itself.
    BinaryCrossEntropy(BinaryCrossEntropy),
    /// The squared difference.
    MeanSquaredError(MeanSquaredError),
    /// The absolute difference.
    MeanAbsoluteError(MeanAbsoluteError),
    /// Squared near, absolute far.
    Huber(Huber),
    /// How unlikely counts are.
    PoissonNll(PoissonNll),
    /// One of your own.
    Custom(Custom),
}

impl Loss {
    /// Cross-entropy without options.
    pub fn cross_entropy() -> Self {
        CrossEntropy::default().into()
    }

    /// Binary cross-entropy without options.
    pub fn binary_cross_entropy() -> Self {
        BinaryCrossEntropy::default().into()
    }

    /// The mean squared error.
    pub fn mean_squared_error() -> Self {
        MeanSquaredError.into()
    }

    /// The mean absolute error.
    pub fn mean_absolute_error() -> Self {
        MeanAbsoluteError.into()
    }

    /// Huber's loss with δ = 1.
    pub fn huber() -> Self {
        Huber::default().into()
    }

    /// The negative log-likelihood of counts.
    pub fn poisson_nll() -> Self {
        PoissonNll.into()
    }

    /// One of your own.
    pub fn custom(objective: Arc<dyn Objective>) -> Self {
        Self::Custom(Custom::new(objective))
    }

    /// One of your own, as a closure on dfdx's tensors in the processor's memory: the mean loss of a
    /// batch. Outputs and targets have one shape: with [`TargetKind::Values`] [N, outputs], with
    /// [`TargetKind::Classes`] [positions, C], where the targets are one-hot. It is computed on the
    /// host on every device, and recorded by its name. Evaluations and gathered gradients take it for
    /// a mean over the targets: what is none, such as the root of a mean, depends there on how rows
    /// are cut into batches. Where rows count by weights it is computed of each row alone.
    ///
    /// ```
    /// use dfdx::prelude::*;
    /// use trainbook_nn::loss::{Loss, TargetKind};
    ///
    /// // log cosh, a smooth absolute difference
    /// let loss = Loss::from_fn("LogCosh", TargetKind::Values, |x, y| {
    ///     let d = x - y;
    ///     ((d.with_empty_tape().exp() + (-d).exp()) * 0.5).ln().mean()
    /// });
    /// assert_eq!(loss.name(), "LogCosh");
    /// ```
    pub fn from_fn<F>(name: &str, takes: TargetKind, loss: F) -> Self
    where
        F: Fn(
                Taped<(usize, usize), f32, Cpu>,
                Tensor<(usize, usize), f32, Cpu>,
            ) -> Taped<(), f32, Cpu>
            + Send
            + Sync
            + 'static,
    {
        Self::custom(Arc::new(closure::Closure::new(name, takes, loss)))
    }

    /// The output that is best for a value of which nothing is known but its mean: that itself, where
    /// outputs are logits its logit (under the weight of label number `label`), where they are
    /// logarithms its logarithm. Of losses for which another is best, such as the absolute difference,
    /// the mean all the same.
    pub fn output_of_mean(&self, mean: f64, label: usize) -> f64 {
        // A share or a mean of 0 has no logarithm.
        const LEAST: f64 = 1e-6;
        match self {
            Self::PoissonNll(_) => mean.max(LEAST).ln(),
            Self::BinaryCrossEntropy(loss) => {
                let share = mean.clamp(LEAST, 1.0 - LEAST);
                let weight = loss.pos_weight.as_ref().and_then(|weights| weights.get(label));
                (weight.map_or(1.0, |weight| f64::from(*weight)) * share / (1.0 - share)).ln()
            }
            _ => mean,
        }
    }

    /// Whether it was read and this program lacks it.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Custom(custom) if custom.is_missing())
    }

    /// Whether it is of labels, of which each output is the logit.
    pub fn is_of_labels(&self) -> bool {
        matches!(self, Self::BinaryCrossEntropy(_))
    }

    /// What it does, on the host.
    pub fn objective(&self) -> &dyn Objective {
        match self {
            Self::CrossEntropy(loss) => loss,
            Self::Focal(loss) => loss,
            Self::BinaryCrossEntropy(loss) => loss,
            Self::MeanSquaredError(loss) => loss,
            Self::MeanAbsoluteError(loss) => loss,
            Self::Huber(loss) => loss,
            Self::PoissonNll(loss) => loss,
            Self::Custom(loss) => loss.objective(),
        }
    }

    /// The mean loss of a batch, whose rows may have been mixed or count by weights, and its gradient in the
    /// outputs, which is written whole. `total` is the batch's [`weight`](Self::weight), `scratch`
    /// has any length.
    pub(crate) fn of_batch(
        &self,
        outputs: &HostTensor,
        batch: &Batch,
        total: f64,
        gradient: &mut [f32],
        scratch: &mut Vec<f32>,
    ) -> Result<f64, NnError> {
        if let Some(weights) = &batch.weights {
            return weighted::with_gradient(
                self.objective(),
                outputs,
                &batch.targets,
                weights,
                total,
                gradient,
            );
        }
        let loss = self.objective().with_gradient(outputs, &batch.targets, gradient)?;
        let Some(Mixed { targets, share }) = &batch.mixed else { return Ok(loss) };
        scratch.resize(gradient.len(), 0.0);
        let other = self.objective().with_gradient(outputs, targets, scratch)?;
        let rest = 1.0 - share;
        gradient.iter_mut().zip(scratch).for_each(|(g, h)| *g = share * *g + rest * *h);
        Ok(f64::from(*share) * loss + f64::from(rest) * other)
    }

    /// The same in dfdx's operations.
    pub(crate) fn of_batch_on_dfdx<E: Real, D: Backend<E>>(
        &self,
        outputs: Flow<E, D>,
        batch: &Batch,
        total: f64,
    ) -> Result<Taped<(), E, D>, NnError> {
        if let Some(weights) = &batch.weights {
            return through_host(outputs, |outputs, gradient| {
                let (objective, targets) = (self.objective(), &batch.targets);
                weighted::with_gradient(objective, outputs, targets, weights, total, gradient)
            });
        }
        let Some(Mixed { targets, share }) = &batch.mixed else {
            return self.on_dfdx(outputs, &batch.targets);
        };
        let share = f64::from(*share);
        let loss = self.on_dfdx(outputs.fork(), &batch.targets)?;
        let other = self.on_dfdx(outputs, targets)?;
        let run = || other.try_mul(E::of(1.0 - share))?.try_add(loss.try_mul(E::of(share))?);
        run().map_err(|e: D::Err| NnError::device("compute the loss", &e))
    }

    /// How much a batch counts beside others.
    pub(crate) fn weight(&self, batch: &Batch) -> f64 {
        if let Some(weights) = &batch.weights {
            return weighted::weight(self.objective(), &batch.targets, weights);
        }
        let weight = self.objective().weight(&batch.targets);
        match &batch.mixed {
            None => weight,
            Some(Mixed { targets, share }) => {
                let share = f64::from(*share);
                share * weight + (1.0 - share) * self.objective().weight(targets)
            }
        }
    }

    /// The mean loss of a batch, whose rows may count by weights, and its gradient in the outputs, which
    /// has as many numbers and is written whole.
    ///
    /// # Errors
    /// Those of [`Objective::with_gradient`].
    pub fn with_gradient(
        &self,
        outputs: &HostTensor,
        batch: &Batch,
        gradient: &mut [f32],
    ) -> Result<f64, NnError> {
        self.of_batch(outputs, batch, self.weight(batch), gradient, &mut Vec::new())
    }

    /// The loss of a batch of rows as they are, not yet divided: the sum and the weight by which the
    /// mean divides it, where rows may count by weights.
    ///
    /// # Errors
    /// Those of [`Objective::sum`].
    pub fn sum(&self, outputs: &HostTensor, batch: &Batch) -> Result<(f64, f64), NnError> {
        match &batch.weights {
            Some(weights) => weighted::sum(self.objective(), outputs, &batch.targets, weights),
            None => self.objective().sum(outputs, &batch.targets),
        }
    }

    /// The mean loss of a batch in dfdx's operations, on the tape that the outputs bring.
    ///
    /// # Errors
    /// Those of [`Objective::with_gradient`], and those of the device.
    pub fn on_dfdx<E: Real, D: Backend<E>>(
        &self,
        outputs: Flow<E, D>,
        targets: &Targets,
    ) -> Result<Taped<(), E, D>, NnError> {
        match self {
            Self::CrossEntropy(loss) => loss.on_dfdx(outputs, targets),
            Self::Focal(loss) => loss.on_dfdx(outputs, targets),
            Self::BinaryCrossEntropy(loss) => loss.on_dfdx(outputs, targets),
            Self::MeanSquaredError(loss) => loss.on_dfdx(outputs, targets),
            Self::MeanAbsoluteError(loss) => loss.on_dfdx(outputs, targets),
            Self::Huber(loss) => loss.on_dfdx(outputs, targets),
            Self::PoissonNll(loss) => loss.on_dfdx(outputs, targets),
            Self::Custom(loss) => loss.on_dfdx(outputs, targets),
        }
    }

    /// The name used in stored records, for example "CrossEntropy".
    pub fn name(&self) -> &str {
        self.objective().name()
    }

    /// Its options, without those that are at their default.
    fn options(&self) -> Map<String, Json> {
        if matches!(self, Self::Custom(_)) {
            return Map::new();
        }
        let json = |loss: &Self| match serde_json::to_value(loss) {
            Ok(Json::Object(options)) => options,
            _ => Map::new(),
        };
        let named = Json::Object(Map::from_iter([("loss".to_owned(), self.name().into())]));
        let default = serde_json::from_value(named).map_or_else(|_| Map::new(), |d| json(&d));
        let mut options = json(self);
        options.retain(|name, value| name != "loss" && default.get(name) != Some(value));
        options
    }
}

/// Its name, with the options that are not at their default: "Huber(delta=0.5)".
impl std::fmt::Display for Loss {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())?;
        let options: Vec<String> =
            self.options().iter().map(|(name, value)| format!("{name}={value}")).collect();
        if options.is_empty() { Ok(()) } else { write!(f, "({})", options.join(", ")) }
    }
}

macro_rules! into_loss {
    ($($kind:ident),*) => { $(
        impl From<$kind> for Loss {
            fn from(loss: $kind) -> Self {
                Self::$kind(loss)
            }
        }
    )* };
}
into_loss!(
    CrossEntropy,
    Focal,
    BinaryCrossEntropy,
    MeanSquaredError,
    MeanAbsoluteError,
    Huber,
    PoissonNll
);
