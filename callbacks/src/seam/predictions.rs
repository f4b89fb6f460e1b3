//! What the network gives for rows of the data.

use super::CallbackError;

/// Lets the weights that are judged predict rows of the data set. Costs an evaluation of these rows.
pub trait Predictions {
    /// What the network gives for these rows, by their numbers in the data set, in this order.
    ///
    /// # Errors
    /// The data set has no such row, or the pass fails.
    fn of(&self, rows: &[usize]) -> Result<Vec<RowPrediction>, CallbackError>;
}

/// What the network gives for one row, beside its target.
#[derive(Clone, Debug, PartialEq)]
pub struct RowPrediction {
    /// The row's number in the data set.
    pub row: usize,
    /// Both.
    pub answer: Answer,
}

/// An answer of the network and the right one.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// One class; in a sequence, one at each position that counts for the loss.
    Classes {
        /// Of each class, their number for one position behind the other; each position's sum is 1.
        probabilities: Vec<f64>,
        /// The right class at each position.
        targets: Vec<u32>,
    },
    /// Labels, any of which may hold.
    Labels {
        /// Of each label, that it holds.
        probabilities: Vec<f64>,
        /// 1 for each that holds, 0 for the others.
        targets: Vec<f64>,
    },
    /// Values, in the unit of the targets.
    Values {
        /// The network's.
        values: Vec<f64>,
        /// The right ones.
        targets: Vec<f64>,
    },
}
