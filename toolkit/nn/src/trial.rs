//! One layer alone, in each of its forms: to compare them with each other, with another library's
//! numbers, and with differences.

use std::cell::RefCell;
use std::sync::Arc;

use dfdx::prelude::{Backward, Tape};
use dfdx::prelude::{Cpu, Gradients, HasShape, PutTape, SplitTape, Tensor};
use dfdx::tensor::CpuError;
use dfdx::tensor_ops::{SumTo, TryMul};
use trainbook_core::array::Array;

use crate::NnError;
use crate::context::Context;
use crate::host::{Aside, HostPass, HostTensor, Memory, half};
use crate::layer::{AnyLayer, Fault};
use crate::on_dfdx::{Arithmetic, Backend, Flow, MixedBatch, MixedOutcome, Pass, Real, Tensors};
use crate::parameters::Slot;
use crate::plan::Planned;
use crate::sample::{Kind, Sample};
use crate::task::{Device, Precision, Recipe, Task};

/// A layer with values for its tensors and a batch to take.
///
/// ```
/// use trainbook_nn::layer::{AnyLayer, Relu};
/// use trainbook_nn::{Context, Sample};
/// use trainbook_nn::trial::Trial;
///
/// let trial = Trial::new(&AnyLayer::new(Relu), &Sample::numbers([3]))?;
/// let outcome = trial.on_host(&[1.0, -2.0, 3.0], 1, Context::EVALUATION, &[1.0, 1.0, 1.0])?;
/// assert_eq!(outcome.output, [1.0, 0.0, 3.0]);
/// assert_eq!(outcome.input_gradient, [1.0, 0.0, 1.0]);
/// # Ok::<(), trainbook_nn::NnError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Trial {
    /// What the layer comes to.
    pub planned: Planned,
    /// The values of its tensors, all in one, as [`Planned::layout`] says.
    pub values: Vec<f64>,
    /// Whether it computes under mixed precision where it computes in the processor's memory. What it
    /// is given as the gradient in its output is then rounded to f16 if the output was.
    pub mixed: bool,
}

/// A task in every form that this build has: in the processor's memory, on dfdx's tensors there, and
/// with the feature `cuda` on the first CUDA device.
///
/// # Errors
/// Those of [`Recipe::task`].
pub fn forms(recipe: &Recipe) -> Result<Vec<Box<dyn Task>>, NnError> {
    let mut forms = vec![recipe.task()?, recipe.task_on_dfdx()?];
    if cfg!(feature = "cuda") {
        forms.push(Recipe { device: Device::cuda(0), ..recipe.clone() }.task()?);
    }
    Ok(forms)
}

/// What came of a batch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// The shape of the output, the batch first.
    pub shape: Vec<usize>,
    /// The output.
    pub output: Vec<f64>,
    /// The gradient in the input; empty for indices.
    pub input_gradient: Vec<f64>,
    /// The gradients in the trained tensors, all in one.
    pub gradients: Vec<f64>,
    /// What tensors became that are carried along, by slot.
    pub buffers: Vec<(usize, Vec<f64>)>,
}

impl Trial {
    /// A layer, fitted to such samples, with all values 0.
    ///
    /// # Errors
    /// It does not fit.
    pub fn new(layer: &AnyLayer, input: &Sample) -> Result<Self, NnError> {
        let planned = Planned::behind_trained(layer, input)?;
        Ok(Self { values: vec![0.0; planned.layout.len()], planned, mixed: false })
    }

    fn shape(&self, rows: usize) -> Vec<usize> {
        std::iter::once(rows).chain(self.planned.root.input.shape.iter().copied()).collect()
    }

    /// Forward alone, in the processor's memory and f32: the output's shape, and the output.
    ///
    /// # Errors
    /// Those of the layer.
    pub fn forward_on_host(
        &self,
        input: &[f64],
        rows: usize,
        context: Context<'_>,
    ) -> Result<(Vec<usize>, Vec<f64>), NnError> {
        let (root, layout) = (&self.planned.root, &self.planned.layout);
        let values: Vec<f32> = self.values.iter().map(|v| *v as f32).collect();
        let output = HostPass::new(
            root,
            layout.slots(),
            &values,
            &mut [],
            &mut Vec::new(),
            context,
            &mut Aside::default(),
            &mut Memory::default(),
            false,
        )
        .forward(self.begin(input, rows))
        .map_err(NnError::from_fault)?;
        Ok((output.shape.clone(), output.numbers().iter().map(|v| f64::from(*v)).collect()))
    }

    fn begin(&self, input: &[f64], rows: usize) -> HostTensor {
        match self.planned.root.input.kind {
            Kind::Numbers => {
                HostTensor::new(self.shape(rows), input.iter().map(|v| *v as f32).collect())
            }
            Kind::Indices => HostTensor::of_indices(self.shape(rows), indices(input)),
        }
    }

