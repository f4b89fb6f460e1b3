//! A feature that gives the target away.

use std::ops::Range;

use super::Seen;
use super::sample::Sample;
use super::statistics::{auc, correlation, ranks};
use crate::report::{Finding, Severity};
use crate::{ColumnEncoding, DataError, Part};

/// What counts as giving the target away: an area under the curve, a rank correlation, or a share
/// of rows whose class is told. Less is what good features do.
const PERFECT: f64 = 0.999;
/// With fewer rows, perfection may be chance.
const LEAST_ROWS: usize = 30;
/// With fewer rows of its smallest class, too.
const LEAST_IN_CLASS: usize = 5;
/// A map from values to classes says something if a value has so many rows on average.
const ROWS_A_VALUE: usize = 4;
/// With more classes only exact maps are looked for.
const MOST_CLASSES: usize = 32;

pub(super) fn look(seen: &Seen<'_>) -> Result<Vec<Finding>, DataError> {
    let sample = seen.sample(Part::Train);
    // The only feature is what the target has to follow from, and series follow from themselves.
    if !seen.is_tabular() || columns(seen).len() < 2 || sample.len() < LEAST_ROWS {
        return Ok(Vec::new());
    }
    let target_ranks: Vec<Vec<f64>> = (0..seen.data.targets_per_row())
        .map_while(|target| sample.values(target).map(|values| ranks(&values)))
        .collect();
    let mut findings = Vec::new();
    for column in columns(seen) {
        let values = column.values(sample);
        let told = match (sample.labels(), seen.data.classes()) {
            (Some(labels), Some(classes)) => of_classes(&column, &values, labels, classes),
            _ => of_values(&values, &target_ranks),
        };
        if let Some((measure, much)) = told {
            let text = format!(
                "column {:?} alone gives the target away ({measure} {much:.4} over {} rows of \
                 train); was it known before the target was?",
                column.name,
                sample.len()
            );
            findings.push(
                Finding::new(Severity::Warning, text)
                    .evidence(&measure.replace(' ', "_"), much)
                    .cure(format!(".ignore({:?})", column.source)),
            );
        }
    }
    Ok(findings)
}

/// A column of the source: one feature, or one for each category.
struct SourceColumn {
    /// What it is called in the text.
    name: String,
    /// The column of the file.
    source: String,
    first: usize,
    width: usize,
}

impl SourceColumn {
    /// Its value in each row; of categories the place.
    fn values(&self, sample: &Sample) -> Vec<f32> {
        if self.width == 1 {
            return sample.column(self.first).collect();
        }
        let category = |at| {
            let one_hot = &sample.row(at)[self.first..][..self.width];
            one_hot.iter().position(|&x| x != 0.0).unwrap_or(self.width) as f32
        };
        (0..sample.len()).map(category).collect()
    }
}

fn columns(seen: &Seen<'_>) -> Vec<SourceColumn> {
    let single = |at: usize, source: &str| SourceColumn {
        name: seen.name(at).to_owned(),
        source: source.to_owned(),
        first: at,
        width: 1,
    };
    let Some(encoding) = seen.data.encoding() else {
        return (0..seen.data.width()).map(|at| single(at, seen.name(at))).collect();
    };
    let of_column = |(column, span, tells_of_gaps): (&ColumnEncoding, Range<usize>, bool)| {
        let (name, next) = (column.name(), span.end);
        let values = match column.is_one_hot() {
            true => vec![SourceColumn {
                name: name.to_owned(),
                source: name.to_owned(),
                first: span.start,
                width: span.len(),
            }],
            false => span.map(|at| single(at, name)).collect(),
        };
        // What tells of gaps is a feature of its own.
        values.into_iter().chain(tells_of_gaps.then(|| single(next, name)))
    };
    encoding.spans().flat_map(of_column).collect()
}

/// Which measure finds the target, and how much of it.
type Told = Option<(&'static str, f64)>;

fn of_values(values: &[f32], targets: &[Vec<f64>]) -> Told {
    let ranks = ranks(values);
    let correlations = targets.iter().map(|target| correlation(&ranks, target));
    let most = correlations.max_by(|a, b| a.abs().total_cmp(&b.abs()))?;
    (most.abs() >= PERFECT).then_some(("rank correlation", most))
}

fn of_classes(column: &SourceColumn, values: &[f32], labels: &[u32], classes: usize) -> Told {
    let mut counts = vec![0_usize; classes];
    labels.iter().for_each(|&label| counts[label as usize] += 1);
    if classes < 2 || counts.iter().any(|&count| count < LEAST_IN_CLASS) {
        return None;
    }
    let rows = labels.len() as f64;
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_unstable_by(|&i, &j| values[i].total_cmp(&values[j]));
    // For each value, ascending, how many rows of each class have it.
    let tables = || {
        order.chunk_by(|&i, &j| values[i] == values[j]).map(|rows| {
            let mut counts = vec![0_usize; classes];
            rows.iter().for_each(|&row| counts[labels[row] as usize] += 1);
            counts
        })
    };
    let right: usize = tables().map(|table| table.into_iter().max().unwrap_or(0)).sum();
    let exact = right as f64 / rows;
    if exact < PERFECT {
        return None;
    }
    if tables().count() * ROWS_A_VALUE <= values.len() {
        return Some(("map from values to classes", exact));
    }
    if column.width > 1 {
        return None;
    }
    if classes == 2 {
        let area = auc(&ranks(values), |row| labels[row] == 1);
        let area = area.max(1.0 - area);
        return (area >= PERFECT).then_some(("area under the curve", area));
    }
    if classes > MOST_CLASSES {
        return None;
    }
    let share = 1.0 - errors_of_intervals(tables(), classes) / rows;
    (share >= PERFECT).then_some(("thresholds", share))
}

/// The fewest rows of other classes when each class gets an interval of values, where an interval
/// more costs as much as two rows: a shortest path through values × classes (Viterbi's).
fn errors_of_intervals(tables: impl Iterator<Item = Vec<usize>>, classes: usize) -> f64 {
    let mut costs = vec![0.0_f64; classes];
    for table in tables {
        let rows: usize = table.iter().sum();
        let switched = costs.iter().copied().fold(f64::INFINITY, f64::min) + 2.0;
        for (cost, right) in costs.iter_mut().zip(&table) {
            *cost = cost.min(switched) + (rows - right) as f64;
        }
    }
    let least = costs.into_iter().fold(f64::INFINITY, f64::min);
    (least - 2.0 * (classes - 1) as f64).max(0.0)
}
