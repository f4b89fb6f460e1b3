//! Recurrent layers: a state that goes from step to step of a sequence.
//!
//! A cell says what happens in one step ([`Cell`]); here is how it goes over a sequence, in one
//! direction or both, in each of the forms. On the processor's memory sequences lie step by step,
//! so that the products of all steps' inputs are one, and that of each step's states another.

mod cell;
mod gru;
mod host;
mod lstm;

use dfdx::shapes::{Axes3, Axis};
use dfdx::tensor::WithEmptyTape;
use dfdx::tensor_ops::{
    BroadcastTo, PermuteTo, ReshapeTo, TryAdd, TryConcatAlong, TryMatMul, TryStack,
};
use trainbook_onnx::{Attribute, Value};

pub use gru::Gru;
pub use lstm::Lstm;

use cell::Cell;

use super::{Fault, Layer, Misfit, Sequential};
use crate::host::{HostLayer, HostPass, HostTensor};
use crate::on_dfdx::{Backend, Flow, Pass, Real, Taped};
use crate::onnx_form::OnnxPass;
use crate::parameters::Role;
use crate::plan::Plan;
use crate::sample::Sample;

/// A matrix with a row for each sample.
type Rows<E, D> = Taped<(usize, usize), E, D>;

/// What any recurrent layer is told.
#[derive(Clone, Copy, Debug)]
struct Options {
    hidden: usize,
    bidirectional: bool,
    sequences: bool,
}

impl Options {
    fn directions(self) -> usize {
        1 + usize::from(self.bidirectional)
    }

    fn note(self) -> String {
        let both = if self.bidirectional { ", both directions" } else { "" };
        let last = if self.sequences { "" } else { ", last state" };
        format!("{}{both}{last}", self.hidden)
    }
}

/// How many tensors one direction has.
const TENSORS: usize = 4;

fn plan<C: Cell>(options: Options, plan: &mut Plan<'_>, input: &Sample) -> Result<Sample, Misfit> {
    let [steps, features] = input.dims("[sequence, features]")?;
    if options.hidden == 0 || steps == 0 {
        return Err(Misfit::new("its hidden_size and the sequence must be at least 1, not 0"));
    }
    let (hidden, rows) = (options.hidden, C::GATES * options.hidden);
    for ending in ["", "_reverse"].into_iter().take(options.directions()) {
        let name = |name: &str| format!("{name}_l0{ending}");
        let weight = crate::begin::Begin::Uniform(1.0 / (hidden as f64).sqrt());
        plan.parameter(&name("weight_ih"), [rows, features], Role::Weight, weight.clone());
        plan.parameter(&name("weight_hh"), [rows, hidden], Role::Weight, weight);
        let [input_bias, hidden_bias] = C::biases(hidden);
        plan.parameter(&name("bias_ih"), [rows], Role::Bias, input_bias);
        plan.parameter(&name("bias_hh"), [rows], Role::Bias, hidden_bias);
        plan.flops(steps * (2 * rows * (features + hidden) + C::FLOPS * hidden));
    }
    let width = options.directions() * hidden;
    Ok(match options.sequences {
        true => Sample::numbers([steps, width]).padded(input.padding),
        false => Sample::numbers([width]),
    })
}

