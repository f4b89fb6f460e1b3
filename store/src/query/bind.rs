//! What the names of a query mean in this store, and whether its comparisons make sense.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::ast::{Cell, Check, Literal, Operator, Part, Path, Span};
use super::error::QueryError;
use crate::event::MetricName;
use crate::nearest::nearest;
use crate::summary::{Aggregate, RunState, RunSummary};
use crate::value::Value;

/// A field that exists.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Field {
    Metric(MetricName, Statistic),
    Param(String),
    Tag(String),
    Plain(Plain),
}

/// A number of an [`Aggregate`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Statistic {
    Last,
    First,
    Min,
    Max,
    Mean,
    Count,
    NanCount,
    Argmin,
    Argmax,
}

const STATISTICS: [(&str, Statistic); 9] = [
    ("last", Statistic::Last),
    ("first", Statistic::First),
    ("min", Statistic::Min),
    ("max", Statistic::Max),
    ("mean", Statistic::Mean),
    ("count", Statistic::Count),
    ("nan_count", Statistic::NanCount),
    ("argmin", Statistic::Argmin),
    ("argmax", Statistic::Argmax),
];

/// A field that every run has, or may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plain {
    Id,
    Name,
    Model,
    State,
    Seed,
    Seconds,
    Steps,
    Epochs,
}

const PLAIN: [(&str, Plain); 9] = [
    ("id", Plain::Id),
    ("name", Plain::Name),
    ("model", Plain::Model),
    ("state", Plain::State),
    ("status", Plain::State),
    ("seed", Plain::Seed),
    ("seconds", Plain::Seconds),
    ("steps", Plain::Steps),
    ("epochs", Plain::Epochs),
];

/// The types that a field's values have among the runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Types {
    number: bool,
    text: bool,
    boolean: bool,
}

const NUMBER: Types = Types { number: true, text: false, boolean: false };
const TEXT: Types = Types { number: false, text: true, boolean: false };

/// Every name that the runs of a store have.
pub(super) struct Catalogue<'a> {
    text: &'a str,
    metrics: BTreeMap<&'a str, ()>,
    tags: BTreeMap<&'a str, ()>,
    params: BTreeMap<&'a str, Types>,
}

