//! The loop, drawn once, and the contexts of its moments.
//!
//! ```text
//! build:
//!   ▸ Setup                          may set the seed
//!   weights are drawn from the seed
//! fit(Epochs(…) or Steps(…)):
//!   ▸ FitStart
//!   for each epoch:
//!     ▸ EpochStart
//!     for each step:
//!       for its batches of the shuffled training part (one; or several, whose gradients are gathered):
//!         ▸ BatchStart               may set the learning rate and the momentum
//!         rows are mixed, if asked for; forward, loss, backward
//!       ▸ RawGradients               look, may skip the update; left out where the scaled loss of
//!                                    mixed precision overflowed, which skips the update too
//!       unless skipped:
//!         ▸ ChangeGradients          clip, add noise, …
//!         ▸ FinalGradients           look, may still skip
//!       unless skipped:
//!         optimiser update
//!         ▸ AfterUpdate              look at the weights
//!       ▸ StepEnd                    look, may ask for a checkpoint
//!       behind every so many steps, if asked for, but for the epoch's last:
//!         ▸ ValidationStart, evaluation of the validation part, ▸ Validated, ▸ ValidationEnd, as below
//!       requested checkpoints are written
//!     ▸ ValidationStart              may put other weights in place, to be judged
//!     evaluate the validation part
//!     ▸ EpochEnd                     look, may ask for a checkpoint, may stop
//!     ▸ ValidationEnd                always, if validation started; puts back what it replaced
//!     requested checkpoints are written, with the state of every callback as it is after the moment, by
//!     a thread beside the training
//!   ▸ CheckpointWritten              when one is on disk: told behind a step or an epoch, and of all before
//!                                    FitEnd; which step that is depends on the disk, so it may only look
//!   ▸ FitEnd                         always, also after an error or a panic; may replace the weights
//! ```
//!
//! A fit that goes on where another was interrupted begins with FitStart too; then every callback
//! takes back the state that it had there ([`Callback::load`](super::Callback::load)), and no moment
//! that has been before comes again: not EpochStart, in the middle of an epoch.
//!
//! A step's loss may still be on an accelerator ([`StepLoss`]). Every one is known before ValidationStart,
//! before a checkpoint is taken and before FitEnd.
//!
//! A context behind `&` can only be looked at (and logged to); one behind `&mut` may be changed in
//! the ways it offers.

use std::cell::RefCell;
use std::ops::Range;

use serde::{Deserialize, Serialize};
use trainbook_store::{Metric, Name, ObjectId, RunWriter};

use super::{
    CallbackError, CheckpointRequest, Direction, EpochMetric, Gradients, MetricLog, Predictions,
    Reading, Replay, Snapshot, StepLoss, StopReason, UpdateSettings, Weights,
};

/// One moment of the loop with its context.
pub enum Moment<'m, 'c> {
    /// Before weights exist.
    Setup(&'m mut Setup),
    /// Before the first epoch.
    FitStart(&'m FitStart<'c>),
    /// Before an epoch.
    EpochStart(&'m EpochStart<'c>),
    /// Before a batch.
    BatchStart(&'m mut BatchStart<'c>),
    /// After backward, of the step's last batch.
    RawGradients(&'m GradientView<'c>),
    /// Before the update, to change.
    ChangeGradients(&'m mut GradientEdit<'c>),
    /// Before the update, to look.
    FinalGradients(&'m GradientView<'c>),
    /// After an update was applied.
    AfterUpdate(&'m AfterUpdate<'c>),
    /// After the step, its update applied or not.
    StepEnd(&'m StepEnd<'c>),
    /// Before weights are judged.
    ValidationStart(&'m mut ValidationStart<'c>),
    /// After a validation in the middle of an epoch.
    Validated(&'m Validated<'c>),
    /// When they have been judged.
    ValidationEnd(&'m mut ValidationEnd<'c>),
    /// After an epoch and its validation.
    EpochEnd(&'m EpochEnd<'c>),
    /// When a checkpoint is on disk.
    CheckpointWritten(&'m CheckpointWritten<'c>),
    /// After everything.
    FitEnd(&'m mut FitEnd<'c>),
}

/// How many kinds of moments there are.
pub(super) const KINDS: usize = 15;

/// The numbers of those that belong to a step.
const OF_STEP: Range<usize> = 3..9;

impl Moment<'_, '_> {
    /// Their names, by their numbers.
    pub(super) const NAMES: [&'static str; KINDS] = [
        "setup",
        "fit_start",
        "epoch_start",
        "batch_start",
        "raw_gradients",
        "change_gradients",
        "final_gradients",
        "after_update",
        "step_end",
        "validation_start",
        "validated",
        "epoch_end",
        "validation_end",
        "checkpoint_written",
        "fit_end",
    ];

