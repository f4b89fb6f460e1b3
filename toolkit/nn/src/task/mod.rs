//! The seam between dfdx's generic world and everything else.
//!
//! [`Task`] and [`Model`] are object-safe and speak plain `f32` arrays: the training loop, the
//! callbacks, the store and the user's variables never see a dfdx type. `on_host/mod.rs` implements
//! them in the processor's memory, `on_device.rs` on dfdx's tensors, for any device.

mod batch_loss;
#[cfg(feature = "cuda")]
mod cuda;
mod device;
mod lengths;
mod memory;
mod mixed;
mod on_device;
mod on_host;
mod precision;
mod probe;
mod threads;
mod trace;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use trainbook_callbacks::{
    Gradients, Snapshot, StepScale, TensorInfo, UpdateSettings, Wait, Weights,
};
use trainbook_core::array::Array;
use trainbook_core::batch::Batch;
use trainbook_core::random::Seed;
use trainbook_onnx::Graph;

pub use crate::loss::Loss;
pub use batch_loss::{BatchLoss, MeanLoss};
#[cfg(all(feature = "cuda", feature = "trial"))]
pub(crate) use cuda::open as open_cuda;
pub use device::Device;
pub use memory::StepMemory;
pub use precision::{LossScale, LossScaleState, Precision};
pub use probe::{LayerProbe, Probe, WeightProbe};
pub use threads::{Movable, Shareable};
pub use trace::{LayerOutput, NonFinite, Trace};

use crate::optim::{Optimizer, ParameterGroup};
use crate::plan::Planned;
use crate::{Around, Init, Network, NnError, Sample};

/// A network being trained, wherever and in whatever precision: one step's arithmetic.
pub trait Task: Gradients + Weights + Wait + Movable {
    /// Runs the batch forward and backward, and returns its mean loss. The gradients are those of
    /// the mean loss over all batches since they were cleared, each counting by its weight: several
    /// small batches give the gradients of one that holds all their rows (but for layers that look
    /// at the whole batch, as batch normalisation does). On an accelerator the loss is late:
    /// [`wait`](Wait::wait) makes it known.
    fn forward_backward(&mut self, batch: &Batch) -> Result<BatchLoss, NnError>;

    /// The same for whoever looks at every loss: waits for the batch's mean.
    ///
    /// # Errors
    /// Those of [`forward_backward`](Self::forward_backward).
    fn loss_of(&mut self, batch: &Batch) -> Result<f32, NnError> {
        self.forward_backward(batch)?.now(self)
    }

    /// What the steps until now have held in memory; `None` where nobody counts, on an accelerator.
    fn memory(&self) -> Option<StepMemory> {
        None
    }

    /// Under mixed precision, once behind a step's last batch: whether its gradients are finite, and
    /// by what its loss was multiplied. Moves on to the scale of the next step; gradients that are
    /// not finite must be [cleared](Self::clear_gradients). `None` in f32.
    fn end_scaling(&mut self) -> Option<StepScale> {
        None
    }

    /// Applies the gradients by these settings, then clears them.
    fn update(&mut self, settings: &UpdateSettings) -> Result<(), NnError>;

    /// Clears the gradients of a step that is skipped.
    fn clear_gradients(&mut self) -> Result<(), NnError>;

    /// How many updates have been applied.
    fn updates(&self) -> u64;

    /// The network as it is now, in evaluation mode.
    fn model(&self) -> &dyn Model;

    /// A copy of the network as it is now, which later training does not change.
    fn freeze(&self) -> Arc<dyn Model>;

    /// Everything that decides how training goes on: weights, moments, step number, loss scale.
    fn state(&self) -> Result<TaskState, NnError>;

    /// Takes back what [`state`](Self::state) returned.
    ///
    /// # Errors
    /// The state has other tensors than this network.
    fn load_state(&mut self, state: &TaskState) -> Result<(), NnError>;
}

/// A network that only computes.
pub trait Model: Shareable {
    /// What the network comes to on its data: its layers, and what one sample looks like in front
    /// of each and behind.
    fn planned(&self) -> &Planned;

    /// What [`predict`](Self::predict) makes of one row, for example [T, C].
    fn output_shape(&self) -> &[usize];

    /// Every tensor of the network in a fixed order, running statistics included.
    fn tensors(&self) -> &[TensorInfo];

    /// The values of every tensor, in the order of [`tensors`](Self::tensors).
    fn weights(&self) -> Snapshot;

