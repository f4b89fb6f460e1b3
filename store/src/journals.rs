//! The folder of journals, a file for each run.

use std::path::{Path, PathBuf};

use crate::error::{Result, StoreError};
use crate::run_id::RunId;

/// The folder of journals.
#[derive(Debug)]
pub(crate) struct Journals {
    folder: PathBuf,
}

impl Journals {
    pub(crate) fn new(folder: PathBuf) -> Journals {
        Journals { folder }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where the journal of a run is, or would be.
    pub(crate) fn path(&self, id: &RunId) -> PathBuf {
        self.folder.join(format!("{id}.log"))
    }

    /// The file that asks whoever records a run to stop.
    pub(crate) fn stop(&self, id: &RunId) -> PathBuf {
        self.folder.join(format!("{id}.stop"))
    }

    /// Every run that has a journal, in no order.
    pub(crate) fn list(&self) -> Result<Vec<RunId>> {
        let mut ids = Vec::new();
        for entry in
            std::fs::read_dir(&self.folder).map_err(StoreError::io("list", &self.folder))?
        {
            let name = entry.map_err(StoreError::io("list", &self.folder))?.file_name();
            // Anything that is no run's name was not put there by this crate.
            if let Some(Ok(id)) =
                name.to_str().and_then(|name| name.strip_suffix(".log")).map(str::parse)
            {
                ids.push(id);
            }
        }
        Ok(ids)
    }
}
