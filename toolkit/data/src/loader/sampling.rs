//! Which rows an epoch sees, and in what order.

use serde::{Deserialize, Serialize};
use trainbook_core::random::Draws;

use crate::{DataError, Dataset, Part, Targets};

/// Which rows an epoch sees. It has as many as the part, whatever the way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sampling {
    /// Each row once, shuffled.
    #[default]
    Shuffled,
    /// Each class of the part equally often, up to 1 row; its rows are drawn with replacement. For
    /// classes of very different sizes.
    Balanced,
    /// Rows in proportion to [`RowMarks::weights`](crate::RowMarks::weights), with replacement, as
    /// with PyTorch's [WeightedRandomSampler].
    ///
    /// [WeightedRandomSampler]: https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.WeightedRandomSampler
    Weighted,
}

/// What becomes of the rows that do not fill a last batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LastBatch {
    /// They are a smaller batch.
    #[default]
    Keep,
    /// They are left out in this epoch. A part smaller than a batch then gives none.
    Drop,
    /// The epoch's first rows follow once more, so that every batch is full.
    Fill,
}

/// What is drawn from.
#[derive(Debug)]
pub(super) enum Pool {
    Shuffled,
    /// The rows of each class that the part has.
    Balanced(Vec<Vec<usize>>),
    /// The rows that have a weight, and the sum of weights up to each.
    Weighted(Vec<usize>, Vec<f64>),
}

impl Pool {
    pub(super) fn new(sampling: Sampling, data: &Dataset, part: Part) -> Result<Self, DataError> {
        let refuse = |reason: &str| {
            Err(DataError::Refused { action: "draw from", reason: reason.to_owned() })
        };
        match sampling {
            Sampling::Shuffled => Ok(Self::Shuffled),
            Sampling::Balanced => {
                let labels = match data.targets() {
                    Some(Targets::Classes(labels)) if data.targets_per_row() == 1 => labels,
                    _ => {
                        return refuse(
                            "Sampling::Balanced needs one class for each row, and the targets are \
                             others; use Sampling::Weighted or Sampling::Shuffled",
                        );
                    }
                };
                let mut classes = vec![Vec::new(); data.classes().unwrap_or(0)];
                let rows = data.counting(part);
                rows.iter().for_each(|&row| classes[labels[row] as usize].push(row));
                classes.retain(|rows| !rows.is_empty());
                Ok(Self::Balanced(classes))
            }
            Sampling::Weighted => {
                let Some(weights) = &data.marks().weights else {
                    return refuse(
                        "Sampling::Weighted needs the weight of each row; give them with \
                         Dataset::weights",
                    );
                };
                let rows = data.part(part).iter().copied();
                let rows: Vec<usize> = rows.filter(|&row| weights[row] > 0.0).collect();
                let mut sum = 0.0;
                let sums = rows.iter().map(|&row| {
                    sum += f64::from(weights[row]);
                    sum
                });
                let sums: Vec<f64> = sums.collect();
                if rows.is_empty() && !data.part(part).is_empty() {
                    return refuse(&format!(
                        "every row of {part} has the weight 0; one must be greater"
                    ));
                }
                Ok(Self::Weighted(rows, sums))
            }
        }
    }

    /// Replaces the rows of the part, in `order`, by those of an epoch.
    pub(super) fn draw(&self, order: &mut [usize], draws: &mut Draws) {
        match self {
            Self::Shuffled => draws.shuffle(order),
            Self::Balanced(classes) => {
                // Which classes have one row more is drawn, too.
                let mut turns: Vec<&Vec<usize>> = classes.iter().collect();
                draws.shuffle(&mut turns);
                for (row, class) in order.iter_mut().zip(turns.iter().cycle()) {
                    *row = class[draws.below(class.len() as u64) as usize];
                }
                draws.shuffle(order);
            }
            Self::Weighted(rows, sums) => {
                let (Some(total), last) = (sums.last(), rows.len().saturating_sub(1)) else {
                    return;
                };
                for row in order {
                    let place = draws.unit() * total;
                    *row = rows[sums.partition_point(|&sum| sum <= place).min(last)];
                }
            }
        }
    }
}