fn forward<C: Cell, E: Real, D: Backend<E>>(
    options: Options,
    pass: &mut Pass<'_, E, D>,
    x: Flow<E, D>,
) -> Result<Flow<E, D>, Fault> {
    let &[batch, steps, features] = x.shape() else {
        return Err(Fault::new("it takes [sequence, features]"));
    };
    let (hidden, rows) = (options.hidden, C::GATES * options.hidden);
    let both = if options.bidirectional { Some(x.fork()) } else { None };
    let mut all: Option<Taped<(usize, usize, usize), E, D>> = None;
    for (direction, x) in std::iter::once(x).chain(both).enumerate() {
        let first = TENSORS * direction;
        let weight = pass.parameter(first, (rows, features))?;
        let recurrent = pass.parameter(first + 1, (rows, hidden))?;
        let bias = pass.parameter(first + 2, (rows,))?;
        let x = x.view((batch * steps, features))?;
        let inputs = x.try_matmul(weight.try_permute::<_, dfdx::shapes::Axes2<1, 0>>()?)?;
        let inputs =
            inputs.try_add(bias.try_broadcast_like::<_, Axis<0>>(&(batch * steps, rows))?)?;
        // The steps in front of each other, so that a slice is one.
        let inputs = inputs.try_reshape_like(&(batch, steps, rows))?;
        let inputs = inputs.try_permute::<_, Axes3<1, 0, 2>>()?;
        let inputs = inputs.try_reshape_like(&(steps * batch, rows))?;
        let recurrent = recurrent.try_permute::<_, dfdx::shapes::Axes2<1, 0>>()?;
        let (mut outputs, mut state) = (Vec::with_capacity(steps), None);
        let mut tape = inputs;
        for i in 0..steps {
            let step = if direction == 0 { i } else { steps - 1 - i };
            let rest = tape.with_empty_tape();
            let input = tape.try_slice((step * batch..(step + 1) * batch, ..))?;
            tape = rest;
            let bias = pass.parameter(first + 3, (rows,))?;
            let bias = bias.try_broadcast_like::<_, Axis<0>>(&(batch, rows))?;
            let before = match &state {
                // Made whole: dfdx's slices of a broadcast tensor lose gradients on the way back.
                None => {
                    let bias: Rows<E, D> = bias.retaped();
                    bias.try_reshape_like(&(batch, rows))?
                }
                Some((h, _)) => {
                    let h: &Rows<E, D> = h;
                    h.with_empty_tape().try_matmul(recurrent.clone())?.try_add(bias)?
                }
            };
            let input = input.try_reshape_like(&(batch, rows))?;
            let (h, carried) = C::on_dfdx(hidden, input, before, state.take())?;
            outputs.push(h.with_empty_tape());
            state = Some((h, carried));
        }
        let last = match state {
            Some((h, Some(carried))) => cell::joined(h, carried),
            Some((h, None)) => h,
            None => return Err(Fault::new("its sequence is empty")),
        };
        let own = if options.sequences {
            if direction == 1 {
                outputs.reverse();
            }
            // The tape is with the last state; the others have empty ones.
            let stacked = outputs.try_stack()?;
            let stacked = stacked.try_permute::<_, Axes3<1, 0, 2>>()?;
            let stacked = stacked.try_reshape_like(&(batch, steps, hidden))?;
            with_tape_of(stacked, last)?
        } else {
            last.try_reshape_like(&(batch, 1, hidden))?
        };
        all = Some(match all {
            None => own,
            Some(all) => (all, own).try_concat_along(Axis::<2>)?,
        });
    }
    let all = all.ok_or_else(|| Fault::new("it has no direction"))?;
    let width = options.directions() * hidden;
    let shape = if options.sequences { vec![batch, steps, width] } else { vec![batch, width] };
    Flow::shaped(all, shape)
}

/// The first tensor on both tapes.
fn with_tape_of<S: dfdx::shapes::Shape, R: dfdx::shapes::Shape, E: Real, D: Backend<E>>(
    tensor: Taped<S, E, D>,
    other: Taped<R, E, D>,
) -> Result<Taped<S, E, D>, Fault> {
    use dfdx::tensor::{Merge, PutTape, SplitTape};
    let (tensor, tape) = tensor.split_tape();
    let (_, more) = other.split_tape();
    Ok(tensor.put_tape(tape.merge(more)))
}

