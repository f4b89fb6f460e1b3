//! The program that runs cells.

use std::path::PathBuf;

use super::{Finding, Machine};
use crate::{evcxr, spec};

const CHECK: &str = "evcxr";

pub(super) fn check(machine: &Machine<'_>) -> Vec<Finding> {
    // As kernels are told: by the spec, or by who starts them.
    let of_spec = || {
        let spec = spec::read(&spec::path(&machine.folders)).ok()?;
        spec.env.get(evcxr::VARIABLE).map(PathBuf::from)
    };
    let named = machine.probe.variable(evcxr::VARIABLE).map(PathBuf::from).or_else(of_spec);
    if let Some(named) = named {
        return match evcxr::of_this_version(&named) {
            Ok(program) => Finding::ok(CHECK, format!("{}, which was named", program.display())),
            Err(error) => {
                Finding::broken(CHECK, format!("failed to {error}"), "trainbook kernel install")
            }
        };
    }
    let own = evcxr::own(&machine.folders);
    let found = evcxr::find_by(&machine.folders, &|name| machine.probe.variable(name));
    match found {
        // Whatever folder it lies in, cargo has noted its version there.
        Ok(program) if program == own => match evcxr::version(&program) {
            Some(version) if version != evcxr::VERSION => Finding::broken(
                CHECK,
                format!("{} is of version {version}, not {}", program.display(), evcxr::VERSION),
                format!("rm {}; trainbook kernel install", program.display()),
            ),
            _ => Finding::ok(CHECK, format!("{}, {}", evcxr::VERSION, program.display())),
        },
        Ok(program) => Finding::ok(CHECK, format!("{}, {}", evcxr::VERSION, program.display())),
        Err(reason) => Finding::broken(CHECK, reason, "trainbook kernel install"),
    }
}
