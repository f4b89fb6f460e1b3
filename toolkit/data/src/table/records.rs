//! Records and fields of a CSV file (RFC 4180), as bytes.

use std::borrow::Cow;

/// What the bytes of a file mean.
#[derive(Clone, Copy, Debug)]
pub(super) struct Marks {
    pub separator: u8,
    pub decimal: u8,
    pub quote: Option<u8>,
    pub comment: Option<u8>,
}

/// The fields of a record, without their quotes.
pub(super) type Record<'t> = Vec<Cow<'t, [u8]>>;

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

    /// Whether a field ends at `at`.
    pub(super) fn ends(&self, text: &[u8], at: usize) -> bool {
        text.get(at).is_none_or(|&byte| byte == self.separator || matches!(byte, b'\n' | b'\r'))
    }

    /// The field that begins at `at`, without its quotes, and where it ends.
    pub(super) fn field<'t>(
        &self,
        text: &'t [u8],
        at: usize,
    ) -> Result<(Cow<'t, [u8]>, usize), Unclosed> {
        let quote = match text.get(at) {
            Some(&byte) if self.quote == Some(byte) => byte,
            _ => {
                let end = self.end(text, at);
                return Ok((Cow::Borrowed(&text[at..end]), end));
            }
        };
        let mut field = Cow::Borrowed(&text[at + 1..at + 1]);
        let mut from = at + 1;
        loop {
            let length = text[from..].iter().position(|&byte| byte == quote).ok_or(Unclosed(at))?;
            push(&mut field, &text[from..from + length]);
            from += length + 1;
            if text.get(from) != Some(&quote) {
                break;
            }
            // Doubled, it stands for itself.
            field.to_mut().push(quote);
            from += 1;
        }
        let end = self.end(text, from);
        push(&mut field, &text[from..end]);
        Ok((field, end))
    }

    fn end(&self, text: &[u8], from: usize) -> usize {
        let ends = |&byte: &u8| byte == self.separator || byte == b'\n' || byte == b'\r';
        text[from..].iter().position(ends).map_or(text.len(), |length| from + length)
    }

    /// The fields of the record that begins at `at`, and where it ends.
    pub(super) fn record<'t>(
        &self,
        text: &'t [u8],
        mut at: usize,
    ) -> Result<(Record<'t>, usize), Unclosed> {
        let mut fields = Vec::new();
        loop {
            let (field, end) = self.field(text, at)?;
            fields.push(field);
            at = end + 1;
            if text.get(end) != Some(&self.separator) {
                return Ok((fields, end));
            }
        }
    }
}

fn push<'t>(field: &mut Cow<'t, [u8]>, more: &'t [u8]) {
    if field.is_empty() {
        *field = Cow::Borrowed(more);
    } else if !more.is_empty() {
        field.to_mut().extend_from_slice(more);
    }
}