    /// The network's raw outputs for some rows of normalised numbers, or of indices, in evaluation
    /// mode; the batch is the first dimension of both.
    ///
    /// # Errors
    /// The rows are not such as the network was fitted to.
    fn predict(&self, input: &Array) -> Result<Array, NnError>;

    /// The network as an ONNX graph, with what is to stand around it.
    fn graph(&self, output: &str, around: Around<'_>) -> Result<Graph, NnError>;
}

/// What is needed to build a [`Task`].
#[derive(Clone, Debug)]
pub struct Recipe {
    /// What is trained.
    pub network: Network,
    /// What one sample looks like.
    pub input: Sample,
    /// Where it runs.
    pub device: Device,
    /// What is minimised.
    pub loss: Loss,
    /// How weights are updated.
    pub optimizer: Optimizer,
    /// Which tensors are trained differently.
    pub groups: Vec<ParameterGroup>,
    /// How weights begin.
    pub init: Init,
    /// From which seed.
    pub seed: Seed,
    /// In what precision.
    pub precision: Precision,
    /// By what the loss is multiplied under mixed precision.
    pub loss_scale: LossScale,
    /// Whether most activations are computed again on the way back instead of being kept.
    pub checkpoint_activations: bool,
    /// How many positions a training batch of sequences has at least, if it may have fewer than
    /// [`input`](Self::input) says; `None` where all have as many.
    pub shortest: Option<usize>,
}

/// Everything that decides how training goes on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskState {
    /// Every tensor of the network.
    pub weights: Snapshot,
    /// The optimiser's moments: for each kind of moment, one vector per trainable tensor.
    pub moments: Vec<Vec<Vec<f32>>>,
    /// Updates applied by the optimiser.
    pub updates: u64,
    /// How far the scale of the loss has come; `None` in f32.
    #[serde(default)]
    pub loss_scale: Option<LossScaleState>,
}

impl Recipe {
    /// This network on such samples, with everything else at its default: in f32 on the processor,
    /// by [`AdamW`](crate::optim::AdamW), from seed 0.
    pub fn new(network: impl Into<Network>, input: Sample, loss: impl Into<Loss>) -> Self {
        Self {
            network: network.into(),
            input,
            device: Device::default(),
            loss: loss.into(),
            optimizer: Optimizer::default(),
            groups: Vec::new(),
            init: Init::default(),
            seed: Seed(0),
            precision: Precision::default(),
            loss_scale: LossScale::default(),
            checkpoint_activations: false,
            shortest: None,
        }
    }

    /// Fits the network to its data, draws its weights, and returns it ready to be trained.
    ///
    /// # Errors
    /// The network does not fit the data; there is no such device.
    pub fn task(&self) -> Result<Box<dyn Task>, NnError> {
        match self.device {
            Device::Cpu => Ok(Box::new(on_host::OnHost::new(self)?)),
            #[cfg(feature = "cuda")]
            Device::Cuda(number) => {
                Ok(Box::new(on_device::OnDevice::new(cuda::open(number)?, self)?))
            }
            #[cfg(not(feature = "cuda"))]
            Device::Cuda(_) => Err(NnError::Setting {
                setting: "device",
                value: self.device.to_string(),
                expected: "cpu, because this program was built without the feature `cuda`"
                    .to_owned(),
            }),
        }
    }

    /// The same in dfdx's operations in the processor's memory, whatever the device: slow, and what
    /// the other form is compared with.
    ///
    /// # Errors
    /// The network does not fit the data.
    pub fn task_on_dfdx(&self) -> Result<Box<dyn Task>, NnError> {
        Ok(Box::new(on_device::OnDevice::new(dfdx::tensor::Cpu::default(), self)?))
    }
}

impl TaskState {
    /// A hash over every bit of the state.
    pub fn hash(&self) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new();
        for tensor in self.weights.0.iter().chain(self.moments.iter().flatten()) {
            hasher.update(&(tensor.len() as u64).to_le_bytes());
            for value in tensor {
                hasher.update(&value.to_bits().to_le_bytes());
            }
        }
        hasher.update(&self.updates.to_le_bytes());
        if let Some(LossScaleState { scale, good_steps }) = self.loss_scale {
            hasher.update(&scale.to_bits().to_le_bytes()).update(&good_steps.to_le_bytes());
        }
        hasher.finalize()
    }
}

/// The integers of an array as indices.
pub(crate) fn indices(input: &Array) -> Result<Arc<[usize]>, NnError> {
    let index = |n: &i64| {
        usize::try_from(*n).map_err(|_| NnError::Data {
            action: "use",
            reason: format!("{n} is no index; indices are counted from 0"),
        })
    };
    input.integers().iter().map(index).collect()
}
