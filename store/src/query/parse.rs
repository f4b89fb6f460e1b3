//! From text to a [`Query`].
//!
//! ```text
//! query      = [ condition ] [ "order" "by" order { "," order } ] [ "limit" number ]
//! condition  = conjunct { "or" conjunct }
//! conjunct   = negation { "and" negation }
//! negation   = "not" negation | "(" condition ")" | "any" "(" path check ")" | path check
//! check      = operator value | "is" [ "not" ] ( "null" | "undefined" )
//!            | [ "not" ] ( "between" value "and" value | "in" "(" value { "," value } ")"
//!                        | ( "like" | "ilike" | "contains" ) value )
//! order      = path [ "asc" | "desc" ]
//! path       = part { "." part } [ ".at" "(" value ")" ]            part = word | "`" name "`"
//!                                                                 or, behind a dot, '"' name '"'
//! value      = number | "inf" | "'" text "'" | '"' text '"' | "true" | "false" | "now" [ "-" { digits unit } ]
//! ```

mod hint;
mod mistake;
mod value;
mod word;

use winnow::ascii::multispace0;
use winnow::combinator::{
    alt, cut_err, delimited, eof, opt, peek, preceded, repeat, separated, separated_pair,
    terminated,
};
use winnow::error::{ErrMode, ParserError};
use winnow::prelude::*;
use winnow::stream::LocatingSlice;
use winnow::token::{literal, take_while};

use self::mistake::{Input, Mistake, Parsed, refuse, refuse_name, refuse_word};
use self::value::{quoted, value};
use self::word::word;
use super::ast::{
    Check, Condition, Direction, Literal, MAX_DEPTH, Operator, Part, Path, Points, Query, RESERVED,
    TOO_DEEP, is_word,
};
use super::column::STATISTICS;
use super::error::QueryError;
use super::render;
use crate::nearest::nearest;

pub(super) use self::value::NAN;

/// Longer texts are refused, in bytes.
const MAX_LENGTH: usize = 1 << 14;

/// Reads a query.
pub(crate) fn parse(text: &str) -> Result<Query, QueryError> {
    if text.trim().is_empty() {
        return Err(QueryError::new(
            text,
            0..0,
            "it is empty; try `metrics.loss.min < 0.1` or `order by id limit 5`",
        ));
    }
    if text.len() > MAX_LENGTH {
        return Err(QueryError::new(
            text,
            0..0,
            format!("it has {} bytes, and {MAX_LENGTH} is the most", text.len()),
        ));
    }
    query.parse(LocatingSlice::new(text)).map_err(|error| error.into_inner().into_error(text))
}

fn query(input: &mut Input<'_>) -> Parsed<Query> {
    multispace0.parse_next(input)?;
    let bare = opt(peek(alt((keyword("order"), keyword("limit"))))).parse_next(input)?.is_some();
    let condition = if bare { None } else { Some(condition(input, 0)?) };
    let mut order = opt(preceded(
        (keyword("order"), cut_err(keyword("by").context("`by`"))),
        cut_err(separated(1.., order, symbol(","))),
    ));
    let order: Vec<_> = order.parse_next(input)?.unwrap_or_default();
    let limit = opt(preceded(keyword("limit"), cut_err(limit))).parse_next(input)?;
    let rest = match (&condition, order.is_empty(), limit) {
        (_, _, Some(_)) => "the end",
        (_, false, None) => "`,`, `asc`, `desc`, `limit` or the end",
        _ => "`and`, `or`, `order by`, `limit` or the end",
    };
    eof.void().context(rest).parse_next(input)?;
    Ok(Query { condition, order, limit })
}

fn condition(input: &mut Input<'_>, depth: usize) -> Parsed<Condition> {
    let conjunct = |input: &mut Input<'_>| conjunct(input, depth);
    joined(input, conjunct, "or", Condition::Or)
}

fn conjunct(input: &mut Input<'_>, depth: usize) -> Parsed<Condition> {
    let negation = |input: &mut Input<'_>| negation(input, depth);
    joined(input, negation, "and", Condition::And)
}

