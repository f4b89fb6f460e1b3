//! From bytes to columns: each byte is looked at once, on as many threads as there are cores.

use std::collections::HashMap;

use super::data::{Data, GAP, Texts};
use super::number;
use super::records::{Marks, Records, Unclosed};

/// How the columns of a file are to be read.
pub(super) struct Layout<'a> {
    pub marks: Marks,
    /// The words that stand for a gap.
    pub missing: &'a [String],
    /// For each column whether it holds texts.
    pub texts: Vec<bool>,
}

/// All records from some byte on.
#[derive(Default)]
pub(super) struct Parsed {
    pub columns: Vec<Data>,
    /// The first byte of each row.
    pub starts: Vec<usize>,
    /// For each column of numbers whether there is something else in it.
    pub not_numbers: Vec<bool>,
}

/// What stops the reading.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stop {
    Unclosed(Unclosed),
    /// The record from this byte on has so many fields.
    Fields(usize, usize),
}

/// From so many rows on, room is made for all that seem to follow.
const ROWS_TO_GUESS_BY: usize = 1000;

/// Below so many bytes a second thread is not worth its start.
const WORTH_A_THREAD: usize = 1 << 20;

impl Layout<'_> {
    /// Reads the records from byte `from` on. A quoted field may hold a line break, so that where
    /// a quote occurs there is one thread.
    pub(super) fn parse(&self, text: &[u8], from: usize) -> Result<Parsed, Stop> {
        let quoted = self.marks.quote.is_some_and(|quote| text[from..].contains(&quote));
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = if quoted { 1 } else { cores.min((text.len() - from) / WORTH_A_THREAD) };
        let mut bounds = vec![from];
        for thread in 1..threads {
            let near = from + (text.len() - from) / threads * thread;
            let line = text[near..].iter().position(|&byte| byte == b'\n');
            bounds.extend(line.map(|length| near + length + 1));
        }
        bounds.push(text.len());
        bounds.dedup();
        if bounds.len() < 3 {
            return self.piece(text, from);
        }
        let pieces: Vec<Result<Parsed, Stop>> = std::thread::scope(|scope| {
            let start = |piece: &[usize]| {
                let (from, to) = (piece[0], piece[1]);
                scope.spawn(move || self.piece(&text[..to], from))
            };
            let threads: Vec<_> = bounds.windows(2).map(start).collect();
            let join = |thread: std::thread::ScopedJoinHandle<'_, _>| {
                thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            };
            threads.into_iter().map(join).collect()
        });
        let mut all = Parsed::default();
        for piece in pieces {
            all.append(piece?);
        }
        Ok(all)
    }

    fn piece(&self, text: &[u8], from: usize) -> Result<Parsed, Stop> {
        let width = self.texts.len();
        let mut columns: Vec<Builder> = self.texts.iter().map(|&is| self.builder(is)).collect();
        let mut starts = Vec::new();
        let mut not_numbers = vec![false; width];
        let mut records = Records::new(self.marks, text, from);
        while let Some(start) = records.next().map_err(Stop::Unclosed)? {
            if records.len() != width {
                return Err(Stop::Fields(start, records.len()));
            }
            for (column, (builder, field)) in columns.iter_mut().zip(records.fields()).enumerate() {
                match builder {
                    Builder::Numbers(numbers) => {
                        let number = self.number(field);
                        not_numbers[column] |= number.is_none();
                        numbers.push(number.unwrap_or(f64::NAN));
                    }
                    Builder::Texts(texts, known) => {
                        texts.codes.push(code(trimmed(field), &mut texts.names, known));
                    }
                }
            }
            starts.push(start);
            // The first rows tell about how many there are.
            if starts.len() == ROWS_TO_GUESS_BY {
                let row = (records.end() - from) / ROWS_TO_GUESS_BY;
                let more = (text.len() - from) / row;
                starts.reserve(more);
                columns.iter_mut().for_each(|builder| builder.reserve(more));
            }
        }
        let columns = columns.into_iter().map(Builder::finish).collect();
        Ok(Parsed { columns, starts, not_numbers })
    }

    /// As [`value`](Self::value), quickly where a number is written plainly.
    fn number(&self, field: &[u8]) -> Option<f64> {
        match number::plain(field, self.marks.decimal) {
            Some((number, length)) if length == field.len() => Some(number),
            _ => std::str::from_utf8(field).ok().and_then(|field| self.value(field)),
        }
    }

    /// A number, NaN for a gap, or nothing for what is neither.
    pub(super) fn value(&self, field: &str) -> Option<f64> {
        if self.is_gap(field) {
            return Some(f64::NAN);
        }
        number::number(field, self.marks.decimal)
    }

    pub(super) fn is_gap(&self, field: &str) -> bool {
        let field = field.trim();
        field.is_empty() || self.missing.iter().any(|word| word == field)
    }

    fn builder(&self, is_text: bool) -> Builder {
        if !is_text {
            return Builder::Numbers(Vec::new());
        }
        let words = self.missing.iter().map(|word| (word.as_bytes().into(), GAP));
        let empty = std::iter::once((Box::default(), GAP));
        Builder::Texts(Texts::default(), words.chain(empty).collect())
    }
}

/// A column as it grows.
enum Builder {
    Numbers(Vec<f64>),
    Texts(Texts, HashMap<Box<[u8]>, u32>),
}

impl Builder {
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

impl Parsed {
    fn append(&mut self, more: Self) {
        if self.starts.is_empty() {
            *self = more;
            return;
        }
        self.starts.extend(more.starts);
        for (mine, more) in self.not_numbers.iter_mut().zip(more.not_numbers) {
            *mine |= more;
        }
        for (mine, more) in self.columns.iter_mut().zip(more.columns) {
            mine.append(more);
        }
    }
}

/// Without white space around it, as [`str::trim`] has it: columns that are looked at later are
/// trimmed so.
fn trimmed(field: &[u8]) -> &[u8] {
    std::str::from_utf8(field).map_or(field, |text| text.trim().as_bytes())
}
