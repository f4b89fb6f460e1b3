//! Points of metrics.

use std::collections::BTreeMap;

use serde::Serialize;
use trainbook_store::{History, Name, Store};

use super::failure::Failure;
use crate::http::{Request, Response, Status, Tag};

/// Points of a curve, if nobody says how many; about as many as a screen has columns.
const POINTS: usize = 1_000;

/// Most points of a curve.
const MOST_POINTS: usize = 2_000;

/// Most metrics at once.
const MOST_METRICS: usize = 64;

#[derive(Debug, Serialize)]
struct Curves {
    metrics: BTreeMap<Name, Curve>,
}

/// A metric, thinned so that peaks and NaN stay; see [`History`].
#[derive(Debug, Serialize)]
struct Curve {
    /// How many points there are.
    total: u64,
    steps: Vec<u64>,
    /// `null` where the value is NaN or infinite: a gap in the curve.
    values: Vec<Option<f64>>,
}

pub(super) fn answer(store: &Store, id: &str, request: &Request) -> Result<Response, Failure> {
    let names: Vec<&str> = request.parameters("name").collect();
    if names.is_empty() || names.len() > MOST_METRICS {
        let count = names.len();
        return Err(Failure::bad_request(format!(
            "read the points of {count} metrics: name 1 to {MOST_METRICS}, each as name=…"
        )));
    }
    let points = match request.parameter("points") {
        None => POINTS,
        Some(text) => text
            .parse()
            .ok()
            .filter(|points| (1..=MOST_POINTS).contains(points))
            .ok_or_else(|| {
                Failure::bad_request(format!("read points {text:?}: it must be 1 to {MOST_POINTS}"))
            })?,
    };
    let summary = store.summary(id)?;
    // Points are only ever added, so their number tells whether there are new ones.
    let counts: Vec<_> = names
        .iter()
        .map(|name| (name, summary.metrics.get(*name).map(|whole| whole.count)))
        .collect();
    let tag = Tag::of(format!("{} {points} {counts:?}", summary.id).as_bytes());
    if tag.is_known(request) {
        return Ok(tag.not_modified());
    }
    let histories = store.histories(summary.id.as_str(), &names, points)?;
    let metrics = histories.into_iter().map(|(name, history)| (name, Curve::of(history))).collect();
    Ok(tag.on(Response::json(Status::Ok, &Curves { metrics })))
}

impl Curve {
    fn of(History { total, points }: History) -> Curve {
        let (steps, values) = points
            .into_iter()
            .map(|(step, value)| (step, Some(value).filter(|value| value.is_finite())))
            .unzip();
        Curve { total, steps, values }
    }
}
