//! Runs for the tests of all formats: odd names, mixed types, and numbers that are none.

use std::collections::BTreeMap;

use crate::event::{Metric, RunEvent, TimedEvent};
use crate::name::Name;
use crate::record::RunRecord;
use crate::summary::{Aggregate, RunState, RunSummary};
use crate::value::Value;

/// A run with these parameters and points, in the order of logging.
pub(crate) fn record(
    digit: u8,
    params: &[(&str, Value)],
    points: &[(&str, u64, f64)],
) -> RunRecord {
    let mut series: BTreeMap<Name, Vec<_>> = BTreeMap::new();
    for &(name, step, value) in points {
        series.entry(name.into()).or_default().push((step, value));
    }
    let summary = RunSummary {
        id: format!("20261123-230412-00000{digit}").parse().unwrap(),
        name: Some("one, \"two\"".into()),
        state: RunState::Stopped { reason: "patience\nis over".into() },
        started_at: "2026-11-23T23:04:12.25Z".parse().unwrap(),
        seconds: Some(1.5),
        seed: u64::MAX,
        model: "mlp".into(),
        parent: None,
        params: params.iter().map(|(name, value)| ((*name).into(), value.clone())).collect(),
        tags: [("kind".into(), "é".to_owned())].into(),
        metrics: series
            .iter()
            .map(|(name, points)| (name.clone(), Aggregate::of(points).unwrap()))
            .collect(),
        steps: 2,
        epochs: 1,
        warnings: 0,
        damage: None,
    };
    RunRecord {
        summary,
        recipe: None,
        plan: Vec::new(),
        environment: crate::Environment::default(),
        data: crate::DataFingerprint::default(),
        series,
        events: Vec::new(),
        damage: None,
    }
}

/// A run whose points are hard on a format.
pub(crate) fn odd() -> RunRecord {
    let points = [
        ("loss", 1, 0.1),
        ("loss", 2, f64::NAN),
        ("loss", 2, f64::INFINITY),
        ("loss", 3, f64::NEG_INFINITY),
        ("loss", 4, 1e300),
        ("val, loss", 4, -0.0),
    ];
    let mut record =
        record(1, &[("lr", Value::Float(f64::INFINITY)), ("on", Value::Bool(true))], &points);
    let metrics = vec![Metric::new("accuracy", f64::NAN)];
    let event = RunEvent::Evaluation { part: "test".into(), metrics };
    record.events.push(TimedEvent { at: record.summary.started_at, event });
    record
}
