//! An optimiser at work: its moments, on the device.

use dfdx::optim::{Momentum, WeightDecay};
use dfdx::prelude::{Shape, Storage, Tensor};
use dfdx::tensor_ops::{AdamConfig, SgdConfig};
use trainbook_callbacks::TensorInfo;

use super::Optimizer;
use crate::NnError;
use crate::task::{Backend, Buffer};

/// The moments of every trained tensor, allocated at its first update.
pub(crate) struct OptimizerState<D: Backend> {
    optimizer: Optimizer,
    learning_rate: f64,
    updates: u64,
    /// One list per kind of moment, one buffer per trained tensor.
    moments: Vec<Vec<Buffer<D>>>,
}

impl<D: Backend> OptimizerState<D> {
    pub fn new(optimizer: &Optimizer) -> Self {
        let kinds = match optimizer {
            Optimizer::Sgd(_) => 1,
            Optimizer::Adam(_) | Optimizer::AdamW(_) => 2,
        };
        Self {
            optimizer: *optimizer,
            learning_rate: 0.0,
            updates: 0,
            moments: (0..kinds).map(|_| Vec::new()).collect(),
        }
    }

    /// Updates applied.
    pub fn updates(&self) -> u64 {
        self.updates
    }

    /// Begins an update of all tensors at one learning rate.
    pub fn begin_step(&mut self, learning_rate: f64) {
        self.learning_rate = learning_rate;
        self.updates += 1;
    }

    /// Updates trained tensor number `index`; called once for each, in order.
    pub fn step<S: Shape>(
        &mut self,
        index: usize,
        info: &TensorInfo,
        tensor: &mut Tensor<S, f32, D>,
        gradient: &Buffer<D>,
    ) -> Result<(), NnError> {
        let fail = |e: D::Err| NnError::device("update the weights", &e);
        for moments in &mut self.moments {
            if moments.len() <= index {
                let len = info.shape.iter().product();
                moments.push(Storage::<f32>::try_alloc_len(tensor.device(), len).map_err(fail)?);
            }
        }
        let decays = |strength: f64| strength != 0.0 && info.shape.len() > 1;
        let lr = self.learning_rate;
        let t = i32::try_from(self.updates).unwrap_or(i32::MAX);
        match (&self.optimizer, self.moments.as_mut_slice()) {
            (Optimizer::Sgd(o), [velocity]) => {
                let momentum = match (o.momentum, o.nesterov) {
                    (0.0, _) => None,
                    (m, false) => Some(Momentum::Classic(m)),
                    (m, true) => Some(Momentum::Nesterov(m)),
                };
                let weight_decay =
                    decays(o.weight_decay).then_some(WeightDecay::L2(o.weight_decay));
                SgdConfig { lr, momentum, weight_decay }
                    .try_update(tensor, &mut velocity[index], gradient)
                    .map_err(fail)
            }
            (Optimizer::Adam(o), [m, v]) => {
                AdamConfig { lr, betas: o.betas, eps: o.eps, weight_decay: None }
                    .try_update(t, tensor, &mut m[index], &mut v[index], gradient)
                    .map_err(fail)
            }
            (Optimizer::AdamW(o), [m, v]) => {
                let weight_decay =
                    decays(o.weight_decay).then_some(WeightDecay::Decoupled(o.weight_decay));
                AdamConfig { lr, betas: o.betas, eps: o.eps, weight_decay }
                    .try_update(t, tensor, &mut m[index], &mut v[index], gradient)
                    .map_err(fail)
            }
            _ => Err(NnError::State(
                "the optimiser has another number of moments than its kind needs".to_owned(),
            )),
        }
    }

    /// A copy of all moments.
    pub fn moments(&self) -> Result<Vec<Vec<Vec<f32>>>, NnError> {
        let copy = |moments: &Vec<Buffer<D>>| {
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
        let loaded: Result<Vec<Vec<Buffer<D>>>, NnError> =
            saved.iter().map(|moments| moments.iter().map(upload).collect()).collect();
        self.moments = loaded?;
        self.updates = updates;
        Ok(())
    }
}
