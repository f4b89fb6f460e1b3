//! Columns as they grow, record after record.

use std::collections::HashMap;

use super::data::{Data, GAP, Texts};
use super::layout::{Layout, Parsed, Stop};
use super::number;
use super::records::Records;

/// From so many rows on, room is made for all that seem to follow.
const ROWS_TO_GUESS_BY: usize = 1000;

/// The records of a part of a text.
pub(super) struct Growing<'a> {
    layout: &'a Layout<'a>,
    columns: Vec<Builder>,
    starts: Vec<usize>,
    not_numbers: Vec<bool>,
    /// Whether what is written plainly is a number and nothing else: no word for a gap is one, such
    /// as -999, and what separates fields is no part of one.
    plainly: bool,
    /// The bytes to be read.
    from: usize,
    to: usize,
}

/// A column as it grows.
enum Builder {
    Numbers(Vec<f64>),
    Texts(Texts, HashMap<Box<[u8]>, u32>),
}

impl<'a> Growing<'a> {
    pub(super) fn new(layout: &'a Layout<'a>, from: usize, to: usize) -> Self {
        let columns: Vec<Builder> =
            layout.texts.iter().map(|&is_text| Builder::new(is_text, layout.missing)).collect();
        let not_numbers = vec![false; columns.len()];
        let marks = &layout.marks;
        let is_number = |word: &String| number::number(word, marks.decimal).is_some();
        let plainly = !layout.missing.iter().any(is_number)
            && !matches!(marks.separator, b'-' | b'.')
            && marks.separator != marks.decimal;
        Self { layout, columns, starts: Vec::new(), not_numbers, plainly, from, to }
    }

    /// Reads the records from byte `from` on, of which fields may be quoted.
    pub(super) fn read_quoted(&mut self, text: &[u8]) -> Result<(), Stop> {
        let mut records = Records::new(self.layout.marks, text, self.from);
        while let Some(start) = records.next().map_err(Stop::Unclosed)? {
            if records.len() != self.columns.len() {
                return Err(Stop::Fields(start, records.len()));
            }
            for (column, field) in records.fields().enumerate() {
                self.push(column, field);
            }
            self.end_row(start, records.end());
        }
        Ok(())
    }

    /// Reads the records of a text without quotes, whose fields are taken from where they lie.
    pub(super) fn read_plain(&mut self, text: &[u8]) -> Result<(), Stop> {
        let marks = self.layout.marks;
        let mut at = marks.skip(text, self.from);
        while at < text.len() {
            let start = at;
            for column in 0..self.columns.len() {
                let rest = text.get(at..).unwrap_or_default();
                let is_last = column + 1 == self.columns.len();
                let ends = |length: usize| match rest.get(length) {
                    Some(b'\n' | b'\r') | None => is_last,
                    Some(&byte) => !is_last && byte == marks.separator,
                };
                if self.plainly
                    && let Builder::Numbers(numbers) = &mut self.columns[column]
                    && let Some((number, length)) = number::plain(rest, marks.decimal)
                    && ends(length)
                {
                    numbers.push(number);
                    at += length + 1;
                    continue;
                }
                let is_end = |&byte: &u8| byte == marks.separator || matches!(byte, b'\n' | b'\r');
                let length = rest.iter().position(is_end).unwrap_or(rest.len());
                if !ends(length) {
                    return Err(Stop::Fields(start, self.fields(&text[start..])));
                }
                self.push(column, &rest[..length]);
                at += length + 1;
            }
            at = at.min(text.len());
            self.end_row(start, at);
            at = marks.skip(text, at);
        }
        Ok(())
    }

    /// How many fields the record has with which a text begins.
    fn fields(&self, text: &[u8]) -> usize {
        let record = text.split(|byte| matches!(byte, b'\n' | b'\r')).next().unwrap_or_default();
        1 + record.iter().filter(|&&byte| byte == self.layout.marks.separator).count()
    }

    fn push(&mut self, column: usize, field: &[u8]) {
        match &mut self.columns[column] {
            Builder::Numbers(numbers) => {
                let number = match number::plain(field, self.layout.marks.decimal) {
                    Some((number, length)) if self.plainly && length == field.len() => Some(number),
                    _ => std::str::from_utf8(field).ok().and_then(|text| self.layout.value(text)),
                };
                self.not_numbers[column] |= number.is_none();
                numbers.push(number.unwrap_or(f64::NAN));
            }
            Builder::Texts(texts, known) => {
                texts.codes.push(code(trimmed(field), &mut texts.names, known));
            }
        }
    }

    /// A record began at `start` and ended before `end`. The first ones tell about how many there
    /// are.
    fn end_row(&mut self, start: usize, end: usize) {
        self.starts.push(start);
        if self.starts.len() == ROWS_TO_GUESS_BY {
            let row = (end - self.from) / ROWS_TO_GUESS_BY;
            let more = (self.to - self.from) / row.max(1);
            self.starts.reserve(more);
            self.columns.iter_mut().for_each(|builder| builder.reserve(more));
        }
    }

    pub(super) fn finish(self) -> Parsed {
        let columns = self.columns.into_iter().map(Builder::finish).collect();
        Parsed { columns, starts: self.starts, not_numbers: self.not_numbers }
    }
}