    /// Whether moments of this name belong to a step.
    pub fn is_name_of_step(name: &str) -> bool {
        Self::NAMES[OF_STEP].contains(&name)
    }

    /// Whether what is logged at moments of this name is of steps; otherwise it is of epochs.
    pub fn logs_in_steps(name: &str) -> bool {
        Self::is_name_of_step(name) || name == "validated"
    }

    /// The number of its kind, in the order of the loop.
    pub(super) fn number(&self) -> usize {
        match self {
            Self::Setup(_) => 0,
            Self::FitStart(_) => 1,
            Self::EpochStart(_) => 2,
            Self::BatchStart(_) => 3,
            Self::RawGradients(_) => 4,
            Self::ChangeGradients(_) => 5,
            Self::FinalGradients(_) => 6,
            Self::AfterUpdate(_) => 7,
            Self::StepEnd(_) => 8,
            Self::ValidationStart(_) => 9,
            Self::Validated(_) => 10,
            Self::EpochEnd(_) => 11,
            Self::ValidationEnd(_) => 12,
            Self::CheckpointWritten(_) => 13,
            Self::FitEnd(_) => 14,
        }
    }

    /// The method of [`Callback`](super::Callback) that hears of it, for example "step_end".
    pub fn name(&self) -> &'static str {
        Self::NAMES[self.number()]
    }

    /// The counters at this moment; `None` before there are any.
    pub fn counters(&self) -> Option<Counters> {
        match self {
            Self::Setup(_) => None,
            Self::FitStart(m) => Some(m.counters),
            Self::EpochStart(m) => Some(m.counters),
            Self::BatchStart(m) => Some(m.counters),
            Self::RawGradients(m) | Self::FinalGradients(m) => Some(m.counters),
            Self::ChangeGradients(m) => Some(m.counters),
            Self::AfterUpdate(m) => Some(m.counters),
            Self::StepEnd(m) => Some(m.counters),
            Self::ValidationStart(m) => Some(m.counters),
            Self::Validated(m) => Some(m.counters),
            Self::ValidationEnd(m) => Some(m.counters),
            Self::EpochEnd(m) => Some(m.counters),
            Self::CheckpointWritten(m) => Some(m.counters),
            Self::FitEnd(m) => Some(m.counters),
        }
    }

    /// Whether this moment belongs to a step.
    pub fn is_per_step(&self) -> bool {
        OF_STEP.contains(&self.number())
    }
}

/// Where the fit is. The three step counters are never the same thing: a skipped update is
/// attempted but not applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Epochs completed before this one, over the trainer's life; 0 in the first epoch.
    pub epoch: u64,
    /// Batches whose forward and backward pass has run.
    pub batches_seen: u64,
    /// Updates attempted.
    pub updates_attempted: u64,
    /// Updates applied. Schedules follow this one.
    pub updates_applied: u64,
}

/// How far this fit is meant to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Horizon {
    /// Epochs asked for.
    pub epochs: u64,
    /// Batches in an epoch.
    pub batches_per_epoch: u64,
    /// Updates in an epoch: as many as batches, or fewer where the gradients of several are
    /// gathered for one update.
    pub updates_per_epoch: u64,
    /// `updates_applied` when this fit began.
    pub first_update: u64,
    /// Updates after which the fit ends, if it was asked for in updates; skipped ones count.
    pub limit: Option<u64>,
}

impl Horizon {
    /// Updates that this fit will apply if nothing stops it or skips one.
    pub fn updates(&self) -> u64 {
        // A fit bounded by time may ask for any number of epochs.
        let updates = self.epochs.saturating_mul(self.updates_per_epoch);
        self.limit.map_or(updates, |limit| updates.min(limit))
    }
}

/// Before weights exist.
#[derive(Debug, Default)]
pub struct Setup {
    seed: Option<u64>,
}

impl Setup {
    /// Sets the seed of every random stream.
    pub fn set_seed(&mut self, seed: u64) {
        self.seed = Some(seed);
    }

