//! Records of a CSV file (RFC 4180), found by the crate `csv-core`. What is added: the byte where a
//! record begins, and the quote that nobody closes.

use csv_core::{ReadFieldResult, ReadRecordResult, Reader, ReaderBuilder};

/// What the bytes of a file mean.
#[derive(Clone, Copy, Debug)]
pub(super) struct Marks {
    pub separator: u8,
    pub decimal: u8,
    pub quote: Option<u8>,
    pub comment: Option<u8>,
}

/// A quoted field begins here and does not end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unclosed(pub usize);

impl Marks {
    /// The beginning of the next record from that of a line on: empty lines and comments are left
    /// out. The end of the text if there is none.
    pub(super) fn skip(&self, text: &[u8], mut at: usize) -> usize {
        loop {
            match text.get(at) {
                Some(b'\n' | b'\r') => at += 1,
                Some(byte) if self.comment == Some(*byte) => {
                    let line = text[at..].iter().position(|byte| matches!(byte, b'\n' | b'\r'));
                    at = line.map_or(text.len(), |length| at + length);
                }
                _ => return at,
            }
        }
    }

    fn reader(&self) -> Reader {
        let mut builder = ReaderBuilder::new();
        builder.delimiter(self.separator).quoting(self.quote.is_some());
        if let Some(quote) = self.quote {
            builder.quote(quote);
        }
        builder.build()
    }
}

/// The records of a text, one at a time.
pub(super) struct Records<'t> {
    marks: Marks,
    text: &'t [u8],
    reader: Reader,
    at: usize,
    /// The fields of the record at hand, one behind the other, without their quotes.
    bytes: Vec<u8>,
    /// Where each field ends in `bytes`.
    ends: Vec<usize>,
    fields: usize,
}

impl<'t> Records<'t> {
    /// The records from byte `at` on, the beginning of a line.
    pub(super) fn new(marks: Marks, text: &'t [u8], at: usize) -> Self {
        let (bytes, ends) = (vec![0; 1024], vec![0; 64]);
        Self { marks, text, reader: marks.reader(), at, bytes, ends, fields: 0 }
    }

    /// Goes to the next record and says on which byte it begins; `None` at the end of the text.
    pub(super) fn next(&mut self) -> Result<Option<usize>, Unclosed> {
        let start = self.marks.skip(self.text, self.at);
        let (mut written, mut at) = (0, start);
        self.fields = 0;
        if start == self.text.len() {
            self.at = start;
            return Ok(None);
        }
        loop {
            let ended = at == self.text.len();
            let rest = if ended { b"\n" } else { &self.text[at..] };
            let (result, read, wrote, ends) = self.reader.read_record(
                rest,
                &mut self.bytes[written..],
                &mut self.ends[self.fields..],
            );
            written += wrote;
            self.fields += ends;
            match result {
                ReadRecordResult::Record => {
                    self.at = self.text.len().min(at + read);
                    return Ok(Some(start));
                }
                ReadRecordResult::OutputFull => self.bytes.resize(2 * self.bytes.len(), 0),
                ReadRecordResult::OutputEndsFull => self.ends.resize(2 * self.ends.len(), 0),
                // A line's end within quotes is a byte like others.
                _ if ended => return Err(self.unclosed(start)),
                _ => {}
            }
            at = self.text.len().min(at + read);
        }
    }

    /// The last field of the record that begins at `start` and does not end.
    fn unclosed(&self, start: usize) -> Unclosed {
        let (mut reader, mut at, mut field) = (self.marks.reader(), start, start);
        let mut bytes = [0; 1024];
        while at < self.text.len() {
            let (result, read, _) = reader.read_field(&self.text[at..], &mut bytes);
            at += read;
            if matches!(result, ReadFieldResult::Field { .. }) {
                field = at;
            }
        }
        Unclosed(field)
    }

    /// Where what follows the record at hand begins.
    pub(super) fn end(&self) -> usize {
        self.at
    }

    /// How many fields the record at hand has.
    pub(super) fn len(&self) -> usize {
        self.fields
    }

    /// A field of the record at hand, without its quotes; empty beyond the last one.
    pub(super) fn field(&self, column: usize) -> &[u8] {
        let start = column.checked_sub(1).map_or(0, |before| self.ends[before]);
        match self.ends[..self.fields].get(column) {
            Some(&end) => &self.bytes[start..end],
            None => b"",
        }
    }

    /// The fields of the record at hand.
    pub(super) fn fields(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        self.ends[..self.fields].iter().map(move |&end| {
            let field = &self.bytes[start..end];
            start = end;
            field
        })
    }
}
