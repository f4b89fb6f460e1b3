//! A comparison as text.

use std::collections::BTreeMap;
use std::fmt;

use super::comparison::Comparison;
use super::metric::{ComparedMetric, PARTS};
use crate::amount::count;
use crate::run_id::RunId;
use crate::text::{rounded, row, short, widths};

/// How many characters of a value are shown.
const WIDEST: usize = 24;

/// How many characters of a name are shown.
const WIDEST_NAME: usize = 40;

/// How many metrics are shown.
const METRICS: usize = 12;

/// How many digits of a number are shown, unless they hide a difference.
const DIGITS: usize = 6;

/// A line of the table: the head of a part, or a name and a value for each run.
enum Line {
    Head(String),
    Row(Vec<String>),
}

impl fmt::Display for Comparison {
    /// The runs with a letter each, then a table of what differs, then what is the same.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let runs: Vec<[String; 4]> = self
            .runs
            .iter()
            .enumerate()
            .map(|(place, run)| {
                let name = run.name.as_deref().map(|name| short(name, WIDEST_NAME));
                let state = run.state.name().to_owned();
                [letter(place), run.id.to_string(), state, name.unwrap_or_default()]
            })
            .collect();
        crate::text::columns(f, &runs)?;
        let lines = self.lines();
        let mut head = vec![String::new()];
        head.extend((0..self.runs.len()).map(letter));
        let rows = lines.iter().filter_map(|line| match line {
            Line::Row(cells) => Some(cells.as_slice()),
            Line::Head(_) => None,
        });
        let widths = widths(rows.chain([head.as_slice()]));
        if !lines.is_empty() {
            writeln!(f)?;
            row(f, &head, &widths)?;
        }
        for line in &lines {
            match line {
                Line::Head(head) => writeln!(f, "{head}")?,
                Line::Row(cells) => row(f, cells, &widths)?,
            }
        }
        if let Some(more) = self.metrics.len().checked_sub(METRICS).filter(|more| *more > 0) {
            writeln!(f, "{} more; JSON lists them", metrics(more, "differ", "differs"))?;
        }
        let fields = count(self.same_fields, "field");
        writeln!(f, "\nthe same in all: {fields}, {}", count(self.same_metrics, "metric"))?;
        if !self.not_compared.is_empty() {
            let names: Vec<String> =
                self.not_compared.iter().map(|name| short(name, WIDEST_NAME)).collect();
            writeln!(f, "not compared, because they measure time: {}", names.join(", "))?;
        }
        Ok(())
    }
}

impl Comparison {
    fn lines(&self) -> Vec<Line> {
        let mut lines = Vec::new();
        for fields in self.fields.chunk_by(|a, b| a.group == b.group) {
            let Some(first) = fields.first() else { continue };
            lines.push(Line::Head(first.group.name().to_owned()));
            for field in fields {
                let value = |value: &crate::Value| short(&value.to_string(), WIDEST);
                lines.push(self.row(&field.path, &field.values, value));
            }
        }
        if !self.metrics.is_empty() {
            lines.push(Line::Head("metrics, those that differ most first".to_owned()));
        }
        for metric in self.metrics.iter().take(METRICS) {
            lines.extend(self.metric(metric));
        }
        lines
    }

    /// A row for each part that differs.
    fn metric<'c>(&'c self, metric: &'c ComparedMetric) -> impl Iterator<Item = Line> + 'c {
        let all_have = metric.values.len() == self.runs.len();
        // Of one that some runs lack, the last value says that.
        let shown = PARTS
            .iter()
            .enumerate()
            .filter(move |(place, (_, part))| !metric.is_same(*part) || (!all_have && *place == 0));
        shown.map(move |(_, (name, part))| {
            let values: BTreeMap<RunId, f64> =
                metric.values.iter().map(|(id, whole)| (id.clone(), part(whole))).collect();
            let exact = hides_a_difference(&values);
            let number = |value: &f64| {
                if exact { format!("{value:?}") } else { rounded(*value, DIGITS) }
            };
            self.row(&format!("{} {name}", metric.metric), &values, number)
        })
    }

    fn row<T>(&self, name: &str, values: &BTreeMap<RunId, T>, text: impl Fn(&T) -> String) -> Line {
        let mut cells = vec![short(name, WIDEST_NAME)];
        cells.extend(
            self.runs.iter().map(|run| values.get(&run.id).map_or("absent".to_owned(), &text)),
        );
        Line::Row(cells)
    }
}

/// Whether numbers that differ would look the same.
fn hides_a_difference(values: &BTreeMap<RunId, f64>) -> bool {
    // Every NaN looks the same, and is.
    let numbers = values.values().filter(|value| !value.is_nan());
    let mut bits: Vec<(u64, String)> =
        numbers.map(|value| (value.to_bits(), rounded(*value, DIGITS))).collect();
    bits.sort_unstable();
    bits.dedup();
    let distinct = bits.len();
    let mut texts: Vec<String> = bits.into_iter().map(|(_, text)| text).collect();
    texts.sort_unstable();
    texts.dedup();
    distinct > texts.len()
}

/// The name of a column: a to z, then aa, ab and so on.
fn letter(place: usize) -> String {
    const LETTERS: usize = 26;
    let last = char::from(b'a' + (place % LETTERS) as u8);
    match place / LETTERS {
        0 => last.to_string(),
        more => letter(more - 1) + &last.to_string(),
    }
}

fn metrics(number: usize, many: &str, one: &str) -> String {
    format!("{} {}", count(number, "metric"), if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    #[test]
    fn numbers_that_look_alike_are_told_beside_a_nan_too() {
        let hides = |numbers: &[f64]| {
            let values = numbers.iter().map(|number| (RunId::draw(Timestamp::now()), *number));
            hides_a_difference(&values.collect())
        };
        let near = 0.5 + f64::EPSILON;
        assert!(hides(&[0.5, near]) && hides(&[0.5, f64::NAN, near]));
        assert!(!hides(&[0.5, 0.6]) && !hides(&[0.5, 0.5]) && !hides(&[f64::NAN, -f64::NAN]));
    }

    #[test]
    fn columns_have_letters() {
        let names = [0, 1, 25, 26, 27, 51, 52, 701, 702].map(letter);
        assert_eq!(names, ["a", "b", "z", "aa", "ab", "az", "ba", "zz", "aaa"]);
    }
}
