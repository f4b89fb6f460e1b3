//! From text to a [`Query`].
//!
//! ```text
//! query      = [ condition ] [ "order" "by" order { "," order } ] [ "limit" number ]
//! condition  = conjunct { "or" conjunct }
//! conjunct   = negation { "and" negation }
//! negation   = "not" negation | "(" condition ")" | path check
//! check      = operator value | "is" [ "not" ] "null"
//!            | [ "not" ] ( "between" value "and" value | "in" "(" value { "," value } ")" | "like" value | "contains" value )
//! order      = path [ "asc" | "desc" ]
//! path       = part { "." part }            part = word | "`" name "`"
//! ```

use winnow::ascii::multispace0;
use winnow::combinator::{
    alt, cut_err, delimited, eof, opt, peek, preceded, repeat, separated, separated_pair, terminated,
};
use winnow::error::{AddContext, ErrMode, ParserError};
use winnow::prelude::*;
use winnow::stream::{LocatingSlice, Location, Stream};
use winnow::token::{any, literal, one_of, take_till, take_while};

use super::ast::{Cell, Check, Condition, Direction, Literal, Operator, Part, Path, Query};
use super::error::QueryError;

/// Longer texts are refused, in bytes.
const MAX_LENGTH: usize = 1 << 14;

/// Deeper nesting is refused, because every level takes stack.
const MAX_DEPTH: usize = 64;

/// Words that end a field or a value, and so are neither without backticks or quotes.
const RESERVED: [&str; 10] = ["and", "or", "not", "between", "like", "contains", "in", "is", "order", "limit"];

type Input<'a> = LocatingSlice<&'a str>;
type Parsed<T> = Result<T, ErrMode<Mistake>>;

/// Reads a query.
pub(crate) fn parse(text: &str) -> Result<Query, QueryError> {
    if text.trim().is_empty() {
        return Err(QueryError::new(text, 0..0, "it is empty; try `metrics.loss.min < 0.1` or `order by id limit 5`"));
    }
    if text.len() > MAX_LENGTH {
        return Err(QueryError::new(text, 0..0, format!("it has {} bytes, and {MAX_LENGTH} is the most", text.len())));
    }
    query.parse(LocatingSlice::new(text)).map_err(|error| {
        let mistake = error.into_inner();
        let end = text.get(mistake.at..).map_or(mistake.at, |rest| mistake.at + word_length(rest));
        QueryError::new(text, mistake.at..end, mistake.message(&text[mistake.at..end]))
    })
}

/// How many bytes a caret should underline: a word, or else one character.
fn word_length(text: &str) -> usize {
    let word = text.find(|c| !is_word(c)).unwrap_or(text.len());
    if word > 0 { word } else { text.chars().next().map_or(0, char::len_utf8) }
}

/// Where reading came to a halt, and what would have been right there.
#[derive(Debug, Clone, PartialEq, Default)]
struct Mistake {
    at: usize,
    expected: Vec<&'static str>,
    /// Said instead, where there is something better to say.
    remark: Option<&'static str>,
}

impl Mistake {
    fn message(&self, found: &str) -> String {
        let found = if found.is_empty() { "the end".to_owned() } else { format!("`{found}`") };
        match self.remark {
            Some(remark) => remark.to_owned(),
            None => format!("expected {}, found {found}", self.expected.join(" or ")),
        }
    }
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
    fn add_context(mut self, _: &Input<'_>, _: &<Input<'_> as Stream>::Checkpoint, expected: &'static str) -> Mistake {
        if self.expected.is_empty() {
            self.expected.push(expected);
        }
        self
    }
}

/// Fails for good at byte `at` with a remark.
fn refuse<T>(at: usize, remark: &'static str) -> Parsed<T> {
    Err(ErrMode::Cut(Mistake { at, remark: Some(remark), ..Mistake::default() }))
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
        return refuse(input.current_token_start(), "it is nested more than 64 levels deep");
    }
    let not = |input: &mut Input<'_>| negation(input, depth + 1);
    let inner = |input: &mut Input<'_>| condition(input, depth + 1);
    alt((
        preceded(keyword("not"), cut_err(not)).map(|inner| Condition::Not(Box::new(inner))),
        delimited(symbol("("), cut_err(inner), cut_err(symbol(")").context("`)`"))),
        (path.context("a field"), cut_err(check)).map(|(path, (negated, check))| {
            let test = Condition::Test(path, check);
            if negated { Condition::Not(Box::new(test)) } else { test }
        }),
    ))
    .parse_next(input)
}