    /// Forward and, from `upstream` as the gradient in the output, backward, in the processor's
    /// memory and f32. Indices are given as numbers.
    ///
    /// # Errors
    /// Those of the layer.
    pub fn on_host(
        &self,
        input: &[f64],
        rows: usize,
        context: Context<'_>,
        upstream: &[f64],
    ) -> Result<Outcome, NnError> {
        let narrow = |values: &[f64]| values.iter().map(|v| *v as f32).collect::<Vec<f32>>();
        let widen = |values: &[f32]| values.iter().map(|v| f64::from(*v)).collect::<Vec<f64>>();
        let (root, layout) = (&self.planned.root, &self.planned.layout);
        let mut values = narrow(&self.values);
        for slot in layout.slots().iter().filter(|slot| self.mixed && slot.half) {
            half::round(&mut values[slot.range()]);
        }
        let x = self.begin(input, rows);
        let (mut aside, mut memory) = (Aside::default(), Memory::default());
        let mut buffers = Vec::new();
        let output = HostPass::new(
            root,
            layout.slots(),
            &values,
            &mut [],
            &mut buffers,
            context,
            &mut aside,
            &mut memory,
            true,
        )
        .mixed(self.mixed)
        .forward(x)
        .map_err(NnError::from_fault)?;
        let shape = output.shape.clone();
        let numbers = widen(output.numbers());
        let mut upstream = HostTensor::new(shape.clone(), narrow(upstream));
        if output.is_half() {
            upstream = upstream.rounded(&mut memory);
        }
        drop(output);
        let mut gradients = vec![0.0; layout.trained_len()];
        let input_gradient = HostPass::new(
            root,
            layout.slots(),
            &values,
            &mut gradients,
            &mut Vec::new(),
            context,
            &mut aside,
            &mut memory,
            true,
        )
        .mixed(self.mixed)
        .backward(upstream)
        .map_err(NnError::from_fault)?;
        Ok(Outcome {
            shape,
            output: numbers,
            input_gradient: widen(input_gradient.numbers()),
            gradients: widen(&gradients),
            buffers: buffers.iter().map(|(slot, values)| (*slot, widen(values))).collect(),
        })
    }

    /// The layer as an ONNX graph.
    ///
    /// # Errors
    /// It has no ONNX form.
    pub fn graph(&self) -> Result<trainbook_onnx::Graph, NnError> {
        let values: Vec<f32> = self.values.iter().map(|v| *v as f32).collect();
        crate::onnx_form::graph(&self.planned, &values, "output", crate::Around::default())
    }

    /// The same in dfdx's operations, on the processor, in the precision `E`.
    ///
    /// # Errors
    /// Those of the layer.
    pub fn on_dfdx<E: Real>(
        &self,
        input: &[f64],
        rows: usize,
        context: Context<'_>,
        upstream: &[f64],
    ) -> Result<Outcome, NnError>
    where
        Cpu: Backend<E>,
    {
        self.through_dfdx::<E, Cpu>(&Cpu::default(), input, rows, context, upstream)
            .map_err(NnError::from_fault)
    }

    /// The same in f32 on the first CUDA device.
    ///
    /// # Errors
    /// Those of the layer; there is no such device.
    #[cfg(feature = "cuda")]
    pub fn on_cuda(
        &self,
        input: &[f64],
        rows: usize,
        context: Context<'_>,
        upstream: &[f64],
    ) -> Result<Outcome, NnError> {
        let device = crate::task::open_cuda(0)?;
        self.through_dfdx::<f32, _>(&device, input, rows, context, upstream)
            .map_err(NnError::from_fault)
    }

    /// The same in mixed precision; without the gradient in the input, to which no way leads from
    /// outside.
    ///
    /// # Errors
    /// Those of the layer.
    pub fn mixed_on_dfdx(
        &self,
        input: &[f64],
        rows: usize,
        context: Context<'_>,
        upstream: &[f64],
    ) -> Result<Outcome, NnError> {
        let device = Cpu::default();
        let layout = &self.planned.layout;
        let fail = |e: CpuError| NnError::device("compute", &e);
        let tensors = self.tensors::<f32, Cpu>(&device).map_err(fail)?;
        let shape = self.shape(rows);
        let input = match self.planned.root.input.kind {
            Kind::Numbers => Array::f32(shape, input.iter().map(|v| *v as f32).collect()),
            Kind::Indices => Array::i64(shape, input.iter().map(|v| *v as i64).collect()),
        };
        let mut mixing = device.mixing()?.ok_or_else(|| NnError::Setting {
            setting: "precision",
            value: Precision::Mixed.to_string(),
            expected: Precision::F32.to_string(),
        })?;
        let seen = RefCell::new(Outcome::default());
        let upstream = tensor_of::<f32, Cpu>(&device, upstream).map_err(fail)?;
        // Of Σ y·u the gradient in y is u.
        let loss = |output: Flow<f32, Cpu>| {
            let mut seen = seen.borrow_mut();
            (seen.shape, seen.output) = (output.shape().to_vec(), read(&output.untaped()));
            let product = output.flat().try_mul(upstream.clone());
            product.and_then(|product| product.try_sum()).map_err(fail)
        };
        let batch = MixedBatch {
            planned: &self.planned,
            tensors: &tensors,
            context,
            device: &device,
            input: &input,
            scale: 1.0,
            share: 1.0,
        };
        let mut gradients = Gradients::leaky();
        let MixedOutcome { buffers, .. } = mixing.run(batch, &loss, &mut gradients)?;
        let mut outcome = seen.take();
        for (number, tensor) in &tensors {
            if layout.slots()[*number].is_trained() {
                outcome.gradients.extend(read(&gradients.get(tensor)));
            }
        }
        outcome.buffers = buffers.iter().map(|(slot, tensor)| (*slot, read(tensor))).collect();
        Ok(outcome)
    }

