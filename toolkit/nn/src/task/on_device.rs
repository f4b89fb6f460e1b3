//! Training on dfdx's tensors: for accelerators, and to test what runs in the processor's memory.

use std::cell::RefCell;
use std::sync::Arc;

use dfdx::optim::UnusedTensors;
use dfdx::prelude::{Backward, Gradients as DfdxGradients, HasShape, Tensor, TryMul};
use trainbook_callbacks::{
    CallbackError, Gradients, Reading, Snapshot, StepScale, Tell, TensorInfo, TensorStats,
    UpdateSettings, Wait, Weights,
};
use trainbook_core::array::{Array, Numbers};
use trainbook_core::batch::Batch;
use trainbook_core::random::Seed;
use trainbook_onnx::Graph;

use super::batch_loss::Gathered;
use super::lengths::Lengths;
use super::precision::LossScaler;
use super::{BatchLoss, Loss, Model, Precision, Recipe, Task, TaskState, indices};
use crate::context::Context;
use crate::on_dfdx::{
    Arithmetic, Backend, Buffer, Flow, MixedBatch, MixedOutcome, Mixing, Pass, Tensors,
};
use crate::optim::{OptimizerState, ParameterGroup, Treatment, thawed, treatments};
use crate::parameters::Slot;
use crate::plan::Planned;
use crate::{Around, NnError};

/// A network on the device `D`, being trained.
pub struct OnDevice<D: Arithmetic> {
    network: Held<D>,
    lengths: Lengths,
    loss: Loss,
    optimizer: OptimizerState<D>,
    seed: Seed,
    groups: Vec<ParameterGroup>,
    /// How each tensor with gradients is treated.
    treatments: Vec<Treatment>,
    /// The tensors with gradients, in the order of their slots.
    all: Vec<TensorInfo>,
    /// Those of them that are not frozen.
    trained: Vec<TensorInfo>,
    gathered: Gathered,
    /// Empty only while a forward pass has them on its tape.
    gradients: RefCell<Option<DfdxGradients<f32, D>>>,
    /// What each gradient looks like, until one changes.
    statistics: RefCell<Option<Vec<TensorStats>>>,
    /// What there is under mixed precision alone.
    mixed: Option<Mixed<D>>,
    /// Losses that nobody has asked for yet.
    late: Late<D>,
}

struct Mixed<D: Arithmetic> {
    scaler: LossScaler,
    mixing: Box<dyn Mixing<D>>,
    /// What is carried along and not trained, such as running means, as it was before the step.
    before: Tensors<f32, D>,
}

impl<D: Arithmetic> Mixed<D> {
    /// `None` in f32.
    fn new(recipe: &Recipe, device: &D) -> Result<Option<Self>, NnError> {
        if recipe.precision == Precision::F32 {
            return Ok(None);
        }
        let Some(mixing) = device.mixing()? else {
            return Err(NnError::Setting {
                setting: "precision",
                value: recipe.precision.to_string(),
                expected: format!("{} on this device", Precision::F32),
            });
        };
        let scaler = LossScaler::new(recipe.loss_scale)?;
        Ok(Some(Self { scaler, mixing, before: Tensors::new() }))
    }
}

/// Losses on the device, and whom to tell.
type Late<D> = RefCell<Vec<(Tensor<(), f32, D>, Tell)>>;

/// So many losses are left on the device at most: the device is that many steps behind the loop
/// that feeds it, if nobody looks.
const LATE: usize = 64;

/// A network that only computes. Cloning shares the tensors; training the original copies them
/// first.
#[derive(Clone)]
struct Held<D: Arithmetic> {
    planned: Arc<Planned>,
    tensors: Tensors<f32, D>,
    infos: Arc<[TensorInfo]>,
    device: D,
}

