//! What most metrics count with.

use trainbook_core::batch::Targets;

use crate::measure::Tally;
use crate::rows::Rows;

/// What is counted, how more is added to it, and what it comes to.
pub(crate) struct Counted<C, A, V> {
    pub counted: C,
    pub add: A,
    pub value: V,
}

impl<C, A: Fn(&mut C, Rows<'_>), V: Fn(&C) -> f64> Tally for Counted<C, A, V> {
    fn add(&mut self, outputs: &[f32], targets: &Targets, weights: Option<&[f32]>) {
        (self.add)(&mut self.counted, Rows { outputs, targets, weights });
    }

    fn value(&self) -> f64 {
        (self.value)(&self.counted)
    }
}

/// A weighted mean, counted.
#[derive(Clone, Copy, Debug, Default)]
struct Mean {
    sum: f64,
    weight: f64,
}

impl Mean {
    fn add(&mut self, value: f64, weight: f64) {
        self.sum += weight * value;
        self.weight += weight;
    }

    /// NaN if nothing was added.
    fn value(&self) -> f64 {
        self.sum / self.weight
    }
}

/// The share of rows, or positions, of whose logits and class `right` is true.
pub(crate) fn share_of_classes(
    width: usize,
    right: impl Fn(&[f32], usize) -> bool + 'static,
) -> Box<dyn Tally> {
    mean_over_classes(width, move |row, class| f64::from(u8::from(right(row, class))), |mean| mean)
}

/// `finish` of the mean of what `each` says of the logits and the class of each row or position.
pub(crate) fn mean_over_classes(
    width: usize,
    each: impl Fn(&[f32], usize) -> f64 + 'static,
    finish: impl Fn(f64) -> f64 + 'static,
) -> Box<dyn Tally> {
    Box::new(Counted {
        counted: Mean::default(),
        add: move |mean: &mut Mean, rows: Rows<'_>| {
            rows.classes(width).for_each(|(row, class, weight)| mean.add(each(row, class), weight));
        },
        value: move |mean: &Mean| finish(mean.value()),
    })
}

/// `finish` of the mean of what `each` says of each output and its value.
pub(crate) fn mean_over_values(
    each: impl Fn(f64, f64) -> f64 + 'static,
    finish: impl Fn(f64) -> f64 + 'static,
) -> Box<dyn Tally> {
    Box::new(Counted {
        counted: Mean::default(),
        add: move |mean: &mut Mean, rows: Rows<'_>| {
            rows.values().for_each(|(x, y, weight)| mean.add(each(x, y), weight));
        },
        value: move |mean: &Mean| finish(mean.value()),
    })
}
