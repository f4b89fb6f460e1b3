//! Columns as features.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use jiff::civil::DateTime;
use serde::{Deserialize, Serialize};

use super::data::{Data, GAP, Texts};
use super::dates::{self, FittedDates};
use super::{FittedWords, Input, Raw, Table, Unknown, quoted};
use crate::{Array, DataError};

/// How columns become features: all that was learned from the training part. Kept with a network,
/// it makes the network's input of any file with the same columns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Encoding {
    /// Whether columns are found by name, else by position.
    pub(super) named: bool,
    pub(super) columns: Vec<ColumnEncoding>,
}

/// An encoding as it was written by whomever.
#[derive(Deserialize)]
struct Unchecked {
    named: bool,
    columns: Vec<ColumnEncoding>,
}

impl TryFrom<Unchecked> for Encoding {
    type Error = String;

    fn try_from(Unchecked { named, columns }: Unchecked) -> Result<Self, String> {
        for column in &columns {
            if let Kind::Words(words) = &column.kind {
                words.load().map_err(|why| {
                    format!(
                        "the words of {:?} are made by a tokenizer, which cannot be loaded: {why}",
                        column.name
                    )
                })?;
            }
            let holds = match (&column.kind, column.kind.known()) {
                (_, Some(known)) => known.rare.is_some() || known.unknown != Unknown::Rare,
                (Kind::Words(words), _) => words.holds() && columns.len() == 1 && !column.indicator,
                _ => true,
            };
            if !holds {
                return Err(format!(
                    "the encoding of column {:?} contradicts itself; take it from where it was \
                     made",
                    column.name
                ));
            }
        }
        Ok(Self { named, columns })
    }
}

/// How one column becomes features.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ColumnEncoding {
    pub(super) name: String,
    pub(super) kind: Kind,
    /// What its gaps become; else they are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) fill: Option<Fill>,
    /// Whether a feature tells of gaps.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) indicator: bool,
}

/// What a gap becomes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Fill {
    Number(f64),
    Text(String),
    Date(DateTime),
}

/// What a column's values become.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "as", rename_all = "snake_case")]
pub(super) enum Kind {
    Number,
    OneHot(Known),
    Ordinal(Known),
    Embedded(Known),
    Dates(FittedDates),
    Words(FittedWords),
}

impl Kind {
    fn known(&self) -> Option<&Known> {
        match self {
            Self::OneHot(known) | Self::Ordinal(known) | Self::Embedded(known) => Some(known),
            Self::Number | Self::Dates(_) | Self::Words(_) => None,
        }
    }
}

/// The categories of the training part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Known {
    /// Those with a feature or a number of their own.
    pub categories: Vec<String>,
    /// Those that share one, if there is one.
    pub rare: Option<Vec<String>>,
    pub unknown: Unknown,
}

impl Known {
    /// How many features or numbers there are.
    fn len(&self) -> usize {
        self.categories.len() + usize::from(self.rare.is_some())
    }
}

/// The number of what is no category of a table that is looked up.
const NO_CATEGORY: f32 = -1.0;

/// What categories of few rows are called together.
const RARE: &str = "(rare)";

/// Rows that are encoded before the next column is looked at; has no influence on any result.
const ROWS_AT_ONCE: usize = 512;

impl ColumnEncoding {
    /// The column's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The categories that have a feature or a number of their own, in order; none for numbers,
    /// dates and words.
    pub fn categories(&self) -> &[String] {
        self.kind.known().map_or(&[], |known| &known.categories)
    }

    /// The number that gaps become, if they become one.
    pub fn fill(&self) -> Option<f64> {
        match self.fill {
            Some(Fill::Number(number)) => Some(number),
            _ => None,
        }
    }

    /// The features' names: `age`, `origin=usa`, `origin=(rare)`, `day_year`, `age_missing`;
    /// none for words, which are indices.
    pub fn feature_names(&self) -> Vec<String> {
        let name = &self.name;
        let mut names = match &self.kind {
            Kind::Number | Kind::Ordinal(_) | Kind::Embedded(_) => vec![name.clone()],
            Kind::Words(_) => Vec::new(),
            Kind::Dates(dates) => {
                dates.names().into_iter().map(|feature| format!("{name}_{feature}")).collect()
            }
            Kind::OneHot(known) => {
                let rare = known.rare.as_ref().map(|_| RARE);
                let categories = known.categories.iter().map(String::as_str).chain(rare);
                categories.map(|category| format!("{name}={category}")).collect()
            }
        };
        if self.indicator {
            names.push(format!("{name}_missing"));
        }
        names
    }

    /// Whether there is a feature for each category.
    pub(crate) fn is_one_hot(&self) -> bool {
        matches!(self.kind, Kind::OneHot(_))
    }

    /// How many features or tokens its values are, without the one that tells of gaps.
    fn values(&self) -> usize {
        match &self.kind {
            Kind::Number | Kind::Ordinal(_) | Kind::Embedded(_) => 1,
            Kind::OneHot(known) => known.len(),
            Kind::Dates(dates) => dates.names().len(),
            Kind::Words(words) => words.length(),
        }
    }

