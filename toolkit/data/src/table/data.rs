//! The values of a column.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// What stands for a gap among the codes of a text.
pub(crate) const GAP: u32 = u32::MAX;

/// Up to so many different texts make a category.
pub(crate) const MOST_CATEGORIES: usize = 50;

/// What a column of a table is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnType {
    /// Numbers.
    Number,
    /// Texts of which there are few: at most 50 different ones, unless it was said.
    Category,
    /// Texts of which there are many.
    Text,
}

impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Number => "number",
            Self::Category => "category",
            Self::Text => "text",
        })
    }
}

/// The values of a column.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Data {
    /// NaN is a gap; infinite numbers are as in the file.
    Numbers(Vec<f64>),
    /// Texts.
    Texts(Texts),
}

/// Texts, each of which is kept once.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Texts {
    /// For each row the number of its text, or [`GAP`].
    pub codes: Vec<u32>,
    /// The texts, in the order of their first rows.
    pub names: Vec<String>,
}

impl Data {
    #[cfg(any(feature = "arrow", feature = "parquet"))]
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Numbers(numbers) => numbers.len(),
            Self::Texts(texts) => texts.codes.len(),
        }
    }

    pub(crate) fn gaps(&self) -> usize {
        match self {
            Self::Numbers(numbers) => numbers.iter().filter(|x| x.is_nan()).count(),
            Self::Texts(texts) => texts.codes.iter().filter(|&&code| code == GAP).count(),
        }
    }

    pub(crate) fn is_gap(&self, row: usize) -> bool {
        match self {
            Self::Numbers(numbers) => numbers[row].is_nan(),
            Self::Texts(texts) => texts.codes[row] == GAP,
        }
    }

    /// The same column with these rows alone.
    pub(crate) fn of(&self, rows: &[usize]) -> Self {
        match self {
            Self::Numbers(numbers) => Self::Numbers(rows.iter().map(|&row| numbers[row]).collect()),
            Self::Texts(texts) => Self::Texts(Texts {
                codes: rows.iter().map(|&row| texts.codes[row]).collect(),
                names: texts.names.clone(),
            }),
        }
    }

    /// Makes gaps of what is one of these words.
    pub(crate) fn leave_gaps_at(&mut self, words: &[String]) {
        match self {
            Self::Numbers(numbers) => {
                let gaps: Vec<f64> = words.iter().filter_map(|word| word.parse().ok()).collect();
                let mut numbers = numbers.iter_mut();
                numbers.by_ref().filter(|x| gaps.contains(x)).for_each(|x| *x = f64::NAN);
            }
            Self::Texts(Texts { codes, names }) => {
                let is_gap: Vec<bool> = names.iter().map(|name| words.contains(name)).collect();
                let known = codes.iter_mut().filter(|code| **code != GAP);
                known.filter(|code| is_gap[**code as usize]).for_each(|code| *code = GAP);
            }
        }
    }

    pub(crate) fn append(&mut self, more: Self) {
        match (self, more) {
            (Self::Numbers(mine), Self::Numbers(more)) => mine.extend(more),
            (Self::Texts(mine), Self::Texts(more)) => mine.append(more),
            // Whoever appends has read both alike.
            _ => {}
        }
    }
}

impl Texts {
    /// The texts that occur, in the order of [`by_name`].
    pub(crate) fn sorted(&self) -> Vec<&str> {
        let mut occurs = vec![false; self.names.len()];
        for &code in self.codes.iter().filter(|&&code| code != GAP) {
            occurs[code as usize] = true;
        }
        let names = self.names.iter().zip(occurs).filter(|(_, occurs)| *occurs);
        let mut names: Vec<&str> = names.map(|(name, _)| name.as_str()).collect();
        names.sort_by(|a, b| by_name(a, b));
        names
    }

    fn append(&mut self, more: Self) {
        let known = self.names.iter().enumerate();
        let mut known: HashMap<String, u32> =
            known.map(|(code, name)| (name.clone(), code as u32)).collect();
        let map: Vec<u32> = more
            .names
            .into_iter()
            .map(|name| {
                *known.entry(name).or_insert_with_key(|name| {
                    self.names.push(name.clone());
                    self.names.len() as u32 - 1
                })
            })
            .collect();
        self.codes.extend(more.codes.iter().map(|&code| match code {
            GAP => GAP,
            code => map[code as usize],
        }));
    }
}

/// The order of categories and classes: numbers by their size, then all else by Unicode.
pub(crate) fn by_name(a: &str, b: &str) -> Ordering {
    match (a.parse::<f64>(), b.parse::<f64>()) {
        (Ok(x), Ok(y)) => x.total_cmp(&y).then_with(|| a.cmp(b)),
        (Ok(_), Err(_)) => Ordering::Less,
        (Err(_), Ok(_)) => Ordering::Greater,
        (Err(_), Err(_)) => a.cmp(b),
    }
}
