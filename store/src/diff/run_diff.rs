//! All that differs.

use serde::Serialize;

use super::difference::Difference;
use super::series::Divergence;
use crate::run_id::RunId;

/// What differs between two runs, `a` and `b`. As text, a sentence and a table.
///
/// The order is fixed: by group, then by path. Comparing a run with itself gives nothing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunDiff {
    /// The first run.
    pub a: RunId,
    /// The second run.
    pub b: RunId,
    /// What was put into the runs and differs: settings, data, code, machine.
    pub causes: Vec<Difference>,
    /// What came out and differs: how the runs ended, their metrics and events.
    pub results: Vec<Difference>,
    /// What differs and explains nothing: ids, times, processes, and the command lines and cells
    /// that led to the causes.
    pub circumstances: Vec<Difference>,
    /// Where each metric differs for the first time, by name. Metrics that measure time are not in
    /// it.
    pub divergences: Vec<Divergence>,
    /// Fields of the code that neither run knows, for example because its changes were too large to
    /// keep. Whether they differ cannot be told.
    pub not_known: Vec<String>,
    /// The metrics that measure time, whose points were not compared; see
    /// [`RunDiff::measures_time`].
    pub not_compared: Vec<String>,
}

impl RunDiff {
    /// The cause that differs, if it is the only one and that is [known](RunDiff::not_known): proof
    /// that whatever else differs comes from it, or from chance.
    pub fn one_variable(&self) -> Option<&Difference> {
        match self.causes.as_slice() {
            [one] if self.not_known.is_empty() => Some(one),
            _ => None,
        }
    }

    /// Whether nothing differs but circumstances: the second run repeated the first bit for bit.
    pub fn is_same(&self) -> bool {
        self.causes.is_empty() && self.results.is_empty() && self.divergences.is_empty()
    }

    /// The first step at which the runs differ in any metric; of several metrics the first by name.
    pub fn first_divergence(&self) -> Option<&Divergence> {
        self.divergences.iter().min_by_key(|divergence| divergence.step)
    }

    /// Whether a metric of this name measures time, so that it differs between any two runs. It
    /// does if a word of the name (words are separated by `_`, `-`, `/`, `.` and spaces) is `time`,
    /// `duration`, `elapsed`, `latency`, `throughput`, `ms`, `sec`, `secs`, `second`, `seconds`,
    /// `minutes` or `hours`: `epoch_seconds`, `samples_per_second`, `time/step`. Such a metric is a
    /// circumstance, and its points are not compared.
    pub fn measures_time(metric: &str) -> bool {
        const WORDS: [&str; 12] = [
            "time",
            "duration",
            "elapsed",
            "latency",
            "throughput",
            "ms",
            "sec",
            "secs",
            "second",
            "seconds",
            "minutes",
            "hours",
        ];
        metric
            .split(['_', '-', '/', '.', ' '])
            .any(|word| WORDS.contains(&word.to_lowercase().as_str()))
    }
}
