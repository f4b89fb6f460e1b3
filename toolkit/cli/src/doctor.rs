//! `trainbook doctor`: what is wrong with this machine, and what mends it.

use std::env;
use std::process::ExitCode;

use trainbook::Error;
use trainbook::onnx;
use trainbook::store::{IndexProblem, Store, StoreError};
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
            Err(error) => return StoreHealth::Unreadable { path, reason: error.to_string() },
        };
        let runs = match store.runs() {
            Ok(runs) => runs,
            Err(error) => return StoreHealth::Unreadable { path, reason: error.to_string() },
        };
        let damaged: Vec<(String, String)> =
            runs.iter().filter_map(|run| Some((run.id.to_string(), run.damage.clone()?))).collect();
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
