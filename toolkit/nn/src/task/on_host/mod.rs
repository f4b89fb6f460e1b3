//! Training in the processor's memory; `held.rs` has the network that is trained.

mod held;

use std::cell::Cell;
use std::ops::Range;
use std::sync::Arc;

use trainbook_callbacks::seam::sum_of_squares;
use trainbook_callbacks::{
    CallbackError, Gradients, Snapshot, StepScale, TensorInfo, TensorStats, UpdateSettings, Wait,
    Weights,
};
use trainbook_core::batch::Batch;
use trainbook_core::random::Seed;

use self::held::{Held, input};
use super::batch_loss::Gathered;
use super::lengths::Lengths;
use super::mixed::Mixed;
use super::{BatchLoss, Loss, Model, Recipe, StepMemory, Task, TaskState, memory};
use crate::NnError;
use crate::context::Context;
use crate::host::{Aside, HostPass, HostTensor, Memory, stride, threads};
use crate::optim::{Optimizer, ParameterGroup, Treatment, thawed, treatments};
use crate::parameters::{Layout, Slot};
use crate::plan::Planned;

/// A network in the processor's memory, being trained.
pub struct OnHost {
    network: Held,
    lengths: Lengths,
    loss: Loss,
    optimizer: Optimizer,
    seed: Seed,
    /// Of the trained tensors, which are the first ones of the buffer.
    gradients: Vec<f32>,
    /// One list per kind of moment, as long as the gradients.
    moments: Vec<Vec<f32>>,
    updates: u64,
    groups: Vec<ParameterGroup>,
    /// How each tensor with gradients is treated.
    treatments: Vec<Treatment>,
    /// The tensors that are not frozen, in the order of the gradients.
    trained: Vec<TensorInfo>,
    gathered: Gathered,
    norm: Cell<Option<f64>>,
    memory: Memory,
    /// What there is under mixed precision alone.
    mixed: Option<Mixed>,
    /// How many layers are between two checkpoints, if activations are computed anew.
    checkpoints: Option<usize>,
}

impl OnHost {
    pub fn new(recipe: &Recipe) -> Result<Self, NnError> {
        let planned = Arc::new(recipe.network.plan(&recipe.input)?);
        recipe.loss.objective().check(&planned.root.output.shape)?;
        let layout = &planned.layout;
        let trained_len = layout.trained_len();
        let rule = recipe.optimizer.rule();
        let treatments = treatments(&recipe.groups, rule, layout)?;
        Ok(Self {
            loss: recipe.loss.clone(),
            optimizer: recipe.optimizer,
            seed: recipe.seed,
            gradients: vec![0.0; trained_len],
            moments: (0..rule.moments())
                .map(|number| vec![rule.begin(number); trained_len])
                .collect(),
            updates: 0,
            trained: trained(layout, &treatments, 0),
            groups: recipe.groups.clone(),
            treatments,
            gathered: Gathered::default(),
            norm: Cell::new(None),
            memory: Memory::new(recipe.shortest.is_some()),
            mixed: Mixed::new(recipe, layout)?,
            checkpoints: recipe.checkpoint_activations.then(|| stride(&planned.root)),
            lengths: Lengths::new(recipe, &planned)?,
            network: Held {
                tensors: layout.slots().iter().map(|slot| slot.info()).collect(),
                values: Arc::new(layout.begin(recipe.init, recipe.seed)?),
                planned,
            },
        })
    }

    /// Has what is trained by now among the trained.
    fn see_thaws(&mut self) {
        self.trained = trained(&self.network.planned.layout, &self.treatments, self.updates);
    }

    /// The place of each tensor that is not frozen.
    fn places(&self) -> impl Iterator<Item = Range<usize>> {
        let slots = self.network.planned.layout.trained();
        thawed(slots, &self.treatments, self.updates).map(Slot::range)
    }
}

/// The tensors that are not frozen behind so many updates.
fn trained(layout: &Layout, treatments: &[Treatment], updates: u64) -> Vec<TensorInfo> {
    thawed(layout.trained(), treatments, updates).map(Slot::info).collect()
}

