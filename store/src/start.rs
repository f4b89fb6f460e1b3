//! Beginning a run: its journal with the start record, and the writer that goes on from there.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;

use crate::error::{Result, StoreError};
use crate::event::{Entry, RunStart};
use crate::journal::writer::{JournalWriter, encode};
use crate::lock;
use crate::objects::sync_folder;
use crate::recorder::RunWriter;
use crate::run_id::RunId;
use crate::store::Store;

/// How long a new run waits for a reader that looks whether its journal is locked.
const PATIENCE: Duration = Duration::from_secs(1);

impl Store {
    /// Starts a run. On return its start record is on disk.
    pub fn start_run(&self, start: RunStart) -> Result<RunWriter> {
        self.raise_format()?;
        let at = Timestamp::now();
        let (id, path, file) = loop {
            let id = RunId::draw(at);
            let path = self.journals().path(&id);
            match OpenOptions::new().append(true).create_new(true).open(&path) {
                Ok(file) => break (id, path, file),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(StoreError::io("create", &path)(error)),
            }
        };
        let started = self.write_start(&id, &path, file, at, start);
        if started.is_err() {
            // A run that never began must not be listed. If this fails too, it is listed as
            // damaged.
            let _ = std::fs::remove_file(&path);
        }
        started
    }

    fn write_start(
        &self,
        id: &RunId,
        path: &Path,
        file: File,
        at: Timestamp,
        mut start: RunStart,
    ) -> Result<RunWriter> {
        // A reader that looks whether the journal is locked holds it for an instant.
        lock::wait(PATIENCE, || file.try_lock())
            .map_err(|error| StoreError::io("lock", path)(error.into()))?;
        // Not before the journal is there: that keeps the collection of garbage from taking them.
        start.environment.store_attachments(self.objects());
        let entry = Entry::Start { id: id.clone(), at, start: Box::new(start) };
        let payload = encode(&entry).map_err(|why| StoreError::Encode { why })?;
        let journal = JournalWriter::create(Box::new(file), &payload)
            .map_err(StoreError::io("write", path))?;
        sync_folder(self.journals().folder())?;
        RunWriter::start(id.clone(), self.clone(), journal)
            .map_err(StoreError::io("start a thread to write", path))
    }
}
