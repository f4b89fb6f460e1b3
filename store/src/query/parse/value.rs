//! Values in a query: numbers, texts, truths, and `now`.

use winnow::ascii::multispace0;
use winnow::combinator::{alt, opt, peek, preceded, terminated};
use winnow::error::ErrMode;
use winnow::prelude::*;
use winnow::stream::Location;
use winnow::token::{any, one_of, take_till, take_while};

use super::mistake::{Input, Mistake, Parsed, refuse};
use super::word::{keyword_letters, word};
use crate::query::ast::{Constant, Literal, is_word};
use crate::query::render::UNITS;

/// What a NaN in a query is answered with.
pub(crate) const NAN: &str =
    "nothing compares with nan; `metrics.loss.nan_count > 0` finds runs that logged it";

const NO_TIME: &str = "this is not a length of time; examples are 30m, 36h, 2d and 1d12h";

/// A value and the space behind it.
pub(super) fn value(input: &mut Input<'_>) -> Parsed<Literal> {
    let text = alt((
        quoted('\'', "this quote is never closed"),
        quoted('"', "this quote is never closed"),
    ));
    let boolean = alt((word("true").value(true), word("false").value(false)));
    let value =
        alt((text.map(Constant::Text), now, number, boolean.map(Constant::Bool), bare_word))
            .with_span();
    let value = value.map(|(value, span)| Literal { value, span });
    terminated(value, multispace0)
        .context("a value: a number, 'text', true or false")
        .parse_next(input)
}

fn number(input: &mut Input<'_>) -> Parsed<Constant> {
    peek(one_of(|c: char| c.is_ascii_digit() || "+-.".contains(c))).parse_next(input)?;
    let mut number =
        take_while(1.., |c: char| c.is_alphanumeric() || "+-._".contains(c)).with_span();
    let (text, span) = number.parse_next(input)?;
    match (text.parse(), text.parse::<f64>()) {
        (Ok(number), _) => Ok(Constant::Int(number)),
        (_, Ok(number)) if number.is_nan() => refuse(span, NAN),
        (_, Ok(number)) if number.is_infinite() && text.contains(|c: char| c.is_ascii_digit()) => {
            refuse(span, "this number is too large for a float; infinity is written `inf`")
        }
        (_, Ok(number)) => Ok(Constant::Float(number)),
        _ if seconds(text.trim_start_matches('-')).is_some() => {
            let length = text.trim_start_matches('-');
            refuse(span, format!("a length of time is counted back from now: `now - {length}`"))
        }
        _ => refuse(span, "this is not a number; texts and dates need quotes"),
    }
}

/// `now`, or `now - 2d`.
fn now(input: &mut Input<'_>) -> Parsed<Constant> {
    // `now-2d` would be one word.
    let end =
        peek(opt(any).verify(|next: &Option<char>| next.is_none_or(|c| c == '-' || !is_word(c))));
    let minus = preceded((multispace0, '-', multispace0), winnow::combinator::cut_err(ago));
    let seconds = preceded((keyword_letters("now"), end), opt(minus)).parse_next(input)?;
    let plus = preceded((multispace0, '+', multispace0), take_while(0.., is_word));
    if let Some((length, span)) = opt(plus.with_span()).parse_next(input)? {
        let length = if self::seconds(length).is_some() { length } else { "1h" };
        return refuse(span, format!("times are counted back from now: `now - {length}`"));
    }
    Ok(Constant::Ago(seconds.unwrap_or(0)))
}

/// A length of time such as `1d12h`, in seconds.
fn ago(input: &mut Input<'_>) -> Parsed<u64> {
    let (text, span) = take_while(0.., is_word).with_span().parse_next(input)?;
    match seconds(text) {
        Some(seconds) => Ok(seconds),
        None => refuse(span, NO_TIME),
    }
}

fn seconds(mut text: &str) -> Option<u64> {
    let mut sum = 0_u64;
    while let Some(end) = text.find(|c: char| !c.is_ascii_digit()) {
        let (number, rest) = text.split_at(end);
        let unit = rest.chars().next()?;
        let (_, length) = UNITS.into_iter().find(|(name, _)| unit.eq_ignore_ascii_case(name))?;
        sum = sum.checked_add(number.parse::<u64>().ok()?.checked_mul(length)?)?;
        text = &rest[unit.len_utf8()..];
        if text.is_empty() {
            return Some(sum);
        }
    }
    None
}

/// A word where a value should be: infinity, or text without its quotes.
fn bare_word(input: &mut Input<'_>) -> Parsed<Constant> {
    let (word, span) = take_while(1.., is_word).with_span().parse_next(input)?;
    match word.to_ascii_lowercase().as_str() {
        "inf" | "infinity" => Ok(Constant::Float(f64::INFINITY)),
        "nan" => refuse(span, NAN),
        "null" | "none" | "undefined" => {
            refuse(span, "nothing compares with null; use `is null` or `is not null`")
        }
        _ => refuse(span, "expected a value: a number, 'text', true or false; text needs quotes"),
    }
}

/// Text between two quotes, in which the quote itself is doubled.
pub(super) fn quoted<'a>(
    mut quote: char,
    unclosed: &'static str,
) -> impl Parser<Input<'a>, String, ErrMode<Mistake>> {
    move |input: &mut Input<'a>| {
        let start = input.current_token_start();
        quote.parse_next(input)?;
        let mut text = String::new();
        loop {
            text.push_str(take_till(0.., quote).parse_next(input)?);
            if opt(any).parse_next(input)?.is_none() {
                return refuse(start..start + quote.len_utf8(), unclosed);
            }
            match opt(quote).parse_next(input)? {
                Some(_) => text.push(quote),
                None => return Ok(text),
            }
        }
    }
}
