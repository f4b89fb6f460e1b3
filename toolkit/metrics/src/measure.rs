//! What a metric is. **Open this file first to add one**, or to write one of your own.

use std::fmt::Debug;

use trainbook_callbacks::Direction;
use trainbook_core::batch::{TargetKind, Targets};

use crate::MetricError;

/// How good outputs are, as one number over all rows of a part, however they are cut into batches.
pub trait Measure: Debug + Send + Sync {
    /// The name under which it is logged, for example `macro_f1`.
    fn name(&self) -> String;

    /// When it is better.
    fn direction(&self) -> Direction;

    /// What it compares outputs with.
    fn takes(&self) -> TargetKind;

    /// Whether its options make sense for a network that makes this of one sample.
    ///
    /// # Errors
    /// An option has a value that makes no sense, or one that does not fit the network.
    fn check(&self, output: &[usize]) -> Result<(), MetricError> {
        let _ = output;
        Ok(())
    }

    /// Whether it goes by the weights of targets; one that does not is no metric for rows that count
    /// by weights. Default: it does.
    fn heeds_weights(&self) -> bool {
        true
    }

    /// Begins to count, for outputs whose last dimension is `width`.
    fn begin(&self, width: usize) -> Box<dyn Tally>;
}

/// What a metric has counted so far.
pub trait Tally {
    /// Adds the outputs of some rows, in their order, row-major. With classes there is one target
    /// for each `width` outputs, and those that do not count for the loss have been left out; with
    /// values one for each output, row after row.
    ///
    /// `weights` say how much each target counts, at least 0; there are as many as targets. Without
    /// them each counts 1. A target of weight 2 counts as if it came twice, one of weight 0 as if
    /// it were not there. Weights are given in every call or in none.
    fn add(&mut self, outputs: &[f32], targets: &Targets, weights: Option<&[f32]>);

    /// The metric over everything that was added; NaN where that says nothing.
    fn value(&self) -> f64;
}

/// Where the largest number is: the first of equal ones, never NaN; `None` where there is none.
pub fn largest(row: &[f32]) -> Option<usize> {
    let mut best: Option<usize> = None;
    for (i, value) in row.iter().enumerate() {
        if !value.is_nan() && best.is_none_or(|b| *value > row[b]) {
            best = Some(i);
        }
    }
    best
}
