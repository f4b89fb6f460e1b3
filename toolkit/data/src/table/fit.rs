//! What is learned from the rows that are trained on.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use jiff::civil::DateTime;

use super::data::{Data, GAP, Texts, by_name};
use super::dates::{self, FittedDates};
use super::encoding::{ColumnEncoding, Encoding, Fill, Kind, Known};
use super::rules::How;
use super::words::Tokenised;
use super::{Becomes, Categories, ColumnRule, FileRows, FittedWords, Missing, Unknown};
use crate::DataError;

/// The columns that are to be features, as they are in the file.
pub(crate) struct Raw {
    pub path: PathBuf,
    /// What `lines` are: "line" or "row".
    pub unit: &'static str,
    /// Whether the file says the names.
    pub named: bool,
    pub names: Vec<String>,
    pub columns: Vec<Data>,
    /// For each row its line of the file, or its number where the file has no lines.
    pub lines: Arc<[usize]>,
    /// The last of these rows stand in files of their own.
    pub files: Arc<[FileRows]>,
    /// The texts whose words are the input, once they are split.
    pub tokenised: OnceLock<Tokenised>,
}

impl Raw {
    /// What is wrong with a column.
    pub(crate) fn wrong(&self, row: Option<usize>, column: usize, reason: String) -> DataError {
        let name = &self.names[column];
        let file = row.and_then(|row| FileRows::of(&self.files, row));
        let (path, unit) = file.map_or((&self.path, self.unit), |file| (&file.path, file.unit));
        let place = match row.and_then(|row| self.lines.get(row)) {
            Some(line) => format!("{unit} {line}, column {name:?}"),
            None => format!("column {name:?}"),
        };
        DataError::File { path: path.clone(), place, reason }
    }

    /// Learns from these rows what the rules leave open.
    pub(crate) fn fit(&self, rules: &[ColumnRule], rows: &[usize]) -> Result<Encoding, DataError> {
        let columns =
            rules.iter().enumerate().map(|(column, rule)| self.column(column, rule, rows));
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        let encoding = Encoding { named: self.named, columns };
        if encoding.width() == 0 {
            return Err(DataError::File {
                path: self.path.clone(),
                place: "features".to_owned(),
                reason: "no column is left to be one".to_owned(),
            });
        }
        Ok(encoding)
    }

    fn column(
        &self,
        column: usize,
        rule: &ColumnRule,
        rows: &[usize],
    ) -> Result<ColumnEncoding, DataError> {
        let nothing = || {
            let reason = "no row that is trained on has a value to fill its gaps with; use \
                          Missing::Constant, Missing::Text, or .ignore the column";
            self.wrong(None, column, reason.to_owned())
        };
        let (fill, kind) = match (&self.columns[column], &rule.becomes) {
            (Data::Numbers(numbers), _) => {
                let known = rows.iter().map(|&row| numbers[row]);
                let known: Vec<f64> = known.filter(|x| x.is_finite()).collect();
                let fill = match &rule.missing.fill {
                    Missing::Mean => Some(mean(&known).ok_or_else(nothing)?),
                    Missing::Median => Some(median(known).ok_or_else(nothing)?),
                    Missing::MostFrequent => Some(most_frequent(known).ok_or_else(nothing)?),
                    Missing::Constant(number) => Some(*number),
                    Missing::Refuse | Missing::Drop | Missing::Text(_) => None,
                };
                (fill.map(Fill::Number), Kind::Number)
            }
            (Data::Texts(texts), Becomes::Dates(features)) => {
                let known = known_dates(texts, rows);
                let fitted = FittedDates::to(&known, *features).ok_or_else(|| {
                    let cure = format!("use .ignore({:?})", self.names[column]);
                    let reason = format!("no row that is trained on has a date; {cure}");
                    self.wrong(None, column, reason)
                })?;
                // There is a date, so that there is each of these.
                let fill = match &rule.missing.fill {
                    Missing::Mean => in_seconds(&known, |all| mean(&all)),
                    Missing::Median => in_seconds(&known, median),
                    Missing::MostFrequent => longest_run(&known),
                    Missing::Text(text) => dates::date(text),
                    Missing::Refuse | Missing::Drop | Missing::Constant(_) => None,
                };
                (fill.map(Fill::Date), Kind::Dates(fitted))
            }
            (Data::Texts(texts), Becomes::Words(words)) => {
                let fill = match &rule.missing.fill {
                    Missing::Text(text) => Some(text.clone()),
                    _ => None,
                };
                let fitted = if words.are_learned() {
                    let tokenised = self.tokenised(texts, fill.as_deref(), words);
                    let times = counts(texts, rows).into_iter().chain([gaps(texts, rows)]);
                    FittedWords::to(tokenised, times, words)
                } else {
                    Some(FittedWords::given(words))
                };
                let fitted = fitted.ok_or_else(|| {
                    let reason = match words.at_least {
                        1 => "no row that is trained on has a word".to_owned(),
                        times => format!(
                            "no word occurs at least {times} times in the rows that are trained \
                             on; ask for fewer by Words::at_least, or for .characters()"
                        ),
                    };
                    self.wrong(None, column, reason)
                })?;
                (fill.map(Fill::Text), Kind::Words(fitted))
            }
            (Data::Texts(texts), becomes) => {
                // Texts are no numbers.
                let categories = match becomes {
                    Becomes::Categories(categories) => *categories,
                    _ => Categories::one_hot(),
                };
                let mut counts = counts(texts, rows);
                let most = || {
                    let known = texts.names.iter().zip(&counts);
                    let known = known.filter(|(_, count)| **count > 0);
                    known.max_by(|(a, x), (b, y)| x.cmp(y).then_with(|| by_name(b, a)))
                };
                let fill = match &rule.missing.fill {
                    Missing::MostFrequent => Some(most().ok_or_else(nothing)?.0.clone()),
                    Missing::Text(text) => Some(text.clone()),
                    _ => None,
                };
                let gaps = gaps(texts, rows);
                let filled =
                    fill.as_ref().and_then(|fill| texts.names.iter().position(|name| name == fill));
                let mut extra = None;
                match (filled, &fill) {
                    (Some(code), _) => counts[code] += gaps,
                    (None, Some(fill)) if gaps > 0 => extra = Some((fill.as_str(), gaps)),
                    _ => {}
                }
                let known = texts.names.iter().map(String::as_str).zip(counts).chain(extra);
                let kind = kind(categories, known);
                (fill.map(Fill::Text), kind)
            }
        };
        Ok(ColumnEncoding {
            name: self.names[column].clone(),
            kind,
            fill,
            indicator: rule.missing.indicator,
        })
    }
}

