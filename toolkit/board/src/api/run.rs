//! One run.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value as Json;
use trainbook_store::export::json::{self, NonFinite};
use trainbook_store::{Environment, ObjectId, RunEvent, RunRecord, Store, StoreError};

use super::failure::Failure;
use super::runs::Row;
use super::watch::Watch;
use crate::http::{Request, Response, Status};

/// Most events that are shown, the newest of them.
const MOST_EVENTS: usize = 1_000;

/// A run without its points.
#[derive(Debug, Serialize)]
struct Page {
    run: Row,
    /// The network's text, whole.
    model: String,
    parent: Option<Json>,
    plan: Json,
    data: Json,
    environment: Json,
    /// What decides the run, as JSON text with a line for each thing.
    recipe: Option<String>,
    events: Vec<Json>,
    /// How many events there are.
    event_count: usize,
    objects: Vec<Object>,
    /// The process that records the run, if it was stopped as by Ctrl-Z.
    stopped_writer: Option<u32>,
}

/// A file in the store.
#[derive(Debug, Serialize)]
struct Object {
    id: ObjectId,
    /// What it is to the run.
    what: String,
    /// Whether a person can read it.
    text: bool,
}

pub(super) fn answer(
    store: &Store,
    watch: &Watch,
    id: &str,
    request: &Request,
) -> Result<Response, Failure> {
    let mut record = watch.record(store, id)?;
    let objects = objects(&record);
    let event_count = record.events.len();
    record.events.drain(..event_count.saturating_sub(MOST_EVENTS));
    let run = Row::of(&record.summary);
    let stopped_writer = record.stopped_writer();
    let recipe = record.recipe.take().map(|recipe| indented(&recipe));
    let mut json = document(&record)?;
    let mut part = |name: &str| json.get_mut(name).map(Json::take).unwrap_or_default();
    let (plan, data, environment) = (part("plan"), part("data"), part("environment"));
    let (events, mut summary) = (part("events"), part("summary"));
    let parent = summary.get_mut("parent").map(Json::take).filter(|parent| !parent.is_null());
    let events = match events {
        Json::Array(events) => events,
        _ => Vec::new(),
    };
    let model = record.summary.model;
    let page = Page {
        run,
        model,
        parent,
        plan,
        data,
        environment,
        recipe,
        events,
        event_count,
        objects,
        stopped_writer,
    };
    Ok(Response::json(Status::Ok, &page).unless_known(request))
}

/// The record as the store exports it, with NaN and the infinities.
fn document(record: &RunRecord) -> Result<Json, StoreError> {
    let mut bytes = Vec::new();
    json::run(record, NonFinite::Text, &mut bytes)?;
    serde_json::from_slice(&bytes)
        .map_err(|source| StoreError::Export { format: "JSON", source: source.into() })
}

/// JSON with a line for each thing; what is no JSON, as it is.
fn indented(recipe: &str) -> String {
    let parsed = serde_json::from_str::<Json>(recipe).ok();
    let indented = parsed.and_then(|json| serde_json::to_string_pretty(&json).ok());
    indented.unwrap_or_else(|| recipe.to_owned())
}

/// The files that the run refers to, each once.
fn objects(record: &RunRecord) -> Vec<Object> {
    let Environment { git_diff, notebook_file, notebook_cell, .. } = &record.environment;
    let captured = [
        (git_diff, "changes to the code since the commit"),
        (notebook_file, "the notebook"),
        (notebook_cell, "the notebook's cell"),
    ];
    let captured = captured
        .into_iter()
        .filter_map(|(id, what)| Some(Object { id: (*id)?, what: what.to_owned(), text: true }));
    let kept = record.events.iter().filter_map(|event| match &event.event {
        RunEvent::Checkpoint { label, step, object, .. } => Some(Object {
            id: *object,
            what: format!("checkpoint {label} at step {step}"),
            text: false,
        }),
        _ => None,
    });
    let mut seen = BTreeSet::new();
    captured.chain(kept).filter(|object| seen.insert(object.id.to_string())).collect()
}

/// Whether the run refers to this file.
pub(super) fn refers_to(record: &RunRecord, id: &ObjectId) -> bool {
    objects(record).iter().any(|object| object.id == *id)
}
