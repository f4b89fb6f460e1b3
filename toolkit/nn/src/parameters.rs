//! All tensors of a network in one flat buffer.

use trainbook_callbacks::{Snapshot, TensorInfo};

use crate::NnError;
use crate::begin::{Begin, Draw};
use crate::init::Init;
use trainbook_core::random::Seed;

/// One tensor: where it is in the flat buffer, and what is done with it.
#[derive(Clone, Debug)]
pub struct Slot {
    /// Its name, for example `0.weight`.
    pub name: String,
    /// Its dimensions; row-major.
    pub shape: Vec<usize>,
    /// What it is for.
    pub role: Role,
    /// How it begins.
    pub begin: Begin,
    /// How its layer says that weights begin; without it, as the network's.
    pub init: Option<Init>,
    /// The gain of the activation that follows its layer; see [`Gain::Following`].
    ///
    /// [`Gain::Following`]: crate::Gain::Following
    pub following: f64,
    /// Whether its layer computes with an f16 copy of it under mixed precision.
    pub half: bool,
    /// Its first element in the buffer.
    pub offset: usize,
}

/// What a tensor is for; decides whether it is trained, and whether it decays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A matrix or a filter. Weight decay shrinks it.
    Weight,
    /// Something that is added. Does not decay.
    Bias,
    /// Scale or shift of a normalisation. Does not decay.
    Norm,
    /// Carried along, not trained, such as a running mean.
    Buffer,
}

impl Slot {
    /// How many elements it has.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether it has no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the optimiser changes it.
    pub fn is_trained(&self) -> bool {
        self.role != Role::Buffer
    }

    /// Whether weight decay shrinks it.
    pub fn decays(&self) -> bool {
        self.role == Role::Weight
    }

    /// Its elements in the buffer.
    pub fn range(&self) -> std::ops::Range<usize> {
        self.offset..self.offset + self.len()
    }

    /// Its name and shape.
    pub fn info(&self) -> TensorInfo {
        TensorInfo { name: self.name.clone(), shape: self.shape.clone() }
    }
}

/// Where every tensor is: trained ones first, so that they are one range, then the others; each in
/// the network's order.
#[derive(Clone, Debug, Default)]
pub struct Layout {
    slots: Vec<Slot>,
    trained: usize,
    len: usize,
}

impl Layout {
    pub(crate) fn new(mut slots: Vec<Slot>) -> Self {
        let mut len = 0;
        let mut trained = 0;
        for wanted in [true, false] {
            for slot in slots.iter_mut().filter(|slot| slot.is_trained() == wanted) {
                slot.offset = len;
                len += slot.len();
            }
            if wanted {
                trained = len;
            }
        }
        Self { slots, trained, len }
    }

    /// Every tensor, in the network's order.
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// Those that are trained, in the order of the buffer.
    pub fn trained(&self) -> impl Iterator<Item = &Slot> {
        self.slots.iter().filter(|slot| slot.is_trained())
    }

    /// How many elements are trained: they are the first ones of the buffer.
    pub fn trained_len(&self) -> usize {
        self.trained
    }

    /// How many elements there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether a copy of all tensors is one of these.
    ///
    /// # Errors
    /// Its tensors have other sizes.
    pub(crate) fn check(&self, snapshot: &Snapshot) -> Result<(), NnError> {
        if snapshot.0.iter().map(Vec::len).eq(self.slots.iter().map(Slot::len)) {
            Ok(())
        } else {
            Err(NnError::State("its tensors have other sizes than this network's".to_owned()))
        }
    }

    /// A copy of all tensors in the buffer's order; it must have been [checked](Self::check).
    pub(crate) fn flat(&self, snapshot: &Snapshot) -> Vec<f32> {
        let mut values = vec![0.0; self.len];
        self.restore(snapshot, &mut values);
        values
    }

    /// Puts a copy of all tensors back into the buffer; it must have been [checked](Self::check).
    pub(crate) fn restore(&self, snapshot: &Snapshot, values: &mut [f32]) {
        for (slot, saved) in self.slots.iter().zip(&snapshot.0) {
            values[slot.range()].copy_from_slice(saved);
        }
    }

    /// The first values of all tensors, from the seed's stream `weights`, keyed by each tensor's
    /// name. `init` says how weights are drawn of which the layer says nothing else.
    ///
    /// # Errors
    /// The gain of `init` is no positive number.
    pub fn begin(&self, init: Init, seed: Seed) -> Result<Vec<f32>, NnError> {
        if let Some(fault) = init.fault() {
            return Err(NnError::Setting {
                setting: "init",
                value: init.to_string(),
                expected: format!("one with another gain: {fault}"),
            });
        }
        let mut values = vec![0.0; self.len];
        for slot in &self.slots {
            let Slot { name, shape, following, .. } = slot;
            let init = slot.init.unwrap_or(init);
            let draw = Draw { init, following: *following, seed, name, shape };
            slot.begin.fill(&mut values[slot.range()], draw);
        }
        Ok(values)
    }
}
