//! Whether Jupyter knows the kernel, and can start it.

use std::path::Path;

use super::{Finding, Machine};
use crate::spec::{self, CONNECTION_FILE, DISPLAY_NAME};

const CHECK: &str = "kernel spec";
const INSTALL: &str = "trainbook kernel install";

pub(super) fn check(machine: &Machine<'_>) -> Vec<Finding> {
    let path = spec::path(&machine.folders);
    if !path.exists() {
        let found =
            format!("Jupyter does not know “{DISPLAY_NAME}”: there is no {}", path.display());
        return Finding::broken(CHECK, found, INSTALL);
    }
    let broken = |found: String| Finding::broken(CHECK, found, INSTALL);
    let spec = match spec::read(&path) {
        Ok(spec) => spec,
        Err(reason) => return broken(format!("{} is damaged: {reason}", path.display())),
    };
    let Some(program) = spec.argv.first().map(Path::new) else {
        return broken(format!("{} names no program", path.display()));
    };
    if !program.is_file() {
        let program = program.display();
        return broken(format!("{} names {program}, which is not there", path.display()));
    }
    if spec.argv[1..] != ["kernel", "run", CONNECTION_FILE] {
        return broken(format!("{} does not call `kernel run`", path.display()));
    }
    if spec.interrupt_mode != "signal" {
        return broken(format!(
            "{} has the interrupt mode {:?}, with which an interrupt loses all variables",
            path.display(),
            spec.interrupt_mode
        ));
    }
    let shared = crate::launch::shared_folder(&machine.here).map(|(file, shared)| {
        let found = format!(
            "{} makes all kernels of its folder share {}",
            file.display(),
            shared.display()
        );
        Finding::note(CHECK, found, format!("delete the line `tmpdir` of {}", file.display()))
    });
    let mut findings = Finding::ok(CHECK, format!("“{DISPLAY_NAME}”, {}", path.display()));
    findings.extend(shared.into_iter().flatten());
    findings
}
