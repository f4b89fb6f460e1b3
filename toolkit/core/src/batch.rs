//! What one training step sees.

use serde::{Deserialize, Serialize};

use crate::array::{Array, Numbers};

/// Some rows of a data set, ready for the model. Made once with `Batch::default()` and filled again
/// and again by a loader, so that a step allocates nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// What the network takes: normalised numbers, or indices such as tokens; the batch first.
    pub input: Array,
    /// What it should give: one entry for each row, or for each position of each row.
    pub targets: Targets,
    /// Which rows of the data set these are.
    pub samples: Vec<usize>,
    /// How much each row counts in the loss and in metrics; `None` where all count alike.
    pub weights: Option<Vec<f32>>,
    /// What each row was mixed with, if it was.
    pub mixed: Option<Mixed>,
}

/// The second half of the targets of rows of which each was mixed with another one: the loss is
/// `share` times that of [`Batch::targets`], and the rest that of these.
#[derive(Clone, Debug, PartialEq)]
pub struct Mixed {
    /// The targets of the rows that were mixed in.
    pub targets: Targets,
    /// How much the first targets count, from 0 to 1.
    pub share: f32,
}

impl Batch {
    /// The number of rows.
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// How many bytes its numbers take.
    pub fn bytes(&self) -> usize {
        let input = match &self.input.numbers {
            Numbers::F32(numbers) => size_of_val(&numbers[..]),
            Numbers::I64(numbers) => size_of_val(&numbers[..]),
        };
        let mixed = self.mixed.as_ref().map_or(0, |mixed| mixed.targets.len());
        let weights = self.weights.as_ref().map_or(0, Vec::len);
        let targets = (self.targets.len() + mixed + weights) * size_of::<f32>();
        input + targets + size_of_val(&self.samples[..])
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }
}

/// What is to be predicted: one entry for each row; or for several values, labels or positions as
/// many, row after row.
#[derive(Clone, Debug, PartialEq)]
pub enum Targets {
    /// Class numbers, counted from 0.
    Classes(Vec<u32>),
    /// Real numbers.
    Values(Vec<f32>),
}

impl Targets {
    /// The number of entries.
    pub fn len(&self) -> usize {
        match self {
            Self::Classes(classes) => classes.len(),
            Self::Values(values) => values.len(),
        }
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The entries at `rows`, of which each has one.
    pub fn of(&self, rows: &[usize]) -> Self {
        let mut targets = Self::default();
        targets.gather(self, rows, 1);
        targets
    }

    /// Appends entries; what is empty takes their kind.
    pub fn extend(&mut self, more: &Self) {
        match (&mut *self, more) {
            (Self::Classes(mine), Self::Classes(more)) => mine.extend_from_slice(more),
            (Self::Values(mine), Self::Values(more)) => mine.extend_from_slice(more),
            (mine, more) if mine.is_empty() => *mine = more.clone(),
            // Whoever appends has targets of one kind.
            _ => {}
        }
    }

    /// Replaces the content by the entries of `all` at `rows`, of which each has `per_row`, and
    /// keeps the buffer when the kind is the same.
    pub fn gather(&mut self, all: &Self, rows: &[usize], per_row: usize) {
        match (&mut *self, all) {
            (Self::Classes(mine), Self::Classes(all)) => refill(mine, all, rows, per_row),
            (Self::Values(mine), Self::Values(all)) => refill(mine, all, rows, per_row),
            (mine, Self::Classes(all)) => {
                let mut new = Vec::new();
                refill(&mut new, all, rows, per_row);
                *mine = Self::Classes(new);
            }
            (mine, Self::Values(all)) => {
                let mut new = Vec::new();
                refill(&mut new, all, rows, per_row);
                *mine = Self::Values(new);
            }
        }
    }
}

/// No classes.
impl Default for Targets {
    fn default() -> Self {
        Self::Classes(Vec::new())
    }
}

/// What outputs are compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetKind {
    /// A class for each position: outputs [N, C] have N of them, outputs [N, T, C] N·T.
    Classes,
    /// A number for each output: outputs [N, C] have N·C of them, row after row.
    Values,
}

impl TargetKind {
    /// How many targets a sample has, of which the network makes this.
    pub fn per_sample(self, output: &[usize]) -> usize {
        match (self, output) {
            (Self::Classes, [positions @ .., _]) => positions.iter().product(),
            (Self::Classes, []) => 1,
            (Self::Values, output) => output.iter().product(),
        }
    }
}

impl std::fmt::Display for TargetKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Classes => "classes",
            Self::Values => "values",
        })
    }
}

/// Replaces the content of `mine` by the entries of `all` at `rows`, of which each has `per_row`.
pub fn refill<T: Copy>(mine: &mut Vec<T>, all: &[T], rows: &[usize], per_row: usize) {
    mine.clear();
    if per_row == 1 {
        mine.extend(rows.iter().map(|&row| all[row]));
    } else {
        rows.iter().for_each(|&row| mine.extend_from_slice(&all[row * per_row..][..per_row]));
    }
}
