//! The program that runs cells.

use super::{Finding, Machine};
use crate::evcxr;

const CHECK: &str = "evcxr";

pub(super) fn check(machine: &Machine<'_>) -> Vec<Finding> {
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
