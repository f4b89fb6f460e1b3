//! Where a run ran, and with which code.

mod attachments;
mod cpu;
mod git;
mod gpu;
mod notebook;
mod secrets;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use attachments::Attachments;
pub use cpu::model as cpu_model;
pub use gpu::Gpu;

use crate::object_id::ObjectId;

/// Where a run ran and with which code: enough to explain why another machine got other numbers.
///
/// **Secrets.** Of the environment's variables only a fixed list is recorded, those that change numbers and hold no
/// secrets (see [`variables`](Environment::variables)). In the command line, the values of options that look secret
/// (`--token X`, `--password=X`, `--api-key X`) and the names and passwords in addresses are replaced by `***`. Of git,
/// neither addresses nor settings nor the contents of untracked files are recorded. What a person wrote into tracked
/// source files, into a notebook or into a cell is recorded as it is, because it is the code that ran.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Environment {
    /// The process that recorded the run. It tells who holds a lock, and nothing once that process is gone.
    pub process_id: u32,
    /// The name of the machine, where the system tells it.
    pub host_name: Option<String>,
    /// Operating system, for example `linux`.
    pub os: String,
    /// Instruction set, for example `x86_64`.
    pub arch: String,
    /// The processor's name, where the system tells it.
    pub cpu_model: Option<String>,
    /// Those abilities of the processor that decide how numbers are computed, for example `avx2` and `fma`; sorted.
    pub cpu_features: Vec<String>,
    /// The machine's memory, in bytes, where the system tells it.
    pub memory: Option<u64>,
    /// How many threads may run at once.
    pub threads: usize,
    /// The value of `RAYON_NUM_THREADS`.
    pub rayon_num_threads: Option<String>,
    /// The version of the NVIDIA driver, where there is one.
    pub gpu_driver: Option<String>,
    /// The NVIDIA cards that the driver shows, in the order of their place on the bus.
    pub gpus: Vec<Gpu>,
    /// The other variables that change numbers and were set: `OMP_NUM_THREADS`, `MKL_NUM_THREADS`,
    /// `OPENBLAS_NUM_THREADS`, `CUDA_VISIBLE_DEVICES`, `CUDA_LAUNCH_BLOCKING`, `CUBLAS_WORKSPACE_CONFIG`,
    /// `NVIDIA_TF32_OVERRIDE`. Each value is cut after 200 characters.
    pub variables: BTreeMap<String, String>,
    /// The version of trainbook.
    pub toolkit_version: String,
    /// The optional parts that trainbook was built with, for example `cuda`; sorted.
    pub features: Vec<String>,
    /// The compiler that built trainbook, as it names itself.
    pub rustc: String,
    /// The platform that trainbook was built for, for example `x86_64-unknown-linux-gnu`.
    pub target: String,
    /// The abilities of a processor that trainbook was built to need, for example `sse2`; sorted.
    pub target_features: Vec<String>,
    /// How trainbook was built, for example `release, opt-level 3`.
    pub build_profile: String,
    /// The program and its arguments, without what looks secret.
    pub command_line: Vec<String>,
    /// The commit that is checked out in the repository round the working folder.
    pub git_commit: Option<String>,
    /// Whether a tracked file differs from that commit.
    pub git_dirty: Option<bool>,
    /// How the tracked files differ from that commit, as `git apply` takes it; `None` when they do not, and when that is
    /// [unknown](Environment::unknown). At most 1 MiB.
    pub git_diff: Option<ObjectId>,
    /// Files and folders that git neither tracks nor ignores: the first hundred names, sorted.
    pub git_untracked: Vec<String>,
    /// How many there are.
    pub git_untracked_count: Option<u64>,
    /// blake3 of the nearest `Cargo.lock` in the working folder or above it, in hexadecimal.
    pub cargo_lock_hash: Option<String>,
    /// The notebook that the run was started from, as its Jupyter server names it.
    pub notebook: Option<String>,
    /// That notebook's file as it was last saved before the run. At most 16 MiB.
    pub notebook_file: Option<ObjectId>,
    /// The source of the notebook's cell, as the evcxr kernel compiled it: the cell, and the items that earlier cells
    /// defined.
    pub notebook_cell: Option<ObjectId>,
    /// Why a field is not known that would be known otherwise, by the field's name.
    pub unknown: BTreeMap<String, String>,
    /// The bytes of the objects above. They are not recorded here: [`Store::start_run`](crate::Store::start_run) puts them
    /// into the store.
    #[serde(skip)]
    pub attachments: Attachments,
}