impl<D: Arithmetic> OnDevice<D> {
    pub fn new(device: D, recipe: &Recipe) -> Result<Self, NnError> {
        if recipe.checkpoint_activations {
            return Err(NnError::Setting {
                setting: "checkpoint_activations",
                value: "true".to_owned(),
                expected: "false on this device".to_owned(),
            });
        }
        let planned = Arc::new(recipe.network.plan(&recipe.input)?);
        recipe.loss.objective().check(&planned.root.output.shape)?;
        let layout = &planned.layout;
        let values = layout.begin(recipe.init, recipe.seed)?;
        let mut tensors = Tensors::new();
        for (number, slot) in layout.slots().iter().enumerate() {
            tensors.insert(number, tensor(&device, values[slot.range()].to_vec())?);
        }
        let treatments = treatments(&recipe.groups, recipe.optimizer.rule(), layout)?;
        let all: Vec<TensorInfo> = layout.trained().map(Slot::info).collect();
        Ok(Self {
            loss: recipe.loss.clone(),
            lengths: Lengths::new(recipe, &planned)?,
            optimizer: OptimizerState::<D>::new(&recipe.optimizer),
            seed: recipe.seed,
            trained: trained(&all, &treatments, 0),
            all,
            groups: recipe.groups.clone(),
            treatments,
            gathered: Gathered::default(),
            gradients: RefCell::new(None),
            statistics: RefCell::default(),
            mixed: Mixed::new(recipe, &device)?,
            late: Late::default(),
            network: Held {
                infos: layout.slots().iter().map(Slot::info).collect(),
                tensors,
                planned,
                device,
            },
        })
    }

    /// Gradients of nothing yet, which keep those of the trained tensors from step to step and no
    /// others.
    fn allocate(network: &Held<D>) -> Result<DfdxGradients<f32, D>, NnError> {
        let mut gradients = DfdxGradients::leaky();
        let mut leafs = UnusedTensors::default();
        for (_, tensor) in network.trained() {
            leafs.add(tensor);
            gradients
                .try_alloc_for(tensor)
                .map_err(|e| NnError::device("allocate gradients", &e))?;
        }
        gradients.retain_leafs(&leafs.ids);
        Ok(gradients)
    }

    /// Has what is trained by now among the trained.
    fn see_thaws(&mut self) {
        self.trained = trained(&self.all, &self.treatments, self.optimizer.updates());
    }

    fn with_gradients<R>(
        &self,
        look: impl FnOnce(&mut DfdxGradients<f32, D>) -> Result<R, NnError>,
    ) -> Result<R, NnError> {
        let mut gradients = self.gradients.borrow_mut();
        match &mut *gradients {
            Some(gradients) => look(gradients),
            none => look(none.insert(Self::allocate(&self.network)?)),
        }
    }

    /// Keeps a loss where it is, until somebody asks for it.
    fn keep(&self, loss: Tensor<(), f32, D>) -> Result<Reading, NnError> {
        if self.late.borrow().len() >= LATE {
            self.wait().map_err(|e| NnError::device("read the losses", &e.to_string()))?;
        }
        let (reading, tell) = Reading::late();
        self.late.borrow_mut().push((loss, tell));
        Ok(reading)
    }

    /// What each gradient looks like; asks the device once for as long as none changes.
    fn statistics<R>(&self, look: impl FnOnce(&[TensorStats]) -> R) -> Result<R, CallbackError> {
        if let Some(statistics) = &*self.statistics.borrow() {
            return Ok(look(statistics));
        }
        let lens: Vec<usize> =
            self.trained.iter().map(|tensor| tensor.shape.iter().product()).collect();
        let statistics = self
            .with_gradients(|gradients| {
                self.network.device.statistics(&lens, |visit| {
                    let updates = self.optimizer.updates();
                    for (_, tensor) in thawed(self.network.trained(), &self.treatments, updates) {
                        visit(gradients.get_or_alloc_mut(tensor).map_err(allocate)?)?;
                    }
                    Ok(())
                })
            })
            .map_err(|e| access("gradients", &e))?;
        Ok(look(self.statistics.borrow_mut().insert(statistics)))
    }

    fn change_each(
        &mut self,
        mut change: impl FnMut(&TensorInfo, &mut Buffer<f32, D>) -> Result<(), NnError>,
    ) -> Result<(), CallbackError> {
        *self.statistics.get_mut() = None;
        self.with_gradients(|gradients| {
            let updates = self.optimizer.updates();
            let tensors = thawed(self.network.trained(), &self.treatments, updates);
            for ((_, tensor), info) in tensors.zip(&self.trained) {
                change(info, gradients.get_or_alloc_mut(tensor).map_err(allocate)?)?;
            }
            Ok(())
        })
        .map_err(|e| access("gradients", &e))
    }