    /// The seed, if a callback has set one.
    pub fn seed(&self) -> Option<u64> {
        self.seed
    }
}

/// Before the first epoch.
pub struct FitStart<'a> {
    /// Where the trainer is.
    pub counters: Counters,
    /// How far it is meant to go.
    pub horizon: Horizon,
    /// The run being recorded; `None` without a store.
    pub run: Option<&'a RunWriter>,
    /// The metrics that the trainer will measure at the end of each epoch, in order.
    pub epoch_metrics: &'a [EpochMetric],
    /// What the network gives for rows of the data, with the weights that it begins with.
    pub predictions: &'a dyn Predictions,
    /// Whether the fit goes on where another was interrupted, and where in an epoch that was.
    /// `None` for one that begins.
    pub resumed: Option<Resumed>,
}

/// Where an interrupted fit goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resumed {
    /// How many batches of the epoch have been before; `None` where the next epoch begins.
    pub batches: Option<u64>,
}

impl FitStart<'_> {
    /// When this metric is better, if the trainer measures it.
    pub fn direction(&self, metric: &str) -> Option<Direction> {
        self.epoch_metrics.iter().find(|known| known.name == metric).map(|known| known.direction)
    }
}

/// Before an epoch.
pub struct EpochStart<'a> {
    /// Where the fit is.
    pub counters: Counters,
    /// How far it is meant to go.
    pub horizon: Horizon,
    /// Where to log.
    pub log: &'a MetricLog,
}

/// Before a batch.
pub struct BatchStart<'a> {
    /// Where the fit is.
    pub counters: Counters,
    /// How far it is meant to go.
    pub horizon: Horizon,
    /// Row numbers of this batch in the data set.
    pub samples: &'a [usize],
    /// Where to log.
    pub log: &'a MetricLog,
    settings: &'a mut UpdateSettings,
}

impl<'a> BatchStart<'a> {
    /// The context before a step that is made by these settings.
    pub fn new(
        counters: Counters,
        horizon: Horizon,
        samples: &'a [usize],
        log: &'a MetricLog,
        settings: &'a mut UpdateSettings,
    ) -> Self {
        Self { counters, horizon, samples, log, settings }
    }

    /// How this step's update will be made.
    pub fn settings(&self) -> &UpdateSettings {
        self.settings
    }

    /// The learning rate that this step will use.
    pub fn learning_rate(&self) -> f64 {
        self.settings.learning_rate
    }

    /// Sets the learning rate of this step. It stays until somebody sets another.
    pub fn set_learning_rate(&mut self, learning_rate: f64) {
        self.settings.learning_rate = learning_rate;
    }

    /// Sets the learning rate of a parameter group, which is known by its pattern, in place of that
    /// of the step; the group's factor still counts. It stays until somebody sets another.
    pub fn set_group_rate(&mut self, group: &Name, learning_rate: f64) {
        self.settings.set_group_rate(group, learning_rate);
    }

    /// Sets the optimiser's momentum: μ, or β₁. It stays until somebody sets another.
    pub fn set_momentum(&mut self, momentum: f64) {
        self.settings.momentum = Some(momentum);
    }
}

/// Gradients, to look at.
pub struct GradientView<'a> {
    /// Where the fit is; this step's batches are counted, its update is not.
    pub counters: Counters,
    /// This step's mean loss.
    pub loss: StepLoss<'a>,
    /// Row numbers of this step's batches in the data set.
    pub samples: &'a [usize],
    /// The gradients.
    pub gradients: &'a dyn Gradients,
    /// The weights before this step's update, to look at.
    pub weights: &'a dyn Weights,
    /// The forward pass once more.
    pub replay: &'a dyn Replay,
    /// Where to log.
    pub log: &'a MetricLog,
}

/// Gradients, to change.
pub struct GradientEdit<'a> {
    /// Where the fit is; this step's batches are counted, its update is not.
    pub counters: Counters,
    /// The gradients.
    pub gradients: &'a mut dyn Gradients,
    /// Where to log.
    pub log: &'a MetricLog,
}

/// After an update was applied, with the weights that it gave.
pub struct AfterUpdate<'a> {
    /// Where the fit is; this update is counted.
    pub counters: Counters,
    /// How far it is meant to go.
    pub horizon: Horizon,
    /// The weights, to look at.
    pub weights: &'a dyn Weights,
    /// Where to log.
    pub log: &'a MetricLog,
}

