//! What the tests of the store share.
#![allow(dead_code, reason = "every test file uses another part")]
#![allow(clippy::expect_used, reason = "a test that cannot go on should say where")]

pub mod other;

use std::path::{Path, PathBuf};

use trainbook_store::{EndState, Metric, RunEnd, RunEvent, RunStart, RunWriter, Store};

/// A new store in a folder that goes away with the first value.
pub fn new_store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = Store::open(folder.path()).expect("a new store");
    (folder, store)
}

/// Starts a run of this model.
pub fn start(store: &Store, model: &str) -> RunWriter {
    store.start_run(RunStart { model: model.to_owned(), ..RunStart::default() }).expect("a new run")
}

/// A finished run whose loss falls to `best`.
pub fn finished(store: &Store, model: &str, best: f64) -> String {
    let run = start(store, model);
    for (step, loss) in [(1, 1.0), (2, best)] {
        run.log(step, &[Metric::new("loss", loss)]);
    }
    run.event(RunEvent::Note { text: "almost done".into() });
    run.finish(RunEnd::new(EndState::Finished, 2, 1)).expect("the end on disk");
    run.id().to_string()
}

/// Where the journal of a run lies.
pub fn journal(store: &Path, id: &str) -> PathBuf {
    store.join("runs").join(format!("{id}.log"))
}