/// One operand, or several with `word` between them.
fn joined<'a>(
    input: &mut Input<'a>,
    mut operand: impl FnMut(&mut Input<'a>) -> Parsed<Condition>,
    word: &'static str,
    join: fn(Vec<Condition>) -> Condition,
) -> Parsed<Condition> {
    let first = operand(input)?;
    let mut all = vec![first];
    while opt(keyword(word)).parse_next(input)?.is_some() {
        all.push(cut_err(operand.by_ref()).parse_next(input)?);
    }
    Ok(if all.len() == 1 { all.remove(0) } else { join(all) })
}

fn negation(input: &mut Input<'_>, depth: usize) -> Parsed<Condition> {
    if depth > MAX_DEPTH {
        return refuse_word(input, TOO_DEEP);
    }
    let not = |input: &mut Input<'_>| negation(input, depth + 1);
    let inner = |input: &mut Input<'_>| condition(input, depth + 1);
    let tested = || (path.context("a field"), cut_err(check));
    let any = delimited(
        (keyword("any"), symbol("(")),
        cut_err(tested()),
        cut_err(symbol(")").context("`)`")),
    );
    alt((
        preceded(keyword("not"), cut_err(not)).map(|inner| Condition::Not(Box::new(inner))),
        delimited(symbol("("), cut_err(inner), cut_err(symbol(")").context("`)`"))),
        any.map(|(path, (negated, check))| Condition::Any(Points { path, negated, check })),
        tested().map(|(path, (negated, check))| {
            let test = Condition::Test(path, check);
            if negated { Condition::Not(Box::new(test)) } else { test }
        }),
    ))
    .parse_next(input)
}

/// What is asked about a field, and whether the answer is turned round.
fn check(input: &mut Input<'_>) -> Parsed<(bool, Check)> {
    let null = alt((keyword("null"), keyword("undefined"))).context("`null` or `not null`");
    let null = preceded(keyword("is"), cut_err((not, null)));
    let between = separated_pair(value, keyword("and").context("`and`"), value);
    let values = delimited(
        symbol("(").context("`(`"),
        separated(1.., value, symbol(",")),
        symbol(")").context("`,` or `)`"),
    );
    let compare =
        (operator, cut_err(value)).map(|(operator, value)| Check::Compare(operator, value));
    let negatable = alt((
        preceded(keyword("between"), cut_err(between)).map(|(low, high)| Check::Between(low, high)),
        preceded(keyword("in"), cut_err(values)).map(Check::In),
        preceded(keyword("like"), cut_err(value)).map(Check::Like),
        preceded(keyword("ilike"), cut_err(value)).map(Check::Ilike),
        preceded(keyword("contains"), cut_err(value)).map(Check::Contains),
    ));
    alt((
        compare.map(|check| (false, check)),
        null.map(|(negated, ())| (negated, Check::IsNull)),
        (not, negatable),
    ))
    .context("a comparison such as `<`, `between`, `in`, `like` or `is null`")
    .parse_next(input)
}

/// Whether there is a `not`.
fn not(input: &mut Input<'_>) -> Parsed<bool> {
    opt(keyword("not")).map(|word| word.is_some()).parse_next(input)
}

fn operator(input: &mut Input<'_>) -> Parsed<Operator> {
    alt((
        alt((symbol("=="), symbol("="))).value(Operator::Equal),
        alt((symbol("!="), symbol("<>"))).value(Operator::NotEqual),
        symbol("<=").value(Operator::LessOrEqual),
        symbol(">=").value(Operator::GreaterOrEqual),
        symbol("<").value(Operator::Less),
        symbol(">").value(Operator::Greater),
    ))
    .parse_next(input)
}

fn order(input: &mut Input<'_>) -> Parsed<(Path, Direction)> {
    let ascending = keyword("asc").value(Direction::Ascending);
    let direction = opt(alt((ascending, keyword("desc").value(Direction::Descending))));
    (path.context("a field"), direction.map(|direction| direction.unwrap_or(Direction::Ascending)))
        .parse_next(input)
}