    /// Runs a batch forward and backward, as this share of the step, on top of these gradients.
    fn run(
        &mut self,
        batch: &Batch,
        weight: f64,
        share: f32,
        mut gradients: DfdxGradients<f32, D>,
    ) -> Result<Ran<D>, NnError> {
        let planned = self.lengths.of(&self.network.planned, &batch.input)?;
        let tensors = &self.network.tensors;
        let context = Context {
            training: true,
            seed: self.seed,
            update: self.optimizer.updates(),
            samples: &batch.samples,
        };
        if let Some(mixed) = &mut self.mixed {
            let device = &self.network.device;
            let (scale, input) = (mixed.scaler.state.scale, &batch.input);
            planned.check_input(input)?;
            let of_mixed =
                MixedBatch { planned: &planned, tensors, context, device, input, scale, share };
            let loss = |outputs| self.loss.of_batch_on_dfdx(outputs, batch, weight);
            let MixedOutcome { mean, buffers } =
                mixed.mixing.run(of_mixed, &loss, &mut gradients)?;
            return Ok(Ran { mean, buffers, gradients });
        }
        let x = self.network.input(&planned, &batch.input, gradients)?;
        let mut buffers = Tensors::new();
        let outputs = Pass::new(&planned.root, tensors, context, &mut buffers)
            .run(x)
            .map_err(NnError::from_fault)?;
        let mut loss = self.loss.of_batch_on_dfdx(outputs, batch, weight)?;
        let mean = loss.retaped();
        if share < 1.0 {
            loss = loss.try_mul(share).map_err(|e| NnError::device("scale the loss", &e))?;
        }
        let gradients =
            loss.try_backward().map_err(|e| NnError::device("run the network backward", &e))?;
        Ok(Ran { mean, buffers, gradients })
    }
}

/// What came of a batch.
struct Ran<D: Arithmetic> {
    mean: Tensor<(), f32, D>,
    /// What became of tensors that are carried along.
    buffers: Tensors<f32, D>,
    gradients: DfdxGradients<f32, D>,
}

fn allocate(error: impl std::fmt::Debug) -> NnError {
    NnError::device("allocate a gradient", &error)
}

/// The tensors that are not frozen behind so many updates.
fn trained(all: &[TensorInfo], treatments: &[Treatment], updates: u64) -> Vec<TensorInfo> {
    thawed(all.iter(), treatments, updates).cloned().collect()
}

fn tensor<D: Arithmetic>(
    device: &D,
    values: Vec<f32>,
) -> Result<Tensor<(usize,), f32, D>, NnError> {
    let len = values.len();
    device.try_tensor_from_vec(values, (len,)).map_err(|e| NnError::device("make a tensor", &e))
}

fn access(what: &'static str, error: &NnError) -> CallbackError {
    CallbackError::Access { what, reason: error.to_string() }
}

impl<D: Arithmetic> Task for OnDevice<D> {
    fn forward_backward(&mut self, batch: &Batch) -> Result<BatchLoss, NnError> {
        *self.statistics.get_mut() = None;
        let weight = self.loss.weight(batch);
        if let Some(mixed) = self.mixed.as_mut().filter(|_| self.gathered.is_empty()) {
            let slots = self.network.planned.layout.slots();
            let carried =
                self.network.tensors.iter().filter(|(slot, _)| !slots[**slot].is_trained());
            mixed.before = carried.map(|(slot, tensor)| (*slot, tensor.clone())).collect();
        }
        let share = self.gathered.add(weight) as f32;
        if share < 1.0 {
            self.scale(1.0 - share)
                .map_err(|e| NnError::device("scale the gradients", &e.to_string()))?;
        }
        // Taken, because the tape owns the gradients until `backward` gives them back; after an
        // error they are allocated anew.
        let gradients = match self.gradients.get_mut().take() {
            Some(gradients) => gradients,
            None => Self::allocate(&self.network)?,
        };
        let Ran { mean, buffers, gradients } = self.run(batch, weight, share, gradients)?;
        *self.gradients.get_mut() = Some(gradients);
        self.network.tensors.extend(buffers);
        Ok(BatchLoss { mean: self.keep(mean)?, weight })
    }

