//! A dfdx network under a loss: the one place where the step's arithmetic is generic.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use dfdx::nn::tensor_collection::{
    RecursiveWalker, TensorCollection, TensorOptions, TensorVisitor, ViewTensorMut,
};
use dfdx::nn::{Module, ModuleMut, ZeroGrads};
use dfdx::prelude::{Backward, Const, Gradients as DfdxGradients, OwnedTape, Shape, Tensor, Trace};
use trainbook_callbacks::seam::sum_of_squares;
use trainbook_callbacks::{CallbackError, Gradients, Snapshot, TensorInfo, TensorStats, Weights};
use trainbook_core::batch::Batch;
use trainbook_onnx::Graph;

use super::backend::Backend;
use super::loss::Loss;
use super::tensors::{self, Slot};
use super::threads::Shareable;
use super::{Model, Recipe, Task, TaskState};
use crate::NnError;
use crate::onnx::{ToOnnx, graph_of};
use crate::optim::OptimizerState;

/// A network `M` with `I` inputs and `O` outputs on device `D`, being trained.
pub struct Supervised<M, D: Backend, const I: usize, const O: usize> {
    network: Frozen<M, D, I, O>,
    loss: Loss,
    optimizer: OptimizerState<D>,
    /// The trained tensors, in the order of the gradients.
    trained: Vec<TensorInfo>,
    /// Empty only while a forward pass has them on its tape.
    gradients: RefCell<Option<DfdxGradients<f32, D>>>,
    norm: Cell<Option<f64>>,
    targets: Vec<f32>,
}

/// A network that only computes. Cloning shares the tensors; training the original copies them
/// first.
#[derive(Clone)]
struct Frozen<M, D: Backend, const I: usize, const O: usize> {
    module: M,
    device: D,
    tensors: Arc<[TensorInfo]>,
}

impl<M, D, const I: usize, const O: usize> Supervised<M, D, I, O>
where
    D: Backend,
    M: TensorCollection<f32, D>,
{
    pub fn new(mut module: M, device: D, recipe: &Recipe) -> Result<Self, NnError> {
        let slots = tensors::slots(&module);
        tensors::write(&mut module, |i| recipe.init.draw(recipe.seed, i as u64, &slots[i].info));
        let trained = |s: &&Slot| s.trained;
        Ok(Self {
            loss: recipe.loss,
            optimizer: OptimizerState::<D>::new(&recipe.optimizer),
            trained: slots.iter().filter(trained).map(|s| s.info.clone()).collect(),
            gradients: RefCell::new(Some(allocate(&module)?)),
            norm: Cell::new(None),
            targets: Vec::new(),
            network: Frozen {
                module,
                device,
                tensors: slots.into_iter().map(|s| s.info).collect(),
            },
        })
    }

    fn with_gradients<R>(
        &self,
        look: impl FnOnce(&mut DfdxGradients<f32, D>) -> Result<R, NnError>,
    ) -> Result<R, NnError> {
        let mut gradients = self.gradients.borrow_mut();
        if gradients.is_none() {
            *gradients = Some(allocate(&self.network.module)?);
        }
        // The line above leaves only this arm; the other keeps the match total.
        gradients.as_mut().map_or_else(|| Err(no_gradients()), look)
    }

    fn look_at_each(&self, mut look: impl FnMut(&[f32])) -> Result<(), NnError> {
        self.with_gradients(|gradients| {
            tensors::each_gradient(&self.network.module, gradients, |_, buffer| {
                D::look(buffer, &mut look)
            })
        })
    }

    fn change_each(
        &mut self,
        mut change: impl FnMut(&TensorInfo, &mut [f32]),
    ) -> Result<(), CallbackError> {
        self.norm.set(None);
        self.with_gradients(|gradients| {
            tensors::each_gradient(&self.network.module, gradients, |i, buffer| {
                D::change(buffer, |values| change(&self.trained[i], values))
            })
        })
        .map_err(|e| access("gradients", &e))
    }
}

fn allocate<M: TensorCollection<f32, D>, D: Backend>(
    module: &M,
) -> Result<DfdxGradients<f32, D>, NnError> {
    module.try_alloc_grads().map_err(|e| NnError::device("allocate gradients", &e))
}

fn no_gradients() -> NnError {
    NnError::device("find the gradients", &"there are none")
}