/// Before weights are judged: at the end of an epoch, whether there is a validation part or not, and in
/// the middle of one if that is asked for.
pub struct ValidationStart<'a> {
    /// Where the fit is; `epoch` is still this one's number.
    pub counters: Counters,
    /// Whether the epoch ends here; otherwise it goes on behind the validation.
    pub ends_epoch: bool,
    /// The weights. What is put in their place here is judged, shown at
    /// [`EpochEnd`](Moment::EpochEnd) or [`Validated`](Moment::Validated), and must be put back at
    /// [`ValidationEnd`](Moment::ValidationEnd).
    pub weights: &'a mut dyn Weights,
}

/// After a validation in the middle of an epoch. At the end of one there is
/// [`EpochEnd`](Moment::EpochEnd) in its place.
pub struct Validated<'a> {
    /// Where the fit is; `epoch` is this one's number.
    pub counters: Counters,
    /// How far it is meant to go.
    pub horizon: Horizon,
    /// What the trainer measured on the validation part: `val_loss` and its metrics, such as
    /// `val_accuracy`. What is of whole epochs, such as `train_loss`, is not there.
    pub metrics: &'a [Metric],
    /// The weights that were judged, to copy.
    pub weights: &'a dyn Weights,
    /// What they give for rows of the data.
    pub predictions: &'a dyn Predictions,
    /// Where to log, in steps.
    pub log: &'a MetricLog,
    requests: &'a RefCell<Vec<CheckpointRequest>>,
}

impl<'a> Validated<'a> {
    /// The context of a validation; checkpoint requests are collected in `requests`.
    pub fn new(
        counters: Counters,
        horizon: Horizon,
        metrics: &'a [Metric],
        weights: &'a dyn Weights,
        predictions: &'a dyn Predictions,
        log: &'a MetricLog,
        requests: &'a RefCell<Vec<CheckpointRequest>>,
    ) -> Self {
        Self { counters, horizon, metrics, weights, predictions, log, requests }
    }

    /// A metric of this validation by name: the trainer's, or one logged by a callback before.
    pub fn metric(&self, name: &str) -> Option<f64> {
        newest(name, self.metrics, self.log)
    }

    /// Asks for a checkpoint.
    pub fn request_checkpoint(&self, request: CheckpointRequest) {
        self.requests.borrow_mut().push(request);
    }
}

/// When weights have been judged.
pub struct ValidationEnd<'a> {
    /// Where the fit is; `epoch` is still this one's number.
    pub counters: Counters,
    /// The weights, for whoever has replaced them to put them back.
    pub weights: &'a mut dyn Weights,
}

/// The scale of the loss in a step under mixed precision.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepScale {
    /// By what the loss was multiplied before the backward pass, and the gradients divided after it.
    pub scale: f32,
    /// Whether a gradient was not finite. Then the update is not applied, and the next scale is
    /// smaller. If the loss itself was finite, nobody is shown the gradients.
    pub overflowed: bool,
}

/// After an update was applied or skipped.
pub struct StepEnd<'a> {
    /// Where the fit is; this step is counted.
    pub counters: Counters,
    /// How far it is meant to go.
    pub horizon: Horizon,
    /// The learning rate that was used.
    pub learning_rate: f64,
    /// Whether the update was applied.
    pub applied: bool,
    /// The scale of the loss under mixed precision; `None` in f32.
    pub scale: Option<StepScale>,
    /// Row numbers of this step's batches in the data set.
    pub samples: &'a [usize],
    /// Where to log.
    pub log: &'a MetricLog,
    loss: StepLoss<'a>,
    requests: &'a RefCell<Vec<CheckpointRequest>>,
}

impl<'a> StepEnd<'a> {
    /// The context of a step with this mean loss; checkpoint requests are collected in `requests`.
    #[allow(clippy::too_many_arguments)] // one caller, one field each
    pub fn new(
        counters: Counters,
        horizon: Horizon,
        learning_rate: f64,
        applied: bool,
        samples: &'a [usize],
        log: &'a MetricLog,
        loss: impl Into<StepLoss<'a>>,
        requests: &'a RefCell<Vec<CheckpointRequest>>,
    ) -> Self {
        let (scale, loss) = (None, loss.into());
        Self { counters, horizon, learning_rate, applied, scale, samples, log, loss, requests }
    }

