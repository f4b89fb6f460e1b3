//! Fields that exist, and their values in a run.

use super::cell::Cell;
use crate::name::Name;
use crate::summary::{Aggregate, RunSummary};

/// Where the points of metrics come from.
pub(crate) trait Histories {
    /// The points of a run's metric as (step, value), in the order of logging.
    fn points(&self, run: &RunSummary, metric: &str) -> Vec<(u64, f64)>;
}

impl<F: Fn(&RunSummary, &str) -> Vec<(u64, f64)>> Histories for F {
    fn points(&self, run: &RunSummary, metric: &str) -> Vec<(u64, f64)> {
        self(run, metric)
    }
}

/// A run and the points of it that were needed so far. None are read twice.
pub(super) struct View<'r> {
    pub(super) run: &'r RunSummary,
    histories: &'r dyn Histories,
    read: Vec<(Name, Vec<(u64, f64)>)>,
}

impl<'r> View<'r> {
    pub(super) fn new(run: &'r RunSummary, histories: &'r dyn Histories) -> View<'r> {
        View { run, histories, read: Vec::new() }
    }

    /// The points of a metric, as (step, value) in the order of logging.
    pub(super) fn points(&mut self, metric: &str) -> &[(u64, f64)] {
        let at = match self.read.iter().position(|(name, _)| name == metric) {
            Some(at) => at,
            None => {
                self.read.push((metric.into(), self.histories.points(self.run, metric)));
                self.read.len() - 1
            }
        };
        &self.read[at].1
    }
}

/// A field that exists.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Column {
    Metric(String, Statistic),
    /// The metric at a step.
    At(String, u64),
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

pub(super) const STATISTICS: [(&str, Statistic); 9] = [
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
    Parent,
    State,
    Damage,
    Seed,
    Seconds,
    Steps,
    Epochs,
    Warnings,
    StartedAt,
}

pub(super) const PLAIN: [(&str, Plain); 14] = [
    ("id", Plain::Id),
    ("name", Plain::Name),
    ("model", Plain::Model),
    ("parent", Plain::Parent),
    ("state", Plain::State),
    ("status", Plain::State),
    ("damage", Plain::Damage),
    ("seed", Plain::Seed),
    ("seconds", Plain::Seconds),
    ("steps", Plain::Steps),
    ("epochs", Plain::Epochs),
    ("warnings", Plain::Warnings),
    ("started_at", Plain::StartedAt),
    ("started", Plain::StartedAt),
];

impl Column {
    /// The field's value in a run; `None` is null.
    pub(super) fn of<'r>(&self, view: &mut View<'r>) -> Option<Cell<'r>> {
        let run = view.run;
        match self {
            Column::Metric(name, statistic) => {
                run.metrics.get(name.as_str()).and_then(|aggregate| statistic.of(aggregate))
            }
            Column::At(name, step) => {
                run.metrics.get(name.as_str())?;
                let points = view.points(name).iter().filter(|point| point.0 <= *step);
                // Of several at one step this gives the last.
                points.max_by_key(|point| point.0).map(|point| Cell::Float(point.1))
            }
            Column::Param(name) => run.params.get(name.as_str()).map(Cell::from),
            Column::Tag(name) => run.tags.get(name.as_str()).map(|value| Cell::Text(value)),
            Column::Plain(plain) => plain.of(run),
        }
    }

    /// Whether the value needs more than the summary.
    pub(super) fn reads_points(&self) -> bool {
        matches!(self, Column::At(..))
    }
}

impl Plain {
    fn of(self, run: &RunSummary) -> Option<Cell<'_>> {
        let count = |count: u64| Some(Cell::Int(i128::from(count)));
        match self {
            Plain::Id => Some(Cell::Text(run.id.as_str())),
            Plain::Name => run.name.as_deref().map(Cell::Text),
            Plain::Model => Some(Cell::Text(&run.model)),
            Plain::Parent => run.parent.as_ref().map(|parent| Cell::Text(parent.run.as_str())),
            Plain::State => Some(Cell::Text(run.state.name())),
            Plain::Damage => run.damage.as_deref().map(Cell::Text),
            Plain::Seed => count(run.seed),
            Plain::Seconds => run.seconds.map(Cell::Float),
            Plain::Steps => count(run.steps),
            Plain::Epochs => count(run.epochs),
            Plain::Warnings => count(run.warnings),
            Plain::StartedAt => Some(Cell::Time(run.started_at)),
        }
    }
}

impl Statistic {
    fn of(self, aggregate: &Aggregate) -> Option<Cell<'static>> {
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
