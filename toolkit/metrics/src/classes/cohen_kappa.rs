//! Agreement beyond chance.

use serde::{Deserialize, Serialize};
use trainbook_callbacks::Direction;
use trainbook_core::batch::TargetKind;

use crate::ConfusionMatrix;
use crate::confusion_matrix::confusion;
use crate::measure::{Measure, Tally};

/// `cohen_kappa`: `1 − Σ w·counted / Σ w·expected` over all pairs of a class and what it is taken
/// for, where w says how bad that is and what is expected follows from how often each occurs on
/// either side: 1 is perfect, 0 is chance. `quadratic_kappa` is usual for grades. NaN where chance
/// is always right. Rows without a largest output count as the worst there is. Cohen, Psychol.
/// Bull. 70, 1968; scikit-learn's `cohen_kappa_score`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CohenKappa {
    /// How bad it is to take one class for another. Default: always the same.
    pub distance: Distance,
}

impl Measure for CohenKappa {
    fn name(&self) -> String {
        match self.distance {
            Distance::Equal => "cohen_kappa",
            Distance::Linear => "linear_kappa",
            Distance::Quadratic => "quadratic_kappa",
        }
        .to_owned()
    }

    fn direction(&self) -> Direction {
        Direction::Maximize
    }

    fn takes(&self) -> TargetKind {
        TargetKind::Classes
    }

    fn begin(&self, width: usize) -> Box<dyn Tally> {
        let distance = self.distance;
        confusion(width, move |matrix| distance.kappa(matrix))
    }
}

/// How bad it is to take one class for another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Distance {
    /// Always the same.
    #[default]
    Equal,
    /// By how many classes they are apart.
    Linear,
    /// By the square of that.
    Quadratic,
}

impl Distance {
    fn between(self, a: usize, b: usize) -> f64 {
        match self {
            Self::Equal => f64::from(u8::from(a != b)),
            Self::Linear => a.abs_diff(b) as f64,
            Self::Quadratic => (a.abs_diff(b) as f64).powi(2),
        }
    }

    fn kappa(self, matrix: &ConfusionMatrix) -> f64 {
        let classes = 0..matrix.classes().len();
        let last = classes.end.saturating_sub(1);
        let taken: Vec<f64> = classes.clone().map(|class| matrix.taken(class)).collect();
        let unplaced: f64 = classes.clone().map(|class| matrix.unplaced(class)).sum();
        let total = matrix.total();
        let [mut counted, mut expected] = [0.0; 2];
        for class in classes {
            let share = matrix.rows(class) / total;
            for (other, taken) in taken.iter().enumerate() {
                let bad = self.between(class, other);
                counted += bad * matrix.count(class, other);
                expected += bad * share * taken;
            }
            let worst = self.between(class, 0).max(self.between(class, last)).max(1.0);
            counted += worst * matrix.unplaced(class);
            expected += worst * share * unplaced;
        }
        1.0 - counted / expected
    }
}