fn access(what: &'static str, error: &NnError) -> CallbackError {
    CallbackError::Access { what, reason: error.to_string() }
}

impl<M, D, const I: usize, const O: usize> Task for Supervised<M, D, I, O>
where
    D: Backend,
    M: TensorCollection<f32, D> + ToOnnx + Clone + Shareable + 'static,
    M: Module<Tensor<(usize, Const<I>), f32, D>, Output = Tensor<(usize, Const<O>), f32, D>>,
    M: ModuleMut<
            Tensor<(usize, Const<I>), f32, D, OwnedTape<f32, D>>,
            Output = Tensor<(usize, Const<O>), f32, D, OwnedTape<f32, D>>,
        >,
{
    fn forward_backward(&mut self, batch: &Batch) -> Result<f32, NnError> {
        self.norm.set(None);
        let rows = batch.samples.len();
        self.loss.targets(&batch.targets, O, &mut self.targets)?;
        let features = self.network.tensor::<I>(batch.features.clone(), rows)?;
        let targets = self.network.tensor::<O>(self.targets.clone(), rows)?;
        // Taken, because the tape owns the gradients until `backward` gives them back; after an
        // error they are allocated anew.
        let gradients = match self.gradients.get_mut().take() {
            Some(gradients) => gradients,
            None => allocate(&self.network.module)?,
        };
        let outputs = self
            .network
            .module
            .try_forward_mut(features.traced(gradients))
            .map_err(|e| NnError::device("run the network forward", &e))?;
        let loss = self
            .loss
            .on_device(outputs, targets)
            .map_err(|e| NnError::device("compute the loss", &e))?;
        let value = loss.as_vec()[0];
        let gradients =
            loss.try_backward().map_err(|e| NnError::device("run the network backward", &e))?;
        *self.gradients.get_mut() = Some(gradients);
        Ok(value)
    }

    fn update(&mut self, learning_rate: f64) -> Result<(), NnError> {
        let gradients = self.gradients.get_mut().as_mut().ok_or_else(no_gradients)?;
        self.optimizer.begin_step(learning_rate);
        M::iter_tensors(&mut RecursiveWalker {
            m: &mut self.network.module,
            f: &mut Update {
                optimizer: &mut self.optimizer,
                gradients,
                trained: &self.trained,
                at: 0,
            },
        })?;
        self.clear_gradients()
    }

    fn clear_gradients(&mut self) -> Result<(), NnError> {
        self.norm.set(None);
        match self.gradients.get_mut() {
            Some(gradients) => self
                .network
                .module
                .try_zero_grads(gradients)
                .map_err(|e| NnError::device("clear the gradients", &e)),
            None => Ok(()),
        }
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
        })
    }

    fn load_state(&mut self, state: &TaskState) -> Result<(), NnError> {
        self.network.check(&state.weights)?;
        self.optimizer.load(&state.moments, state.updates, &self.trained, &self.network.device)?;
        self.network.restore(&state.weights);
        self.clear_gradients()
    }
}

struct Update<'a, D: Backend> {
    optimizer: &'a mut OptimizerState<D>,
    gradients: &'a mut DfdxGradients<f32, D>,
    trained: &'a [TensorInfo],
    at: usize,
}

impl<D: Backend> TensorVisitor<f32, D> for Update<'_, D> {
    type Viewer = ViewTensorMut;
    type Err = NnError;
    type E2 = f32;
    type D2 = D;

    fn visit<S: Shape>(
        &mut self,
        options: TensorOptions<S, f32, D>,
        tensor: &mut Tensor<S, f32, D>,
    ) -> Result<Option<Tensor<S, f32, D>>, NnError> {
        if options.do_gradient_update {
            let gradient = self
                .gradients
                .get_or_alloc_mut(tensor)
                .map_err(|e| NnError::device("allocate a gradient", &e))?;
            self.optimizer.step(self.at, &self.trained[self.at], tensor, gradient)?;
            self.at += 1;
        }
        Ok(None)
    }
}