impl Task for OnHost {
    fn forward_backward(&mut self, batch: &Batch) -> Result<BatchLoss, NnError> {
        self.norm.set(None);
        let planned = self.lengths.of(&self.network.planned, &batch.input)?;
        let x = input(&planned, &batch.input, &mut self.memory)?;
        let context = Context {
            training: true,
            seed: self.seed,
            update: self.updates,
            samples: &batch.samples,
        };
        let Planned { root, layout } = &*planned;
        let slots = layout.slots();
        let is_mixed = self.mixed.is_some();
        let values = match &mut self.mixed {
            None => &**self.network.values,
            Some(mixed) => mixed.begin(&self.network.values, layout, self.gathered.is_empty()),
        };
        let mut buffers = Vec::new();
        let mut aside = Aside::default();
        let outputs = HostPass::new(
            root,
            slots,
            values,
            &mut [],
            &mut buffers,
            context,
            &mut aside,
            &mut self.memory,
            true,
        )
        .mixed(is_mixed)
        .checkpoints(self.checkpoints)
        .forward(x)
        .map_err(NnError::from_fault)?;
        let mut gradient = self.memory.take(outputs.numbers().len());
        let mut scratch = Vec::new();
        let weight = self.loss.weight(batch);
        let mean = self.loss.of_batch(&outputs, batch, weight, &mut gradient, &mut scratch)?;
        let share = self.gathered.add(weight);
        if share < 1.0 {
            self.gradients.iter_mut().for_each(|g| *g *= (1.0 - share) as f32);
            gradient.iter_mut().for_each(|g| *g *= share as f32);
        }
        let (values, gradients) = match &mut self.mixed {
            None => (&**self.network.values, &mut self.gradients),
            Some(mixed) => mixed.scaled(&mut gradient),
        };
        let mut gradient = HostTensor::new(outputs.shape.clone(), gradient);
        if outputs.is_half() {
            gradient = gradient.rounded(&mut self.memory);
        }
        self.memory.give(outputs);
        let dx = HostPass::new(
            root,
            slots,
            values,
            gradients,
            &mut Vec::new(),
            context,
            &mut aside,
            &mut self.memory,
            true,
        )
        .mixed(is_mixed)
        .checkpoints(self.checkpoints)
        .backward(gradient)
        .map_err(NnError::from_fault)?;
        self.memory.give(dx);
        aside.give_back(&mut self.memory);
        if let Some(mixed) = &mut self.mixed {
            let slots = thawed(layout.trained(), &self.treatments, self.updates);
            mixed.gather(slots, &mut self.gradients);
            // In front of what is trained an overflow may go unseen.
            buffers.retain(|(_, new)| new.iter().all(|value| value.is_finite()));
        }
        for (slot, treatment) in layout.trained().zip(&self.treatments) {
            if treatment.is_frozen(self.updates) {
                self.gradients[slot.range()].fill(0.0);
            }
        }
        if !buffers.is_empty() {
            let values = Arc::make_mut(&mut self.network.values);
            for (slot, new) in buffers {
                values[slots[slot].range()].copy_from_slice(&new);
            }
        }
        Ok(BatchLoss { mean: (mean as f32).into(), weight })
    }

    fn update(&mut self, settings: &UpdateSettings) -> Result<(), NnError> {
        let values = Arc::make_mut(&mut self.network.values);
        for (slot, treatment) in self.network.planned.layout.trained().zip(&self.treatments) {
            if treatment.is_frozen(self.updates) {
                continue;
            }
            let step = treatment.step(settings, &self.groups, self.updates + 1);
            let step = self.optimizer.rule().step(step);
            let mut moments: Vec<&mut [f32]> =
                self.moments.iter_mut().map(|m| &mut m[slot.range()]).collect();
            crate::optim::apply(
                &*step,
                &mut values[slot.range()],
                &self.gradients[slot.range()],
                &mut moments,
            );
        }
        self.updates += 1;
        if self.treatments.iter().any(|treatment| treatment.thaws == self.updates) {
            self.see_thaws();
        }
        self.clear_gradients()
    }