impl<'a> Catalogue<'a> {
    /// For the query `text` over these runs.
    pub(super) fn new(text: &'a str, runs: &'a [Arc<RunSummary>]) -> Catalogue<'a> {
        let mut params: BTreeMap<&str, Types> = BTreeMap::new();
        for (name, value) in runs.iter().flat_map(|run| &run.params) {
            let types = params.entry(name).or_default();
            match value {
                Value::Int(_) | Value::Float(_) => types.number = true,
                Value::Text(_) => types.text = true,
                Value::Bool(_) => types.boolean = true,
            }
        }
        Catalogue {
            text,
            metrics: runs.iter().flat_map(|run| run.metrics.keys()).map(|name| (name.as_str(), ())).collect(),
            tags: runs.iter().flat_map(|run| run.tags.keys()).map(|name| (name.as_str(), ())).collect(),
            params,
        }
    }

    /// The field that a path means.
    pub(super) fn field(&self, path: &Path) -> Result<Field, QueryError> {
        let (first, rest) = match path.parts.as_slice() {
            [first, rest @ ..] if !first.quoted => (first, rest),
            _ => return Err(self.unknown_field(path)),
        };
        let kind = first.text.to_ascii_lowercase();
        match (kind.as_str(), rest) {
            ("metric" | "metrics", [_, ..]) => self.metric(rest),
            ("param" | "params", [_, ..]) => known("parameter", self.text, rest, &self.params).map(Field::Param),
            ("tag" | "tags", [_, ..]) => known("tag", self.text, rest, &self.tags).map(Field::Tag),
            ("metric" | "metrics" | "param" | "params" | "tag" | "tags", []) => {
                let message = format!("`{kind}` needs a name behind a dot, as in `{kind}.loss`");
                Err(QueryError::new(self.text, path.span.clone(), message))
            }
            (name, []) => match PLAIN.iter().find(|(plain, _)| *plain == name) {
                Some((_, plain)) => Ok(Field::Plain(*plain)),
                None => Err(self.unknown_field(path)),
            },
            _ => Err(self.unknown_field(path)),
        }
    }

    fn metric(&self, parts: &[Part]) -> Result<Field, QueryError> {
        if let [name @ .., last] = parts
            && !name.is_empty()
            && !last.quoted
        {
            let word = last.text.to_ascii_lowercase();
            if let Some((_, statistic)) = STATISTICS.iter().find(|(statistic, _)| *statistic == word) {
                return known("metric", self.text, name, &self.metrics)
                    .map(|name| Field::Metric(name.into(), *statistic));
            }
            // The name is right, so what follows was meant as a statistic.
            let whole = self.metrics.contains_key(joined(parts).as_str());
            if !whole && self.metrics.contains_key(joined(name).as_str()) {
                let near = nearest(&word, STATISTICS.map(|(name, _)| name)).unwrap_or_default();
                let message = format!("unknown statistic `{}`; the nearest is `{near}`", last.text);
                return Err(QueryError::new(self.text, last.span.clone(), message));
            }
        }
        known("metric", self.text, parts, &self.metrics).map(|name| Field::Metric(name.into(), Statistic::Last))
    }

    fn unknown_field(&self, path: &Path) -> QueryError {
        let text = joined(&path.parts);
        let all = self.metrics.keys().map(|name| format!("metrics.{name}"));
        let all = all.chain(self.params.keys().map(|name| format!("params.{name}")));
        let all = all.chain(self.tags.keys().map(|name| format!("tags.{name}")));
        let mut all: Vec<String> = all.chain(PLAIN.map(|(name, _)| name.to_owned())).collect();
        // `loss` alone most probably is the metric, which spelling alone would not find.
        let bare = |field: &&String| field.split_once('.').is_some_and(|(_, name)| name == text);
        if let Some(field) = all.iter().find(bare).cloned() {
            all = vec![field];
        }
        let near = nearest(&text, all.iter().map(String::as_str)).unwrap_or_default();
        QueryError::new(self.text, path.span.clone(), format!("unknown field `{text}`; the nearest is `{near}`"))
    }

    /// Refuses a check that no value of the field can pass or fail.
    pub(super) fn check(&self, field: &Field, path: &Path, check: &Check) -> Result<(), QueryError> {
        let types = match field {
            Field::Metric(..) => NUMBER,
            Field::Param(name) => self.params.get(name.as_str()).copied().unwrap_or_default(),
            Field::Tag(_) => TEXT,
            Field::Plain(Plain::Id | Plain::Name | Plain::Model | Plain::State) => TEXT,
            Field::Plain(Plain::Seed | Plain::Seconds | Plain::Steps | Plain::Epochs) => NUMBER,
        };
        let literals = match check {
            Check::Compare(_, literal) | Check::Like(literal) | Check::Contains(literal) => {
                std::slice::from_ref(literal)
            }
            Check::Between(low, high) => {
                self.literal(field, path, types, low)?;
                std::slice::from_ref(high)
            }
            Check::In(literals) => literals,
            Check::IsNull => &[],
        };
        for literal in literals {
            self.literal(field, path, types, literal)?;
        }
        let ordered = match check {
            Check::Compare(operator, _) => !matches!(operator, Operator::Equal | Operator::NotEqual),
            Check::Between(..) => true,
            _ => false,
        };
        for literal in literals {
            let refuse = |message: &str| Err(QueryError::new(self.text, literal.span.clone(), message));
            match (&literal.value, check) {
                (Cell::Bool(_), _) if ordered => return refuse("true and false have no order; use `=` or `!=`"),
                (Cell::Text(_), Check::Like(_) | Check::Contains(_)) => {}
                (_, Check::Like(_) | Check::Contains(_)) => return refuse("`like` and `contains` need a text"),
                _ => {}
            }
            // A state that does not exist is a mistyped name, not a condition that happens to be false.
            if let (Field::Plain(Plain::State), Cell::Text(state)) = (field, &literal.value)
                && matches!(check, Check::Compare(..) | Check::In(_))
                && !RunState::NAMES.contains(&state.as_str())
            {
                let near = nearest(state, RunState::NAMES).unwrap_or_default();
                return refuse(&format!("unknown state '{state}'; the nearest is '{near}'"));
            }
        }
        Ok(())
    }

    fn literal(&self, field: &Field, path: &Path, types: Types, literal: &Literal) -> Result<(), QueryError> {
        let (fits, found) = match literal.value {
            Cell::Int(_) | Cell::Float(_) => (types.number, "a number"),
            Cell::Bool(_) => (types.boolean, "true or false"),
            Cell::Text(_) => (types.text, "a text"),
        };
        if fits {
            return Ok(());
        }
        let names = [(types.number, "a number"), (types.text, "text"), (types.boolean, "true or false")];
        let is: Vec<&str> = names.into_iter().filter(|(is, _)| *is).map(|(_, name)| name).collect();
        let hint = match (field, &literal.value) {
            (Field::Param(_) | Field::Tag(_) | Field::Plain(_), Cell::Int(_) | Cell::Float(_)) if types.text => {
                "; a number in quotes is text"
            }
            _ => "",
        };
        let field = joined(&path.parts);
        let message = format!("`{field}` is {}, and this is {found}{hint}", is.join(" or "));
        Err(QueryError::new(self.text, literal.span.clone(), message))
    }
}