    fn end_scaling(&mut self) -> Option<StepScale> {
        self.mixed.as_ref()?;
        // A device that cannot be read has no gradients to update with; it fails again at once, where
        // that can be said.
        let overflowed = !self.global_norm().is_ok_and(f64::is_finite);
        let mixed = self.mixed.as_mut()?;
        let step = mixed.scaler.end_step_with(overflowed);
        if overflowed {
            // Not even what is carried along is to know of the step.
            self.network.tensors.extend(std::mem::take(&mut mixed.before));
        }
        Some(step)
    }

    fn update(&mut self, settings: &UpdateSettings) -> Result<(), NnError> {
        let update = self.optimizer.begin_step();
        if self.gradients.get_mut().is_none() {
            *self.gradients.get_mut() = Some(Self::allocate(&self.network)?);
        }
        if let Some(gradients) = self.gradients.get_mut() {
            let slots = self.network.planned.layout.slots();
            let trained =
                self.network.tensors.iter_mut().filter(|(slot, _)| slots[**slot].is_trained());
            for (at, (_, tensor)) in trained.enumerate() {
                let gradient = gradients.get_or_alloc_mut(&*tensor).map_err(allocate)?;
                let treatment = &self.treatments[at];
                let step = (!treatment.is_frozen(update - 1))
                    .then(|| treatment.step(settings, &self.groups, update));
                self.optimizer.step(at, step, tensor, gradient)?;
            }
        }
        if let Some(mixed) = &mut self.mixed {
            mixed.mixing.forget();
        }
        if self.treatments.iter().any(|treatment| treatment.thaws == self.optimizer.updates()) {
            self.see_thaws();
        }
        self.clear_gradients()
    }

    fn clear_gradients(&mut self) -> Result<(), NnError> {
        *self.statistics.get_mut() = None;
        self.gathered = Gathered::default();
        if let Some(gradients) = self.gradients.get_mut() {
            for (_, tensor) in self.network.trained() {
                let buffer = gradients.get_or_alloc_mut(tensor).map_err(allocate)?;
                self.network
                    .device
                    .try_fill_with_zeros(buffer)
                    .map_err(|e| NnError::device("clear the gradients", &e))?;
            }
        }
        Ok(())
    }

    fn updates(&self) -> u64 {
        self.optimizer.updates()
    }

    fn model(&self) -> &dyn Model {
        &self.network
    }

    fn freeze(&self) -> Arc<dyn Model> {
        Arc::new(self.network.clone())
    }

    fn state(&self) -> Result<TaskState, NnError> {
        Ok(TaskState {
            weights: self.network.weights(),
            moments: self.optimizer.moments()?,
            updates: self.optimizer.updates(),
            loss_scale: self.mixed.as_ref().map(|mixed| mixed.scaler.state),
        })
    }

    fn load_state(&mut self, state: &TaskState) -> Result<(), NnError> {
        self.network.check(&state.weights)?;
        if let Some(mixed) = &mut self.mixed {
            mixed.scaler.load(state.loss_scale)?;
            mixed.mixing.forget();
        }
        self.optimizer.load(&state.moments, state.updates, &self.all, &self.network.device)?;
        self.network.restore(&state.weights);
        self.see_thaws();
        self.clear_gradients()
    }
}

impl<D: Arithmetic> Gradients for OnDevice<D> {
    fn tensors(&self) -> &[TensorInfo] {
        &self.trained
    }

    fn global_norm(&self) -> Result<f64, CallbackError> {
        self.statistics(|all| all.iter().map(|of| of.norm.powi(2)).sum::<f64>().sqrt())
    }

    fn stats(&self) -> Result<Vec<TensorStats>, CallbackError> {
        self.statistics(<[_]>::to_vec)
    }

