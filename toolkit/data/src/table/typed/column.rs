//! The values of a column.

use std::collections::HashMap;

use super::super::data::{Data, GAP, Texts};
use super::{As, Kind, Value, Wrong};

/// A column.
pub(in crate::table) struct Values {
    pub data: Data,
    /// The values as texts, where f64 does not hold whole numbers of the file.
    pub exact: Option<Texts>,
}

impl Values {
    /// Reads a column of this kind, by what puts all its values into one that grows.
    pub(in crate::table) fn read(
        kind: Kind,
        read: impl Fn(&mut Growing) -> Result<(), Wrong>,
    ) -> Result<Self, Wrong> {
        let mut growing = Growing::new(kind.natural());
        read(&mut growing)?;
        let rounded = matches!(growing, Growing::Numbers { rounded: true, .. });
        let exact = match rounded {
            true => {
                let mut texts = Growing::new(As::Texts);
                read(&mut texts)?;
                match texts.finish() {
                    Data::Texts(texts) => Some(texts),
                    Data::Numbers(_) => None,
                }
            }
            false => None,
        };
        Ok(Self { data: growing.finish(), exact })
    }
}

/// A column as it grows.
pub(in crate::table) enum Growing {
    Numbers {
        numbers: Vec<f64>,
        /// Whether whole numbers are not what was in the file, because f64 does not hold them.
        rounded: bool,
    },
    Texts {
        texts: Texts,
        known: HashMap<String, u32>,
    },
}

impl Growing {
    fn new(wanted: As) -> Self {
        match wanted {
            As::Numbers => Self::Numbers { numbers: Vec::new(), rounded: false },
            As::Texts => Self::Texts { texts: Texts::default(), known: HashMap::new() },
        }
    }

    pub(in crate::table) fn len(&self) -> usize {
        match self {
            Self::Numbers { numbers, .. } => numbers.len(),
            Self::Texts { texts, .. } => texts.codes.len(),
        }
    }

    /// Makes room for so many more, of which a damaged file may say anything.
    pub(in crate::table) fn reserve(&mut self, rows: usize) -> Result<(), Wrong> {
        let room = match self {
            Self::Numbers { numbers, .. } => numbers.try_reserve(rows),
            Self::Texts { texts, .. } => texts.codes.try_reserve(rows),
        };
        room.map_err(|_| Wrong::Damaged(format!("there is no memory for {rows} rows")))
    }

    pub(in crate::table) fn gap(&mut self) {
        match self {
            Self::Numbers { numbers, .. } => numbers.push(f64::NAN),
            Self::Texts { texts, .. } => texts.codes.push(GAP),
        }
    }

    pub(in crate::table) fn push(&mut self, value: Value<'_>) {
        match (&mut *self, value) {
            (Self::Numbers { numbers, .. }, Value::Number(number)) => numbers.push(number),
            (Self::Numbers { numbers, rounded }, Value::Whole(whole)) => {
                *rounded |= (whole as f64) as i128 != whole;
                numbers.push(whole as f64);
            }
            (Self::Texts { texts, known }, value) => {
                let code = match value {
                    Value::Number(number) => code(texts, known, &number.to_string()),
                    Value::Whole(whole) => code(texts, known, &whole.to_string()),
                    Value::Text(text) => code(texts, known, &text),
                };
                texts.codes.push(code);
            }
            // No kind of numbers has texts for values.
            (Self::Numbers { .. }, Value::Text(_)) => self.gap(),
        }
    }

    fn finish(self) -> Data {
        match self {
            Self::Numbers { numbers, .. } => Data::Numbers(numbers),
            Self::Texts { texts, .. } => Data::Texts(texts),
        }
    }
}

#[cfg(feature = "arrow")]
impl Growing {
    /// One that grows to the same, by what reads values into it.
    pub(in crate::table) fn alike(
        &self,
        read: impl FnOnce(&mut Self) -> Result<(), Wrong>,
    ) -> Result<Self, Wrong> {
        let mut other = Self::new(match self {
            Self::Numbers { .. } => As::Numbers,
            Self::Texts { .. } => As::Texts,
        });
        read(&mut other)?;
        Ok(other)
    }

    /// Adds a value of another for each row, or a gap.
    pub(in crate::table) fn extend_from(
        &mut self,
        other: Self,
        rows: impl Iterator<Item = Option<usize>>,
    ) {
        match (self, other) {
            (
                Self::Numbers { numbers, rounded },
                Self::Numbers { numbers: values, rounded: also },
            ) => {
                *rounded |= also;
                numbers.extend(rows.map(|row| row.map_or(f64::NAN, |row| values[row])));
            }
            (Self::Texts { texts, known }, Self::Texts { texts: values, .. }) => {
                // What does not occur is no category.
                let mut codes = vec![None; values.names.len()];
                for row in rows {
                    let value = row.map_or(GAP, |row| values.codes[row]) as usize;
                    let code = match values.names.get(value) {
                        None => GAP,
                        Some(name) => *codes[value].get_or_insert_with(|| code(texts, known, name)),
                    };
                    texts.codes.push(code);
                }
            }
            // Whoever reads has made both alike.
            _ => {}
        }
    }
}

/// The code of a text. As in other tables, spaces around it are none of it, and an empty one is a
/// gap.
fn code(texts: &mut Texts, known: &mut HashMap<String, u32>, text: &str) -> u32 {
    match text.trim() {
        "" => GAP,
        text => match known.get(text) {
            Some(&code) => code,
            None => {
                let code = texts.names.len() as u32;
                texts.names.push(text.to_owned());
                known.insert(text.to_owned(), code);
                code
            }
        },
    }
}
