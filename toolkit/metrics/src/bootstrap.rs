//! How far a metric would differ on other rows.

use serde::{Deserialize, Serialize};
use trainbook_core::batch::{Targets, refill};
use trainbook_core::quantile::quantile;
use trainbook_core::random::{Seed, Stream};

use crate::check::check_data;
use crate::{Metric, MetricError};

/// A metric, and between which values it would probably lie on other rows of the same kind. Shows
/// itself as `0.9100 (95 %: 0.8950 to 0.9240)`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The metric of the rows themselves.
    pub value: f64,
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
    /// How often such an interval covers the truth, from 0 to 1.
    pub level: f64,
    /// How many resamples had a value, of as many as were asked for. In those that are left out the
    /// metric was NaN, for example since a class did not occur.
    pub resamples: usize,
}

impl std::fmt::Display for Interval {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { value, low, high, level, .. } = self;
        write!(f, "{value:.4} ({} %: {low:.4} to {high:.4})", level * 100.0)
    }
}

/// Efron's bootstrap with percentiles: rows are drawn with replacement, as many as there are, again
/// and again; the interval holds the middle part of the metric's values (Efron and Tibshirani, An
/// Introduction to the Bootstrap, 1993, chapter 13). Resample i is drawn from the stream
/// `bootstrap` at index i, so that equal seeds give equal intervals, and more resamples keep the
/// ones before them.
///
/// Memory: beside the outputs one copy of them and of the targets, what the metric keeps of them,
/// and 8 bytes for each resample. Time: that of the metric for each. Rows are drawn with their
/// weights.
///
/// ```
/// use trainbook_core::{batch::Targets, random::Seed};
/// use trainbook_metrics::{Accuracy, Bootstrap};
///
/// let outputs = [2.0, 0.0, 0.0, 2.0, 2.0, 0.0, 0.0, 2.0];
/// let targets = Targets::Classes(vec![0, 1, 0, 0]);
/// let interval = Bootstrap::new(Seed(7)).interval(&Accuracy.into(), &outputs, 2, &targets, None)?;
/// assert_eq!(interval.value, 0.75);
/// assert!(interval.low < 0.75 && 0.75 < interval.high);
/// # Ok::<(), trainbook_metrics::MetricError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bootstrap {
    seed: Seed,
    resamples: usize,
    level: f64,
    together: usize,
}

impl Bootstrap {
    /// 1000 resamples, an interval of 95 %, rows that have nothing to do with each other.
    pub fn new(seed: Seed) -> Self {
        Self { seed, resamples: 1000, level: 0.95, together: 1 }
    }

    /// So many resamples; at least 1. The ends of 1000 scatter by a few hundredths of the interval.
    #[must_use]
    pub fn resamples(mut self, resamples: usize) -> Self {
        self.resamples = resamples;
        self
    }

    /// How often such an interval is to cover the truth; between 0 and 1.
    #[must_use]
    pub fn level(mut self, level: f64) -> Self {
        self.level = level;
        self
    }

    /// So many rows in sequence are drawn as one, such as the positions of one text, which are not
    /// independent of each other; at least 1.
    #[must_use]
    pub fn together(mut self, rows: usize) -> Self {
        self.together = rows;
        self
    }

    /// The metric of these outputs, whose last dimension is `width`, row-major, and its interval.
    /// `weights` say how much each target counts; without them all count alike.
    ///
    /// # Errors
    /// Outputs, targets and weights do not fit each other or the metric, or a setting makes no sense.
    pub fn interval(
        &self,
        metric: &Metric,
        outputs: &[f32],
        width: usize,
        targets: &Targets,
        weights: Option<&[f32]>,
    ) -> Result<Interval, MetricError> {
        let measure = metric.measure();
        check_data(&measure.name(), measure.takes(), outputs, width, targets, weights)?;
        let rows = outputs.len() / width.max(1);
        self.check(rows)?;
        let value = metric.value(outputs, width, targets, weights)?;
        let (units, stream) = (rows / self.together, Stream::new(self.seed, "bootstrap"));
        let per_row = targets.len().checked_div(rows).unwrap_or(1);
        let mut drawn = Drawn::default();
        let mut values: Vec<f64> = Vec::with_capacity(self.resamples);
        for resample in 0..self.resamples {
            let mut draws = stream.at(0, resample as u64);
            drawn.rows.clear();
            for _ in 0..units {
                let first = draws.below(units as u64) as usize * self.together;
                drawn.rows.extend(first..first + self.together);
            }
            refill(&mut drawn.outputs, outputs, &drawn.rows, width);
            drawn.targets.gather(targets, &drawn.rows, per_row);
            if let Some(weights) = weights {
                refill(&mut drawn.weights, weights, &drawn.rows, per_row);
            }
            let mut tally = measure.begin(width);
            tally.add(&drawn.outputs, &drawn.targets, weights.map(|_| &drawn.weights[..]));
            values.push(tally.value());
        }
        values.retain(|value| !value.is_nan());
        values.sort_by(f64::total_cmp);
        let (outside, level) = ((1.0 - self.level) / 2.0, self.level);
        let at = |share| quantile(&values, share).unwrap_or(f64::NAN);
        let (low, high) = (at(outside), at(1.0 - outside));
        Ok(Interval { value, low, high, level, resamples: values.len() })
    }

    fn check(&self, rows: usize) -> Result<(), MetricError> {
        let wrong = |setting, value: String, expected: String| {
            Err(MetricError::Setting { setting, value, expected })
        };
        if self.resamples == 0 {
            return wrong("resamples of Bootstrap", "0".to_owned(), "at least 1".to_owned());
        }
        if !(self.level > 0.0 && self.level < 1.0) {
            let expected = "above 0 and below 1".to_owned();
            return wrong("level of Bootstrap", self.level.to_string(), expected);
        }
        if self.together == 0 || !rows.is_multiple_of(self.together) {
            let expected = format!("a divisor of {rows}, the number of rows");
            return wrong("together of Bootstrap", self.together.to_string(), expected);
        }
        Ok(())
    }
}

/// The metric of these outputs and its interval of 95 %, by 1000 resamples: [`Bootstrap::interval`]
/// with its defaults.
///
/// # Errors
/// Those of [`Bootstrap::interval`].
pub fn bootstrap(
    metric: &Metric,
    outputs: &[f32],
    width: usize,
    targets: &Targets,
    seed: Seed,
) -> Result<Interval, MetricError> {
    Bootstrap::new(seed).interval(metric, outputs, width, targets, None)
}

/// What is drawn, with room that is used again.
#[derive(Default)]
struct Drawn {
    rows: Vec<usize>,
    outputs: Vec<f32>,
    targets: Targets,
    weights: Vec<f32>,
}
