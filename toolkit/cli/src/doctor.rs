//! `trainbook doctor`: what is wrong with this machine, and what mends it.

use std::env;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::ExitCode;

use trainbook::Error;
use trainbook::onnx;
use trainbook::store::{IndexProblem, RunSummary, Store, StoreError};
use trainbook_kernel::Folders;
use trainbook_kernel::doctor::{Machine, Probe, StoreHealth, examine};

use crate::kernel::failed;
use crate::{Shared, output, store_folder};

/// Look for what is wrong with kernel, toolchain, ONNX Runtime, store, disk and GPU, and say what
/// mends it; the exit code is 1 if anything is broken
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    shared: Shared,
}

pub fn run(Arguments { shared }: &Arguments) -> Result<ExitCode, Error> {
    let folders = Folders::of_user().map_err(failed)?;
    let here = env::current_dir().unwrap_or_default();
    let report = examine(&Machine { folders, here, probe: &Here { shared } });
    output::print(shared.json, &report, ToString::to_string)?;
    Ok(if report.is_broken() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// What the kernel's crate does not know of.
struct Here<'a> {
    shared: &'a Shared,
}

impl Probe for Here<'_> {
    fn onnx_runtime(&self) -> Result<String, String> {
        let runtime = onnx::load(None).map_err(|error| format!("failed to {error}"))?;
        Ok(format!("{} ({})", runtime.version(), runtime.path().display()))
    }

    fn store(&self) -> StoreHealth {
        let path = store_folder::resolve(self.shared.store.clone());
        let store = match Store::open_existing(&path) {
            Ok(store) => store,
            Err(StoreError::Missing { .. }) if self.shared.store.is_none() => {
                return StoreHealth::None;
            }
            Err(error) => return unreadable(path, &error),
        };
        let runs = match store.runs() {
            Ok(runs) => runs,
            Err(error) => return unreadable(path, &error),
        };
        // The index remembers how a run was; what its journal is now, the journal says alone.
        let damage = |run: &RunSummary| match store.run(run.id.as_str()) {
            Ok(record) => record.damage.or_else(|| run.damage.clone()),
            // Somebody has deleted it meanwhile.
            Err(StoreError::UnknownRun { .. }) => None,
            Err(error) => Some(format!("failed to {error}")),
        };
        let damaged = runs.iter().filter_map(|run| Some((run.id.to_string(), damage(run)?)));
        let damaged: Vec<(String, String)> = damaged.collect();
        if !damaged.is_empty() {
            return StoreHealth::Damaged { path, runs: damaged };
        }
        match store.index_problem() {
            None => StoreHealth::Healthy { path, runs: runs.len() },
            Some(IndexProblem::Unavailable(reason)) => {
                StoreHealth::IndexUnavailable { path, reason }
            }
            Some(IndexProblem::Damaged(reason)) => StoreHealth::BadIndex { path, reason },
        }
    }
}

fn unreadable(path: PathBuf, error: &StoreError) -> StoreHealth {
    let shown = path.display();
    let fix = match error {
        StoreError::Missing { .. } | StoreError::NotAFolder { .. } => {
            "name another folder by --store or TRAINBOOK_STORE, or train something into it"
                .to_owned()
        }
        StoreError::NewerFormat { .. } => "install the newer trainbook that wrote it".to_owned(),
        StoreError::DamagedFormat { known, .. } => {
            format!("restore the file: echo {known} > '{shown}/format'")
        }
        StoreError::Io { source, .. } | StoreError::NotWritable { source, .. }
            if source.kind() == ErrorKind::PermissionDenied =>
        {
            format!("make it yours: chown -R \"$USER\" '{shown}'")
        }
        _ => format!("see what is wrong with the disk: ls -l '{shown}'; dmesg"),
    };
    StoreHealth::Unreadable { reason: error.to_string(), path, fix }
}
