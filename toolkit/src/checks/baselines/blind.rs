//! Outputs that do not look at the inputs.

use crate::Error;
use crate::data::{Array, Batch, Batches, Dataset, Loader, Part, Targets};
use crate::nn::NnError;
use crate::task::Loss;

/// What gives outputs for rows.
pub(crate) type Predict<'a> = dyn Fn(&Array) -> Result<Array, NnError> + 'a;

/// The outputs that are best where the inputs are not looked at, under the losses that have a
/// formula for it; under others the mean, and of classes the logarithms of their shares.
pub(crate) fn constant(data: &Dataset, loss: &Loss, shape: &[usize]) -> Result<Vec<f32>, Error> {
    let width: usize = match data.classes() {
        Some(_) => shape.last().copied().unwrap_or(1),
        None => shape.iter().product(),
    };
    let mut columns: Vec<Vec<f32>> = vec![Vec::new(); width];
    let mut counts = vec![0_u64; width];
    let mut loader = Loader::new(data, Part::Train, 256, None);
    let mut batch = Batch::default();
    loader.start(0);
    while loader.next(&mut batch)? {
        match &batch.targets {
            Targets::Classes(classes) => {
                let counted = classes.iter().filter(|class| loss.objective().counts(**class));
                counted.for_each(|class| counts[*class as usize] += 1);
            }
            Targets::Values(values) => {
                let each = values.iter().enumerate();
                each.for_each(|(at, value)| columns[at % width].push(*value));
            }
        }
    }
    if data.classes().is_some() {
        let all = counts.iter().sum::<u64>().max(1) as f64;
        // A class that is not there gets less than a row's share, not nothing at all.
        let share = |count: u64| if count == 0 { 0.5 / all } else { count as f64 / all };
        return Ok(counts.into_iter().map(|count| share(count).ln() as f32).collect());
    }
    let mean = |column: &[f32]| {
        column.iter().map(|value| f64::from(*value)).sum::<f64>() / column.len().max(1) as f64
    };
    let of = |column: Vec<f32>| match loss {
        Loss::BinaryCrossEntropy(_) => {
            let share = mean(&column).clamp(1e-6, 1.0 - 1e-6);
            (share / (1.0 - share)).ln()
        }
        Loss::PoissonNll(_) => mean(&column).max(1e-6).ln(),
        Loss::MeanAbsoluteError(_) => median(column),
        _ => mean(&column),
    };
    Ok(columns.into_iter().map(|column| of(column) as f32).collect())
}

fn median(mut values: Vec<f32>) -> f64 {
    values.sort_by(f32::total_cmp);
    let (low, high) = (values.len().saturating_sub(1) / 2, values.len() / 2);
    match (values.get(low), values.get(high)) {
        (Some(a), Some(b)) => f64::midpoint(f64::from(*a), f64::from(*b)),
        _ => 0.0,
    }
}

/// The same outputs for so many rows.
pub(crate) fn repeat(constant: &[f32], rows: usize, shape: &[usize]) -> Array {
    let len = rows * shape.iter().product::<usize>();
    let numbers = constant.iter().copied().cycle().take(len).collect();
    let shape = std::iter::once(rows).chain(shape.iter().copied());
    Array::f32(shape.collect::<Vec<_>>(), numbers)
}
