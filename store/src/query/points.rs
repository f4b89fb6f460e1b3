//! `any(…)`: whether some point of a metric passes a test.

use super::ast::Operator;
use super::cell::{Cell, Test, compare};
use super::column::View;
use crate::summary::Aggregate;

/// A question about each point of a metric.
#[derive(Debug)]
pub(super) struct AnyPoint<'q> {
    pub(super) metric: String,
    /// Whether those points count that fail the test.
    pub(super) negated: bool,
    pub(super) test: Test<'q>,
}

impl AnyPoint<'_> {
    /// `None`, which is unknown, where the run lacks the metric. Points are read only where the
    /// summary does not tell.
    pub(super) fn truth(&self, view: &mut View<'_>) -> Option<bool> {
        let aggregate = view.run.metrics.get(self.metric.as_str())?;
        if [aggregate.min, aggregate.max, aggregate.first, aggregate.last]
            .into_iter()
            .any(|value| self.fits(value))
        {
            return Some(true);
        }
        if self.excluded(aggregate) {
            return Some(false);
        }
        Some(view.points(&self.metric).iter().any(|(_, value)| self.fits(*value)))
    }

    /// NaN never does.
    fn fits(&self, value: f64) -> bool {
        self.test.of(Cell::Float(value)) == Some(!self.negated)
    }

    /// Whether no point can fit, given that the least, the greatest, the first and the last do not.
    fn excluded(&self, aggregate: &Aggregate) -> bool {
        let Aggregate { count, min, max, .. } = *aggregate;
        let inside = |cell: Cell<'_>| {
            compare(cell, Cell::Float(min)).is_some_and(|ordering| ordering.is_gt())
                && compare(cell, Cell::Float(max)).is_some_and(|ordering| ordering.is_lt())
        };
        if count <= 2 || min.is_nan() || min == max {
            return true;
        }
        match (&self.test, self.negated) {
            (Test::Compare(Operator::Equal, value), false) => !inside(*value),
            // The least or the greatest would have told.
            (Test::Compare(..), false) | (Test::Between(..), true) => true,
            (Test::Between(low, high), false) => !inside(*low) || !inside(*high),
            (Test::In(values), false) => !values.iter().any(|value| inside(*value)),
            _ => false,
        }
    }

    /// Whether the summary alone may not tell.
    pub(super) fn reads_points(&self) -> bool {
        match (&self.test, self.negated) {
            (Test::Compare(operator, _), _) => *operator == Operator::Equal,
            (Test::Between(..), negated) => !negated,
            _ => true,
        }
    }
}
