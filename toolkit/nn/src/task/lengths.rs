//! One network for sequences of several lengths.

use std::collections::BTreeMap;
use std::sync::Arc;

use trainbook_core::array::Array;

use super::Recipe;
use crate::plan::Planned;
use crate::sample::Sample;
use crate::{Network, NnError};

impl Recipe {
    /// The network for samples of this input's length.
    pub(super) fn plan_for(&self, input: &Array) -> Result<Planned, NnError> {
        let shape = match shorter(self.shortest, &self.input, input) {
            Some(length) => vec![length],
            None => self.input.shape.clone(),
        };
        self.network.plan(&Sample { shape, ..self.input.clone() })
    }
}

/// How many positions samples of this input have, if they are fewer than all and that is allowed.
fn shorter(shortest: Option<usize>, all: &Sample, input: &Array) -> Option<usize> {
    match (&input.shape[..], &all.shape[..]) {
        (&[_, length], &[most]) => {
            shortest.filter(|least| (*least..most).contains(&length)).map(|_| length)
        }
        _ => None,
    }
}

/// The network for each length that batches have had, all on the same tensors.
pub(super) struct Lengths {
    network: Network,
    input: Sample,
    shortest: Option<usize>,
    shorter: BTreeMap<usize, Arc<Planned>>,
}

impl Lengths {
    /// For batches of this recipe, whose network is `full` on samples of the full length.
    ///
    /// # Errors
    /// Shorter ones are allowed, and the network does not fit the shortest, or has other tensors then.
    pub fn new(recipe: &Recipe, full: &Planned) -> Result<Self, NnError> {
        let (network, input) = (recipe.network.clone(), recipe.input.clone());
        let mut lengths =
            Self { network, input, shortest: recipe.shortest, shorter: BTreeMap::new() };
        if let Some(shortest) = recipe.shortest {
            lengths.plan(full, shortest)?;
        }
        Ok(lengths)
    }

    /// The network for this input; `full` where it has all positions, or is none of its inputs.
    pub fn of(&mut self, full: &Arc<Planned>, input: &Array) -> Result<Arc<Planned>, NnError> {
        match shorter(self.shortest, &self.input, input) {
            Some(length) => self.plan(full, length),
            None => Ok(Arc::clone(full)),
        }
    }

    fn plan(&mut self, full: &Planned, length: usize) -> Result<Arc<Planned>, NnError> {
        if let Some(planned) = self.shorter.get(&length) {
            return Ok(Arc::clone(planned));
        }
        let sample = Sample { shape: vec![length], ..self.input.clone() };
        let planned = Arc::new(self.network.plan(&sample)?);
        let (slots, all) = (planned.layout.slots(), full.layout.slots());
        let other = slots.iter().zip(all).find(|(a, b)| a.info() != b.info());
        if let Some((_, slot)) = other {
            let info = slot.info();
            return Err(NnError::Data {
                action: "shorten",
                reason: format!(
                    "the tensor {} has the shape {:?} for sequences of {:?} alone, so that all must \
                     be as long",
                    info.name, info.shape, self.input.shape
                ),
            });
        }
        self.shorter.insert(length, Arc::clone(&planned));
        Ok(planned)
    }
}
