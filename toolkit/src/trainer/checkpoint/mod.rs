//! Checkpoints: everything that decides how training goes on.
//!
//! `file.rs` says how one is written down, `writer.rs` has the thread that does it during a fit;
//! here a trainer gives its state and takes one back.

mod file;
mod writer;

use serde::{Deserialize, Serialize};
use trainbook_callbacks::seam::NamedState;
use trainbook_callbacks::{Counters, TensorInfo, UpdateSettings};
use trainbook_store::{ObjectId, Parent};

pub(super) use writer::{CheckpointWriter, Written};

use super::Trainer;
use super::fit_state::FitState;
use crate::Error;
use crate::random::Seed;
use crate::task::TaskState;

/// The label of what is written when a fit has ended, with the weights as they then are.
pub(super) const FINAL: &str = "final";

/// The label of what is written when a fit is stopped before its end, as it was then.
pub(super) const STOPPED: &str = "stopped";

/// Callbacks that may be others where a state is taken back: what they do does not change what a fit
/// comes to. The seed is compared by itself, and so is the precision; monitors only look.
pub(super) const FREE: [&str; 7] = [
    "ActivationMonitor",
    "Budget",
    "Checkpoint",
    "FixSeed",
    "GradientMonitor",
    "LossScaleMonitor",
    "PredictionLog",
];

/// The state of a trainer, and of a fit in whose middle it was taken.
#[derive(Debug)]
pub(super) struct Checkpoint {
    /// The names and shapes of the network's tensors; `None` where the first version of this format
    /// did not say.
    pub tensors: Option<Vec<TensorInfo>>,
    pub task: TaskState,
    pub rest: Rest,
}

/// What there is beside numbers in tensors.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Rest {
    /// The network, as text.
    pub model: String,
    pub seed: Seed,
    #[serde(flatten)]
    pub settings: UpdateSettings,
    pub counters: Counters,
    pub callbacks: Vec<NamedState>,
    /// The fit that was under way; `None` between two.
    pub fit: Option<FitState>,
    /// The fingerprint of the data; `None` outside of a run, which needs one anyway.
    pub data: Option<String>,
    /// Everything that decides the fit, as its run records it; `None` outside of a run.
    pub recipe: Option<String>,
}

/// Where a trainer's state comes from, if not from its seed.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    /// The run that came to it, if it was one.
    pub parent: Option<Parent>,
    /// Where it is kept, if it is.
    pub checkpoint: Option<ObjectId>,
}

impl Origin {
    /// A state of which nobody knows where it comes from.
    pub const UNKNOWN: Self = Self { parent: None, checkpoint: None };
}

impl Trainer {
    /// The whole state as bytes, which [`load_checkpoint`](Self::load_checkpoint) takes back: a
    /// safetensors file, in which the weights stand under their layers' names (`0.weight`) and
    /// everything else under names that begin with `trainbook/`.
    ///
    /// # Errors
    /// A callback's state cannot be encoded, or the device fails.
    pub fn checkpoint(&self) -> Result<Vec<u8>, Error> {
        self.taken(None)?.encode()
    }

    /// The state now, in a fit or between two. It depends on nothing but what decides the fit, so
    /// that a fit that is repeated writes the same bytes.
    pub(super) fn taken(&self, fit: Option<FitState>) -> Result<Checkpoint, Error> {
        Ok(Checkpoint {
            tensors: Some(self.task.model().tensors().to_vec()),
            task: self.task.state()?,
            rest: Rest {
                model: self.model.clone(),
                seed: self.recipe.seed,
                settings: self.settings.clone(),
                counters: self.counters,
                callbacks: self.stack.save()?,
                fit,
                data: None,
                recipe: None,
            },
        })
    }

    /// Takes the state of a trainer that was built the same way: its weights, moments, counters and
    /// callbacks. What is fitted next is a new fit, with a length of its own;
    /// [`resume_from`](Self::resume_from) goes on with the fit in which the checkpoint was taken.
    ///
    /// # Errors
    /// The bytes are damaged, or another seed, other callbacks or another network wrote them. The
    /// trainer is then as it was.
    pub fn load_checkpoint(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let saved = Checkpoint::decode(bytes)?;
        self.or_as_before(|trainer| {
            trainer.take_over(&saved)?;
            trainer.origin = Some(Origin::UNKNOWN);
            Ok(())
        })
    }

    /// Changes the trainer's state, and leaves it as it was where that fails.
    pub(super) fn or_as_before<R>(
        &mut self,
        change: impl FnOnce(&mut Self) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let before = (self.taken(None)?, self.origin.clone());
        let changed = change(self);
        if changed.is_err() {
            self.go_back(before)?;
        }
        changed
    }

    /// Does something, whatever comes of it, and is then as before.
    pub(crate) fn on_trial<R>(&mut self, what: impl FnOnce(&mut Self) -> R) -> Result<R, Error> {
        let before = (self.taken(None)?, self.origin.clone());
        let outcome = what(self);
        self.go_back(before)?;
        Ok(outcome)
    }

    fn go_back(&mut self, (state, origin): (Checkpoint, Option<Origin>)) -> Result<(), Error> {
        self.adopt(state.rest.seed)?;
        self.put(&state)?;
        self.origin = origin;
        Ok(())
    }

    /// Takes over all but the place in a fit. What fails may leave it half done.
    pub(super) fn take_over(&mut self, saved: &Checkpoint) -> Result<(), Error> {
        let Rest { model, seed, .. } = &saved.rest;
        if let Some(tensors) = &saved.tensors {
            expect_tensors(tensors, self.task.model().tensors())?;
        }
        if *model != self.model {
            return Err(Error::State(format!(
                "it is of the network {model}, this trainer's is {}",
                self.model
            )));
        }
        if *seed != self.recipe.seed {
            return Err(Error::State(format!(
                "it has seed {}, this trainer {}",
                seed.0, self.recipe.seed.0
            )));
        }
        self.put(saved)
    }

    /// The same of a state that is known to be this trainer's.
    fn put(&mut self, saved: &Checkpoint) -> Result<(), Error> {
        let Rest { settings, counters, callbacks, .. } = &saved.rest;
        self.task.load_state(&saved.task)?;
        self.stack.load_but(callbacks, &FREE)?;
        (self.counters, self.settings) = (*counters, settings.clone());
        Ok(())
    }
}

/// The first tensor that differs is named.
pub(super) fn expect_tensors(saved: &[TensorInfo], mine: &[TensorInfo]) -> Result<(), Error> {
    let say = |tensor: Option<&TensorInfo>| match tensor {
        Some(TensorInfo { name, shape }) => format!("{name} {shape:?}"),
        None => "no more".to_owned(),
    };
    let longest = saved.len().max(mine.len());
    let differs = (0..longest).find(|at| saved.get(*at) != mine.get(*at));
    differs.map_or(Ok(()), |at| {
        Err(Error::State(format!(
            "it is of another network: of its tensors the {}. is {}, and here it is {}",
            at + 1,
            say(saved.get(at)),
            say(mine.get(at))
        )))
    })
}
