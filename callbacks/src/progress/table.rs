//! The table as text; no clock, no terminal.

use super::{Metric, Name};
use crate::number::short;
use crate::{Counters, StopReason};

/// Room for `-12345.6789` and `1.23e-10`.
const NUMBER_WIDTH: usize = 10;

/// The columns of one fit.
#[derive(Debug, Default)]
pub(super) struct Table {
    metrics: Vec<Name>,
}

impl Table {
    pub(super) fn new(metrics: Vec<Name>) -> Self {
        Self { metrics }
    }

    pub(super) fn header(&self) -> String {
        self.cells(
            "epoch",
            self.metrics.iter().map(ToString::to_string),
            "learning_rate",
            "seconds",
        )
    }

    /// A metric that this epoch lacks shows as `-`.
    pub(super) fn row(
        &self,
        epoch: u64,
        metrics: &[Metric],
        learning_rate: Option<f64>,
        seconds: f64,
    ) -> String {
        let shown = |name: &Name| {
            metrics.iter().find(|m| m.name == *name).map_or("-".to_owned(), |m| short(m.value))
        };
        let learning_rate = learning_rate.map_or("-".to_owned(), |rate| format!("{rate:.2e}"));
        self.cells(
            &epoch.to_string(),
            self.metrics.iter().map(shown),
            &learning_rate,
            &format!("{seconds:.1}"),
        )
    }

    fn cells(
        &self,
        epoch: &str,
        metrics: impl Iterator<Item = String>,
        learning_rate: &str,
        seconds: &str,
    ) -> String {
        let mut line = format!("{epoch:>5}");
        for (cell, name) in metrics.zip(&self.metrics) {
            line += &format!("  {cell:>width$}", width = name.len().max(NUMBER_WIDTH));
        }
        line + &format!("  {learning_rate:>13}  {seconds:>7}")
    }
}

/// A sign of life in the middle of an epoch.
pub(super) fn heartbeat(epoch: u64, batch: u64, batches: u64, loss: f32, seconds: f64) -> String {
    format!("{epoch:>5}  … batch {batch} of {batches}, loss {}, {seconds:.0} s", short(loss.into()))
}

/// Why the fit ended and where.
pub(super) fn ending(at: Counters, reason: Option<&StopReason>, error: Option<&str>) -> String {
    let epochs = if at.epoch == 1 { "epoch" } else { "epochs" };
    let steps = if at.updates_applied == 1 { "update" } else { "updates" };
    let place = format!("after {} {epochs}, {} {steps}", at.epoch, at.updates_applied);
    match (reason, error) {
        (_, Some(error)) => format!("failed {place}: {error}"),
        (Some(reason), None) => format!("ended {place}: {reason}"),
        (None, None) => format!("broke off {place}"),
    }
}
