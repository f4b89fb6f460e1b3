//! What metrics count with.

use trainbook_core::batch::Targets;

use crate::measure::{Tally, largest};

/// What is counted, how more is added to it, and what it comes to.
pub(crate) struct Counted<C, A, V> {
    pub counted: C,
    pub add: A,
    pub value: V,
}

impl<C, A, V> Tally for Counted<C, A, V>
where
    A: Fn(&mut C, &[f32], &Targets, Option<&[f32]>),
    V: Fn(&C) -> f64,
{
    fn add(&mut self, outputs: &[f32], targets: &Targets, weights: Option<&[f32]>) {
        (self.add)(&mut self.counted, outputs, targets, weights);
    }

    fn value(&self) -> f64 {
        (self.value)(&self.counted)
    }
}

/// A weighted mean, counted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mean {
    sum: f64,
    weight: f64,
}

impl Mean {
    pub fn add(&mut self, value: f64, weight: f64) {
        self.sum += weight * value;
        self.weight += weight;
    }

    /// NaN if nothing was added.
    pub fn value(&self) -> f64 {
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
        add: move |mean: &mut Mean, outputs: &[f32], targets: &Targets, weights: Option<&[f32]>| {
            for (row, class, weight) in with_classes(outputs, width, targets, weights) {
                mean.add(each(row, class), weight);
            }
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
        add: move |mean: &mut Mean, outputs: &[f32], targets: &Targets, weights: Option<&[f32]>| {
            for (x, y, weight) in with_values(outputs, targets, weights) {
                mean.add(each(x, y), weight);
            }
        },
        value: move |mean: &Mean| finish(mean.value()),
    })
}

/// The logits, the class and the weight of each row or position. Those of weight 0 are left out.
pub(crate) fn with_classes<'a>(
    outputs: &'a [f32],
    width: usize,
    targets: &'a Targets,
    weights: Option<&'a [f32]>,
) -> impl Iterator<Item = (&'a [f32], usize, f64)> {
    let classes: &[u32] = match targets {
        Targets::Classes(classes) => classes,
        Targets::Values(_) => &[],
    };
    let rows = outputs.chunks_exact(width.max(1)).zip(classes).zip(each_weight(weights));
    rows.map(|((row, class), weight)| (row, *class as usize, weight)).filter(|row| row.2 != 0.0)
}

/// Each output, its value and its weight, also those of weight 0.
pub(crate) fn all_values<'a>(
    outputs: &'a [f32],
    targets: &'a Targets,
    weights: Option<&'a [f32]>,
) -> impl Iterator<Item = (f64, f64, f64)> {
    let values: &[f32] = match targets {
        Targets::Values(values) => values,
        Targets::Classes(_) => &[],
    };
    let each = outputs.iter().zip(values).zip(each_weight(weights));
    each.map(|((x, y), weight)| (f64::from(*x), f64::from(*y), weight))
}

/// Each output, its value and its weight. Those of weight 0 are left out.
pub(crate) fn with_values<'a>(
    outputs: &'a [f32],
    targets: &'a Targets,
    weights: Option<&'a [f32]>,
) -> impl Iterator<Item = (f64, f64, f64)> {
    all_values(outputs, targets, weights).filter(|each| each.2 != 0.0)
}

/// A weight for each target: 1 where none are given.
fn each_weight(weights: Option<&[f32]>) -> impl Iterator<Item = f64> {
    let ones = if weights.is_none() { usize::MAX } else { 0 };
    let given = weights.unwrap_or_default().iter().map(|weight| f64::from(*weight));
    given.chain(std::iter::repeat_n(1.0, ones))
}

/// Of each class, or label, the weight of its rows, of what is taken for it, and of what is so
/// rightly.
pub(crate) type Hits = [f64; 3];

/// How often each label holds, is predicted, and is so rightly.
pub(crate) fn label_hits(width: usize, value: impl Fn(&[Hits]) -> f64 + 'static) -> Box<dyn Tally> {
    let width = width.max(1);
    Box::new(Counted {
        counted: vec![[0.0; 3]; width],
        add: move |hits: &mut Vec<Hits>,
                   outputs: &[f32],
                   targets: &Targets,
                   weights: Option<&[f32]>| {
            for (at, (x, y, weight)) in all_values(outputs, targets, weights).enumerate() {
                if weight != 0.0 {
                    let (holds, taken) = (y > 0.5, x > 0.0);
                    for (sum, counts) in
                        hits[at % width].iter_mut().zip([holds, taken, holds && taken])
                    {
                        *sum += if counts { weight } else { 0.0 };
                    }
                }
            }
        },
        value: move |hits: &Vec<Hits>| value(hits),
    })
}

/// Of each class how often it occurs, is predicted, and is so rightly; for an output of `width`.
pub(crate) fn class_hits(width: usize, value: impl Fn(&[Hits]) -> f64 + 'static) -> Box<dyn Tally> {
    Box::new(Counted {
        counted: vec![[0.0; 3]; width],
        add: move |hits: &mut Vec<Hits>,
                   outputs: &[f32],
                   targets: &Targets,
                   weights: Option<&[f32]>| {
            for (row, class, weight) in with_classes(outputs, width, targets, weights) {
                let taken = largest(row);
                if let Some(hit) = hits.get_mut(class) {
                    hit[0] += weight;
                    hit[2] += if taken == Some(class) { weight } else { 0.0 };
                    if let Some(taken) = taken {
                        hits[taken][1] += weight;
                    }
                }
            }
        },
        value: move |hits: &Vec<Hits>| {
            if hits.iter().all(|hit| hit[0] == 0.0) { f64::NAN } else { value(hits) }
        },
    })
}
