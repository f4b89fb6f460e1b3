//! Where reading a query came to a halt.

use std::borrow::Cow;

use winnow::error::{AddContext, ErrMode, ParserError};
use winnow::stream::{LocatingSlice, Location, Stream};

use super::hint;
use crate::query::ast::{Span, is_word};
use crate::query::error::QueryError;

/// What is left of a query's text.
pub(super) type Input<'a> = LocatingSlice<&'a str>;

/// What was read, or where reading came to a halt.
pub(super) type Parsed<T> = Result<T, ErrMode<Mistake>>;

/// Where reading came to a halt, and what would have been right there.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Mistake {
    at: usize,
    expected: Vec<&'static str>,
    /// Said instead, where there is something better to say, and about what.
    remark: Option<(Span, Cow<'static, str>)>,
    /// Whether it may lie in a name without its quotes, though there is a remark.
    in_name: bool,
}

impl Mistake {
    /// As an error of the query `text`.
    pub(super) fn into_error(self, text: &str) -> QueryError {
        let Mistake { at, expected, remark, in_name } = self;
        let hint = match &remark {
            // A quote that is never closed.
            Some((span, _)) if hint::doubled(&text[span.start..]).is_some() => {
                hint::doubled(&text[span.start..])
            }
            Some(_) if !in_name => None,
            _ => hint::escaped_quote(text, at).or_else(|| hint::unquoted_name(text, at)),
        };
        let (span, mut message) = match remark {
            Some((span, remark)) => (span, remark.into_owned()),
            None => hint::sign(text, at).unwrap_or_else(|| {
                let found = &text[at..][..word_length(&text[at..])];
                let span = at..at + found.len();
                let found =
                    if found.is_empty() { "the end".to_owned() } else { format!("`{found}`") };
                (span, format!("expected {}, found {found}", expected.join(" or ")))
            }),
        };
        if let Some(hint) = hint {
            message.push_str("; ");
            message.push_str(&hint);
        }
        QueryError::new(text, span, message)
    }
}

/// How many bytes a caret should underline: a word, or else one character.
fn word_length(text: &str) -> usize {
    let word = text.find(|c| !is_word(c)).unwrap_or(text.len());
    if word > 0 { word } else { text.chars().next().map_or(0, char::len_utf8) }
}

impl ParserError<Input<'_>> for Mistake {
    type Inner = Mistake;

    fn from_input(input: &Input<'_>) -> Mistake {
        Mistake { at: input.current_token_start(), ..Mistake::default() }
    }

    fn or(mut self, mut other: Mistake) -> Mistake {
        // The branch that came farther is the one that was meant.
        match self.at.cmp(&other.at) {
            std::cmp::Ordering::Less => other,
            std::cmp::Ordering::Greater => self,
            std::cmp::Ordering::Equal => {
                other.expected.retain(|expected| !self.expected.contains(expected));
                self.expected.append(&mut other.expected);
                self.remark = self.remark.or(other.remark);
                self
            }
        }
    }

    fn into_inner(self) -> Result<Mistake, Mistake> {
        Ok(self)
    }
}

impl AddContext<Input<'_>, &'static str> for Mistake {
    fn add_context(
        mut self,
        _: &Input<'_>,
        _: &<Input<'_> as Stream>::Checkpoint,
        expected: &'static str,
    ) -> Mistake {
        if self.expected.is_empty() {
            self.expected.push(expected);
        }
        self
    }
}

/// Fails for good with a remark about this place.
pub(super) fn refuse<T>(span: Span, remark: impl Into<Cow<'static, str>>) -> Parsed<T> {
    Err(ErrMode::Cut(Mistake {
        at: span.start,
        remark: Some((span, remark.into())),
        ..Mistake::default()
    }))
}

/// Fails for good with a remark about this place, which may be part of a name without its quotes.
pub(super) fn refuse_name<T>(span: Span, remark: String) -> Parsed<T> {
    refuse(span, remark).map_err(|error| error.map(|mistake| Mistake { in_name: true, ..mistake }))
}

/// Fails for good with a remark about the word, or else the character, at this byte of the input.
pub(super) fn refuse_word<T>(input: &Input<'_>, remark: impl Into<Cow<'static, str>>) -> Parsed<T> {
    let start = input.current_token_start();
    refuse(start..start + word_length(input.as_ref()), remark)
}