/// What is asked about a field, and whether the answer is turned round.
fn check(input: &mut Input<'_>) -> Parsed<(bool, Check)> {
    let null = preceded(keyword("is"), cut_err((not, keyword("null").context("`null` or `not null`"))));
    let between = separated_pair(value, keyword("and").context("`and`"), value);
    let values =
        delimited(symbol("(").context("`(`"), separated(1.., value, symbol(",")), symbol(")").context("`,` or `)`"));
    let compare = (operator, cut_err(value)).map(|(operator, value)| Check::Compare(operator, value));
    let negatable = alt((
        preceded(keyword("between"), cut_err(between)).map(|(low, high)| Check::Between(low, high)),
        preceded(keyword("in"), cut_err(values)).map(Check::In),
        preceded(keyword("like"), cut_err(value)).map(Check::Like),
        preceded(keyword("contains"), cut_err(value)).map(Check::Contains),
    ));
    alt((compare.map(|check| (false, check)), null.map(|(negated, ())| (negated, Check::IsNull)), (not, negatable)))
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
    (path.context("a field"), direction.map(|direction| direction.unwrap_or(Direction::Ascending))).parse_next(input)
}

fn limit(input: &mut Input<'_>) -> Parsed<usize> {
    let digits = take_while(1.., |c: char| c.is_ascii_digit());
    let number = digits.verify_map(|digits: &str| digits.parse().ok());
    terminated(number, multispace0).context("a whole number").parse_next(input)
}

fn path(input: &mut Input<'_>) -> Parsed<Path> {
    let behind_dot = preceded(".", cut_err(part.context("a name")));
    let parts = (part, repeat(0.., behind_dot)).with_span().map(|((first, mut parts), span): ((_, Vec<Part>), _)| {
        parts.insert(0, first);
        Path { parts, span }
    });
    terminated(parts, multispace0).parse_next(input)
}

fn part(input: &mut Input<'_>) -> Parsed<Part> {
    let word = take_while(1.., is_word)
        .verify(|word: &str| !RESERVED.iter().any(|reserved| word.eq_ignore_ascii_case(reserved)))
        .map(|word: &str| (word.to_owned(), false));
    let name = quoted('`', "this backtick is never closed").map(|name| (name, true));
    alt((name, word)).with_span().map(|((text, quoted), span)| Part { text, quoted, span }).parse_next(input)
}

fn value(input: &mut Input<'_>) -> Parsed<Literal> {
    let text = alt((quoted('\'', "this quote is never closed"), quoted('"', "this quote is never closed")));
    let boolean = alt((word("true").value(true), word("false").value(false)));
    let value = alt((text.map(Cell::Text), number, boolean.map(Cell::Bool), bare_word)).with_span();
    let value = value.map(|(value, span)| Literal { value, span });
    terminated(value, multispace0).context("a value: a number, 'text', true or false").parse_next(input)
}

fn number(input: &mut Input<'_>) -> Parsed<Cell> {
    let start = input.current_token_start();
    peek(one_of(|c: char| c.is_ascii_digit() || "+-.".contains(c))).parse_next(input)?;
    let text = take_while(1.., |c: char| c.is_ascii_alphanumeric() || "+-._".contains(c)).parse_next(input)?;
    match (text.parse(), text.parse::<f64>()) {
        (Ok(number), _) => Ok(Cell::Int(number)),
        (_, Ok(number)) if !number.is_nan() => Ok(Cell::Float(number)),
        _ => refuse(start, "this is not a number; text needs quotes"),
    }
}

/// A word where a value should be is text without its quotes.
fn bare_word(input: &mut Input<'_>) -> Parsed<Cell> {
    let start = input.current_token_start();
    take_while(1.., is_word).parse_next(input)?;
    refuse(start, "expected a value: a number, 'text', true or false; text needs quotes")
}

/// Text between two quotes, in which the quote itself is doubled.
fn quoted<'a>(mut quote: char, unclosed: &'static str) -> impl FnMut(&mut Input<'a>) -> Parsed<String> {
    move |input| {
        let start = input.current_token_start();
        quote.parse_next(input)?;
        let mut text = String::new();
        loop {
            text.push_str(take_till(0.., quote).parse_next(input)?);
            if opt(any).parse_next(input)?.is_none() {
                return refuse(start, unclosed);
            }
            match opt(quote).parse_next(input)? {
                Some(_) => text.push(quote),
                None => return Ok(text),
            }
        }
    }
}

/// A word of the language and the space behind it.
fn keyword<'a>(expected: &'static str) -> impl Parser<Input<'a>, (), ErrMode<Mistake>> {
    terminated(word(expected), multispace0)
}

fn word<'a>(expected: &'static str) -> impl Parser<Input<'a>, (), ErrMode<Mistake>> {
    take_while(1.., is_word).verify(move |word: &str| word.eq_ignore_ascii_case(expected)).void()
}

/// A sign and the space behind it.
fn symbol<'a>(sign: &'static str) -> impl Parser<Input<'a>, (), ErrMode<Mistake>> {
    terminated(literal(sign), multispace0).void()
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '/')
}

#[cfg(test)]
mod tests;
