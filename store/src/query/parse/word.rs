//! Words of the language.

use winnow::error::ErrMode;
use winnow::prelude::*;
use winnow::token::{literal, take_while};

use super::mistake::{Input, Mistake};
use crate::query::ast::is_word;

/// A word of the language.
pub(super) fn word<'a>(expected: &'static str) -> impl Parser<Input<'a>, (), ErrMode<Mistake>> {
    take_while(1.., is_word).verify(move |word: &str| word.eq_ignore_ascii_case(expected)).void()
}

/// The letters of a word of the language, whatever follows them.
pub(super) fn keyword_letters<'a>(
    expected: &'static str,
) -> impl Parser<Input<'a>, (), ErrMode<Mistake>> {
    literal(winnow::ascii::Caseless(expected)).void()
}
