//! The correlation of what is and what is predicted.

use serde::{Deserialize, Serialize};
use trainbook_callbacks::Direction;
use trainbook_core::batch::TargetKind;

use crate::hits::{Hits, class_hits};
use crate::measure::{Measure, Tally};

/// `matthews`: the correlation between classes and predictions, from −1 to 1; 0 says no more than
/// chance. With s rows, of which c are right, and tₖ rows of class k and pₖ taken for it:
/// `(c·s − Σ tₖpₖ) / √((s² − Σ pₖ²)(s² − Σ tₖ²))`; 0 where the denominator is. Rows without a
/// largest output count as a prediction of their own that is never right. Gorodkin, Comput. Biol.
/// Chem. 28, 2004; scikit-learn's `matthews_corrcoef`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Matthews;

impl Measure for Matthews {
    fn name(&self) -> String {
        "matthews".to_owned()
    }

    fn direction(&self) -> Direction {
        Direction::Maximize
    }

    fn takes(&self) -> TargetKind {
        TargetKind::Classes
    }

    fn begin(&self, width: usize) -> Box<dyn Tally> {
        class_hits(width, correlation)
    }
}

fn correlation(hits: &[Hits]) -> f64 {
    let sum = |of: fn(&Hits) -> f64| hits.iter().map(of).sum::<f64>();
    let (rows, taken, right) = (sum(|hit| hit[0]), sum(|hit| hit[1]), sum(|hit| hit[2]));
    let unplaced = rows - taken;
    let of_rows = rows * rows - sum(|hit| hit[0] * hit[0]);
    let of_taken = rows * rows - sum(|hit| hit[1] * hit[1]) - unplaced * unplaced;
    let both = of_rows * of_taken;
    if both > 0.0 { (right * rows - sum(|hit| hit[0] * hit[1])) / both.sqrt() } else { 0.0 }
}
