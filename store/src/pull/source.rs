//! A run of another store, as it is read to be copied.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use crate::cleanup::references::references;
use crate::environment::Environment;
use crate::error::StoreError;
use crate::event::RunEvent;
use crate::journal::reader::{self, Part};
use crate::object_id::ObjectId;
use crate::objects::open_file;
use crate::record::{self, RunRecord};
use crate::run_id::RunId;
use crate::summary::RunState;

/// A run that nobody writes to any more and that can be read from beginning to end.
pub(super) struct Source {
    /// The whole journal.
    pub(super) bytes: Vec<u8>,
    /// Whether it has an end record.
    pub(super) has_ended: bool,
    /// The run on which it went on.
    pub(super) parent: Option<RunId>,
    pub(super) objects: Vec<Reference>,
}

/// An object to which a run refers, or seems to.
#[derive(Debug)]
pub(super) struct Reference {
    pub(super) object: ObjectId,
    /// What it is to the run. `None` for a text that only looks like an object's name, unless there
    /// is one.
    pub(super) what: Option<String>,
}

impl Source {
    /// Reads the journal of `id` at `path`. The error says why it cannot be copied, as what is left
    /// out says it; it is `None` if there is no such run.
    pub(super) fn read(id: &RunId, path: &Path) -> Result<Source, Option<String>> {
        let (bytes, part) = journal(path)?;
        let record = record::of(id, path, part).map_err(|error| match error {
            StoreError::UnreadableRun { why, .. } => Some(why),
            error => Some(error.to_string()),
        })?;
        Ok(Source {
            has_ended: record.summary.state != RunState::Crashed,
            parent: record.summary.parent.as_ref().map(|parent| parent.run.clone()),
            objects: objects(&record, &bytes),
            bytes,
        })
    }
}

/// The journal at `path` that nobody writes, whole, with what is in it.
pub(super) fn journal(path: &Path) -> Result<(Vec<u8>, Part), Option<String>> {
    let mut file = match open_file(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(None),
        Err(error) => return Err(Some(format!("it cannot be read: {error}"))),
    };
    let not_read = |error: io::Error| Some(format!("it cannot be read: {error}"));
    // The order of these steps is what makes the answer true: see `journal/reader.rs`.
    if file.metadata().map_err(not_read)?.len() == 0 {
        return Err(Some("it is just starting".to_owned()));
    }
    if is_held(&file).map_err(not_read)? {
        return Err(Some("it is being written".to_owned()));
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(not_read)?;
    // A record that its writer was writing when it died is none: without it the journal is whole.
    let mut part = reader::decode(&bytes, true);
    if let Some(damage) = &part.damage {
        return Err(Some(format!("its journal is damaged: {damage}")));
    }
    (part.live, part.length) = (false, part.end.offset);
    bytes.truncate(usize::try_from(part.end.offset).unwrap_or(usize::MAX));
    Ok((bytes, part))
}

/// Whether a writer holds the journal, where the file system knows of locks.
fn is_held(file: &File) -> io::Result<bool> {
    match reader::is_locked(file) {
        Err(error) if knows_no_locks(&error) => Ok(false),
        held => held,
    }
}

fn knows_no_locks(error: &io::Error) -> bool {
    #[cfg(target_os = "linux")]
    if error.raw_os_error() == Some(rustix::io::Errno::NOLCK.raw_os_error()) {
        return true;
    }
    error.kind() == ErrorKind::Unsupported
}

/// What the record lists, and then whatever in the journal looks like the name of an object: none
/// may be missed, not even one that only a later version of this crate knows.
fn objects(record: &RunRecord, journal: &[u8]) -> Vec<Reference> {
    let Environment { git_diff, notebook_file, notebook_cell, .. } = &record.environment;
    let captured = [
        (git_diff, "the changes to the code"),
        (notebook_file, "the notebook"),
        (notebook_cell, "the notebook's cell"),
    ];
    let captured = captured.into_iter().filter_map(|(id, what)| Some(((*id)?, what.to_owned())));
    let kept = record.events.iter().filter_map(|event| match &event.event {
        RunEvent::Checkpoint { label, step, object, .. } => {
            Some((*object, format!("the checkpoint {label} of step {step}")))
        }
        _ => None,
    });
    let mut seen = HashSet::new();
    let mut objects: Vec<Reference> = captured
        .chain(kept)
        .filter(|(object, _)| seen.insert(*object))
        .map(|(object, what)| Reference { object, what: Some(what) })
        .collect();
    let mut others = HashSet::new();
    references(journal, &mut others);
    let others = others.into_iter().filter(|object| seen.insert(*object));
    objects.extend(others.map(|object| Reference { object, what: None }));
    objects
}
