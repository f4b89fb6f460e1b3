//! Which dfdx types are networks.

use dfdx::nn::tensor_collection::TensorCollection;
use dfdx::nn::{BuildOnDevice, Module, ModuleMut, builders, modules};
use dfdx::prelude::{Const, ConstDim, Cpu, OwnedTape, Tensor};

use super::backend::{Backend, Device};
use super::supervised::Supervised;
use super::threads::Shareable;
use super::{Recipe, Task};
use crate::NnError;
use crate::onnx::ToOnnx;

/// A network type: anything built of dfdx's layers that maps a feature vector to a vector, such as
/// `(Linear<64, 128>, ReLU, Linear<128, 10>)`.
///
/// Implemented for every such type; there is nothing to implement by hand.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a network that can be trained",
    note = "its first layer must fix the number of inputs (such as `Linear<64, 128>`), each layer must take what the one before it gives, \
            and every layer must have an ONNX form (`ToOnnx`)"
)]
pub trait Network: 'static {
    /// Builds a task for this network.
    fn task(recipe: &Recipe) -> Result<Box<dyn Task>, NnError>;
}

#[cfg(not(feature = "cuda"))]
impl<N: NetworkOn<Cpu>> Network for N {
    fn task(recipe: &Recipe) -> Result<Box<dyn Task>, NnError> {
        match recipe.device {
            Device::Cpu => N::task_on(Cpu::default(), recipe),
            Device::Cuda(_) => Err(NnError::Setting {
                setting: "device",
                value: recipe.device.to_string(),
                expected: "cpu, because this program was built without the feature `cuda`"
                    .to_owned(),
            }),
        }
    }
}

#[cfg(feature = "cuda")]
impl<N: NetworkOn<Cpu> + NetworkOn<dfdx::tensor::Cuda>> Network for N {
    fn task(recipe: &Recipe) -> Result<Box<dyn Task>, NnError> {
        match recipe.device {
            Device::Cpu => <N as NetworkOn<Cpu>>::task_on(Cpu::default(), recipe),
            Device::Cuda(number) => {
                let device = dfdx::tensor::Cuda::try_build(number, 0)
                    .map_err(|e| NnError::device("open a CUDA device", &e))?;
                <N as NetworkOn<dfdx::tensor::Cuda>>::task_on(device, recipe)
            }
        }
    }
}

/// A network on one kind of device.
pub trait NetworkOn<D: Backend>: 'static {
    /// Builds a task on `device`.
    fn task_on(device: D, recipe: &Recipe) -> Result<Box<dyn Task>, NnError>;
}

impl<N, M, D, const I: usize, const O: usize> NetworkOn<D> for N
where
    D: Backend,
    N: InputWidth<Width = Const<I>> + BuildOnDevice<D, f32, Built = M> + 'static,
    M: TensorCollection<f32, D, To<f32, D> = M> + ToOnnx + Clone + Shareable + 'static,
    M: Module<Tensor<(usize, Const<I>), f32, D>, Output = Tensor<(usize, Const<O>), f32, D>>,
    M: ModuleMut<
            Tensor<(usize, Const<I>), f32, D, OwnedTape<f32, D>>,
            Output = Tensor<(usize, Const<O>), f32, D, OwnedTape<f32, D>>,
        >,
{
    fn task_on(device: D, recipe: &Recipe) -> Result<Box<dyn Task>, NnError> {
        let module = N::try_build_on_device(&device)
            .map_err(|e| NnError::device("build the network", &e))?;
        Ok(Box::new(Supervised::<M, D, I, O>::new(module, device, recipe)?))
    }
}

/// The number of inputs that a layer fixes. A tuple's is its first layer's.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say how many inputs it takes",
    note = "begin the network with a layer that does, such as `Linear<64, 128>`"
)]
pub trait InputWidth {
    /// The number, as dfdx's `Const<N>`.
    type Width: ConstDim;
}

impl<const I: usize, const O: usize> InputWidth for builders::Linear<I, O> {
    type Width = Const<I>;
}

impl<const I: usize, const O: usize> InputWidth for builders::UnbiasedLinear<I, O> {
    type Width = Const<I>;
}

impl<const N: usize> InputWidth for builders::LayerNorm1D<N> {
    type Width = Const<N>;
}

impl<const N: usize> InputWidth for builders::BatchNorm1D<N> {
    type Width = Const<N>;
}

impl<F: InputWidth> InputWidth for modules::Residual<F> {
    type Width = F::Width;
}

macro_rules! tuples {
    ($first:ident $(, $rest:ident)*) => {
        impl<$first: InputWidth $(, $rest)*> InputWidth for ($first, $($rest,)*) {
            type Width = $first::Width;
        }
        tuples!(@shorter $first $(, $rest)*);
    };
    (@shorter $first:ident) => {};
    (@shorter $first:ident, $second:ident $(, $rest:ident)*) => { tuples!($first $(, $rest)*); };
}
tuples!(A, B, C, D, E, F);
