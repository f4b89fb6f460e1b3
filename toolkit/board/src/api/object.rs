//! A file that a run refers to.

use trainbook_store::{ObjectId, Store, StoreError};

use super::failure::Failure;
use super::run::refers_to;
use super::watch::Watch;
use crate::http::Response;

/// The bytes, to be saved: no browser shows them as a page.
pub(super) fn answer(
    store: &Store,
    watch: &Watch,
    run: &str,
    object: &str,
) -> Result<Response, Failure> {
    let id: ObjectId = object.parse().map_err(StoreError::from)?;
    if !refers_to(&watch.record(store, run)?, &id) {
        return Err(StoreError::UnknownObject { id }.into());
    }
    let bytes = store.get_object(&id)?;
    let name = format!("attachment; filename=\"{}\"", &object[..object.len().min(12)]);
    Ok(Response::bytes("application/octet-stream", bytes).with("Content-Disposition", name))
}