impl<M, D, const I: usize, const O: usize> Gradients for Supervised<M, D, I, O>
where
    D: Backend,
    M: TensorCollection<f32, D>,
{
    fn tensors(&self) -> &[TensorInfo] {
        &self.trained
    }

    fn global_norm(&self) -> Result<f64, CallbackError> {
        if let Some(norm) = self.norm.get() {
            return Ok(norm);
        }
        let mut square = 0.0;
        self.look_at_each(|values| square += sum_of_squares(values))
            .map_err(|e| access("gradients", &e))?;
        let norm = square.sqrt();
        self.norm.set(Some(norm));
        Ok(norm)
    }

    fn stats(&self) -> Result<Vec<TensorStats>, CallbackError> {
        let mut stats = Vec::with_capacity(self.trained.len());
        self.look_at_each(|values| stats.push(TensorStats::of(values)))
            .map_err(|e| access("gradients", &e))?;
        Ok(stats)
    }

    fn scale(&mut self, factor: f32) -> Result<(), CallbackError> {
        self.change_each(|_, values| values.iter_mut().for_each(|v| *v *= factor))
    }

    fn clamp(&mut self, limit: f32) -> Result<(), CallbackError> {
        self.change_each(|_, values| values.iter_mut().for_each(|v| *v = v.clamp(-limit, limit)))
    }

    fn edit(
        &mut self,
        change: &mut dyn FnMut(&TensorInfo, &mut [f32]),
    ) -> Result<(), CallbackError> {
        self.change_each(change)
    }
}

impl<M, D, const I: usize, const O: usize> Weights for Supervised<M, D, I, O>
where
    D: Backend,
    M: TensorCollection<f32, D>,
{
    fn snapshot(&self) -> Result<Snapshot, CallbackError> {
        Ok(Snapshot(tensors::read(&self.network.module)))
    }

    fn restore(&mut self, snapshot: &Snapshot) -> Result<(), CallbackError> {
        self.network.check(snapshot).map_err(|e| access("weights", &e))?;
        self.network.restore(snapshot);
        Ok(())
    }
}

impl<M, D: Backend, const I: usize, const O: usize> Frozen<M, D, I, O> {
    fn tensor<const N: usize>(
        &self,
        values: Vec<f32>,
        rows: usize,
    ) -> Result<Tensor<(usize, Const<N>), f32, D>, NnError> {
        if values.len() != rows * N {
            return Err(NnError::Data {
                action: "use",
                reason: format!(
                    "{rows} rows for this network hold {} values, and there are {}",
                    rows * N,
                    values.len()
                ),
            });
        }
        self.device
            .try_tensor_from_vec(values, (rows, Const))
            .map_err(|e| NnError::device("make a tensor", &e))
    }

    fn check(&self, snapshot: &Snapshot) -> Result<(), NnError> {
        let expected = self.tensors.iter().map(|t| t.shape.iter().product::<usize>());
        if snapshot.0.iter().map(Vec::len).eq(expected) {
            Ok(())
        } else {
            Err(NnError::State("its tensors have other sizes than this network's".to_owned()))
        }
    }
}

impl<M: TensorCollection<f32, D>, D: Backend, const I: usize, const O: usize> Frozen<M, D, I, O> {
    /// The sizes must have been checked.
    fn restore(&mut self, snapshot: &Snapshot) {
        tensors::write(&mut self.module, |i| snapshot.0.get(i).cloned());
    }
}

impl<M, D, const I: usize, const O: usize> Model for Frozen<M, D, I, O>
where
    D: Backend,
    M: TensorCollection<f32, D> + ToOnnx + Shareable,
    M: Module<Tensor<(usize, Const<I>), f32, D>, Output = Tensor<(usize, Const<O>), f32, D>>,
{
    fn inputs(&self) -> usize {
        I
    }

    fn outputs(&self) -> usize {
        O
    }

    fn tensors(&self) -> &[TensorInfo] {
        &self.tensors
    }

    fn weights(&self) -> Snapshot {
        Snapshot(tensors::read(&self.module))
    }

    fn predict(&self, features: &[f32], rows: usize) -> Result<Vec<f32>, NnError> {
        let features = self.tensor::<I>(features.to_vec(), rows)?;
        let outputs = self
            .module
            .try_forward(features)
            .map_err(|e| NnError::device("run the network forward", &e))?;
        Ok(outputs.as_vec())
    }

    fn graph(
        &self,
        output: &str,
        normalization: Option<(&[f32], &[f32])>,
    ) -> Result<Graph, NnError> {
        Ok(graph_of(I, output, &self.module, normalization)?)
    }
}