fn kind<'a>(rule: Categories, counts: impl Iterator<Item = (&'a str, usize)>) -> Kind {
    let (mut categories, mut pooled) = (Vec::new(), BTreeSet::new());
    for (name, count) in counts.filter(|(_, count)| *count > 0) {
        if count < rule.rare_below {
            pooled.insert(name.to_owned());
        } else {
            categories.push(name.to_owned());
        }
    }
    categories.sort_by(|a, b| by_name(a, b));
    let has_rare = !pooled.is_empty() || rule.unknown == Unknown::Rare;
    let rare = has_rare.then(|| pooled.into_iter().collect());
    let known = Known { categories, rare, unknown: rule.unknown };
    match rule.how {
        How::OneHot => Kind::OneHot(known),
        How::Ordinal => Kind::Ordinal(known),
        How::Embedded => Kind::Embedded(known),
    }
}

/// How many of these rows have each text.
fn counts(texts: &Texts, rows: &[usize]) -> Vec<usize> {
    let mut counts = vec![0; texts.names.len()];
    for &row in rows {
        // A gap has none.
        if let Some(count) = counts.get_mut(texts.codes[row] as usize) {
            *count += 1;
        }
    }
    counts
}

fn gaps(texts: &Texts, rows: &[usize]) -> usize {
    rows.iter().filter(|&&row| texts.codes[row] == GAP).count()
}

fn mean(numbers: &[f64]) -> Option<f64> {
    let count = numbers.len() as f64;
    (count > 0.0).then(|| numbers.iter().sum::<f64>() / count)
}

fn median(mut numbers: Vec<f64>) -> Option<f64> {
    numbers.sort_unstable_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    let upper = *numbers.get(middle)?;
    match numbers.len() % 2 {
        1 => Some(upper),
        _ => Some(f64::midpoint(numbers[middle - 1], upper)),
    }
}

/// The number that occurs most often, the smallest of several.
fn most_frequent(mut numbers: Vec<f64>) -> Option<f64> {
    // -0 is 0.
    numbers.iter_mut().for_each(|x| *x += 0.0);
    numbers.sort_unstable_by(f64::total_cmp);
    longest_run(&numbers)
}

/// What occurs most often in an ascending list, the least of several.
fn longest_run<T: Copy + PartialEq>(sorted: &[T]) -> Option<T> {
    let runs = sorted.chunk_by(|a, b| a == b);
    // Of equals the last is the greatest.
    runs.rev().max_by_key(|run| run.len()).and_then(|run| run.first().copied())
}

/// The dates of these rows, ascending; what is none is told of when it is to be encoded.
fn known_dates(texts: &Texts, rows: &[usize]) -> Vec<DateTime> {
    let dates = texts.names.iter().map(|name| dates::date(name));
    let counts = dates.zip(counts(texts, rows));
    let known = counts.filter_map(|(date, count)| Some(std::iter::repeat_n(date?, count)));
    let mut known: Vec<DateTime> = known.flatten().collect();
    known.sort_unstable();
    known
}

/// A statistic of dates, to the second.
fn in_seconds(dates: &[DateTime], statistic: impl Fn(Vec<f64>) -> Option<f64>) -> Option<DateTime> {
    let seconds = dates.iter().map(|&date| dates::seconds(date)).collect();
    statistic(seconds).and_then(dates::after)
}
