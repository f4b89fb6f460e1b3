//! Whether the comparisons of a query make sense in this store, and the query in the form in which
//! it is evaluated.

use std::cmp::Ordering;
use std::sync::Arc;

use jiff::Timestamp;

use super::ast::{Check, Condition, Constant, Direction, Literal, Operator, Path, Points, Query};
use super::catalogue::{Catalogue, joined};
use super::cell::{Cell, Test, compare};
use super::column::{Column, Plain, View};
use super::error::QueryError;
use super::parse::NAN;
use super::pattern::Pattern;
use super::points::AnyPoint;
use super::render::quoted;
use super::time;
use crate::nearest::nearest;
use crate::summary::{RunState, RunSummary};
use crate::value::Value;

/// A condition whose fields are known and whose comparisons make sense.
pub(super) enum Bound<'q> {
    And(Vec<Bound<'q>>),
    Or(Vec<Bound<'q>>),
    Not(Box<Bound<'q>>),
    Test(Column, Test<'q>),
    Any(AnyPoint<'q>),
}

/// The condition, and the fields to sort by.
pub(super) type Parts<'q> = (Option<Bound<'q>>, Vec<(Column, Direction)>);

/// Gives a query its meaning among these runs at this moment.
pub(super) fn bind<'q>(
    text: &'q str,
    query: &'q Query,
    runs: &'q [Arc<RunSummary>],
    now: Timestamp,
) -> Result<Parts<'q>, QueryError> {
    let binder = Binder { catalogue: Catalogue { text, runs }, now };
    let condition =
        query.condition.as_ref().map(|condition| binder.condition(condition)).transpose()?;
    let order = query
        .order
        .iter()
        .map(|(path, direction)| Ok((binder.catalogue.column(path)?, *direction)));
    Ok((condition, order.collect::<Result<_, QueryError>>()?))
}

impl Bound<'_> {
    /// Three-valued as in SQL; `None` is unknown.
    pub(super) fn truth(&self, view: &mut View<'_>) -> Option<bool> {
        match self {
            Bound::And(all) => all_of(all.iter().map(|condition| condition.truth(view))),
            // By De Morgan, which holds for three values too.
            Bound::Or(all) => {
                all_of(all.iter().map(|condition| condition.truth(view).map(|truth| !truth)))
                    .map(|none| !none)
            }
            Bound::Not(condition) => condition.truth(view).map(|truth| !truth),
            Bound::Test(column, Test::IsNull) => Some(column.of(view).is_none()),
            Bound::Test(column, test) => test.of(column.of(view)?),
            Bound::Any(any) => any.truth(view),
        }
    }

    /// Whether the answer may need more than the summary.
    pub(super) fn reads_points(&self) -> bool {
        match self {
            Bound::And(all) | Bound::Or(all) => all.iter().any(Bound::reads_points),
            Bound::Not(condition) => condition.reads_points(),
            Bound::Test(column, _) => column.reads_points(),
            Bound::Any(any) => any.reads_points(),
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

struct Binder<'q> {
    catalogue: Catalogue<'q>,
    now: Timestamp,
}

/// The types that a field's values have among the runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    Number,
    Text,
    Bool,
    Time,
}

impl Type {
    const ALL: [(Type, &'static str); 4] = [
        (Type::Number, "a number"),
        (Type::Text, "text"),
        (Type::Bool, "true or false"),
        (Type::Time, "a time"),
    ];
}

impl<'q> Binder<'q> {
    fn condition(&self, condition: &'q Condition) -> Result<Bound<'q>, QueryError> {
        let all = |conditions: &'q [Condition]| -> Result<Vec<Bound<'q>>, QueryError> {
            let mut all = conditions
                .iter()
                .map(|condition| self.condition(condition))
                .collect::<Result<Vec<_>, _>>()?;
            // The order changes no truth, and what the summary tells may spare the reading of
            // points.
            all.sort_by_key(Bound::reads_points);
            Ok(all)
        };
        Ok(match condition {
            Condition::And(conditions) => Bound::And(all(conditions)?),
            Condition::Or(conditions) => Bound::Or(all(conditions)?),
            Condition::Not(condition) => Bound::Not(Box::new(self.condition(condition)?)),
            Condition::Test(path, check) => {
                let column = self.catalogue.column(path)?;
                let test = self.test(&column, path, check)?;
                Bound::Test(column, test)
            }
            Condition::Any(Points { path, negated, check }) => {
                let metric = self.catalogue.points(path)?;
                if matches!(check, Check::IsNull) {
                    let message = format!(
                        "a point is never null; `{}` without `any` may be",
                        joined(&path.parts)
                    );
                    return Err(self.catalogue.error(path.span.clone(), message));
                }
                let column = Column::At(metric.clone(), 0);
                Bound::Any(AnyPoint {
                    metric,
                    negated: *negated,
                    test: self.test(&column, path, check)?,
                })
            }
        })
    }

    /// Refuses a check that no value of the field can pass or fail.
    fn test(&self, column: &Column, path: &Path, check: &'q Check) -> Result<Test<'q>, QueryError> {
        let exact = |literal: &'q Literal| {
            let cell = self.cell(column, path, literal)?;
            if let Cell::Time(_) = cell {
                return Err(self.refuse(
                    literal,
                    "two times are hardly ever equal; use `<`, `>` or `between`",
                ));
            }
            Ok(cell)
        };
        let ordered = |literal: &'q Literal| {
            let cell = self.cell(column, path, literal)?;
            if let Cell::Bool(_) = cell {
                return Err(self.refuse(literal, "true and false have no order; use `=` or `!=`"));
            }
            Ok(cell)
        };
        let test = match check {
            Check::Compare(operator @ (Operator::Equal | Operator::NotEqual), literal) => {
                Test::Compare(*operator, exact(literal)?)
            }
            Check::Compare(operator, literal) => Test::Compare(*operator, ordered(literal)?),
            Check::Between(low, high) => {
                let bounds = (ordered(low)?, ordered(high)?);
                self.check_bounds(bounds, low, high)?;
                Test::Between(bounds.0, bounds.1)
            }
            Check::In(literals) if literals.is_empty() => {
                return Err(self
                    .catalogue
                    .error(path.span.clone(), "`in` needs at least one value"));
            }
            Check::In(literals) => Test::In(literals.iter().map(exact).collect::<Result<_, _>>()?),
            Check::Like(literal) => Test::Like(self.pattern(column, path, literal)?),
            Check::Ilike(literal) => Test::Ilike(self.pattern(column, path, literal)?),
            Check::Contains(literal) => Test::Contains(self.text(column, path, literal)?),
            Check::IsNull => Test::IsNull,
        };
        if matches!(column, Column::Plain(Plain::State)) {
            self.check_states(check, &test)?;
        }
        Ok(test)
    }

    /// A state that does not exist is a mistyped name, not a condition that happens to be false.
    fn check_states(&self, check: &Check, test: &Test<'_>) -> Result<(), QueryError> {
        match check {
            Check::Compare(Operator::Equal | Operator::NotEqual, literal) => self.state(literal),
            Check::In(literals) => literals.iter().try_for_each(|literal| self.state(literal)),
            Check::Like(literal) | Check::Ilike(literal) | Check::Contains(literal)
                if !RunState::NAMES
                    .iter()
                    .any(|state| test.of(Cell::Text(state)) == Some(true)) =>
            {
                Err(self.refuse(
                    literal,
                    &format!("no state is like this; there are {}", RunState::NAMES.join(", ")),
                ))
            }
            _ => Ok(()),
        }
    }

    fn state(&self, literal: &Literal) -> Result<(), QueryError> {
        match &literal.value {
            Constant::Text(state) if !RunState::NAMES.contains(&state.as_str()) => {
                let near = nearest(state, RunState::NAMES).unwrap_or_default();
                Err(self
                    .refuse(literal, &format!("unknown state '{state}'; the nearest is '{near}'")))
            }
            _ => Ok(()),
        }
    }

    /// Bounds between which nothing lies are a slip, not a condition that happens to be false.
    fn check_bounds(
        &self,
        (least, greatest): (Cell<'_>, Cell<'_>),
        low: &Literal,
        high: &Literal,
    ) -> Result<(), QueryError> {
        let written = |literal: &Literal| &self.catalogue.text[literal.span.clone()];
        let message = match compare(least, greatest) {
            Some(Ordering::Less | Ordering::Equal) => return Ok(()),
            Some(Ordering::Greater) => format!(
                "nothing lies there, because the lower bound comes first: between {} and {}",
                written(high),
                written(low)
            ),
            None => "one bound is a number and the other a text".to_owned(),
        };
        Err(self.catalogue.error(low.span.start..high.span.end, message))
    }

    /// The pattern behind `like` and `ilike`.
    fn pattern(
        &self,
        column: &Column,
        path: &Path,
        literal: &'q Literal,
    ) -> Result<Pattern, QueryError> {
        Pattern::read(self.text(column, path, literal)?).map_err(|right| {
            let right = quoted('\'', &right);
            let rule = "a backslash in a pattern stands before `%`, `_` or a backslash";
            self.refuse(literal, &format!("{rule}; a backslash itself is written twice: {right}"))
        })
    }

    /// The text behind `like` and its relatives.
    fn text(
        &self,
        column: &Column,
        path: &Path,
        literal: &'q Literal,
    ) -> Result<&'q str, QueryError> {
        let Constant::Text(text) = &literal.value else {
            self.cell(column, path, literal)?;
            return Err(self.refuse(literal, "`like`, `ilike` and `contains` need a text"));
        };
        if self.has(column, Type::Text) {
            Ok(text)
        } else {
            Err(self.mismatch(column, path, literal, Type::Text))
        }
    }

    /// The value in the type of the field.
    fn cell(
        &self,
        column: &Column,
        path: &Path,
        literal: &'q Literal,
    ) -> Result<Cell<'q>, QueryError> {
        let is_time = self.has(column, Type::Time);
        let (cell, found) = match &literal.value {
            Constant::Int(value) => (Cell::Int(*value), Type::Number),
            Constant::Float(value) if value.is_nan() => return Err(self.refuse(literal, NAN)),
            Constant::Float(value) => (Cell::Float(*value), Type::Number),
            Constant::Bool(value) => (Cell::Bool(*value), Type::Bool),
            Constant::Text(text) if is_time => match time::read(text) {
                Some(time) => (Cell::Time(time), Type::Time),
                None => {
                    let example = "'2026-11-25', '2026-11-25 10:00' (UTC), '2026-11-25T10:00:00+01:00' or now - 2d";
                    return Err(self.refuse(
                        literal,
                        &format!("'{text}' is not a date; dates look like {example}"),
                    ));
                }
            },
            Constant::Text(text) => (Cell::Text(text), Type::Text),
            Constant::Ago(seconds) => match time::before(self.now, *seconds) {
                Some(time) => (Cell::Time(time), Type::Time),
                None => return Err(self.refuse(literal, "the calendar does not go back that far")),
            },
        };
        if self.has(column, found) {
            Ok(cell)
        } else {
            Err(self.mismatch(column, path, literal, found))
        }
    }

    /// Whether some run has a value of this type there.
    fn has(&self, column: &Column, wanted: Type) -> bool {
        match column {
            Column::Param(name) => {
                self.catalogue.runs.iter().any(|run| match run.params.get(name.as_str()) {
                    Some(Value::Int(_) | Value::Float(_)) => wanted == Type::Number,
                    Some(Value::Text(_)) => wanted == Type::Text,
                    Some(Value::Bool(_)) => wanted == Type::Bool,
                    None => false,
                })
            }
            Column::Metric(..) | Column::At(..) => wanted == Type::Number,
            Column::Tag(_) => wanted == Type::Text,
            Column::Plain(
                Plain::Id
                | Plain::Name
                | Plain::Model
                | Plain::Parent
                | Plain::State
                | Plain::Damage,
            ) => wanted == Type::Text,
            Column::Plain(
                Plain::Seed | Plain::Seconds | Plain::Steps | Plain::Epochs | Plain::Warnings,
            ) => wanted == Type::Number,
            Column::Plain(Plain::StartedAt) => wanted == Type::Time,
        }
    }

    fn mismatch(&self, column: &Column, path: &Path, literal: &Literal, found: Type) -> QueryError {
        let is: Vec<&str> = Type::ALL
            .into_iter()
            .filter(|(is, _)| self.has(column, *is))
            .map(|(_, name)| name)
            .collect();
        let hint = match found {
            Type::Number if self.has(column, Type::Text) => "; a number in quotes is text",
            Type::Number if self.has(column, Type::Time) => {
                "; a date in quotes is a time, as in '2026-11-25'"
            }
            _ => "",
        };
        let found = match found {
            Type::Text => "a text",
            other => {
                Type::ALL.into_iter().find(|(is, _)| *is == other).map_or("", |(_, name)| name)
            }
        };
        let field = joined(&path.parts);
        self.refuse(
            literal,
            &format!("`{field}` is {}, and this is {found}{hint}", is.join(" or ")),
        )
    }

    fn refuse(&self, literal: &Literal, message: &str) -> QueryError {
        self.catalogue.error(literal.span.clone(), message)
    }
}
