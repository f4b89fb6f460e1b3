//! How well a simple model tells targets from features, and how well shuffled ones.

use super::neighbours::{most_rows, nearest, places, scales, standardized};
use super::sample::{Sample, draw};
use crate::report::{FeatureSummary, Probe, ValueProbe};
use crate::{DataError, Dataset, Part, Targets};
use trainbook_core::random::{Seed, Stream};
use trainbook_core::simd::squared_distance;

/// A value is predicted by the mean of so many neighbours.
const NEIGHBOURS: usize = 10;
/// So many numbers of a part are looked at, but this many rows where there are as many.
const NUMBERS: usize = 1 << 23;
const LEAST: usize = 2000;

/// `None` for classes, no validation part, or targets that do not vary there.
pub(super) fn of_values(
    data: &Dataset,
    features: &[FeatureSummary],
    samples: &[Sample; 3],
) -> Option<ValueProbe> {
    let [train, validation, _] = samples;
    if data.width() == 0 || train.len() < 2 || validation.len() < 2 {
        return None;
    }
    let most = most_rows(data.width());
    let scales = scales(train, features);
    let (from, to) = (places(train, most), places(validation, most));
    let pick = |sample: &Sample, places: &[usize]| -> Option<Vec<f64>> {
        let values = sample.values(0)?;
        Some(places.iter().map(|&at| f64::from(values[at])).collect())
    };
    let (targets, mut real) = (pick(train, &from)?, pick(validation, &to)?);
    let mean = real.iter().sum::<f64>() / real.len() as f64;
    let total: f64 = real.iter().map(|y| (y - mean).powi(2)).sum();
    if total <= 0.0 {
        return None;
    }
    let rows = standardized(train, &from, &scales);
    let near: Vec<Vec<usize>> = standardized(validation, &to, &scales)
        .chunks_exact(data.width())
        .map(|row| nearest(row, &rows, NEIGHBOURS, None))
        .collect();
    let mean_of =
        |near: &Vec<usize>| near.iter().map(|&at| targets[at]).sum::<f64>() / near.len() as f64;
    let predicted: Vec<f64> = near.iter().map(mean_of).collect();
    let r2 = |real: &[f64]| {
        let errors = predicted.iter().zip(real).map(|(guess, y)| (y - guess).powi(2));
        1.0 - errors.sum::<f64>() / total
    };
    let real_r2 = r2(&real);
    let stream = Stream::new(Seed(0), "check");
    let shuffled = (0..SHUFFLES).map(|index| {
        stream.at(0, index).shuffle(&mut real);
        r2(&real)
    });
    let (shuffled_mean, shuffled_std) = mean_and_std(&shuffled.collect::<Vec<f64>>());
    Some(ValueProbe { r2: real_r2, shuffled_mean, shuffled_std })
}

/// Mean and standard deviation (of a sample, divisor n − 1).
fn mean_and_std(values: &[f64]) -> (f64, f64) {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let squares = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>();
    (mean, (squares / (values.len() - 1).max(1) as f64).sqrt())
}

/// How often labels are shuffled.
const SHUFFLES: u64 = 20;

/// `None` for real-valued or several targets, fewer than two classes or no validation part.
pub(super) fn of_classes(
    data: &Dataset,
    features: &[FeatureSummary],
) -> Result<Option<Probe>, DataError> {
    let (Some(Targets::Classes(labels)), Some(classes)) = (data.targets(), data.classes()) else {
        return Ok(None);
    };
    let most = (NUMBERS / data.width().max(1)).max(LEAST);
    let [train, validation] =
        [Part::Train, Part::Validation].map(|part| draw(data.part(part), most, 10 + part as u64));
    if classes < 2 || data.targets_per_row() > 1 || validation.is_empty() || data.width() == 0 {
        return Ok(None);
    }
    // A constant's deviation is rounding, and its inverse would drown all signal.
    let weight = features
        .iter()
        .map(|feature| if feature.constant { 0.0 } else { (1.0 / feature.std) as f32 })
        .collect();
    let mut rows = Rows { data, weight, train: Vec::new(), validation: Vec::new() };
    rows.train = rows.scaled(&train)?;
    rows.validation = rows.scaled(&validation)?;
    let real: Vec<u32> = validation.iter().map(|&row| labels[row]).collect();
    let original: Vec<u32> = train.iter().map(|&row| labels[row]).collect();
    let predicted = rows.predict(&original, classes);
    let accuracy = |real: &[u32]| {
        let right = predicted.iter().zip(real).filter(|(a, b)| a == b).count();
        right as f64 / real.len() as f64
    };
    let stream = Stream::new(Seed(0), "check");
    let mut shuffled = real.clone();
    let chance: Vec<f64> = (0..SHUFFLES)
        .map(|index| {
            stream.at(0, index).shuffle(&mut shuffled);
            accuracy(&shuffled)
        })
        .collect();
    let (shuffled_mean, shuffled_std) = mean_and_std(&chance);
    Ok(Some(Probe { accuracy: accuracy(&real), shuffled_mean, shuffled_std }))
}

/// Rows × width of both parts, each feature with standard deviation 1.
struct Rows<'a> {
    data: &'a Dataset,
    weight: Vec<f32>,
    train: Vec<f32>,
    validation: Vec<f32>,
}

impl Rows<'_> {
    fn scaled(&self, rows: &[usize]) -> Result<Vec<f32>, DataError> {
        let mut all = Vec::with_capacity(rows.len() * self.data.width());
        self.data.each(rows, |_, _, normalized| {
            all.extend(normalized.iter().zip(&self.weight).map(|(x, weight)| x * weight));
        })?;
        Ok(all)
    }

    /// The class of each row of the validation part.
    fn predict(&self, train: &[u32], classes: usize) -> Vec<u32> {
        let width = self.data.width();
        let mut means = vec![0.0_f32; classes * width];
        let mut counts = vec![0.0_f32; classes];
        for (row, &label) in self.train.chunks_exact(width).zip(train) {
            let class = label as usize;
            // A running mean does not grow out of f32's resolution as a sum would.
            counts[class] += 1.0;
            let share = 1.0 / counts[class];
            means[class * width..][..width]
                .iter_mut()
                .zip(row)
                .for_each(|(mean, x)| *mean += (x - *mean) * share);
        }
        let class = |row: &[f32]| {
            let distances =
                means.chunks_exact(width).map(|mean| squared_distance(row, mean)).enumerate();
            distances.min_by(|a, b| a.1.total_cmp(&b.1)).map_or(0, |(class, _)| class as u32)
        };
        self.validation.chunks_exact(width).map(class).collect()
    }
}