    fn scale(&mut self, factor: f32) -> Result<(), CallbackError> {
        self.change_each(|_, gradient| D::scale(gradient, factor))
    }

    fn clamp(&mut self, limit: f32) -> Result<(), CallbackError> {
        self.change_each(|_, gradient| D::clamp(gradient, limit))
    }

    fn edit(
        &mut self,
        change: &mut dyn FnMut(&TensorInfo, &mut [f32]),
    ) -> Result<(), CallbackError> {
        self.change_each(|tensor, gradient| {
            <D as Backend<f32>>::change(gradient, |values| change(tensor, values))
        })
    }
}

impl<D: Arithmetic> Wait for OnDevice<D> {
    fn wait(&self) -> Result<(), CallbackError> {
        for (loss, tell) in self.late.take() {
            tell.tell(loss.as_vec()[0].into());
        }
        Ok(())
    }
}

impl<D: Arithmetic> Weights for OnDevice<D> {
    fn tensor_infos(&self) -> &[TensorInfo] {
        &self.network.infos
    }

    fn snapshot(&self) -> Result<Snapshot, CallbackError> {
        Ok(self.network.weights())
    }

    fn restore(&mut self, snapshot: &Snapshot) -> Result<(), CallbackError> {
        self.network.check(snapshot).map_err(|e| access("weights", &e))?;
        self.network.restore(snapshot);
        if let Some(mixed) = &mut self.mixed {
            mixed.mixing.forget();
        }
        Ok(())
    }
}

impl<D: Arithmetic> Held<D> {
    fn trained(&self) -> impl Iterator<Item = (usize, &Tensor<(usize,), f32, D>)> {
        let slots = self.planned.layout.slots();
        self.tensors
            .iter()
            .map(|(slot, tensor)| (*slot, tensor))
            .filter(|(slot, _)| slots[*slot].is_trained())
    }

    fn input(
        &self,
        planned: &Planned,
        input: &Array,
        gradients: DfdxGradients<f32, D>,
    ) -> Result<Flow<f32, D>, NnError> {
        planned.check_input(input)?;
        let shape = input.shape.clone();
        match &input.numbers {
            Numbers::F32(numbers) => Flow::begin(&self.device, shape, numbers.clone(), gradients),
            Numbers::I64(_) => Flow::begin_indices(&self.device, shape, indices(input)?, gradients),
        }
        .map_err(|e| NnError::device("make a tensor", &e))
    }

    fn check(&self, snapshot: &Snapshot) -> Result<(), NnError> {
        self.planned.layout.check(snapshot)
    }

    /// The sizes must have been checked.
    fn restore(&mut self, snapshot: &Snapshot) {
        for (tensor, saved) in self.tensors.values_mut().zip(&snapshot.0) {
            tensor.copy_from(saved);
        }
    }
}

impl<D: Arithmetic> Model for Held<D> {
    fn planned(&self) -> &Planned {
        &self.planned
    }

    fn output_shape(&self) -> &[usize] {
        &self.planned.root.output.shape
    }

    fn tensors(&self) -> &[TensorInfo] {
        &self.infos
    }

    fn weights(&self) -> Snapshot {
        let read = |tensor: &Tensor<(usize,), f32, D>| {
            let mut values = vec![0.0; tensor.shape().0];
            tensor.copy_into(&mut values);
            values
        };
        Snapshot(self.tensors.values().map(read).collect())
    }

    fn predict(&self, input: &Array) -> Result<Array, NnError> {
        let x = self.input(&self.planned, input, DfdxGradients::leaky())?;
        let mut buffers = Tensors::new();
        let outputs =
            Pass::new(&self.planned.root, &self.tensors, Context::EVALUATION, &mut buffers)
                .run(x)
                .map_err(NnError::from_fault)?;
        Ok(Array::f32(outputs.shape().to_vec(), outputs.flat().as_vec()))
    }

    fn graph(&self, output: &str, around: Around<'_>) -> Result<Graph, NnError> {
        let values = self.planned.layout.flat(&self.weights());
        crate::onnx_form::graph(&self.planned, &values, output, around)
    }
}
