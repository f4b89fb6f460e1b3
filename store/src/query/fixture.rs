//! Runs that the tests ask about.

use std::sync::Arc;

use crate::name::Name;
use crate::summary::{Aggregate, RunState, RunSummary};
use crate::value::Value;

const NAN: f64 = f64::NAN;

/// The points that a run logged under each of its metrics. Those of `c` are not in the order of
/// their steps.
pub(super) fn points(run: &RunSummary, _: &str) -> Vec<(u64, f64)> {
    series(run.name.as_deref().unwrap_or_default()).to_vec()
}

fn series(run: &str) -> &'static [(u64, f64)] {
    match run {
        "dddd" => &[(1, 3.0), (2, NAN), (3, NAN)],
        "ccc" => &[(10, 0.3), (2, 0.1), (2, 0.25), (30, 0.15), (20, 0.2)],
        "a" => &[(1, 0.5), (2, 0.4)],
        _ => &[],
    }
}

/// Four runs, newest first, one a day. `d` diverged and is damaged, `c` has no learning rate, `b`
/// none of the metrics.
pub(super) fn runs() -> Vec<Arc<RunSummary>> {
    let run = |name: &str, state: RunState, params: &[(&str, Value)], tags: &[(&str, &str)]| {
        let metrics = Aggregate::of(series(name)).map(|aggregate| {
            [(Name::from("val_loss"), aggregate.clone()), ("val.odd name".into(), aggregate)].into()
        });
        let length = name.len();
        Arc::new(RunSummary {
            id: format!("2026010{length}-000000-00000{length}").parse().unwrap(),
            name: Some(name.to_owned()),
            state,
            started_at: format!("2026-01-0{length}T00:00:00Z").parse().unwrap(),
            seconds: (name != "dddd").then_some(length as f64),
            seed: if name == "a" { u64::MAX } else { 7 },
            model: "mlp 64-128".into(),
            parent: None,
            params: params.iter().map(|(name, value)| ((*name).into(), value.clone())).collect(),
            tags: tags.iter().map(|(name, value)| ((*name).into(), (*value).to_owned())).collect(),
            metrics: metrics.unwrap_or_default(),
            steps: 10 * length as u64,
            epochs: 2,
            warnings: if name == "dddd" { 3 } else { 0 },
            damage: (name == "dddd").then(|| "cut off".to_owned()),
        })
    };
    vec![
        run(
            "dddd",
            RunState::Crashed,
            &[("lr", 1.into()), ("opt", "sgd".into())],
            &[("kind", "rnn")],
        ),
        run(
            "ccc",
            RunState::Finished,
            &[("opt", "adamw".into()), ("nesterov", true.into())],
            &[("kind", "cnn-2")],
        ),
        run(
            "bb",
            RunState::Failed { error: "x".into() },
            &[("lr", 1e-3.into()), ("opt", 3.into())],
            &[],
        ),
        run(
            "a",
            RunState::Finished,
            &[("lr", 1e-4.into()), ("nesterov", false.into())],
            &[("kind", "cnn")],
        ),
    ]
}
