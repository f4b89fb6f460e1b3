//! Looking at the first rows of a file: how it is written, and what its columns are.

use csv::ByteRecord;

use super::layout::Layout;
use super::number;
use super::options::CsvOptions;
use super::records::{Marks, Records, Unclosed};

/// So many records are looked at.
const LOOK_AT: usize = 1000;

/// The separators that are tried, the first one first.
const SEPARATORS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// What bytes mean in this file.
pub(super) fn marks(text: &[u8], options: &CsvOptions) -> Marks {
    let byte = |c: char| c as u32 as u8;
    let of = |separator: u8| Marks {
        separator,
        decimal: b'.',
        quote: options.quote.map(byte),
        comment: options.comment.map(byte),
    };
    let mut marks = match options.separator {
        Some(separator) => of(byte(separator)),
        None => {
            // One sign cannot be both.
            let decimal = options.decimal.map(byte);
            let tried = SEPARATORS.into_iter().filter(|sign| Some(*sign) != decimal).map(of);
            let best = tried.filter_map(|marks| Some((evenness(text, marks)?, marks)));
            // Of equals the last is the greatest.
            let best = best.rev().max_by(|(a, _), (b, _)| a.total_cmp(b));
            best.map_or_else(|| of(first_separator(text, of(b','))), |(_, marks)| marks)
        }
    };
    marks.decimal = match options.decimal {
        Some(decimal) => byte(decimal),
        None => decimal(text, marks),
    };
    marks
}

/// How well a separator fits: the share of fields that are numbers, if each record has the same
/// number of fields and more than one.
fn evenness(text: &[u8], mut marks: Marks) -> Option<f64> {
    marks.decimal = decimal(text, marks);
    let records = head(text, 0, marks, LOOK_AT).ok()?;
    let width = records.first()?.len();
    if width < 2 || records.iter().any(|record| record.len() != width) {
        return None;
    }
    let fields = || records.iter().flatten();
    let numbers = fields().filter(|field| is_number(field, marks.decimal)).count();
    // More fields are better by less than one number.
    Some(numbers as f64 / fields().count() as f64 + 1e-9 * width as f64)
}

/// The first separator on the first line where none divides evenly.
fn first_separator(text: &[u8], marks: Marks) -> u8 {
    let line = &text[marks.skip(text, 0)..];
    let line = line.split(|byte| matches!(byte, b'\n' | b'\r')).next().unwrap_or_default();
    SEPARATORS.into_iter().find(|separator| line.contains(separator)).unwrap_or(b',')
}

/// A comma if there are numbers with one and none with a point.
fn decimal(text: &[u8], marks: Marks) -> u8 {
    if marks.separator == b',' {
        return b'.';
    }
    let Ok(records) = head(text, 0, marks, LOOK_AT) else { return b'.' };
    let (mut commas, mut points) = (false, false);
    for field in records.iter().flatten() {
        commas |= field.contains(&b',') && is_number(field, b',');
        points |= field.contains(&b'.') && is_number(field, b'.');
    }
    if commas && !points { b',' } else { b'.' }
}

/// Up to `count` records from byte `from` on.
pub(super) fn head(
    text: &[u8],
    from: usize,
    marks: Marks,
    count: usize,
) -> Result<Vec<ByteRecord>, Unclosed> {
    let mut records = Records::new(marks, text, from);
    let mut head = Vec::new();
    while head.len() < count && records.next()?.is_some() {
        head.push(records.fields().collect());
    }
    Ok(head)
}

fn is_number(field: &[u8], decimal: u8) -> bool {
    std::str::from_utf8(field).is_ok_and(|field| number::number(field, decimal).is_some())
}

/// What the first rows say of one column.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    pub numbers: usize,
    pub texts: usize,
}

/// What the first rows from byte `from` on say of each column.
pub(super) fn seen(text: &[u8], from: usize, width: usize, layout: &Layout<'_>) -> Vec<Seen> {
    let mut seen = vec![Seen::default(); width];
    // A record that does not end is told of by the reading that follows.
    let records = head(text, from, layout.marks, LOOK_AT).unwrap_or_default();
    for record in &records {
        for (seen, field) in seen.iter_mut().zip(record) {
            let value = std::str::from_utf8(field).ok().and_then(|field| layout.value(field));
            match value {
                Some(gap) if gap.is_nan() => {}
                Some(_) => seen.numbers += 1,
                None => seen.texts += 1,
            }
        }
    }
    seen
}
