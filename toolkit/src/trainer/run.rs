//! What a fit leaves in the user's hand.

use std::sync::Arc;

use sha2::{Digest, Sha256};
use trainbook_callbacks::{StopKind, StopReason};
use trainbook_store::{CallbackCost, Metric, RunEvent, RunId, RunWriter, StoreError};

use super::evaluation::{Evaluation, Judged};
use crate::Error;
use crate::data::{Dataset, Part};
use crate::display::{self, Bundle};
use crate::metric::Metric as Measured;
use crate::random::Seed;
use crate::task::{Loss, Model};

/// A finished fit: its numbers, and the network exactly as the fit left it. Training the trainer
/// further does not change it.
#[derive(Clone)]
pub struct Run {
    pub(crate) writer: Option<RunWriter>,
    pub(super) model: Arc<dyn Model>,
    pub(crate) data: Dataset,
    pub(crate) loss: Loss,
    pub(crate) metrics: Vec<Measured>,
    pub(super) seed: Seed,
    pub(super) reason: StopReason,
    pub(super) epochs: u64,
    pub(super) seconds: f64,
    pub(super) history: Vec<EpochRow>,
    pub(super) costs: Vec<CallbackCost>,
}

/// The numbers of one epoch.
#[derive(Clone, Debug, PartialEq)]
pub struct EpochRow {
    /// Its number, from 0, over the trainer's life.
    pub epoch: u64,
    /// Batches seen at its end.
    pub step: u64,
    /// `train_loss`, and with a validation part `val_loss` and the trainer's metrics, such as
    /// `val_accuracy`.
    pub metrics: Vec<Metric>,
}

/// Its id, by which a store finds it; empty for one that is in no store, by which none is found.
impl AsRef<str> for Run {
    fn as_ref(&self) -> &str {
        self.id().map_or("", |id| id.as_str())
    }
}

impl Run {
    /// Its name in the store; `None` without one.
    pub fn id(&self) -> Option<&RunId> {
        self.writer.as_ref().map(RunWriter::id)
    }

    /// The seed from which it follows.
    pub fn seed(&self) -> Seed {
        self.seed
    }

    /// Why it ended.
    pub fn stopped_because(&self) -> &StopReason {
        &self.reason
    }

    /// The run, where another is to follow on it.
    ///
    /// # Errors
    /// Somebody pressed Ctrl-C during the fit; what it came to is recorded.
    pub fn uninterrupted(self, action: &'static str) -> Result<Self, Error> {
        match self.reason.kind {
            StopKind::Interrupted => Err(Error::Interrupted { action }),
            _ => Ok(self),
        }
    }

    /// Epochs completed.
    pub fn epochs(&self) -> u64 {
        self.epochs
    }

    /// Seconds that the fit took, validation and recording included.
    pub fn seconds(&self) -> f64 {
        self.seconds
    }

    /// What each callback took at each moment of the fit.
    pub fn callback_costs(&self) -> &[CallbackCost] {
        &self.costs
    }

    /// One row per completed epoch.
    pub fn history(&self) -> &[EpochRow] {
        &self.history
    }

    /// The network.
    pub fn model(&self) -> &dyn Model {
        &*self.model
    }

    /// The SHA-256 of all weights: every tensor in the network's order, as little-endian f32.
    pub fn weights_sha256(&self) -> String {
        let mut hasher = Sha256::new();
        for value in self.model.weights().0.iter().flatten() {
            hasher.update(value.to_le_bytes());
        }
        hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Loss and metrics on one part of the data; recorded with the run.
    pub fn evaluate(&self, part: Part) -> Result<Evaluation, Error> {
        self.evaluate_with(part, |_| {})
    }

    pub(super) fn evaluate_with(
        &self,
        part: Part,
        also: impl FnMut(&Judged<'_>),
    ) -> Result<Evaluation, Error> {
        let (model, data) = (&*self.model, &self.data);
        let evaluation = Evaluation::of(model, &self.loss, &self.metrics, data, part, also)?;
        self.record(RunEvent::Evaluation { part: part.to_string(), metrics: evaluation.logged() });
        Ok(evaluation)
    }

    pub(super) fn record(&self, event: RunEvent) {
        if let Some(writer) = &self.writer {
            writer.event(event);
            warn(writer.flush());
        }
    }

    /// The run as a notebook shows it.
    pub fn view(&self) -> Result<Bundle, Error> {
        match &self.writer {
            Some(writer) => {
                let record = writer.store().run(writer.id())?;
                Ok(display::run(&record, &writer.store().past(&record)))
            }
            None => Ok(Bundle::from_text(&format!("{self}"))),
        }
    }

    /// Shows the run as the result of a notebook cell.
    pub fn evcxr_display(&self) {
        self.view()
            .unwrap_or_else(|error| Bundle::from_text(&format!("{self}\nfailed to {error}")))
            .emit();
    }
}

impl std::fmt::Debug for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Run")
            .field("id", &self.id())
            .field("seed", &self.seed.0)
            .field("stopped_because", &self.reason)
            .field("history", &self.history)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.id() {
            Some(id) => write!(f, "run {id}")?,
            None => write!(f, "a run that was not recorded")?,
        }
        write!(
            f,
            ", seed {}: {} epochs in {:.2} s, {}",
            self.seed.0, self.epochs, self.seconds, self.reason
        )?;
        for metric in self.history.last().iter().flat_map(|row| &row.metrics) {
            write!(f, ", {} {:.4}", metric.name, metric.value)?;
        }
        let warnings = display::costs::warnings(self.seconds, &self.costs);
        warnings.iter().try_for_each(|warning| write!(f, "\nwarning: {warning}"))
    }
}

/// Says loudly that a run is not fully recorded. Recording must not break training, so this is not
/// an error.
fn warn(recorded: Result<(), StoreError>) {
    if let Err(error) = recorded {
        eprintln!("warning: {}", not_recorded(&error));
    }
}

/// The words for it.
pub(super) fn not_recorded(error: &StoreError) -> String {
    format!("the run goes on, but the store failed to {error}")
}
