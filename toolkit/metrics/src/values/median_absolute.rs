//! The median absolute difference.

use serde::{Deserialize, Serialize};
use trainbook_callbacks::Direction;
use trainbook_core::batch::TargetKind;

use crate::counting::Counted;
use crate::measure::{Measure, Tally};
use crate::rows::Rows;

/// `median_absolute`: the median of `∣x − y∣` of each output (each of the last dimension, over all
/// rows and positions), averaged over the outputs, in the unit of the targets; outliers do not move
/// it. Of an even number it is the mean of the middle two; with weights, of the two where half of
/// the weight is reached exactly. NaN where an output is. scikit-learn's `median_absolute_error`.
/// Memory: 16 bytes for each output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MedianAbsolute;

impl Measure for MedianAbsolute {
    fn name(&self) -> String {
        "median_absolute".to_owned()
    }

    fn direction(&self) -> Direction {
        Direction::Minimize
    }

    fn takes(&self) -> TargetKind {
        TargetKind::Values
    }

    fn begin(&self, width: usize) -> Box<dyn Tally> {
        Box::new(Counted {
            counted: vec![Vec::new(); width.max(1)],
            add: |columns: &mut Vec<Vec<[f64; 2]>>, rows: Rows<'_>| {
                for (column, x, y, weight) in rows.columns(columns.len()) {
                    columns[column].push([(x - y).abs(), weight]);
                }
            },
            value: |columns: &Vec<Vec<[f64; 2]>>| {
                columns.iter().map(|column| median(column)).sum::<f64>() / columns.len() as f64
            },
        })
    }
}

/// The weighted median of numbers beside their weights.
fn median(column: &[[f64; 2]]) -> f64 {
    if column.iter().any(|[value, _]| value.is_nan()) {
        return f64::NAN;
    }
    let mut sorted = column.to_vec();
    sorted.sort_by(|a, b| a[0].total_cmp(&b[0]));
    let half = sorted.iter().map(|[_, weight]| weight).sum::<f64>() / 2.0;
    let mut below = 0.0;
    for (at, [value, weight]) in sorted.iter().enumerate() {
        below += weight;
        if below >= half {
            let next = sorted.get(at + 1).filter(|_| below - half <= f64::EPSILON);
            return next.map_or(*value, |[next, _]| (value + next) / 2.0);
        }
    }
    f64::NAN
}
