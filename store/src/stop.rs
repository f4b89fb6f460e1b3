//! Asking a fit in another process to stop.
//!
//! The asker makes an empty file `runs/ID.stop` beside the run's journal; whoever records the run looks
//! for it, and removes it when the run ends.

use crate::error::{Result, StoreError};
use crate::recorder::RunWriter;
use crate::run_id::RunId;
use crate::store::Store;
use crate::summary::RunState;

impl Store {
    /// Asks whoever records this run to stop the fit behind its step. Named by its id, or a beginning of
    /// it that no other has.
    ///
    /// # Errors
    /// There is no such run, it is not being recorded, or the store cannot be written.
    pub fn request_stop(&self, run: impl AsRef<str>) -> Result<RunId> {
        let id = self.find(run.as_ref())?;
        let run = self.watch(&id, false)?;
        let state = &run.record().summary.state;
        if *state != RunState::Running {
            let state = state.name().to_owned();
            return Err(StoreError::NotRunning { id, state });
        }
        let path = self.journals().stop(&id);
        std::fs::write(&path, []).map_err(StoreError::io("write", &path))?;
        Ok(id)
    }
}

impl RunWriter {
    /// Whether somebody has [asked](Store::request_stop) for the fit to stop. Looks for a file.
    pub fn is_asked_to_stop(&self) -> bool {
        self.store().journals().stop(self.id()).exists()
    }

    /// Forgets that somebody has asked, because the run has ended.
    pub(crate) fn forget_stop(&self) {
        // A file that stays does no harm: nobody looks for it any more.
        let _ = std::fs::remove_file(self.store().journals().stop(self.id()));
    }
}

#[cfg(test)]
mod tests {
    use crate::{EndState, RunEnd, RunStart, Store};

    #[test]
    fn who_records_a_run_hears_that_it_is_to_stop() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let run = store.start_run(RunStart::default()).unwrap();
        let other = store.start_run(RunStart::default()).unwrap();
        let id = run.id().to_string();
        assert!(!run.is_asked_to_stop());
        // Another that has the store open.
        let asker = Store::open_existing(folder.path()).unwrap();
        assert_eq!(asker.request_stop(&id).unwrap(), *run.id());
        assert!(run.is_asked_to_stop() && !other.is_asked_to_stop());
        assert_eq!(store.runs().unwrap().len(), 2);

        run.finish(RunEnd::new(EndState::Finished, 1, 1)).unwrap();
        assert!(!run.is_asked_to_stop());
        let error = asker.request_stop(&id).unwrap_err().to_string();
        assert_eq!(error, format!("stop run {id}: it is finished, not running"));
        assert!(asker.request_stop("nope").unwrap_err().to_string().contains("nope"));
        // A run is named by whatever has its id, and by nothing not at all.
        let summary = &asker.runs().unwrap()[0];
        assert_eq!(asker.run(summary).unwrap().summary.id, summary.id);
        assert_eq!(asker.run(asker.run(&summary.id).unwrap()).unwrap().summary.id, summary.id);
        // For a run that was killed, whoever deletes it forgets it.
        asker.request_stop(other.id()).unwrap();
        let crashed = other.id().clone();
        drop(other);
        let deleted = asker.plan_deletion(&[&crashed]).unwrap().carry_out().unwrap();
        assert_eq!(deleted.runs, [crashed]);
        let one = Store::open(folder.path().join("one")).unwrap();
        one.start_run(RunStart::default()).unwrap();
        assert!(one.run("").is_err() && one.run(" ").is_err());
        let files = std::fs::read_dir(folder.path().join("runs")).unwrap();
        let names: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
        assert!(names.iter().all(|name| name.to_str().unwrap().ends_with(".log")), "{names:?}");
    }
}
