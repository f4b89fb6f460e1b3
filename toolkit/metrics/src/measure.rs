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

    /// Begins to count, for outputs whose last dimension is `width`.
    fn begin(&self, width: usize) -> Box<dyn Tally>;
}

/// What a metric has counted so far.
pub trait Tally {
    /// Adds the outputs of some rows, in their order, row-major. With classes there is one target
    /// for each `width` outputs, and those that do not count for the loss have been left out; with
    /// values one for each output.
    fn add(&mut self, outputs: &[f32], targets: &Targets);

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

/// The mean of what `each` says of the logits and the class of each row or position.
pub(super) fn mean_over_classes(
    width: usize,
    each: impl Fn(&[f32], usize) -> bool + 'static,
) -> Box<dyn Tally> {
    let add = move |mean: &mut Mean, outputs: &[f32], targets: &Targets| {
        with_classes(outputs, width, targets)
            .for_each(|(row, class)| mean.add(f64::from(u8::from(each(row, class)))));
    };
    Box::new(Counted { counted: Mean::default(), add, value: Mean::value })
}

/// `finish` of the mean of what `each` says of each output and its value.
pub(super) fn mean_over_values(
    each: impl Fn(f64, f64) -> f64 + 'static,
    finish: impl Fn(f64) -> f64 + 'static,
) -> Box<dyn Tally> {
    let add = move |mean: &mut Mean, outputs: &[f32], targets: &Targets| {
        with_values(outputs, targets).for_each(|(x, y)| mean.add(each(x, y)));
    };
    Box::new(Counted {
        counted: Mean::default(),
        add,
        value: move |mean: &Mean| finish(mean.value()),
    })
}

/// What is counted, how more is added to it, and what it comes to.
pub(super) struct Counted<C, A, V> {
    pub counted: C,
    pub add: A,
    pub value: V,
}

impl<C, A: Fn(&mut C, &[f32], &Targets), V: Fn(&C) -> f64> Tally for Counted<C, A, V> {
    fn add(&mut self, outputs: &[f32], targets: &Targets) {
        (self.add)(&mut self.counted, outputs, targets);
    }

    fn value(&self) -> f64 {
        (self.value)(&self.counted)
    }
}

/// A mean, counted.
#[derive(Default)]
struct Mean {
    sum: f64,
    all: u64,
}

impl Mean {
    fn add(&mut self, value: f64) {
        self.sum += value;
        self.all += 1;
    }

    fn value(&self) -> f64 {
        self.sum / self.all as f64
    }
}

/// Classes, beside the logits of each.
pub(super) fn with_classes<'a>(
    outputs: &'a [f32],
    width: usize,
    targets: &'a Targets,
) -> impl Iterator<Item = (&'a [f32], usize)> {
    let classes: &[u32] = match targets {
        Targets::Classes(classes) => classes,
        Targets::Values(_) => &[],
    };
    outputs.chunks_exact(width.max(1)).zip(classes.iter().map(|&class| class as usize))
}

/// Values, beside the output of each.
pub(super) fn with_values<'a>(
    outputs: &'a [f32],
    targets: &'a Targets,
) -> impl Iterator<Item = (f64, f64)> {
    let values: &[f32] = match targets {
        Targets::Values(values) => values,
        Targets::Classes(_) => &[],
    };
    outputs.iter().zip(values).map(|(x, y)| (f64::from(*x), f64::from(*y)))
}
