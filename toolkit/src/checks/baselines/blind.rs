//! Outputs that do not look at the inputs.

use crate::Error;
use crate::data::{Array, Batch, Batches, Dataset, Loader, Part, Targets};
use crate::nn::NnError;
use crate::task::Loss;

/// What gives outputs for rows.
pub(crate) type Predict<'a> = dyn Fn(&Array) -> Result<Array, NnError> + 'a;

/// The outputs that are best where the inputs are not looked at, of rows and classes that may count by
/// weights, under the losses that have a formula for it (without label smoothing); under others the
/// mean, and of classes the logarithms of their shares.
pub(crate) fn constant(data: &Dataset, loss: &Loss, shape: &[usize]) -> Result<Vec<f32>, Error> {
    let width: usize = match data.classes() {
        Some(_) => shape.last().copied().unwrap_or(1),
        None => shape.iter().product(),
    };
    // Each value with how much it counts.
    let mut columns: Vec<Vec<(f32, f64)>> = vec![Vec::new(); width];
    let mut counts = vec![0.0_f64; width];
    let class_weights = match loss {
        Loss::CrossEntropy(loss) => loss.weight.as_deref(),
        Loss::Focal(loss) => loss.weight.as_deref(),
        _ => None,
    };
    let mut loader = Loader::new(data, Part::Train, 256, None);
    let mut batch = Batch::default();
    loader.start(0);
    while loader.next(&mut batch)? {
        let per_row = (batch.targets.len() / batch.len().max(1)).max(1);
        let of_row = |at: usize| {
            batch.weights.as_ref().map_or(1.0, |weights| f64::from(weights[at / per_row]))
        };
        match &batch.targets {
            Targets::Classes(classes) => {
                let counted = |(_, class): &(usize, &u32)| loss.objective().counts(**class);
                for (at, class) in classes.iter().enumerate().filter(counted) {
                    let class = *class as usize;
                    let of_class = class_weights.map_or(1.0, |weights| f64::from(weights[class]));
                    counts[class] += of_row(at) * of_class;
                }
            }
            Targets::Values(values) => {
                let each = values.iter().enumerate();
                each.for_each(|(at, value)| columns[at % width].push((*value, of_row(at))));
            }
        }
    }
    let last = shape.last().copied().unwrap_or(1).max(1);
    if data.classes().is_some() {
        let all = counts.iter().sum::<f64>();
        // A class that is not there gets less than a row's share, not nothing at all.
        let least = 0.5 * all / data.counting(Part::Train).len().max(1) as f64;
        let share = |count: f64| if count == 0.0 { least } else { count } / all;
        return Ok(counts.into_iter().map(|count| share(count).ln() as f32).collect());
    }
    let mean = |column: &[(f32, f64)]| {
        let sum: f64 = column.iter().map(|(value, weight)| f64::from(*value) * weight).sum();
        sum / column.iter().map(|(_, weight)| weight).sum::<f64>()
    };
    let of = |(at, column): (usize, Vec<(f32, f64)>)| match loss {
        Loss::MeanAbsoluteError(_) => median(column),
        loss => loss.output_of_mean(mean(&column), at % last),
    };
    Ok(columns.into_iter().enumerate().map(|column| of(column) as f32).collect())
}

/// Of weighted values: half of the weight lies below it.
fn median(mut values: Vec<(f32, f64)>) -> f64 {
    values.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    let half = values.iter().map(|(_, weight)| weight).sum::<f64>() / 2.0;
    let mut below = 0.0;
    for (at, (value, weight)) in values.iter().enumerate() {
        below += weight;
        let value = f64::from(*value);
        if below > half {
            return value;
        }
        if below == half {
            let next = values.get(at + 1).map_or(value, |(next, _)| f64::from(*next));
            return f64::midpoint(value, next);
        }
    }
    0.0
}

/// The same outputs for so many rows.
pub(crate) fn repeat(constant: &[f32], rows: usize, shape: &[usize]) -> Array {
    let len = rows * shape.iter().product::<usize>();
    let numbers = constant.iter().copied().cycle().take(len).collect();
    let shape = std::iter::once(rows).chain(shape.iter().copied());
    Array::f32(shape.collect::<Vec<_>>(), numbers)
}
