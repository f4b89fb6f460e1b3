//! What is recorded of where a run ran.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::attachments::Attachments;
use super::gpu::Gpu;
use crate::object_id::ObjectId;

/// Where a run ran and with which code: enough to explain why another machine got other numbers.
///
/// **Secrets.** Of the environment's variables only a fixed list is recorded, those that change
/// numbers and hold no secrets (see [`variables`](Environment::variables)). In the command line,
/// the values of options that look secret (`--token X`, `--password=X`, `--api-key X`) and the
/// names and passwords in addresses are replaced by `***`. Of git, neither addresses nor settings
/// nor the contents of untracked files are recorded. What a person wrote into tracked source files,
/// into a notebook or into a cell is recorded as it is, because it is the code that ran.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Environment {
    /// The process that recorded the run. It tells who holds a lock, and nothing once that process
    /// is gone.
    pub process_id: u32,
    /// The name of the machine, where the system tells it.
    pub host_name: Option<String>,
    /// Operating system, for example `linux`.
    pub os: String,
    /// Instruction set, for example `x86_64`.
    pub arch: String,
    /// The processor's name, where the system tells it.
    pub cpu_model: Option<String>,
    /// Those abilities of the processor that decide how numbers are computed, for example `avx2`
    /// and `fma`; sorted.
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
    /// `OPENBLAS_NUM_THREADS`, `CUDA_VISIBLE_DEVICES`, `CUDA_LAUNCH_BLOCKING`,
    /// `CUBLAS_WORKSPACE_CONFIG`, `NVIDIA_TF32_OVERRIDE`. Each value is cut after 200 characters.
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
    /// How the tracked files differ from that commit, as `git apply` takes it; `None` when they do
    /// not, and when that is [unknown](Environment::unknown). At most 1 MiB.
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
    /// The source of the notebook's cell, as the evcxr kernel compiled it: the cell, and the items
    /// that earlier cells defined.
    pub notebook_cell: Option<ObjectId>,
    /// Why a field is not known that would be known otherwise, by the field's name.
    pub unknown: BTreeMap<String, String>,
    /// The bytes of the objects above. They are not recorded here:
    /// [`Store::start_run`](crate::Store::start_run) puts them into the store.
    #[serde(skip)]
    pub attachments: Attachments,
}

impl Environment {
    pub(super) fn is_unknown(&mut self, field: &str, why: impl Into<String>) {
        self.unknown.insert(field.to_owned(), why.into());
    }
}
