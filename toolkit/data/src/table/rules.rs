//! What becomes of gaps and of texts.

use serde::{Deserialize, Serialize};

use super::{Dates, Words};

/// What becomes of the gaps of a column. What is computed is computed from the training part alone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// They are an error.
    #[default]
    Refuse,
    /// The row is left out, whatever part it would fall to.
    Drop,
    /// They become the mean, of dates to the second; numbers and dates only.
    Mean,
    /// They become the median, the mean of the middle two of an even count, of dates to the second;
    /// numbers and dates only.
    Median,
    /// They become the value of most rows, the smallest of several such.
    MostFrequent,
    /// They become this number; numbers only.
    Constant(f64),
    /// They become this text, a category as any other, or this date; texts and dates only. Of
    /// [`Table::words`](crate::Table::words), `Text(String::new())` is padding alone.
    Text(String),
}

impl Missing {
    /// The same, with a feature `…_missing` that is 1 where there was a gap and 0 elsewhere.
    pub fn with_indicator(self) -> MissingRule {
        MissingRule { fill: self, indicator: true }
    }
}

/// What becomes of the gaps of a column, and whether a feature tells of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MissingRule {
    pub(super) fill: Missing,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) indicator: bool,
}

impl From<Missing> for MissingRule {
    fn from(fill: Missing) -> Self {
        Self { fill, indicator: false }
    }
}

/// What becomes of a text that is no category of the training part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unknown {
    /// It is an error.
    #[default]
    Refuse,
    /// It is the category "(rare)".
    Rare,
    /// It is no category: all features are 0, all numbers of an embedding too. Not for
    /// [`Categories::ordinal`].
    Zeros,
}

/// How texts become numbers. The categories are those of the training part, sorted: numbers by
/// size, other texts by Unicode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Categories {
    pub(super) how: How,
    #[serde(default)]
    pub(super) rare_below: usize,
    #[serde(default)]
    pub(super) unknown: Unknown,
}

/// As one feature, or as one a category.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum How {
    OneHot,
    Ordinal,
    Embedded,
}

impl Categories {
    /// One feature a category, `origin=usa`: 1 for the rows of it, else 0.
    pub fn one_hot() -> Self {
        Self { how: How::OneHot, rare_below: 0, unknown: Unknown::Refuse }
    }

    /// One feature: the category's number, counted from 0, and behind them that of "(rare)".
    pub fn ordinal() -> Self {
        Self { how: How::Ordinal, rare_below: 0, unknown: Unknown::Refuse }
    }

    /// One feature: the category's number, counted from 0, and behind them that of "(rare)", for a
    /// network that begins with a `CategoricalEmbedding` of
    /// [`Dataset::category_features`](crate::Dataset::category_features). It is never normalised.
    /// What is no category ([`Unknown::Zeros`]) is −1. With [`Unknown::Rare`] say what is
    /// [rare](Self::rare_below), too: a row of a table for which the training part has nothing stays
    /// as it began, at random.
    pub fn embedded() -> Self {
        Self { how: How::Embedded, rare_below: 0, unknown: Unknown::Refuse }
    }

    /// Categories of fewer training rows than this are one, "(rare)". 0 by default: none are.
    #[must_use]
    pub fn rare_below(mut self, rows: usize) -> Self {
        self.rare_below = rows;
        self
    }

    /// What becomes of a text that is no category of the training part. Refused by default.
    #[must_use]
    pub fn unknown(mut self, unknown: Unknown) -> Self {
        self.unknown = unknown;
        self
    }
}

/// What becomes of a column, and of its gaps.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ColumnRule {
    pub missing: MissingRule,
    pub becomes: Becomes,
}

/// What becomes of a column's values.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Becomes {
    Numbers,
    Categories(Categories),
    Dates(Dates),
    Words(Words),
}

impl ColumnRule {
    /// Whether what it makes of a column depends on the rows that are trained on.
    pub(crate) fn is_fitted(&self) -> bool {
        let computed =
            matches!(self.missing.fill, Missing::Mean | Missing::Median | Missing::MostFrequent);
        let learned = match &self.becomes {
            Becomes::Numbers => false,
            Becomes::Words(words) => words.are_learned(),
            Becomes::Categories(_) | Becomes::Dates(_) => true,
        };
        computed || learned
    }
}