    fn width(&self) -> usize {
        self.values() + usize::from(self.indicator)
    }

    /// For each text of a column what becomes of it, and behind them of a gap.
    fn slots(&self, texts: &Texts) -> Vec<Slot> {
        if let Kind::Dates(fitted) = &self.kind {
            let of = |date| fitted.of(date).into_iter().map(|(_, x)| x as f32).collect();
            let slot =
                |text: &String| dates::date(text).map_or(Slot::NoDate, |date| Slot::Date(of(date)));
            let fill = match self.fill {
                Some(Fill::Date(date)) => Slot::Date(of(date)),
                _ => Slot::Gap,
            };
            return texts.names.iter().map(slot).chain([fill]).collect();
        }
        // Words are encoded by themselves.
        let Some(Known { categories, rare, unknown }) = self.kind.known() else {
            return Vec::new();
        };
        let mut known: HashMap<&str, usize> =
            categories.iter().enumerate().map(|(at, name)| (name.as_str(), at)).collect();
        let together = categories.len();
        known.extend(rare.iter().flatten().map(|name| (name.as_str(), together)));
        let slot = |name: &String| match (known.get(name.as_str()), unknown) {
            (Some(&at), _) => Slot::At(at),
            (None, Unknown::Rare) => Slot::At(together),
            (None, Unknown::Zeros) => Slot::Zeros,
            (None, Unknown::Refuse) => Slot::Unknown,
        };
        let fill = match &self.fill {
            Some(Fill::Text(text)) => slot(text),
            _ => Slot::Gap,
        };
        texts.names.iter().map(slot).chain([fill]).collect()
    }
}

/// What becomes of a text.
enum Slot {
    At(usize),
    Date(Vec<f32>),
    NoDate,
    Zeros,
    Unknown,
    Gap,
}

impl Encoding {
    /// How each column becomes features.
    pub fn columns(&self) -> &[ColumnEncoding] {
        &self.columns
    }

    /// How many features there are; of words, how many tokens a row has.
    pub fn width(&self) -> usize {
        self.columns.iter().map(ColumnEncoding::width).sum()
    }

    /// The features' names, in order; none for words, which are indices.
    pub fn feature_names(&self) -> Vec<String> {
        self.columns.iter().flat_map(ColumnEncoding::feature_names).collect()
    }

    /// Each column with the features that its values are, and whether one behind them tells of gaps.
    pub(crate) fn spans(&self) -> impl Iterator<Item = (&ColumnEncoding, Range<usize>, bool)> {
        let mut next = 0;
        self.columns.iter().map(move |column| {
            let first = next;
            next += column.width();
            (column, first..first + column.values(), column.indicator)
        })
    }

    /// The features that are numbers of categories, to be looked up, ascending, each with how many
    /// categories there are.
    pub fn category_features(&self) -> Vec<(usize, usize)> {
        let each = self.spans().filter_map(|(column, span, _)| match &column.kind {
            Kind::Embedded(known) => Some((span.start, known.len())),
            _ => None,
        });
        each.collect()
    }

    /// What a network takes of a table's rows, `[rows, width]`: features, or the numbers of words.
    /// Columns are found by name, whatever their order, and others are left out; where this table or
    /// that of the training has no header they are taken by position, and there must be as many.
    ///
    /// # Errors
    /// A column is missing; or a field is no number, a gap or a category of which the training part
    /// says nothing.
    pub fn encode(&self, table: &Table) -> Result<Array, DataError> {
        let names: Vec<String> = self.columns.iter().map(|column| column.name.clone()).collect();
        let columns = table.columns_of(&names, self.named && table.dialect().has_header)?;
        let types = columns.iter().zip(&self.columns).map(|(&at, column)| match column.kind {
            Kind::Number => table.numbers(at).map(|numbers| Data::Numbers(numbers.to_vec())),
            _ => Ok(match &table.columns[at] {
                texts @ Data::Texts(_) => texts.clone(),
                Data::Numbers(_) => Data::Texts(table.texts_of(at)),
            }),
        });
        let raw = Raw {
            path: table.path.clone(),
            unit: table.body.unit(),
            named: table.dialect().has_header,
            columns: types.collect::<Result<_, _>>()?,
            names: columns.iter().map(|&at| table.names[at].clone()).collect(),
            lines: table.body.lines().into(),
            files: Arc::default(),
            tokenised: OnceLock::new(),
        };
        Ok(self.apply(&raw)?.into_array(raw.lines.len(), self.width()))
    }