fn limit(input: &mut Input<'_>) -> Parsed<usize> {
    let digits = take_while(1.., |c: char| c.is_ascii_digit());
    let number = digits.verify_map(|digits: &str| digits.parse().ok());
    terminated(number, multispace0).context("a whole number").parse_next(input)
}

fn path(input: &mut Input<'_>) -> Parsed<Path> {
    let path = steps.with_span().map(|((parts, at), span)| Path { parts, at, span });
    terminated(path, multispace0).parse_next(input)
}

/// The names of a path, and the step of `at` behind them.
fn steps(input: &mut Input<'_>) -> Parsed<(Vec<Part>, Option<Literal>)> {
    // Behind a dot a word can be nothing but a name.
    let behind_dot = preceded(".", cut_err(part(false).context("a name")));
    let (first, mut parts): (_, Vec<Part>) =
        (part(true), repeat(0.., behind_dot)).parse_next(input)?;
    parts.insert(0, first);
    let called = opt(symbol("(")).parse_next(input)?.is_some();
    if called && let Some(name) = parts.pop() {
        function(&name, parts.is_empty())?;
        let step = cut_err(terminated(value, literal(")").context("`)`"))).parse_next(input)?;
        return Ok((parts, Some(step)));
    }
    Ok((parts, None))
}

/// Refuses every name before a parenthesis but the `at` of a metric.
fn function(name: &Part, alone: bool) -> Parsed<()> {
    let word = name.text.to_ascii_lowercase();
    let remark = match word.as_str() {
        "at" if !alone && !name.quoted => return Ok(()),
        "at" => "`at` stands behind a metric, as in `metrics.loss.at(100)`".to_owned(),
        "any" => "`any` stands before a metric, as in `any(metrics.loss > 10)`".to_owned(),
        word if STATISTICS.iter().any(|(statistic, _)| *statistic == word) => {
            format!(
                "`{word}` has no parentheses; it stands behind a metric, as in `metrics.loss.{word}`"
            )
        }
        word => {
            let near = nearest(word, if alone { ["any", "at"] } else { ["at", "any"] });
            let remark = format!(
                "unknown function `{}`; the nearest is `{}`",
                name.text,
                near.unwrap_or_default()
            );
            return refuse_name(name.span.clone(), remark);
        }
    };
    refuse(name.span.clone(), remark)
}

/// A name, which is none of the language's words where it is the `first` of a path.
fn part<'a>(first: bool) -> impl Parser<Input<'a>, Part, ErrMode<Mistake>> {
    let word = take_while(1.., is_word)
        .verify(move |word: &str| {
            !first || !RESERVED.iter().any(|reserved| word.eq_ignore_ascii_case(reserved))
        })
        .map(|word: &str| (word.to_owned(), false));
    let name = quoted('`', "this backtick is never closed").map(|name| (name, true));
    alt((name, word, double_quoted(first))).with_span().map(|((text, quoted), span)| Part {
        text,
        quoted,
        span,
    })
}

/// A name in double quotes, behind a dot. In single quotes there are none but texts.
fn double_quoted<'a>(first: bool) -> impl Parser<Input<'a>, (String, bool), ErrMode<Mistake>> {
    let unclosed = "this quote is never closed";
    let single = quoted('\'', unclosed).with_span().map(|(name, span)| (name, Some(span)));
    let mut either = alt((quoted('"', unclosed).map(|name| (name, None)), single));
    move |input: &mut Input<'a>| {
        if first {
            return Err(ErrMode::Backtrack(Mistake::from_input(input)));
        }
        match either.parse_next(input)? {
            (name, None) => Ok((name, true)),
            (name, Some(span)) => {
                let right = render::quoted('`', &name);
                refuse(span, format!("a name has backticks or double quotes: {right}"))
            }
        }
    }
}

/// A word of the language and the space behind it.
fn keyword<'a>(expected: &'static str) -> impl Parser<Input<'a>, (), ErrMode<Mistake>> {
    terminated(word(expected), multispace0)
}

/// A sign and the space behind it.
fn symbol<'a>(sign: &'static str) -> impl Parser<Input<'a>, (), ErrMode<Mistake>> {
    terminated(literal(sign), multispace0).void()
}

#[cfg(test)]
mod tests;
