//! The run store of this folder.

use std::path::PathBuf;

use super::{Finding, Machine};

const CHECK: &str = "run store";

/// How the run store is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreHealth {
    /// There is none here, which the first run changes.
    None,
    /// All of it can be read.
    Healthy {
        /// Where it is.
        path: PathBuf,
        /// How many runs it has.
        runs: usize,
    },
    /// The index cannot be used now: another process has had it for long, or it may not be opened.
    IndexUnavailable {
        /// Where it is.
        path: PathBuf,
        /// Why, such as `process 4711 holds it`.
        reason: String,
    },
    /// The index is damaged; what it has is in the journals too.
    BadIndex {
        /// Where it is.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Journals are damaged.
    Damaged {
        /// Where it is.
        path: PathBuf,
        /// Each run with what is wrong.
        runs: Vec<(String, String)>,
    },
    /// It cannot be read at all.
    Unreadable {
        /// Where it is.
        path: PathBuf,
        /// Why not.
        reason: String,
        /// What mends it.
        fix: String,
    },
}

pub(super) fn check(machine: &Machine<'_>) -> Vec<Finding> {
    match machine.probe.store() {
        StoreHealth::None => Finding::ok(CHECK, "none here; the first run makes one"),
        StoreHealth::Healthy { path, runs } => {
            Finding::ok(CHECK, format!("{} with {runs} runs", path.display()))
        }
        StoreHealth::IndexUnavailable { path, reason } => Finding::note(
            CHECK,
            format!(
                "{}: the index cannot be used, and answers come from the journals: {reason}",
                path.display()
            ),
            "wait for the process that has it or end it, or see to the right to write there",
        ),
        StoreHealth::BadIndex { path, reason } => Finding::broken(
            CHECK,
            format!("{}: the index is damaged: {reason}", path.display()),
            format!("trainbook --store '{}' store rebuild", path.display()),
        ),
        StoreHealth::Damaged { path, runs } => {
            let each: Vec<_> = runs.iter().map(|(run, why)| format!("{run} ({why})")).collect();
            Finding::broken(
                CHECK,
                format!(
                    "{}: damaged runs, read up to the damage: {}",
                    path.display(),
                    each.join(", ")
                ),
                "restore their journals from a copy, or delete them with `trainbook runs delete`",
            )
        }
        StoreHealth::Unreadable { path, reason, fix } => {
            Finding::broken(CHECK, format!("{} cannot be read: {reason}", path.display()), fix)
        }
    }
}
