//! The trainer: one loop, told by callbacks what else to do.
//!
//! `builder.rs` is where a trainer is put together, `feed.rs` how batches are made, `fit.rs` the
//! loop, `checkpoint/` and `resume.rs` how it goes on after an interruption, `run.rs` what a fit
//! leaves in the user's hand, and `export.rs` how that becomes an ONNX file. `background.rs` is a fit
//! in a thread of its own, and `watch.rs` what such a one tells.

mod background;
mod builder;
mod causality;
mod checkpoint;
mod cross_validation;
mod decisions;
mod evaluation;
mod export;
mod feed;
mod fit;
mod fit_state;
mod interrupt;
#[cfg(test)]
mod late_tests;
mod length;
mod predict;
mod predictions;
mod rebuild;
mod record;
mod recording;
mod replay;
mod report;
mod resume;
mod run;
mod training_status;
mod unwound;
mod validation;
mod voice;
mod watch;
mod weights;
mod writing;

use std::collections::BTreeMap;

use trainbook_callbacks::{Counters, EpochMetric, Plan, Stack, UpdateSettings};
use trainbook_store::{Name, Store, Value};

pub use background::Training;
pub use builder::TrainerBuilder;
pub(crate) use cross_validation::name_of_now;
pub use cross_validation::{CrossValidation, FoldScore, cross_validate};
pub use evaluation::Evaluation;
pub use export::Export;
pub use feed::Feed;
pub(crate) use feed::FeedStreams;
pub(crate) use interrupt::Interrupt;
pub use length::{Epochs, Length, Steps};
pub use record::{Begins, RunRecipe};
pub(crate) use recording::environment;
pub use report::{EvaluationReport, WorstRow};
pub use run::{EpochRow, Run};
pub use training_status::{TrainingState, TrainingStatus};
pub use weights::WeightsReport;

use checkpoint::Origin;
use voice::Voice;

use crate::Error;
use crate::data::Dataset;
use crate::metric::Metric;
use crate::nn::{Network, Summary};
use crate::random::Seed;
use crate::task::{Recipe, Task};

/// Trains one network on one data set.
///
/// It is not generic: network, device and loss are values behind [`Task`], so a trainer can be kept
/// in a notebook variable.
pub struct Trainer {
    pub(crate) data: Dataset,
    pub(crate) recipe: Recipe,
    pub(crate) metrics: Vec<Metric>,
    pub(crate) task: Box<dyn Task>,
    pub(crate) stack: Stack,
    pub(crate) counters: Counters,
    pub(crate) feed: Feed,
    pub(crate) accumulate: usize,
    /// Behind how many steps it validates in the middle of an epoch.
    validate_every: Option<u64>,
    /// Whether it measures its metrics on the training part too.
    train_metrics: bool,
    /// How updates are made.
    settings: UpdateSettings,
    /// That which was asked for, whatever callbacks have made of it.
    pub(crate) base_rate: f64,
    plan: Plan,
    pub(crate) epoch_metrics: Vec<EpochMetric>,
    pub(crate) store: Option<Store>,
    name: Option<String>,
    model: String,
    pub(crate) params: BTreeMap<Name, Value>,
    tags: BTreeMap<Name, String>,
    /// The run whose state this is, if it is one's.
    origin: Option<Origin>,
    /// Whether nobody has asked for the seed.
    seed_is_drawn: bool,
    /// Where its lines go.
    voice: Voice,
}

impl Trainer {
    /// The callbacks in the order in which they are called, with what each reads and writes.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What the network comes to on its data: a table of layers, shapes, parameters and cost.
    pub fn summary(&self) -> Summary {
        Summary::new(self.task.model().planned())
    }

    /// The network, and how it is trained.
    pub fn network(&self) -> &Network {
        &self.recipe.network
    }

    /// The seed from which every random stream of this trainer follows.
    pub fn seed(&self) -> Seed {
        self.recipe.seed
    }

    /// Where the trainer is, over all its fits.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// The learning rate that the next step would use if no callback set one.
    pub(crate) fn learning_rate(&self) -> f64 {
        self.settings.learning_rate
    }

    /// A hash over everything that decides how training goes on: weights, moments, counters,
    /// learning rates and momentum, and the state of every callback.
    pub fn state_hash(&self) -> Result<blake3::Hash, Error> {
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.task.state()?.hash().as_bytes());
        let c = self.counters;
        let UpdateSettings { learning_rate, momentum, group_rates } = &self.settings;
        for count in [
            c.epoch,
            c.batches_seen,
            c.updates_attempted,
            c.updates_applied,
            learning_rate.to_bits(),
        ] {
            hasher.update(&count.to_le_bytes());
        }
        if let Some(momentum) = momentum {
            hasher.update(b"momentum").update(&momentum.to_bits().to_le_bytes());
        }
        for (group, rate) in group_rates {
            hasher.update(group.as_bytes()).update(&rate.to_bits().to_le_bytes());
        }
        for saved in self.stack.save()? {
            hasher.update(saved.name.as_bytes()).update(saved.state.as_bytes());
        }
        Ok(hasher.finalize())
    }
}

impl std::fmt::Display for Trainer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let optimizer = self.recipe.optimizer.name();
        writeln!(
            f,
            "{} on {}, {optimizer}, batches of {}, seed {}",
            self.model,
            self.recipe.device,
            self.feed.batch_size,
            self.seed().0
        )?;
        write!(f, "{}", self.plan)
    }
}
