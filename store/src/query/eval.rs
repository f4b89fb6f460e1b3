//! Which runs a query selects, and in which order.

use std::cmp::Ordering;
use std::sync::Arc;

use super::ast::{Cell, Check, Condition, Direction, Operator, Query};
use super::bind::{Catalogue, Field};
use super::error::QueryError;
use crate::summary::RunSummary;

/// The runs that `query` selects from `runs`, which come newest first.
pub(crate) fn select(
    text: &str,
    query: &Query,
    mut runs: Vec<Arc<RunSummary>>,
) -> Result<Vec<Arc<RunSummary>>, QueryError> {
    let catalogue = Catalogue::new(text, &runs);
    let condition = query.condition.as_ref().map(|condition| bind(condition, &catalogue)).transpose()?;
    let order = query.order.iter().map(|(path, direction)| Ok((catalogue.field(path)?, *direction)));
    let order = order.collect::<Result<Vec<_>, QueryError>>()?;
    if let Some(condition) = condition {
        runs.retain(|run| condition.truth(run) == Some(true));
    }
    // Stable, so that runs that are equal stay newest first.
    runs.sort_by(|a, b| {
        let by_field = |(field, direction): &(Field, Direction)| compare_nullable(field.of(a), field.of(b), *direction);
        order.iter().map(by_field).find(|ordering| ordering.is_ne()).unwrap_or(Ordering::Equal)
    });
    runs.truncate(query.limit.unwrap_or(usize::MAX));
    Ok(runs)
}

/// A condition whose fields are known and whose comparisons make sense.
enum Bound<'a> {
    And(Vec<Bound<'a>>),
    Or(Vec<Bound<'a>>),
    Not(Box<Bound<'a>>),
    Test(Field, &'a Check),
}

fn bind<'a>(condition: &'a Condition, catalogue: &Catalogue<'_>) -> Result<Bound<'a>, QueryError> {
    let all = |conditions: &'a [Condition]| -> Result<Vec<Bound<'a>>, QueryError> {
        conditions.iter().map(|condition| bind(condition, catalogue)).collect()
    };
    Ok(match condition {
        Condition::And(conditions) => Bound::And(all(conditions)?),
        Condition::Or(conditions) => Bound::Or(all(conditions)?),
        Condition::Not(condition) => Bound::Not(Box::new(bind(condition, catalogue)?)),
        Condition::Test(path, check) => {
            let field = catalogue.field(path)?;
            catalogue.check(&field, path, check)?;
            Bound::Test(field, check)
        }
    })
}

impl Bound<'_> {
    /// Three-valued as in SQL; `None` is unknown.
    fn truth(&self, run: &RunSummary) -> Option<bool> {
        match self {
            Bound::And(all) => all_of(all.iter().map(|condition| condition.truth(run))),
            // By De Morgan, which holds for three values too.
            Bound::Or(all) => {
                all_of(all.iter().map(|condition| condition.truth(run).map(|truth| !truth))).map(|none| !none)
            }
            Bound::Not(condition) => condition.truth(run).map(|truth| !truth),
            Bound::Test(field, Check::IsNull) => Some(field.of(run).is_none()),
            Bound::Test(field, check) => test(&field.of(run)?, check),
        }
    }
}

/// False if one is false, else unknown if one is unknown, else true.
fn all_of(truths: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut unknown = false;
    for truth in truths {
        match truth {
            Some(false) => return Some(false),
            Some(true) => {}
            None => unknown = true,
        }
    }
    (!unknown).then_some(true)
}

fn test(cell: &Cell, check: &Check) -> Option<bool> {
    match check {
        Check::Compare(operator, literal) => {
            let ordering = compare(cell, &literal.value)?;
            Some(match operator {
                Operator::Equal => ordering.is_eq(),
                Operator::NotEqual => ordering.is_ne(),
                Operator::Less => ordering.is_lt(),
                Operator::LessOrEqual => ordering.is_le(),
                Operator::Greater => ordering.is_gt(),
                Operator::GreaterOrEqual => ordering.is_ge(),
            })
        }
        Check::Between(low, high) => Some(compare(cell, &low.value)?.is_ge() && compare(cell, &high.value)?.is_le()),
        Check::In(literals) => {
            let mut comparisons = literals.iter().filter_map(|literal| compare(cell, &literal.value)).peekable();
            comparisons.peek()?;
            Some(comparisons.any(Ordering::is_eq))
        }
        Check::Like(literal) => with_texts(cell, &literal.value, like),
        Check::Contains(literal) => with_texts(cell, &literal.value, |text, part| text.contains(part)),
        Check::IsNull => Some(false),
    }
}

fn with_texts(cell: &Cell, literal: &Cell, test: impl Fn(&str, &str) -> bool) -> Option<bool> {
    match (cell, literal) {
        (Cell::Text(text), Cell::Text(other)) => Some(test(text, other)),
        _ => None,
    }
}

/// The order of two values; `None` when there is none: with NaN, and between different types.
fn compare(a: &Cell, b: &Cell) -> Option<Ordering> {
    match (a, b) {
        (Cell::Int(a), Cell::Int(b)) => Some(a.cmp(b)),
        (Cell::Int(a), Cell::Float(b)) => (*a as f64).partial_cmp(b),
        (Cell::Float(a), Cell::Int(b)) => a.partial_cmp(&(*b as f64)),
        (Cell::Float(a), Cell::Float(b)) => a.partial_cmp(b),
        (Cell::Bool(a), Cell::Bool(b)) => Some(a.cmp(b)),
        (Cell::Text(a), Cell::Text(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

/// A total order for sorting: values, then NaN, then null, whatever the direction; numbers before truths before texts.
fn compare_nullable(a: Option<Cell>, b: Option<Cell>, direction: Direction) -> Ordering {
    let rank = |cell: &Option<Cell>| match cell {
        Some(Cell::Float(value)) if value.is_nan() => 3,
        Some(Cell::Int(_) | Cell::Float(_)) => 0,
        Some(Cell::Bool(_)) => 1,
        Some(Cell::Text(_)) => 2,
        None => 4,
    };
    rank(&a).cmp(&rank(&b)).then_with(|| {
        let ordering = a.zip(b).and_then(|(a, b)| compare(&a, &b)).unwrap_or(Ordering::Equal);
        if direction == Direction::Descending { ordering.reverse() } else { ordering }
    })
}

/// Whether `text` fits `pattern`, in which `%` stands for any text and `_` for any character.
fn like(text: &str, pattern: &str) -> bool {
    let (text, pattern): (Vec<char>, Vec<char>) = (text.chars().collect(), pattern.chars().collect());
    let (mut t, mut p) = (0, 0);
    // Where to go on when the rest does not fit: the newest `%` then takes one more character.
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        match (pattern.get(p), retry) {
            (Some('%'), _) => {
                retry = Some((t, p + 1));
                p += 1;
            }
            (Some(c), _) if *c == '_' || *c == text[t] => (t, p) = (t + 1, p + 1),
            (_, Some((from, behind))) => {
                retry = Some((from + 1, behind));
                (t, p) = (from + 1, behind);
            }
            _ => return false,
        }
    }
    pattern[p..].iter().all(|c| *c == '%')
}

#[cfg(test)]
mod tests;
