//! Values while they are compared, borrowed from where they lie.

use std::cmp::Ordering;

use jiff::Timestamp;

use super::ast::{Direction, Operator};
use super::pattern::Pattern;
use crate::value::Value;

/// A value that can be compared: of a query, or of a run's field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Cell<'a> {
    /// Wide enough for every seed and every parameter.
    Int(i128),
    Float(f64),
    Bool(bool),
    Text(&'a str),
    Time(Timestamp),
}

impl<'a> From<&'a Value> for Cell<'a> {
    fn from(value: &'a Value) -> Cell<'a> {
        match value {
            Value::Bool(value) => Cell::Bool(*value),
            Value::Int(value) => Cell::Int(i128::from(*value)),
            Value::Float(value) => Cell::Float(*value),
            Value::Text(value) => Cell::Text(value),
        }
    }
}

/// A check whose values have the types of the field that it is about.
#[derive(Debug, PartialEq)]
pub(super) enum Test<'q> {
    Compare(Operator, Cell<'q>),
    Between(Cell<'q>, Cell<'q>),
    In(Vec<Cell<'q>>),
    Like(Pattern),
    Ilike(Pattern),
    Contains(&'q str),
    IsNull,
}

impl Test<'_> {
    /// Whether a value passes; `None` is unknown.
    pub(super) fn of(&self, cell: Cell<'_>) -> Option<bool> {
        match self {
            Test::Compare(operator, other) => {
                let ordering = compare(cell, *other)?;
                Some(match operator {
                    Operator::Equal => ordering.is_eq(),
                    Operator::NotEqual => ordering.is_ne(),
                    Operator::Less => ordering.is_lt(),
                    Operator::LessOrEqual => ordering.is_le(),
                    Operator::Greater => ordering.is_gt(),
                    Operator::GreaterOrEqual => ordering.is_ge(),
                })
            }
            Test::Between(low, high) => {
                Some(compare(cell, *low)?.is_ge() && compare(cell, *high)?.is_le())
            }
            Test::In(others) => {
                let mut comparisons =
                    others.iter().filter_map(|other| compare(cell, *other)).peekable();
                comparisons.peek()?;
                Some(comparisons.any(Ordering::is_eq))
            }
            Test::Like(pattern) => text(cell).map(|text| pattern.fits(text)),
            Test::Ilike(pattern) => text(cell).map(|text| pattern.fits_either_case(text)),
            Test::Contains(part) => text(cell).map(|text| text.contains(part)),
            Test::IsNull => Some(false),
        }
    }
}

fn text(cell: Cell<'_>) -> Option<&str> {
    match cell {
        Cell::Text(text) => Some(text),
        _ => None,
    }
}

/// The order of two values; `None` when there is none: with NaN, and between different types.
pub(super) fn compare(a: Cell<'_>, b: Cell<'_>) -> Option<Ordering> {
    match (a, b) {
        (Cell::Int(a), Cell::Int(b)) => Some(a.cmp(&b)),
        (Cell::Int(a), Cell::Float(b)) => compare_mixed(a, b),
        (Cell::Float(a), Cell::Int(b)) => compare_mixed(b, a).map(Ordering::reverse),
        (Cell::Float(a), Cell::Float(b)) => a.partial_cmp(&b),
        (Cell::Bool(a), Cell::Bool(b)) => Some(a.cmp(&b)),
        (Cell::Text(a), Cell::Text(b)) => Some(a.cmp(b)),
        (Cell::Time(a), Cell::Time(b)) => Some(a.cmp(&b)),
        _ => None,
    }
}

/// Exact: a rounded comparison would call two different numbers equal to a third, and no sorting
/// survives that.
fn compare_mixed(a: i128, b: f64) -> Option<Ordering> {
    if b.is_infinite() {
        return 0.0.partial_cmp(&b);
    }
    let whole = b.trunc();
    // The cast goes to the nearest end where it does not fit, which is on the right side of `a`.
    let by_whole = a.cmp(&(whole as i128));
    if by_whole.is_eq() { whole.partial_cmp(&b) } else { (!b.is_nan()).then_some(by_whole) }
}

/// A total order for sorting: values, then NaN, then null, whatever the direction; numbers before
/// truths before texts.
pub(super) fn compare_nullable(
    a: Option<Cell<'_>>,
    b: Option<Cell<'_>>,
    direction: Direction,
) -> Ordering {
    let rank = |cell| match cell {
        Some(Cell::Float(value)) if f64::is_nan(value) => 4,
        Some(Cell::Int(_) | Cell::Float(_)) => 0,
        Some(Cell::Bool(_)) => 1,
        Some(Cell::Text(_)) => 2,
        Some(Cell::Time(_)) => 3,
        None => 5,
    };
    rank(a).cmp(&rank(b)).then_with(|| {
        let ordering = a.zip(b).and_then(|(a, b)| compare(a, b)).unwrap_or(Ordering::Equal);
        if direction == Direction::Descending { ordering.reverse() } else { ordering }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_and_floats_compare_exactly() {
        let big = 1_i128 << 53;
        for (a, b, expected) in [
            (big + 1, big as f64, Some(Ordering::Greater)),
            (big, big as f64, Some(Ordering::Equal)),
            (1, 1.5, Some(Ordering::Less)),
            (-1, -1.5, Some(Ordering::Greater)),
            (-1, -0.5, Some(Ordering::Less)),
            (0, -0.0, Some(Ordering::Equal)),
            (i128::from(u64::MAX), 1e300, Some(Ordering::Less)),
            (i128::MAX, f64::INFINITY, Some(Ordering::Less)),
            (i128::MIN, f64::NEG_INFINITY, Some(Ordering::Greater)),
            (0, f64::NAN, None),
            (1, f64::NAN, None),
        ] {
            assert_eq!(compare(Cell::Int(a), Cell::Float(b)), expected, "{a} and {b}");
            assert_eq!(
                compare(Cell::Float(b), Cell::Int(a)),
                expected.map(Ordering::reverse),
                "{b} and {a}"
            );
        }
    }
}