impl Builder {
    fn new(is_text: bool, missing: &[String]) -> Self {
        if !is_text {
            return Self::Numbers(Vec::new());
        }
        let words = missing.iter().map(|word| (word.as_bytes().into(), GAP));
        let empty = std::iter::once((Box::default(), GAP));
        Self::Texts(Texts::default(), words.chain(empty).collect())
    }

    fn reserve(&mut self, more: usize) {
        match self {
            Self::Numbers(numbers) => numbers.reserve(more),
            Self::Texts(texts, _) => texts.codes.reserve(more),
        }
    }

    fn finish(self) -> Data {
        match self {
            Self::Numbers(numbers) => Data::Numbers(numbers),
            Self::Texts(texts, _) => Data::Texts(texts),
        }
    }
}

fn code(field: &[u8], names: &mut Vec<String>, known: &mut HashMap<Box<[u8]>, u32>) -> u32 {
    if let Some(&code) = known.get(field) {
        return code;
    }
    let code = names.len() as u32;
    names.push(String::from_utf8_lossy(field).into_owned());
    known.insert(field.into(), code);
    code
}

/// Without white space around it, as [`str::trim`] has it: columns that are looked at later are
/// trimmed so.
fn trimmed(field: &[u8]) -> &[u8] {
    std::str::from_utf8(field).map_or(field, |text| text.trim().as_bytes())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::records::Marks;
    use super::*;

    fn read(layout: &Layout<'_>, text: &str, quoted: bool) -> Result<Parsed, String> {
        let mut growing = Growing::new(layout, 0, text.len());
        let result = match quoted {
            true => growing.read_quoted(text.as_bytes()),
            false => growing.read_plain(text.as_bytes()),
        };
        result.map(|()| growing.finish()).map_err(|stop| format!("{stop:?}"))
    }

    /// Everything that was read, NaN and the sign of 0 included.
    fn shown(parsed: Result<Parsed, String>) -> String {
        match parsed {
            Err(stop) => stop,
            Ok(Parsed { columns, starts, not_numbers }) => {
                let columns: Vec<String> = columns
                    .iter()
                    .map(|data| match data {
                        Data::Numbers(all) => {
                            format!("{:x?}", all.iter().map(|x| x.to_bits()).collect::<Vec<_>>())
                        }
                        Data::Texts(texts) => format!("{texts:?}"),
                    })
                    .collect();
                format!("{columns:?} {starts:?} {not_numbers:?}")
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn records_without_quotes_are_the_same_both_ways(
            rows in proptest::collection::vec(
                proptest::collection::vec("-?[0-9]{0,19}[.,]?[0-9]{0,3}|NA|-999| x|[-é#+e;|1]{0,3}", 1..4),
                0..6,
            ),
            // Most records are as long as the first.
            width in 1..4_usize,
            separator in prop::sample::select(vec![b',', b';', b'-', b'.', b'|']),
            decimal in prop::sample::select(vec![b'.', b',']),
            end in prop::sample::select(vec!["\n", "\r\n", "\r", "\n\n"]),
            gap in prop::sample::select(vec!["NA", "-999"]),
            texts in any::<[bool; 4]>(),
        ) {
            let line = |row: &Vec<String>| {
                let fields: Vec<_> = row.iter().cycle().take(width).map(String::as_str).collect();
                fields.join(&char::from(separator).to_string())
            };
            let text = rows.iter().map(line).collect::<Vec<_>>().join(end);
            let marks = Marks { separator, decimal, quote: Some(b'"'), comment: Some(b'#') };
            let missing = [gap.to_owned()];
            let layout = Layout { marks, missing: &missing, texts: texts[..width].to_vec() };
            prop_assert_eq!(shown(read(&layout, &text, false)), shown(read(&layout, &text, true)));
        }

        #[test]
        fn numbers_are_those_of_the_standard_library(text in "-?[0-9]{1,20}([.][0-9]{0,22})?") {
            let marks = Marks { separator: b',', decimal: b'.', quote: None, comment: None };
            let layout = Layout { marks, missing: &[], texts: vec![false] };
            let expected: f64 = text.parse().unwrap();
            let Data::Numbers(found) = &read(&layout, &text, false).unwrap().columns[0] else {
                panic!("no numbers");
            };
            // Beside the middle of two numbers of f32 a number is moved by its last bit.
            let near = found[0].to_bits().abs_diff(expected.to_bits());
            prop_assert!(near <= 1 && found[0] as f32 == text.parse::<f32>().unwrap(), "{}", text);
            prop_assert!(near == 0 || expected.to_bits() & 0x1fff_ffff == 0x1000_0000);
        }
    }

    #[test]
    fn a_word_for_a_gap_may_be_a_number() {
        let marks = Marks { separator: b',', decimal: b'.', quote: None, comment: None };
        let missing = ["-999".to_owned()];
        let layout = Layout { marks, missing: &missing, texts: vec![false; 2] };
        for quoted in [false, true] {
            let parsed = read(&layout, "-999,1\n2,-999\n", quoted).unwrap();
            assert_eq!(parsed.columns.iter().map(Data::gaps).collect::<Vec<_>>(), [1, 1]);
        }
    }
}
