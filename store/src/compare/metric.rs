//! How much a metric differs between several runs.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde::Serialize;

use crate::diff::between::equal;
use crate::name::Name;
use crate::run_id::RunId;
use crate::summary::Aggregate;
use crate::value::Value;

/// A metric that is not the same in all runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ComparedMetric {
    /// The metric.
    pub metric: Name,
    /// How much it differs, from 0 on: the greatest of three spreads, that of the last values, that
    /// of the least and that of the greatest. The spread of some values is their range over the mean
    /// of their absolute values, `(max − min) · n / Σ|x|`, so that losses around 0.01 and scores
    /// around 100 can be told apart alike. Infinite (`null` in JSON) if one run has NaN or an
    /// infinity where another has not. `None` if only one run has the metric.
    pub spread: Option<f64>,
    /// It over each run that has it.
    pub values: BTreeMap<RunId, Aggregate>,
}

/// What of a metric is compared, with its name.
pub(super) type Part = (&'static str, fn(&Aggregate) -> f64);

/// What of a metric is compared.
pub(super) const PARTS: [Part; 3] =
    [("last", |whole| whole.last), ("min", |whole| whole.min), ("max", |whole| whole.max)];

impl ComparedMetric {
    /// Of what those of `runs` have that have it; `None` if it is the same in all.
    pub(super) fn of(
        metric: Name,
        values: BTreeMap<RunId, Aggregate>,
        runs: usize,
    ) -> Option<ComparedMetric> {
        let compared = ComparedMetric { metric, spread: None, values };
        if compared.values.len() == runs && PARTS.iter().all(|(_, part)| compared.is_same(*part)) {
            return None;
        }
        let spreads = PARTS.iter().map(|(_, part)| {
            let values: Vec<f64> = compared.values.values().map(part).collect();
            spread(&values)
        });
        let spread = (compared.values.len() > 1).then(|| spreads.fold(0.0, f64::max));
        Some(ComparedMetric { spread, ..compared })
    }

    /// Whether this part is the same in all runs that have it.
    pub(super) fn is_same(&self, part: fn(&Aggregate) -> f64) -> bool {
        let mut values = self.values.values().map(|whole| Value::Float(part(whole)));
        let first = values.next();
        values.all(|value| equal(first.as_ref(), Some(&value)))
    }

    /// What differs most comes first; of what differs alike, by name.
    pub(super) fn order(&self, other: &ComparedMetric) -> Ordering {
        let spread = |metric: &ComparedMetric| metric.spread.unwrap_or(-1.0);
        spread(other).total_cmp(&spread(self)).then_with(|| self.metric.cmp(&other.metric))
    }
}

/// The range over the mean of absolute values.
fn spread(values: &[f64]) -> f64 {
    if let Some(first) = values.first()
        && values.iter().all(|value| value == first || (value.is_nan() && first.is_nan()))
    {
        return 0.0;
    }
    if values.iter().any(|value| !value.is_finite()) {
        return f64::INFINITY;
    }
    let (min, max) = values
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(min, max), x| (x.min(min), x.max(max)));
    // Divided first: neither the range nor the sum of the greatest numbers is a number.
    let scale = max.abs().max(min.abs());
    let mean = values.iter().map(|value| (value / scale).abs()).sum::<f64>() / values.len() as f64;
    (max / scale - min / scale) / mean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spread_is_the_range_over_the_mean_of_absolute_values() {
        for (values, expected) in [
            (&[1.0, 3.0][..], 1.0),
            (&[0.01, 0.03], 1.0),
            (&[-1.0, 1.0], 2.0),
            (&[0.0, 0.0], 0.0),
            (&[0.0, -0.0], 0.0),
            (&[0.0, 1.0, 0.0, 0.0], 4.0),
            (&[f64::NAN, f64::NAN], 0.0),
            (&[f64::NAN, 1.0], f64::INFINITY),
            (&[f64::INFINITY, f64::INFINITY], 0.0),
            (&[f64::INFINITY, f64::NEG_INFINITY], f64::INFINITY),
            (&[f64::MAX, -f64::MAX], 2.0),
            (&[5e-324, 0.0], 2.0),
            (&[7.0], 0.0),
        ] {
            let found = spread(values);
            assert!(found == expected || (found - expected).abs() < 1e-12, "{values:?}: {found}");
        }
    }
}