/// Those variables of the environment that change numbers and hold no secrets.
const VARIABLES: [&str; 7] = [
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "CUDA_VISIBLE_DEVICES",
    "CUDA_LAUNCH_BLOCKING",
    "CUBLAS_WORKSPACE_CONFIG",
    "NVIDIA_TF32_OVERRIDE",
];

impl Environment {
    /// Looks round. Nothing fails: what cannot be found out is absent, and [`unknown`](Environment::unknown) says why
    /// where there is something to say. Git is given up after half a second.
    pub fn capture() -> Environment {
        let folder = std::env::current_dir().ok();
        let lock_file = folder.as_deref().and_then(|folder| nearest(folder, "Cargo.lock"));
        let variable = |name: &str| Some(std::env::var(name).ok()?.chars().take(200).collect());
        let mut environment = Environment {
            process_id: std::process::id(),
            host_name: host_name(),
            os: std::env::consts::OS.to_owned(),
            arch: std::env::consts::ARCH.to_owned(),
            cpu_model: cpu::model(),
            cpu_features: cpu::features(),
            memory: cpu::memory(),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            rayon_num_threads: variable("RAYON_NUM_THREADS"),
            gpu_driver: gpu::driver(),
            gpus: gpu::cards(),
            variables: VARIABLES.iter().filter_map(|name| Some(((*name).to_owned(), variable(name)?))).collect(),
            toolkit_version: env!("CARGO_PKG_VERSION").to_owned(),
            rustc: env!("TRAINBOOK_RUSTC").to_owned(),
            target: env!("TRAINBOOK_TARGET").to_owned(),
            target_features: names(env!("TRAINBOOK_TARGET_FEATURES")),
            build_profile: env!("TRAINBOOK_PROFILE").to_owned(),
            command_line: secrets::masked(std::env::args_os().map(|arg| arg.to_string_lossy().into_owned())),
            cargo_lock_hash: lock_file
                .and_then(|path| std::fs::read(path).ok())
                .map(|bytes| blake3::hash(&bytes).to_string()),
            ..Environment::default()
        };
        if let Some(repository) = folder.as_deref().and_then(|folder| nearest(folder, ".git")) {
            git::look(repository.parent().unwrap_or(Path::new(".")), &mut environment);
        }
        notebook::look(&mut environment);
        environment
    }

    fn is_unknown(&mut self, field: &str, why: impl Into<String>) {
        self.unknown.insert(field.to_owned(), why.into());
    }
}

/// The path of `name` in `folder` or in the nearest folder above that has it.
fn nearest(folder: &Path, name: &str) -> Option<PathBuf> {
    folder.ancestors().map(|folder| folder.join(name)).find(|path| path.exists())
}

/// Sorted, from a list with commas.
fn names(list: &str) -> Vec<String> {
    let mut names: Vec<String> = list.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    names.sort();
    names
}

pub(crate) fn host_name() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capture_names_machine_and_build() {
        let environment = Environment::capture();
        assert_eq!(environment.os, std::env::consts::OS);
        assert_eq!(environment.process_id, std::process::id());
        assert!(environment.threads >= 1);
        assert!(!environment.command_line.is_empty());
        assert_eq!(environment.cargo_lock_hash.as_ref().map(String::len), Some(64));
        assert!(environment.rustc.starts_with("rustc 1."), "{}", environment.rustc);
        assert!(environment.target.starts_with(std::env::consts::ARCH), "{}", environment.target);
        let opt_level = environment.build_profile.split_once(", opt-level ").unwrap();
        assert_eq!((opt_level.0, opt_level.1.len()), (if cfg!(debug_assertions) { "debug" } else { "release" }, 1));
        // Every processor has what the program was built to need.
        let needed = environment.target_features.iter().filter(|name| cpu::NAMES.contains(&name.as_str()));
        assert!(needed.clone().all(|name| environment.cpu_features.contains(name)), "{environment:?}");
    }

    #[test]
    fn names_are_formats_and_absent_ones_read() {
        let old: Environment = serde_json::from_str(r#"{"os":"linux","threads":2}"#).unwrap();
        assert_eq!(old, Environment { os: "linux".into(), threads: 2, ..Environment::default() });
        let captured = Environment::capture();
        let json = serde_json::to_string(&captured).unwrap();
        assert_eq!(serde_json::from_str::<Environment>(&json).unwrap(), captured);
    }
}
