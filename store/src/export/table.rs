//! The table of runs, column by column, before a format writes it.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::summary::{Aggregate, RunSummary};
use crate::value::Value;

/// A column of the table: a cell for each run, `None` where the run lacks it.
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) cells: Cells,
}

/// The cells of a column, all of one type.
#[derive(Debug, PartialEq)]
pub(crate) enum Cells {
    Bool(Vec<Option<bool>>),
    Int(Vec<Option<i64>>),
    Count(Vec<Option<u64>>),
    Float(Vec<Option<f64>>),
    Text(Vec<Option<String>>),
    Time(Vec<Option<Timestamp>>),
}

/// How to get a column from a summary.
enum Get {
    Count(fn(&RunSummary) -> u64),
    Float(fn(&RunSummary) -> Option<f64>),
    Text(fn(&RunSummary) -> Option<String>),
    Time(fn(&RunSummary) -> Timestamp),
}

/// The columns that every table has. Names are a format: they stay.
const FIXED: [(&str, Get); 13] = [
    ("id", Get::Text(|run| Some(run.id.to_string()))),
    ("name", Get::Text(|run| run.name.clone())),
    ("state", Get::Text(|run| Some(run.state.name().to_owned()))),
    ("reason", Get::Text(|run| run.state.reason().map(str::to_owned))),
    ("started_at", Get::Time(|run| run.started_at)),
    ("seconds", Get::Float(|run| run.seconds)),
    ("seed", Get::Count(|run| run.seed)),
    ("model", Get::Text(|run| Some(run.model.clone()))),
    ("steps", Get::Count(|run| run.steps)),
    ("epochs", Get::Count(|run| run.epochs)),
    ("warnings", Get::Count(|run| run.warnings)),
    ("damage", Get::Text(|run| run.damage.clone())),
    ("parent", Get::Text(|run| run.parent.as_ref().map(|parent| parent.run.to_string()))),
];

/// How to get an aggregate of a metric.
enum Of {
    Float(fn(&Aggregate) -> f64),
    Count(fn(&Aggregate) -> u64),
}

/// The columns of each metric, named as queries name them.
const AGGREGATES: [(&str, Of); 9] = [
    ("last", Of::Float(|of| of.last)),
    ("first", Of::Float(|of| of.first)),
    ("min", Of::Float(|of| of.min)),
    ("max", Of::Float(|of| of.max)),
    ("mean", Of::Float(|of| of.mean)),
    ("count", Of::Count(|of| of.count)),
    ("argmin", Of::Count(|of| of.argmin)),
    ("argmax", Of::Count(|of| of.argmax)),
    ("nan_count", Of::Count(|of| of.nan_count)),
];

/// All columns of these runs.
pub(crate) fn of_runs(runs: &[RunSummary]) -> Vec<Column> {
    let mut columns: Vec<_> = FIXED
        .iter()
        .map(|(name, get)| {
            let cells = match get {
                Get::Count(get) => Cells::Count(runs.iter().map(|run| Some(get(run))).collect()),
                Get::Float(get) => Cells::Float(runs.iter().map(get).collect()),
                Get::Text(get) => Cells::Text(runs.iter().map(get).collect()),
                Get::Time(get) => Cells::Time(runs.iter().map(|run| Some(get(run))).collect()),
            };
            Column { name: (*name).to_owned(), cells }
        })
        .collect();
    for name in runs.iter().flat_map(|run| run.params.keys()).collect::<BTreeSet<_>>() {
        let values: Vec<_> = runs.iter().map(|run| run.params.get(name)).collect();
        columns.push(Column { name: format!("params.{name}"), cells: of_values(&values) });
    }
    for name in runs.iter().flat_map(|run| run.tags.keys()).collect::<BTreeSet<_>>() {
        let cells = Cells::Text(runs.iter().map(|run| run.tags.get(name).cloned()).collect());
        columns.push(Column { name: format!("tags.{name}"), cells });
    }
    for name in runs.iter().flat_map(|run| run.metrics.keys()).collect::<BTreeSet<_>>() {
        for (aggregate, of) in &AGGREGATES {
            let all = runs.iter().map(|run| run.metrics.get(name));
            let cells = match of {
                Of::Float(of) => Cells::Float(all.map(|metric| metric.map(of)).collect()),
                Of::Count(of) => Cells::Count(all.map(|metric| metric.map(of)).collect()),
            };
            columns.push(Column { name: format!("metrics.{name}.{aggregate}"), cells });
        }
    }
    columns
}

