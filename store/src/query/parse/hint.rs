//! What was probably meant where reading came to a halt.

use crate::query::ast::{Span, is_word};
use crate::query::column::STATISTICS;
use crate::query::render::quoted;

/// Signs of other languages, and what they are here.
const SIGNS: [(&str, &str); 15] = [
    ("&&", "and"),
    ("&", "and"),
    ("||", "or"),
    ("|", "or"),
    ("!", "not"),
    ("===", "="),
    ("!==", "!="),
    ("≠", "!="),
    ("=>", ">="),
    ("≥", ">="),
    ("=<", "<="),
    ("≤", "<="),
    ("=~", "like"),
    ("~", "like"),
    ("!~", "not like"),
];

/// Words before the dot of a name that runs choose as they like.
const PREFIXES: [&str; 6] = ["metric", "metrics", "param", "params", "tag", "tags"];

const COMPARISONS: [&str; 7] = ["between", "like", "ilike", "contains", "in", "is", "not"];

/// A sign of another language at the byte `at`, and what to write.
pub(super) fn sign(text: &str, at: usize) -> Option<(Span, String)> {
    let is_sign = |c: char| "=<>!~&|≠≥≤".contains(c);
    // The first part of `=>` has been read already.
    let start = text[..at].trim_end_matches(is_sign).len();
    let end = text.len() - text[at..].trim_start_matches(is_sign).len();
    let (sign, meant) = SIGNS.into_iter().find(|(sign, _)| *sign == &text[start..end])?;
    Some((start..end, format!("`{sign}` is written `{meant}`")))
}

/// How the text or name is written of which the quote at its end was meant to be inside, as in
/// `'it\'s'`. `text` is the query up to where reading came to a halt.
pub(super) fn escaped_quote(text: &str, at: usize) -> Option<String> {
    let mut open: Option<(usize, char)> = None;
    let mut last = None;
    let mut chars = text[..at].char_indices().peekable();
    while let Some((place, c)) = chars.next() {
        if let Some((start, quote)) = open {
            if c == quote && chars.next_if(|(_, next)| *next == quote).is_none() {
                open = None;
                last = Some(start);
            }
        } else if is_quote(c) {
            open = Some((place, c));
        }
    }
    doubled(&text[last?..])
}

/// The text or name at the start of `text` with its inner quotes doubled instead of behind a
/// backslash; `None` if there are none.
pub(super) fn doubled(text: &str) -> Option<String> {
    let mut chars = text.chars();
    let quote = chars.next().filter(|c| is_quote(*c))?;
    let (mut inner, mut escapes) = (String::new(), false);
    let mut chars = chars.peekable();
    while let Some(c) = chars.next() {
        let twice = chars.peek() == Some(&quote);
        match c {
            '\\' if twice => escapes = true,
            c if c == quote && !twice => break,
            c if c != quote => {
                inner.push(c);
                continue;
            }
            _ => {}
        }
        inner.push(quote);
        chars.next();
    }
    let right = quoted(quote, &inner);
    escapes.then(|| format!("a quote inside is doubled, as in {right}"))
}

fn is_quote(c: char) -> bool {
    matches!(c, '\'' | '"' | '`')
}

/// How the name is written at or before the byte `at`, if it was meant to have characters that no
/// name has without quotes.
pub(super) fn unquoted_name(text: &str, at: usize) -> Option<String> {
    let before = text[..at].trim_end();
    let path = before.trim_end_matches(|c| is_word(c) || c == '.');
    let (prefix, _) = before[path.len()..].split_once('.')?;
    if !PREFIXES.iter().any(|known| prefix.eq_ignore_ascii_case(known)) {
        return None;
    }
    let rest = &text[path.len() + prefix.len() + 1..];
    let rest = rest[..name_length(rest, is_order(path))?].trim_end();
    let (name, part) = without_part(rest);
    let plain = name.chars().all(|c| is_word(c) || c == '.');
    (!plain && !name.contains(is_quote) && !is_direction(&text[at..])).then(|| {
        let name = quoted('`', name);
        format!(
            "a name with spaces or signs needs backticks or double quotes: {prefix}.{name}{part}"
        )
    })
}

/// Whether a text begins with another word for `asc` or `desc`.
fn is_direction(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    ["asc", "desc", "dsc"].iter().any(|word| text.starts_with(word))
}

/// Whether a text ends within `order by`.
fn is_order(text: &str) -> bool {
    let words: Vec<&str> = text.split(|c| !is_word(c)).filter(|word| !word.is_empty()).collect();
    words
        .windows(2)
        .any(|two| two[0].eq_ignore_ascii_case("order") && two[1].eq_ignore_ascii_case("by"))
}

/// How many bytes come before the comparison, or before what else ends a field in an order. `None`
/// if there is none.
fn name_length(text: &str, in_order: bool) -> Option<usize> {
    let is =
        |word: &str, words: &[&str]| words.iter().any(|known| word.eq_ignore_ascii_case(known));
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(c) = text[at..].chars().next() {
        let word = text[at..].find(|c| !is_word(c)).unwrap_or(text.len() - at);
        let word = &text[at..at + word];
        match c {
            '=' | '<' | '>' | '!' => return (!in_order).then_some(at),
            '(' => depth += 1,
            ')' if depth > 0 => depth -= 1,
            ')' | ',' if depth == 0 => return in_order.then_some(at),
            _ if at > 0 && is(word, &COMPARISONS) => return (!in_order).then_some(at),
            _ if is(word, &["asc", "desc", "limit"]) => return in_order.then_some(at),
            _ if is(word, &["and", "or", "order"]) => return None,
            _ => {}
        }
        at += word.len().max(c.len_utf8());
    }
    in_order.then_some(text.len())
}

/// A metric without the statistic or the step behind it, and these.
fn without_part(name: &str) -> (&str, &str) {
    let statistic =
        |part: &str| STATISTICS.iter().any(|(known, _)| part.eq_ignore_ascii_case(known));
    let at =
        name.rfind(".at(").or_else(|| name.rfind('.').filter(|dot| statistic(&name[dot + 1..])));
    name.split_at(at.unwrap_or(name.len()))
}
