//! Finding out where this process runs.

use std::path::{Path, PathBuf};

use super::facts::Environment;
use super::host::host_name;
use super::{cpu, git, gpu, notebook, secrets};

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
    /// Looks round. Nothing fails: what cannot be found out is absent, and
    /// [`unknown`](Environment::unknown) says why where there is something to say. Git is given up
    /// after half a second.
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
            variables: VARIABLES
                .iter()
                .filter_map(|name| Some(((*name).to_owned(), variable(name)?)))
                .collect(),
            toolkit_version: env!("CARGO_PKG_VERSION").to_owned(),
            rustc: env!("TRAINBOOK_RUSTC").to_owned(),
            target: env!("TRAINBOOK_TARGET").to_owned(),
            target_features: names(env!("TRAINBOOK_TARGET_FEATURES")),
            build_profile: env!("TRAINBOOK_PROFILE").to_owned(),
            command_line: secrets::masked(
                std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()),
            ),
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
}

/// The path of `name` in `folder` or in the nearest folder above that has it.
fn nearest(folder: &Path, name: &str) -> Option<PathBuf> {
    folder.ancestors().map(|folder| folder.join(name)).find(|path| path.exists())
}

/// Sorted, from a list with commas.
fn names(list: &str) -> Vec<String> {
    let mut names: Vec<String> =
        list.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    names.sort();
    names
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
        assert_eq!(
            (opt_level.0, opt_level.1.len()),
            (if cfg!(debug_assertions) { "debug" } else { "release" }, 1)
        );
        // Every processor has what the program was built to need.
        let needed =
            environment.target_features.iter().filter(|name| cpu::NAMES.contains(&name.as_str()));
        assert!(
            needed.clone().all(|name| environment.cpu_features.contains(name)),
            "{environment:?}"
        );
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