/// The type that all values have. Whole numbers beside others are floats where a float holds every
/// one of them exactly. Any other mixture is text.
fn of_values(values: &[Option<&Value>]) -> Cells {
    let bools = values.iter().map(|value| match value {
        None => Some(None),
        Some(Value::Bool(value)) => Some(Some(*value)),
        Some(_) => None,
    });
    if let Some(cells) = bools.collect() {
        return Cells::Bool(cells);
    }
    let ints = values.iter().map(|value| match value {
        None => Some(None),
        Some(Value::Int(value)) => Some(Some(*value)),
        Some(_) => None,
    });
    if let Some(cells) = ints.collect() {
        return Cells::Int(cells);
    }
    let floats = values.iter().map(|value| match value {
        None => Some(None),
        Some(Value::Float(value)) => Some(Some(*value)),
        Some(Value::Int(value)) => (value.unsigned_abs() <= 1 << 53).then_some(Some(*value as f64)),
        Some(_) => None,
    });
    match floats.collect() {
        Some(cells) => Cells::Float(cells),
        None => Cells::Text(values.iter().map(|value| value.map(Value::to_string)).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    fn column(columns: &[Column], name: &str) -> usize {
        columns
            .iter()
            .position(|column| column.name == name)
            .unwrap_or_else(|| panic!("no column {name}"))
    }

    #[test]
    fn columns_are_the_union_over_runs_sorted() {
        let a = samples::record(1, &[("b", 1.into())], &[("z", 1, 1.0)]).summary;
        let b = samples::record(2, &[("a", 1.into())], &[("m", 1, 2.0), ("m", 2, 4.0)]).summary;
        let columns = of_runs(&[a, b]);
        let names: Vec<_> =
            columns.iter().skip(FIXED.len()).map(|column| column.name.as_str()).collect();
        assert_eq!(names[..4], ["params.a", "params.b", "tags.kind", "metrics.m.last"]);
        assert_eq!(names.len(), 3 + 2 * AGGREGATES.len());
        assert_eq!(columns[column(&columns, "params.a")].cells, Cells::Int(vec![None, Some(1)]));
        assert_eq!(
            columns[column(&columns, "metrics.m.mean")].cells,
            Cells::Float(vec![None, Some(3.0)])
        );
        assert_eq!(
            columns[column(&columns, "metrics.m.argmax")].cells,
            Cells::Count(vec![None, Some(2)])
        );
    }

    #[test]
    fn a_parameter_keeps_the_type_that_all_runs_agree_on() {
        let cells = |values: &[Value]| {
            of_values(&values.iter().map(Some).chain([None]).collect::<Vec<_>>())
        };
        assert_eq!(cells(&[true.into()]), Cells::Bool(vec![Some(true), None]));
        assert_eq!(cells(&[1.into(), 2.into()]), Cells::Int(vec![Some(1), Some(2), None]));
        assert_eq!(cells(&[1.into(), 0.5.into()]), Cells::Float(vec![Some(1.0), Some(0.5), None]));
        let text = |texts: [&str; 2]| {
            Cells::Text(texts.iter().map(|text| Some((*text).to_owned())).chain([None]).collect())
        };
        assert_eq!(cells(&[1.into(), "adam".into()]), text(["1", "adam"]));
        assert_eq!(cells(&[true.into(), 1.into()]), text(["true", "1"]));
        // 2^53 + 1 is no float.
        assert_eq!(
            cells(&[((1_i64 << 53) + 1).into(), 0.5.into()]),
            text(["9007199254740993", "0.5"])
        );
    }
}