    /// The rows of columns that are in this encoding's order and types.
    pub(crate) fn apply(&self, raw: &Raw) -> Result<Input, DataError> {
        let (rows, width) = (raw.lines.len(), self.width());
        if let Some(sequences) = self.sequences(raw)? {
            return Ok(Input::Tokens(sequences));
        }
        let slots: Vec<Vec<Slot>> = self
            .columns
            .iter()
            .zip(&raw.columns)
            .map(|(column, data)| match data {
                Data::Numbers(_) => Vec::new(),
                Data::Texts(texts) => column.slots(texts),
            })
            .collect();
        let mut features = vec![0.0; rows * width];
        for (block, out) in features.chunks_mut(ROWS_AT_ONCE * width).enumerate() {
            let first = block * ROWS_AT_ONCE;
            for (index, (column, span, _)) in self.spans().enumerate() {
                let all = span.start..span.start + column.width();
                let out = out.chunks_exact_mut(width).map(|row| &mut row[all.clone()]);
                for (row, out) in (first..).zip(out) {
                    column
                        .encode(&raw.columns[index], row, &slots[index], out)
                        .map_err(|wrong| self.refuse(raw, row, index, wrong))?;
                }
            }
        }
        Ok(Input::Features(features))
    }

    pub(super) fn refuse(&self, raw: &Raw, row: usize, column: usize, wrong: Wrong) -> DataError {
        let (name, data) = (&raw.names[column], &raw.columns[column]);
        let reason = match wrong {
            Wrong::Gap => format!(
                "the field is a gap ({} of {} rows have one here); write a value or leave the row \
                 out, or train on a table with .missing({name:?}, …)",
                data.gaps(),
                raw.lines.len()
            ),
            Wrong::NotFinite(number) => format!(
                "{number:e} is not a finite number of f32; write a number or leave the row out"
            ),
            Wrong::NoDate(text) => format!(
                "{} is no date; write one as {}, or leave the row out",
                quoted(&text),
                dates::FORMATS
            ),
            Wrong::Unknown(text) => format!(
                "{} is no category of the rows that are trained on, which are {}; say what becomes \
                 of it by .categories({name:?}, Categories::{})",
                quoted(&text),
                some(self.columns[column].categories()),
                match self.columns[column].kind {
                    Kind::Ordinal(_) => "ordinal().unknown(Unknown::Rare)",
                    Kind::Embedded(_) => "embedded().unknown(Unknown::Zeros)",
                    _ => "one_hot().unknown(Unknown::Zeros)",
                }
            ),
        };
        raw.wrong(Some(row), column, reason)
    }
}

/// What cannot be encoded.
pub(super) enum Wrong {
    Gap,
    NotFinite(f64),
    NoDate(String),
    Unknown(String),
}

impl ColumnEncoding {
    /// Encodes one value into zeros.
    fn encode(
        &self,
        data: &Data,
        row: usize,
        slots: &[Slot],
        out: &mut [f32],
    ) -> Result<(), Wrong> {
        if self.indicator
            && data.is_gap(row)
            && let Some(last) = out.last_mut()
        {
            *last = 1.0;
        }
        match data {
            Data::Numbers(numbers) => {
                let number = match (numbers[row], &self.fill) {
                    (gap, Some(Fill::Number(fill))) if gap.is_nan() => *fill,
                    (gap, _) if gap.is_nan() => return Err(Wrong::Gap),
                    (number, _) => number,
                };
                if !(number as f32).is_finite() {
                    return Err(Wrong::NotFinite(number));
                }
                out[0] = number as f32;
            }
            Data::Texts(texts) => {
                let code = texts.codes[row];
                let slot = match code {
                    GAP => slots.last(),
                    code => slots.get(code as usize),
                };
                match (slot, &self.kind) {
                    (Some(&Slot::At(at)), Kind::OneHot(_)) => out[at] = 1.0,
                    (Some(&Slot::At(at)), _) => out[0] = at as f32,
                    (Some(Slot::Date(features)), _) => {
                        out[..features.len()].copy_from_slice(features);
                    }
                    (Some(Slot::Zeros), Kind::Embedded(_)) => out[0] = NO_CATEGORY,
                    (Some(Slot::Zeros), _) => {}
                    (Some(Slot::NoDate), _) => {
                        let text = texts.names.get(code as usize).cloned();
                        return Err(Wrong::NoDate(text.unwrap_or_default()));
                    }
                    (Some(Slot::Unknown), _) => {
                        return Err(Wrong::Unknown(match (&self.fill, code) {
                            (Some(Fill::Text(fill)), GAP) => fill.clone(),
                            _ => texts.names.get(code as usize).cloned().unwrap_or_default(),
                        }));
                    }
                    (Some(Slot::Gap) | None, _) => return Err(Wrong::Gap),
                }
            }
        }
        Ok(())
    }
}

/// The first few names.
fn some(names: &[String]) -> String {
    let mut text = names.iter().take(5).map(|name| quoted(name)).collect::<Vec<_>>().join(", ");
    if names.len() > 5 {
        text.push_str(", …");
    }
    text
}

impl Encoding {
    /// Whether columns are found by name: the table that was fitted had a header.
    pub fn is_named(&self) -> bool {
        self.named
    }

    /// Whether every feature is a column of numbers as it stands, without gaps.
    pub fn is_plain(&self) -> bool {
        let plain = |column: &ColumnEncoding| {
            column.kind == Kind::Number && column.fill.is_none() && !column.indicator
        };
        self.columns.iter().all(plain)
    }
}