    /// The same of a step under mixed precision, if it was one.
    #[must_use]
    pub fn scaled(mut self, scale: Option<StepScale>) -> Self {
        self.scale = scale;
        self
    }

    /// This step's mean loss, before the update. On an accelerator this waits for it, once for all
    /// that look.
    pub fn loss(&self) -> f32 {
        self.loss.get()
    }

    /// The same, to be looked at when it is known; waits for nothing.
    pub fn late_loss(&self) -> Reading {
        self.loss.reading()
    }

    /// Asks for a checkpoint.
    pub fn request_checkpoint(&self, request: CheckpointRequest) {
        self.requests.borrow_mut().push(request);
    }
}

/// After an epoch and its validation.
pub struct EpochEnd<'a> {
    /// Where the fit is; `epoch` is still this one's number.
    pub counters: Counters,
    /// How far it is meant to go.
    pub horizon: Horizon,
    /// Seconds since the epoch began, validation included.
    pub seconds: f64,
    /// What the trainer measured: `train_loss`, and with a validation part `val_loss` and its
    /// metrics, such as `val_accuracy`.
    pub metrics: &'a [Metric],
    /// The weights that were judged, to copy.
    pub weights: &'a dyn Weights,
    /// What they give for rows of the data.
    pub predictions: &'a dyn Predictions,
    /// Where to log.
    pub log: &'a MetricLog,
    requests: &'a RefCell<Vec<CheckpointRequest>>,
}

impl<'a> EpochEnd<'a> {
    /// The context at the end of an epoch; checkpoint requests are collected in `requests`.
    #[allow(clippy::too_many_arguments)] // one caller, one field each
    pub fn new(
        counters: Counters,
        horizon: Horizon,
        seconds: f64,
        metrics: &'a [Metric],
        weights: &'a dyn Weights,
        predictions: &'a dyn Predictions,
        log: &'a MetricLog,
        requests: &'a RefCell<Vec<CheckpointRequest>>,
    ) -> Self {
        Self { counters, horizon, seconds, metrics, weights, predictions, log, requests }
    }

    /// A metric of this epoch by name: the trainer's, or one logged since the epoch began.
    pub fn metric(&self, name: &str) -> Option<f64> {
        newest(name, self.metrics, self.log)
    }

    /// Asks for a checkpoint.
    pub fn request_checkpoint(&self, request: CheckpointRequest) {
        self.requests.borrow_mut().push(request);
    }
}

/// A metric by name: the trainer's, or the newest that was logged.
fn newest(name: &str, metrics: &[Metric], log: &MetricLog) -> Option<f64> {
    let find = |metrics: &[Metric]| metrics.iter().rev().find(|m| m.name == name).map(|m| m.value);
    find(metrics).or_else(|| log.read(find))
}

/// When a checkpoint that a callback asked for is on disk, and the run's record says so. Told as soon
/// as it is seen, behind a step or an epoch, and of all of them before [`FitEnd`](Moment::FitEnd); not
/// of `final`, the state with which a fit ends, which is written behind that.
pub struct CheckpointWritten<'a> {
    /// Where the fit was when it was taken.
    pub counters: Counters,
    /// Under what label it was asked for, for example `best`.
    pub label: &'a str,
    /// The metric that earned it.
    pub metric: Option<&'a Metric>,
    /// What it is in the store: `written.run.store().get_object(&written.object)?` are its bytes.
    pub object: ObjectId,
    /// How many bytes it has.
    pub bytes: u64,
    /// The run that has it.
    pub run: &'a RunWriter,
}

/// After everything.
pub struct FitEnd<'a> {
    /// Where the fit ended.
    pub counters: Counters,
    /// Why it ended; `None` when an error or a panic ended it.
    pub reason: Option<&'a StopReason>,
    /// The error that ended it, in words.
    pub error: Option<&'a str>,
    weights: &'a mut dyn Weights,
}

impl<'a> FitEnd<'a> {
    /// The context at the end of a fit.
    pub fn new(
        counters: Counters,
        reason: Option<&'a StopReason>,
        error: Option<&'a str>,
        weights: &'a mut dyn Weights,
    ) -> Self {
        Self { counters, reason, error, weights }
    }

    /// Replaces the weights.
    pub fn restore(&mut self, snapshot: &Snapshot) -> Result<(), CallbackError> {
        self.weights.restore(snapshot)
    }
}
