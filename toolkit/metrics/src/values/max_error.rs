//! The largest difference.

use serde::{Deserialize, Serialize};
use trainbook_callbacks::Direction;
use trainbook_core::batch::TargetKind;

use crate::counting::Counted;
use crate::measure::{Measure, Tally};
use crate::rows::Rows;

/// `max_error`: the largest `∣x − y∣` of all outputs, in the unit of the targets; a weight only
/// says whether it counts. NaN where an output is. scikit-learn's `max_error`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaxError;

impl Measure for MaxError {
    fn name(&self) -> String {
        "max_error".to_owned()
    }

    fn direction(&self) -> Direction {
        Direction::Minimize
    }

    fn takes(&self) -> TargetKind {
        TargetKind::Values
    }

    fn begin(&self, _: usize) -> Box<dyn Tally> {
        Box::new(Counted {
            counted: None,
            add: |most: &mut Option<f64>, rows: Rows<'_>| {
                for (x, y, _) in rows.values() {
                    let off = (x - y).abs();
                    *most = Some(most.filter(|most| most.is_nan() || off <= *most).unwrap_or(off));
                }
            },
            value: |most: &Option<f64>| most.unwrap_or(f64::NAN),
        })
    }
}