    fn end_scaling(&mut self) -> Option<StepScale> {
        let mixed = self.mixed.as_mut()?;
        let step = mixed.end_step();
        if step.overflowed {
            // What is carried along is as it was before the step.
            let trained = self.network.planned.layout.trained_len();
            let values = Arc::make_mut(&mut self.network.values);
            values[trained..].copy_from_slice(mixed.statistics());
        }
        Some(step)
    }

    fn memory(&self) -> Option<StepMemory> {
        const NUMBER: usize = size_of::<f32>();
        let mixed = self.mixed.as_ref();
        let mut uncounted = Vec::new();
        memory::uncounted(&self.network.planned.root, &mut uncounted);
        Some(StepMemory {
            weights: self.network.values.len() * NUMBER,
            gradients: self.gradients.len() * NUMBER,
            moments: self.moments.iter().map(Vec::len).sum::<usize>() * NUMBER,
            copies: mixed.map_or(0, Mixed::len) * NUMBER,
            activations: self.memory.allocated() * NUMBER,
            uncounted,
        })
    }

    fn clear_gradients(&mut self) -> Result<(), NnError> {
        self.norm.set(None);
        if let Some(mixed) = &mut self.mixed {
            mixed.clear();
        }
        self.gathered = Gathered::default();
        self.gradients.fill(0.0);
        Ok(())
    }

    fn updates(&self) -> u64 {
        self.updates
    }

    fn model(&self) -> &dyn Model {
        &self.network
    }

    fn freeze(&self) -> Arc<dyn Model> {
        Arc::new(self.network.clone())
    }

    fn state(&self) -> Result<TaskState, NnError> {
        let cut = |all: &Vec<f32>| -> Vec<Vec<f32>> {
            self.network.planned.layout.trained().map(|slot| all[slot.range()].to_vec()).collect()
        };
        Ok(TaskState {
            weights: self.network.weights(),
            moments: self.moments.iter().map(cut).collect(),
            updates: self.updates,
            loss_scale: self.mixed.as_ref().map(Mixed::state),
        })
    }

    fn load_state(&mut self, state: &TaskState) -> Result<(), NnError> {
        self.network.check(&state.weights)?;
        let fits = |moments: &Vec<Vec<f32>>| {
            let expected = self.network.planned.layout.trained().map(|slot| slot.len());
            moments.iter().map(Vec::len).eq(expected)
        };
        if state.moments.len() != self.moments.len() || !state.moments.iter().all(fits) {
            return Err(NnError::State(
                "its moments are not those of this optimiser on this network".to_owned(),
            ));
        }
        if let Some(mixed) = &mut self.mixed {
            mixed.load(state.loss_scale)?;
        }
        for (mine, saved) in self.moments.iter_mut().zip(&state.moments) {
            for (slot, saved) in self.network.planned.layout.trained().zip(saved) {
                mine[slot.range()].copy_from_slice(saved);
            }
        }
        self.updates = state.updates;
        self.network.restore(&state.weights);
        self.see_thaws();
        self.clear_gradients()
    }
}

impl Gradients for OnHost {
    fn tensors(&self) -> &[TensorInfo] {
        &self.trained
    }

    fn global_norm(&self) -> Result<f64, CallbackError> {
        if let Some(norm) = self.norm.get() {
            return Ok(norm);
        }
        let norm = sum_of_squares(&self.gradients).sqrt();
        self.norm.set(Some(norm));
        Ok(norm)
    }

    fn stats(&self) -> Result<Vec<TensorStats>, CallbackError> {
        Ok(self.places().map(|place| TensorStats::of(&self.gradients[place])).collect())
    }

    fn scale(&mut self, factor: f32) -> Result<(), CallbackError> {
        self.norm.set(None);
        threads::each_share(
            &mut self.gradients,
            #[inline(always)]
            |_, share| share.iter_mut().for_each(|g| *g *= factor),
        );
        Ok(())
    }

    fn clamp(&mut self, limit: f32) -> Result<(), CallbackError> {
        self.norm.set(None);
        threads::each_share(
            &mut self.gradients,
            #[inline(always)]
            |_, share| share.iter_mut().for_each(|g| *g = g.clamp(-limit, limit)),
        );
        Ok(())
    }

