//! An optimiser at work: its moments, on the device.
//!
//! SGD without dampening, Adam and AdamW run in dfdx's kernels. The other rules are computed on the
//! host by the same [`Rule`](super::Rule) as in the processor's memory.

use dfdx::optim::{Momentum, WeightDecay};
use dfdx::prelude::{HasShape, Shape, Storage, Tensor};
use dfdx::tensor_ops::{AdamConfig, SgdConfig};
use trainbook_callbacks::TensorInfo;

use super::{Optimizer, Step, apply};
use crate::NnError;
use crate::on_dfdx::{Backend, Buffer};

/// The moments of every trained tensor, allocated at its first update.
pub(crate) struct OptimizerState<D: Backend<f32>> {
    optimizer: Optimizer,
    updates: u64,
    /// One list per kind of moment, one buffer per trained tensor.
    moments: Vec<Vec<Buffer<f32, D>>>,
}

impl<D: Backend<f32>> OptimizerState<D> {
    pub fn new(optimizer: &Optimizer) -> Self {
        Self {
            optimizer: *optimizer,
            updates: 0,
            moments: (0..optimizer.rule().moments()).map(|_| Vec::new()).collect(),
        }
    }

    /// Updates applied.
    pub fn updates(&self) -> u64 {
        self.updates
    }

    /// Begins an update of all tensors; gives its number.
    pub fn begin_step(&mut self) -> u64 {
        self.updates += 1;
        self.updates
    }

    /// Updates tensor number `index`, or only sees to its moments where it is frozen; called once for
    /// each, in order.
    pub fn step<S: Shape>(
        &mut self,
        index: usize,
        step: Option<Step>,
        tensor: &mut Tensor<S, f32, D>,
        gradient: &Buffer<f32, D>,
    ) -> Result<(), NnError> {
        let fail = |e: D::Err| NnError::device("update the weights", &e);
        let rule = self.optimizer.rule();
        for (number, moments) in self.moments.iter_mut().enumerate() {
            if moments.len() <= index {
                let len = tensor.shape().num_elements();
                let mut moment =
                    Storage::<f32>::try_alloc_len(tensor.device(), len).map_err(fail)?;
                let begin = rule.begin(number);
                if begin != 0.0 {
                    D::change(&mut moment, |values| values.fill(begin))?;
                }
                moments.push(moment);
            }
        }
        let Some(step) = step else { return Ok(()) };
        let Step { rate: lr, update, momentum, decay } = step;
        let t = i32::try_from(update).unwrap_or(i32::MAX);
        let betas = |[beta1, beta2]: [f64; 2]| [momentum.unwrap_or(beta1), beta2];
        match (&self.optimizer, self.moments.as_mut_slice()) {
            (Optimizer::Sgd(o), [velocity]) if o.dampening == 0.0 => {
                let momentum = match (momentum.unwrap_or(o.momentum), o.nesterov) {
                    (0.0, _) => None,
                    (m, false) => Some(Momentum::Classic(m)),
                    (m, true) => Some(Momentum::Nesterov(m)),
                };
                let weight_decay = (decay != 0.0).then_some(WeightDecay::L2(decay));
                SgdConfig { lr, momentum, weight_decay }
                    .try_update(tensor, &mut velocity[index], gradient)
                    .map_err(fail)
            }
            (Optimizer::Adam(o), [m, v]) => {
                let weight_decay = (decay != 0.0).then_some(WeightDecay::L2(decay));
                AdamConfig { lr, betas: betas(o.betas), eps: o.eps, weight_decay }
                    .try_update(t, tensor, &mut m[index], &mut v[index], gradient)
                    .map_err(fail)
            }
            (Optimizer::AdamW(o), [m, v]) => {
                let weight_decay = (decay != 0.0).then_some(WeightDecay::Decoupled(decay));
                AdamConfig { lr, betas: betas(o.betas), eps: o.eps, weight_decay }
                    .try_update(t, tensor, &mut m[index], &mut v[index], gradient)
                    .map_err(fail)
            }
            _ => self.step_on_host(index, step, tensor, gradient),
        }
    }

    /// One step of a rule for which dfdx has no kernel: everything is copied to the host, computed
    /// there, and copied back. Right on every device, and as slow as the copies.
    fn step_on_host<S: Shape>(
        &mut self,
        index: usize,
        step: Step,
        tensor: &mut Tensor<S, f32, D>,
        gradient: &Buffer<f32, D>,
    ) -> Result<(), NnError> {
        let mut weights = vec![0.0; tensor.shape().num_elements()];
        tensor.copy_into(&mut weights);
        let mut moments = Vec::with_capacity(self.moments.len());
        for buffers in &self.moments {
            moments.push(D::look(&buffers[index], <[f32]>::to_vec)?);
        }
        let update = self.optimizer.rule().step(step);
        let mut lent: Vec<&mut [f32]> = moments.iter_mut().map(Vec::as_mut_slice).collect();
        D::look(gradient, |gradient| apply(&*update, &mut weights, gradient, &mut lent))?;
        for (buffers, new) in self.moments.iter_mut().zip(&moments) {
            D::change(&mut buffers[index], |values| values.copy_from_slice(new))?;
        }
        tensor.copy_from(&weights);
        Ok(())
    }