    /// Its tensors on a device.
    fn tensors<E: Real, D: Backend<E>>(&self, device: &D) -> Result<Tensors<E, D>, D::Err> {
        let slots = self.planned.layout.slots().iter().enumerate();
        let tensor = |(number, slot): (usize, &Slot)| {
            Ok((number, tensor_of(device, &self.values[slot.range()])?))
        };
        slots.map(tensor).collect()
    }

    fn through_dfdx<E: Real, D: Backend<E>>(
        &self,
        device: &D,
        input: &[f64],
        rows: usize,
        context: Context<'_>,
        upstream: &[f64],
    ) -> Result<Outcome, Fault> {
        let narrow = |values: &[f64]| values.iter().map(|v| E::of(*v)).collect::<Vec<E>>();
        let (root, layout) = (&self.planned.root, &self.planned.layout);
        let tensors = self.tensors::<E, D>(device)?;
        let begin = match root.input.kind {
            Kind::Numbers => {
                Flow::begin(device, self.shape(rows), narrow(input), Gradients::leaky())?
            }
            Kind::Indices => {
                Flow::begin_indices(device, self.shape(rows), indices(input), Gradients::leaky())?
            }
        };
        let entered = begin.untaped();
        let mut new_buffers = Tensors::new();
        let output = Pass::new(root, &tensors, context, &mut new_buffers).run(begin)?;
        let shape = output.shape().to_vec();
        let (output, mut tape) = output.flat().split_tape();
        let numbers = read(&output);
        let end = output.clone();
        let upstream = narrow(upstream);
        tape.add_backward_op(move |gradients| {
            let buffer = gradients.get_or_alloc_mut(&end)?;
            // Where this fails the gradients are 0, and found out.
            let _ = <D as Backend<E>>::change(buffer, |into| into.copy_from_slice(&upstream));
            Ok(())
        });
        let end: Tensor<(), E, D> = device.try_zeros()?;
        let mut gradients = end.put_tape(tape).try_backward()?;
        let mut flat = vec![0.0; layout.trained_len()];
        for (number, slot) in layout.slots().iter().enumerate().filter(|(_, s)| s.is_trained()) {
            if let Some(tensor) = tensors.get(&number) {
                let from = gradients.get_or_alloc_mut(tensor)?;
                let into = &mut flat[slot.range()];
                <D as Backend<E>>::look(from, |from| {
                    into.iter_mut().zip(from).for_each(|(g, v)| *g = v.wide());
                })?;
            }
        }
        let input_gradient = match root.input.kind {
            Kind::Numbers => {
                let from = gradients.get_or_alloc_mut(&entered)?;
                <D as Backend<E>>::look(from, |from| from.iter().map(|v| v.wide()).collect())?
            }
            Kind::Indices => Vec::new(),
        };
        let buffers = new_buffers.iter().map(|(slot, tensor)| (*slot, read(tensor))).collect();
        Ok(Outcome { shape, output: numbers, input_gradient, gradients: flat, buffers })
    }
}

fn tensor_of<E: Real, D: Backend<E>>(
    device: &D,
    values: &[f64],
) -> Result<Tensor<(usize,), E, D>, D::Err> {
    let values: Vec<E> = values.iter().map(|v| E::of(*v)).collect();
    let len = values.len();
    device.try_tensor_from_vec(values, (len,))
}

fn indices(input: &[f64]) -> Arc<[usize]> {
    input.iter().map(|v| *v as usize).collect()
}

fn read<E: Real, D: Backend<E>>(tensor: &Tensor<(usize,), E, D>) -> Vec<f64> {
    let mut values = vec![E::of(0.0); tensor.shape().0];
    tensor.copy_into(&mut values);
    values.into_iter().map(Real::wide).collect()
}
