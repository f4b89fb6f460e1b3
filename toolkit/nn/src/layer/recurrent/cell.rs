//! One step of a sequence.

use trainbook_onnx::Attribute;

use super::Rows;
use crate::begin::Begin;
use crate::layer::Fault;
use crate::on_dfdx::{Backend, Real};

/// A step of one sample, as it was: all that is known of it on the way back.
pub(super) struct Step<'a> {
    /// The gates, as they came out.
    pub gates: &'a [f32],
    /// What the cell noted.
    pub noted: &'a [f32],
    /// What it noted in the step before.
    pub noted_before: &'a [f32],
    /// The state before it.
    pub before: &'a [f32],
}

/// What happens in one step.
///
/// Gates are as many numbers as there are units, one behind the other: from the input (`W x + b`)
/// and from the state before (`U h + c`), which are 0 and `c` in the first step.
pub(super) trait Cell {
    /// How many gates there are.
    const GATES: usize;
    /// Floating-point operations for one unit beside the products.
    const FLOPS: usize;
    /// Whether the gradients in both sums are the same.
    const ONE_GRADIENT: bool;
    /// What it is called in ONNX.
    const ONNX: &'static str;
    /// The gates in the order that ONNX has them in.
    const ONNX_ORDER: &'static [usize];

    /// What ONNX must be told besides.
    fn onnx_attributes() -> Vec<(&'static str, Attribute)>;

    /// How the two biases begin.
    fn biases(hidden: usize) -> [Begin; 2];

    /// One step: state and what is carried along with it, from the sums and those before.
    ///
    /// # Errors
    /// The device refuses an operation.
    #[allow(clippy::type_complexity, reason = "a state and what goes with it")]
    fn on_dfdx<E: Real, D: Backend<E>>(
        hidden: usize,
        input: Rows<E, D>,
        recurrent: Rows<E, D>,
        before: Option<(Rows<E, D>, Option<Rows<E, D>>)>,
    ) -> Result<(Rows<E, D>, Option<Rows<E, D>>), Fault>;

    /// One step of one sample: makes gates of the sums in `gates` and `recurrent`, notes one number
    /// for each unit, and sets the state.
    fn step(
        gates: &mut [f32],
        recurrent: &[f32],
        before: &[f32],
        noted_before: &[f32],
        noted: &mut [f32],
        state: &mut [f32],
    );

    /// The way back through it. `gradient` is that in the state and becomes the part of that in the
    /// state before that goes not through the sums; `carried` goes from step to step, and begins at
    /// 0; `inputs` and `recurrents` are set to the gradients in the sums (the latter is empty where
    /// both are the same).
    fn back(
        step: &Step<'_>,
        gradient: &mut [f32],
        carried: &mut [f32],
        inputs: &mut [f32],
        recurrents: &mut [f32],
    );
}

pub(super) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

/// `count` parts of equal length.
pub(super) fn parts<const N: usize>(values: &[f32], len: usize) -> [&[f32]; N] {
    std::array::from_fn(|i| &values[i * len..(i + 1) * len])
}

/// The columns of one gate.
pub(super) fn gate<E: Real, D: Backend<E>>(
    all: &Rows<E, D>,
    number: usize,
    hidden: usize,
) -> Result<Rows<E, D>, Fault> {
    use dfdx::tensor::WithEmptyTape;
    use dfdx::tensor_ops::ReshapeTo;
    let rows = dfdx::shapes::HasShape::shape(all).0;
    let slice = all.with_empty_tape().try_slice((.., number * hidden..(number + 1) * hidden))?;
    Ok(slice.try_reshape_like(&(rows, hidden))?)
}

/// A tensor on another's tape too.
pub(super) fn joined<E: Real, D: Backend<E>>(tensor: Rows<E, D>, other: Rows<E, D>) -> Rows<E, D> {
    use dfdx::tensor::{Merge, PutTape, SplitTape};
    let (tensor, tape) = tensor.split_tape();
    let (_, more) = other.split_tape();
    tensor.put_tape(tape.merge(more))
}