    /// A copy of all moments.
    pub fn moments(&self) -> Result<Vec<Vec<Vec<f32>>>, NnError> {
        let copy = |moments: &Vec<Buffer<f32, D>>| {
            moments.iter().map(|m| D::look(m, <[f32]>::to_vec)).collect()
        };
        self.moments.iter().map(copy).collect()
    }

    /// Takes back what [`moments`](Self::moments) and [`updates`](Self::updates) returned.
    pub fn load(
        &mut self,
        saved: &[Vec<Vec<f32>>],
        updates: u64,
        trained: &[TensorInfo],
        device: &D,
    ) -> Result<(), NnError> {
        let fits = |moments: &Vec<Vec<f32>>| {
            let expected = trained.iter().map(|t| t.shape.iter().product::<usize>());
            moments.is_empty() || moments.iter().map(Vec::len).eq(expected)
        };
        if saved.len() != self.moments.len() || !saved.iter().all(fits) {
            return Err(NnError::State(
                "its moments are not those of this optimiser on this network".to_owned(),
            ));
        }
        let upload = |values: &Vec<f32>| {
            let mut buffer = Storage::<f32>::try_alloc_len(device, values.len())
                .map_err(|e| NnError::device("allocate a moment", &e))?;
            D::change(&mut buffer, |into| into.copy_from_slice(values))?;
            Ok(buffer)
        };
        let loaded: Result<Vec<Vec<Buffer<f32, D>>>, NnError> =
            saved.iter().map(|moments| moments.iter().map(upload).collect()).collect();
        self.moments = loaded?;
        self.updates = updates;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use dfdx::prelude::{Cpu, Storage, TensorFromVec};

    use super::super::{Adagrad, Adam, AdamW, Lion, NAdam, RAdam, RMSprop, Sgd};
    use super::*;

    const WEIGHTS: [f32; 4] = [0.5, -0.25, 1.5, 0.0];

    fn gradient(update: u64) -> Vec<f32> {
        (0..4).map(|i| ((i + 1) as f32 * update as f32 * 0.7).sin()).collect()
    }

    #[test]
    fn every_rule_is_the_same_on_the_device_and_on_the_host() {
        let (decay, momentum) = (0.1, 0.9);
        let optimizers: [Optimizer; 10] = [
            Sgd { nesterov: true, weight_decay: decay, ..Sgd::default() }.into(),
            Sgd { dampening: 0.3, weight_decay: decay, ..Sgd::default() }.into(),
            Adam { weight_decay: decay, ..Adam::default() }.into(),
            AdamW { weight_decay: decay, ..AdamW::default() }.into(),
            NAdam { weight_decay: decay, ..NAdam::default() }.into(),
            RAdam { weight_decay: decay, ..RAdam::default() }.into(),
            Lion { weight_decay: decay, ..Lion::default() }.into(),
            RMSprop { momentum, centered: true, ..RMSprop::default() }.into(),
            Adagrad { initial_accumulator_value: 0.5, ..Adagrad::default() }.into(),
            Adagrad { lr_decay: 0.5, weight_decay: decay, ..Adagrad::default() }.into(),
        ];
        for optimizer in optimizers {
            for decays in [true, false] {
                compare(&optimizer, decays);
            }
        }
    }

    fn compare(optimizer: &Optimizer, decays: bool) {
        let rule = optimizer.rule();
        let device = Cpu::default();
        let mut state = OptimizerState::<Cpu>::new(optimizer);
        let mut tensor = device.tensor_from_vec(WEIGHTS.to_vec(), (4_usize,));
        let mut weights = WEIGHTS.to_vec();
        let mut moments: Vec<Vec<f32>> =
            (0..rule.moments()).map(|number| vec![rule.begin(number); 4]).collect();
        for update in 1..=20 {
            let gradient = gradient(update);
            let mut buffer = device.try_alloc_len(4).unwrap();
            <Cpu as Backend<f32>>::change(&mut buffer, |into| into.copy_from_slice(&gradient))
                .unwrap();
            assert_eq!(state.begin_step(), update);
            let decay = if decays { rule.weight_decay() } else { 0.0 };
            let momentum = rule.momentum().map(|own| own - 0.01 * update as f64);
            let step = Step { rate: 0.01, update, momentum, decay };
            state.step(0, Some(step), &mut tensor, &buffer).unwrap();

            let mut lent: Vec<&mut [f32]> = moments.iter_mut().map(Vec::as_mut_slice).collect();
            rule.step(step).apply(&mut weights, &gradient, &mut lent);
            for (a, b) in tensor.as_vec().iter().zip(&weights) {
                assert!((a - b).abs() < 2e-6, "{optimizer:?} at update {update}: {a}, {b}");
            }
        }
        for (a, b) in state.moments().unwrap().iter().zip(&moments) {
            for (a, b) in a[0].iter().zip(b) {
                assert!((a - b).abs() < 1e-5 * b.abs().max(1.0), "{optimizer:?}: {a}, {b}");
            }
        }
    }
}
