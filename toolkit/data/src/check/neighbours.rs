//! The nearest rows.

use trainbook_core::simd::squared_distance;

use super::sample::Sample;
use crate::normalize::inverse;
use crate::report::FeatureSummary;

/// So many multiplications are worth a look at neighbours.
const BUDGET: usize = 400_000_000;
/// More rows say nothing new.
const MOST: usize = 2000;
/// Fewer rows say nothing.
const LEAST: usize = 300;

/// How many rows may be compared with each other.
pub(super) fn most_rows(width: usize) -> usize {
    (BUDGET / width.max(1)).isqrt().clamp(LEAST, MOST)
}

/// Evenly spread places of a sample, at most `most`.
pub(super) fn places(sample: &Sample, most: usize) -> Vec<usize> {
    let count = sample.len().min(most);
    (0..count).map(|at| at * sample.len() / count).collect()
}

/// These rows of a sample, row after row, each feature with the same spread; a constant becomes 0.
pub(super) fn standardized(sample: &Sample, places: &[usize], scales: &[(f32, f32)]) -> Vec<f32> {
    let mut all = Vec::with_capacity(places.len() * sample.width);
    for &at in places {
        let row = sample.row(at).iter().zip(scales);
        all.extend(row.map(|(x, (offset, scale))| (x - offset) * scale));
    }
    all
}

/// Offset and scale of every feature, from a sample.
pub(super) fn scales(sample: &Sample, features: &[FeatureSummary]) -> Vec<(f32, f32)> {
    let count = sample.len().max(1) as f64;
    let mut moments = vec![(0.0_f64, 0.0_f64); sample.width];
    for at in 0..sample.len() {
        moments.iter_mut().zip(sample.row(at)).for_each(|(m, &x)| m.0 += f64::from(x) / count);
    }
    for at in 0..sample.len() {
        for (m, &x) in moments.iter_mut().zip(sample.row(at)) {
            m.1 += (f64::from(x) - m.0).powi(2) / count;
        }
    }
    let scale = |((mean, variance), feature): ((f64, f64), &FeatureSummary)| {
        let scale = inverse(variance.sqrt(), mean).filter(|_| !feature.constant);
        (mean as f32, scale.unwrap_or(0.0))
    };
    moments.into_iter().zip(features).map(scale).collect()
}

/// The `k` rows of `all` that are nearest to `row`, without that at `but`, the nearest first.
pub(super) fn nearest(row: &[f32], all: &[f32], k: usize, but: Option<usize>) -> Vec<usize> {
    let mut best: Vec<(f32, usize)> = Vec::with_capacity(k + 1);
    for (at, other) in all.chunks_exact(row.len().max(1)).enumerate() {
        if Some(at) == but {
            continue;
        }
        let distance = squared_distance(row, other);
        if best.len() < k || best.last().is_some_and(|(most, _)| distance < *most) {
            let place = best.partition_point(|(d, _)| *d <= distance);
            best.insert(place, (distance, at));
            best.truncate(k);
        }
    }
    best.into_iter().map(|(_, at)| at).collect()
}
