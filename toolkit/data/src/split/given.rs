//! Parts that somebody else has made.

use serde::{Deserialize, Serialize};

use super::{Part, Parts};
use crate::DataError;

/// Which part each row is in, as a recipe keeps it. Written as text, row after row: `t` for train,
/// `v` for validation, `e` for the test, `-` for no part, and a number before a letter says how many
/// rows it stands for: `800t100v99e-`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GivenParts(Vec<Option<Part>>);

impl GivenParts {
    /// Of rows that are less than `len`, each in at most one part.
    pub(crate) fn of(parts: &Parts, len: usize) -> Self {
        let mut rows = vec![None; len];
        for (part, part_rows) in Part::ALL.into_iter().zip(parts) {
            part_rows.iter().for_each(|&row| rows[row] = Some(part));
        }
        Self(rows)
    }

    /// The part of each row; `None` for a row in none.
    pub fn rows(&self) -> &[Option<Part>] {
        &self.0
    }

    /// The rows of each part, ascending.
    pub fn parts(&self) -> [Vec<usize>; 3] {
        let mut parts = Parts::default();
        for (row, part) in self.0.iter().enumerate() {
            if let Some(part) = part {
                parts[*part as usize].push(row);
            }
        }
        parts
    }
}

const LETTERS: [(Option<Part>, char); 4] =
    [(Some(Part::Train), 't'), (Some(Part::Validation), 'v'), (Some(Part::Test), 'e'), (None, '-')];

impl From<GivenParts> for String {
    fn from(given: GivenParts) -> Self {
        let mut text = Self::new();
        for run in given.0.chunk_by(|a, b| a == b) {
            if run.len() > 1 {
                text.push_str(&run.len().to_string());
            }
            text.extend(
                LETTERS.iter().filter(|(part, _)| run[0] == *part).map(|(_, letter)| letter),
            );
        }
        text
    }
}

impl TryFrom<String> for GivenParts {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        /// More rows than that are no data set, but a damaged recipe.
        const MOST: usize = 1 << 31;
        let mut rows = Vec::new();
        let mut digits = String::new();
        for letter in text.chars() {
            if letter.is_ascii_digit() {
                digits.push(letter);
                continue;
            }
            let part = LETTERS.iter().find(|(_, known)| *known == letter);
            let count = if digits.is_empty() { Ok(1) } else { digits.parse::<usize>() };
            match (part, count) {
                (Some((part, _)), Ok(count)) if count <= MOST && rows.len() + count <= MOST => {
                    rows.resize(rows.len() + count, *part);
                }
                _ => {
                    return Err(format!(
                        "the parts of rows say {digits}{letter} after {} rows; it must be a \
                         number of rows and t, v, e or -",
                        rows.len()
                    ));
                }
            }
            digits.clear();
        }
        match digits.is_empty() {
            true => Ok(Self(rows)),
            false => Err(format!("the parts of rows end with {digits}; a letter must follow")),
        }
    }
}

/// The rows of each part, ascending, if every one is less than `len` and in one part alone.
pub(crate) fn checked(mut parts: Parts, len: usize) -> Result<Parts, DataError> {
    let refuse = |reason| Err(DataError::Refused { action: "split", reason });
    let mut rows: Vec<Option<Part>> = vec![None; len];
    for (part, part_rows) in Part::ALL.into_iter().zip(&parts) {
        for &row in part_rows {
            match rows.get_mut(row) {
                None => {
                    return refuse(format!(
                        "row {row} of {part} does not exist; there are {len} rows, counted from 0"
                    ));
                }
                Some(Some(other)) => {
                    return refuse(format!(
                        "row {row} is named for {other} and for {part}; a row must be named once"
                    ));
                }
                Some(free) => *free = Some(part),
            }
        }
    }
    if parts[0].is_empty() {
        return refuse("no row is named for train; there must be at least one".to_owned());
    }
    parts.iter_mut().for_each(|part| part.sort_unstable());
    Ok(parts)
}