fn onnx<C: Cell>(options: Options, pass: &mut OnnxPass<'_>, x: &Value) -> Result<Value, Fault> {
    let (directions, hidden) = (options.directions(), options.hidden);
    let [steps, features] = pass.layer().input.shape[..] else {
        return Err(Fault::new("it takes [sequence, features]"));
    };
    let rows = C::GATES * hidden;
    // ONNX has the directions in one tensor, and the gates in another order.
    let gathered = |pass: &OnnxPass<'_>, tensors: &[usize], width: usize| {
        let mut values = Vec::with_capacity(directions * tensors.len() * rows * width);
        for direction in 0..directions {
            for tensor in tensors {
                let from = pass.values(TENSORS * direction + tensor);
                for gate in C::ONNX_ORDER {
                    values.extend(&from[gate * hidden * width..(gate + 1) * hidden * width]);
                }
            }
        }
        values
    };
    let weights = gathered(pass, &[0], features);
    let recurrent = gathered(pass, &[1], hidden);
    let biases = gathered(pass, &[2, 3], 1);
    let weights = pass.weight("W", &[directions, rows, features], weights)?;
    let recurrent = pass.weight("R", &[directions, rows, hidden], recurrent)?;
    let biases = pass.weight("B", &[directions, 2 * rows], biases)?;
    let perm = |perm: &[i64]| [("perm", Attribute::Ints(perm.to_vec()))];
    let turned = pass.node("Transpose", &[&x.name], &perm(&[1, 0, 2]))?;
    let direction = if options.bidirectional { "bidirectional" } else { "forward" };
    let mut attributes = vec![
        ("direction", Attribute::Text(direction.to_owned())),
        ("hidden_size", Attribute::Int(i64::try_from(hidden)?)),
    ];
    attributes.extend(C::onnx_attributes());
    // [steps, directions, batch, hidden] becomes [batch, steps, directions, hidden].
    let y = pass.node(C::ONNX, &[&turned.name, &weights, &recurrent, &biases], &attributes)?;
    let y = pass.node("Transpose", &[&y.name], &perm(&[2, 0, 1, 3]))?;
    let width = i64::try_from(directions * hidden)?;
    if options.sequences {
        let shape = pass.integers("shape", vec![0, i64::try_from(steps)?, width])?;
        return pass.node("Reshape", &[&y.name, &shape], &[]);
    }
    // The forward direction ends at the last step, the other at the first.
    let states = vec![0, i64::try_from(steps * directions)?, i64::try_from(hidden)?];
    let states = pass.integers("states", states)?;
    let y = pass.node("Reshape", &[&y.name, &states], &[])?;
    let ends = [i64::try_from((steps - 1) * directions)?, 1];
    let ends = pass.integers("ends", ends[..directions].to_vec())?;
    let y = pass.node("Gather", &[&y.name, &ends], &[("axis", Attribute::Int(1))])?;
    let shape = pass.integers("shape", vec![0, width])?;
    pass.node("Reshape", &[&y.name, &shape], &[])
}

/// Makes layers of cells.
macro_rules! recurrent {
    ($($layer:ident: $kind:literal, $method:ident, $doc:literal;)+) => { $(
        impl $layer {
            /// With so many units, in one direction, and all states as its output.
            pub fn new(hidden_size: usize) -> Self {
                Self { hidden_size, bidirectional: false, return_sequences: true }
            }

            /// The same with another set of units that goes from the end to the beginning; their
            /// states stand behind those of the first.
            #[must_use]
            pub fn bidirectional(mut self) -> Self {
                self.bidirectional = true;
                self
            }

            /// The same with only the last state as its output, of each direction.
            #[must_use]
            pub fn last(mut self) -> Self {
                self.return_sequences = false;
                self
            }

            fn options(&self) -> Options {
                Options { hidden: self.hidden_size, bidirectional: self.bidirectional, sequences: self.return_sequences }
            }
        }

        impl Sequential {
            #[doc = $doc]
            #[must_use]
            pub fn $method(self, hidden_size: usize) -> Self {
                self.with($layer::new(hidden_size))
            }
        }

        impl Layer for $layer {
            const KIND: &'static str = $kind;

            fn plan(&self, to: &mut Plan<'_>, input: &Sample) -> Result<Sample, Misfit> {
                plan::<Self>(self.options(), to, input)
            }

            fn forward<E: Real, D: Backend<E>>(
                &self,
                pass: &mut Pass<'_, E, D>,
                x: Flow<E, D>,
            ) -> Result<Flow<E, D>, Fault> {
                forward::<Self, E, D>(self.options(), pass, x)
            }

            fn host(&self) -> Option<&dyn HostLayer> {
                Some(self)
            }

            fn onnx(&self, pass: &mut OnnxPass<'_>, x: &Value) -> Result<Value, Fault> {
                onnx::<Self>(self.options(), pass, x)
            }

            fn note(&self) -> String {
                self.options().note()
            }
        }

        impl HostLayer for $layer {
            fn forward(&self, pass: &mut HostPass<'_>, x: HostTensor) -> Result<HostTensor, Fault> {
                host::forward::<Self>(self.options(), pass, x)
            }

            fn backward(&self, pass: &mut HostPass<'_>, gradient: HostTensor) -> Result<HostTensor, Fault> {
                host::backward::<Self>(self.options(), pass, gradient)
            }
        }
    )+ };
}

recurrent! {
    Lstm: "Lstm", lstm, "Appends an [`Lstm`] of so many units that gives all its states.";
    Gru: "Gru", gru, "Appends a [`Gru`] of so many units that gives all its states.";
}
