//! From bytes to columns: each byte is looked at once, on as many threads as there are cores.

use super::columns::Growing;
use super::data::Data;
use super::number;
use super::records::{Marks, Unclosed};

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
            return self.piece(text, from, quoted);
        }
        let pieces: Vec<Result<Parsed, Stop>> = std::thread::scope(|scope| {
            let start = |piece: &[usize]| {
                let (from, to) = (piece[0], piece[1]);
                scope.spawn(move || self.piece(&text[..to], from, quoted))
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

    fn piece(&self, text: &[u8], from: usize, quoted: bool) -> Result<Parsed, Stop> {
        let mut growing = Growing::new(self, from, text.len());
        match quoted {
            true => growing.read_quoted(text)?,
            false => growing.read_plain(text)?,
        }
        Ok(growing.finish())
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