    fn edit(
        &mut self,
        change: &mut dyn FnMut(&TensorInfo, &mut [f32]),
    ) -> Result<(), CallbackError> {
        self.norm.set(None);
        let places: Vec<Range<usize>> = self.places().collect();
        for (place, info) in places.into_iter().zip(&self.trained) {
            change(info, &mut self.gradients[place]);
        }
        Ok(())
    }
}

impl Wait for OnHost {
    fn wait(&self) -> Result<(), CallbackError> {
        // Nothing here is late.
        Ok(())
    }
}

impl Weights for OnHost {
    fn tensor_infos(&self) -> &[TensorInfo] {
        &self.network.tensors
    }

    fn snapshot(&self) -> Result<Snapshot, CallbackError> {
        Ok(self.network.weights())
    }

    fn each(&self, look: &mut dyn FnMut(usize, &[f32])) -> Result<(), CallbackError> {
        let slots = self.network.planned.layout.slots().iter().enumerate();
        slots.for_each(|(at, slot)| look(at, &self.network.values[slot.range()]));
        Ok(())
    }

    fn restore(&mut self, snapshot: &Snapshot) -> Result<(), CallbackError> {
        self.network
            .check(snapshot)
            .map_err(|e| CallbackError::Access { what: "weights", reason: e.to_string() })?;
        self.network.restore(snapshot);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use trainbook_core::array::Array;
    use trainbook_core::batch::Targets;

    use super::*;
    use crate::layer::{Conv2d, Embedding, MultiHeadAttention, Sequential};
    use crate::{Init, Sample};

    #[test]
    fn a_step_like_the_one_before_it_asks_for_no_memory() {
        let net = Sequential::new().with(Conv2d::new(4, 3)).relu().flatten().linear(8).batch_norm();
        let recipe = Recipe {
            init: Init::kaiming_uniform(),
            seed: Seed(1),
            ..Recipe::new(net.relu().linear(3), Sample::numbers([1, 6, 6]), Loss::cross_entropy())
        };
        let mut task = OnHost::new(&recipe).unwrap();
        let batch = Batch {
            input: Array::f32([2, 1, 6, 6], (0..72).map(|i| i as f32 / 72.0).collect()),
            targets: Targets::Classes(vec![0, 2]),
            samples: vec![0, 1],
            weights: None,
            mixed: None,
        };
        let mut asked = Vec::new();
        for _ in 0..6 {
            task.forward_backward(&batch).unwrap();
            task.update(&1e-3.into()).unwrap();
            asked.push(task.memory.allocated());
        }
        assert!(asked[1..].iter().all(|later| *later == asked[1]), "{asked:?}");
    }

    #[test]
    fn batches_of_many_lengths_hold_no_more_than_the_longest() {
        const MOST: usize = 64;
        let net = Sequential::new().with(Embedding::new(9, 8).padding_index(0));
        let net = net.with(MultiHeadAttention::new(2)).position_avg_pool().linear(2);
        let held = |shortest, length: &dyn Fn(usize) -> usize| {
            let input = Sample::indices([MOST]);
            let recipe = Recipe::new(net.clone(), input, Loss::cross_entropy());
            let mut task = OnHost::new(&Recipe { shortest, ..recipe }).unwrap();
            let asked = (0..400).map(|step| {
                let length = length(step);
                let indices = (0..4 * length).map(|at| 1 + (at % 8) as i64).collect();
                let batch = Batch {
                    input: Array::i64([4, length], indices),
                    targets: Targets::Classes(vec![0, 1, 0, 1]),
                    samples: vec![0, 1, 2, 3],
                    weights: None,
                    mixed: None,
                };
                task.forward_backward(&batch).unwrap();
                task.update(&1e-3.into()).unwrap();
                task.memory.allocated()
            });
            asked.collect::<Vec<_>>()
        };
        let padded = held(None, &|_| MOST);
        // All lengths in no order.
        let cut = held(Some(1), &|step| 1 + step * 37 % MOST);
        let (first, last) = (cut[2 * MOST], cut[399]);
        assert_eq!(first, last, "{cut:?}");
        assert!(last < 2 * padded[399], "{last}, padded {}", padded[399]);
    }
}