/// The name that the parts spell, if some run has it.
fn known<T>(kind: &str, text: &str, parts: &[Part], names: &BTreeMap<&str, T>) -> Result<String, QueryError> {
    let name = joined(parts);
    if names.contains_key(name.as_str()) {
        return Ok(name);
    }
    let message = match nearest(&name, names.keys().copied()) {
        Some(near) => format!("no run has a {kind} `{name}`; the nearest is `{near}`"),
        None => format!("no run has a {kind} `{name}`; no run of this store has any {kind}"),
    };
    Err(QueryError::new(text, span(parts), message))
}

fn joined(parts: &[Part]) -> String {
    parts.iter().map(|part| part.text.as_str()).collect::<Vec<_>>().join(".")
}

fn span(parts: &[Part]) -> Span {
    match (parts.first(), parts.last()) {
        (Some(first), Some(last)) => first.span.start..last.span.end,
        _ => 0..0,
    }
}

impl Field {
    /// The field's value in a run; `None` is null.
    pub(super) fn of(&self, run: &RunSummary) -> Option<Cell> {
        match self {
            Field::Metric(name, statistic) => run.metrics.get(name).and_then(|aggregate| statistic.of(aggregate)),
            Field::Param(name) => run.params.get(name).map(|value| match value {
                Value::Bool(value) => Cell::Bool(*value),
                Value::Int(value) => Cell::Int(i128::from(*value)),
                Value::Float(value) => Cell::Float(*value),
                Value::Text(value) => Cell::Text(value.clone()),
            }),
            Field::Tag(name) => run.tags.get(name).cloned().map(Cell::Text),
            Field::Plain(plain) => match plain {
                Plain::Id => Some(Cell::Text(run.id.to_string())),
                Plain::Name => run.name.clone().map(Cell::Text),
                Plain::Model => Some(Cell::Text(run.model.clone())),
                Plain::State => Some(Cell::Text(run.state.name().to_owned())),
                Plain::Seed => Some(Cell::Int(i128::from(run.seed))),
                Plain::Seconds => run.seconds.map(Cell::Float),
                Plain::Steps => Some(Cell::Int(i128::from(run.steps))),
                Plain::Epochs => Some(Cell::Int(i128::from(run.epochs))),
            },
        }
    }
}

impl Statistic {
    fn of(self, aggregate: &Aggregate) -> Option<Cell> {
        let seen = aggregate.nan_count < aggregate.count;
        let count = |count: u64| Some(Cell::Int(i128::from(count)));
        match self {
            Statistic::Last => Some(Cell::Float(aggregate.last)),
            Statistic::First => Some(Cell::Float(aggregate.first)),
            Statistic::Min => Some(Cell::Float(aggregate.min)),
            Statistic::Max => Some(Cell::Float(aggregate.max)),
            Statistic::Mean => Some(Cell::Float(aggregate.mean)),
            Statistic::Count => count(aggregate.count),
            Statistic::NanCount => count(aggregate.nan_count),
            // Of nothing but NaN there is no least value, and so no place of it.
            Statistic::Argmin => count(aggregate.argmin).filter(|_| seen),
            Statistic::Argmax => count(aggregate.argmax).filter(|_| seen),
        }
    }
}
