//! What killed kernels left behind.

use super::{Finding, Machine};
use crate::working;

const CHECK: &str = "kernels";

pub(super) fn check(machine: &Machine<'_>) -> Vec<Finding> {
    let folder = machine.folders.kernels();
    match working::census(&machine.folders) {
        Err(error) => Finding::broken(
            CHECK,
            format!("failed to {error}"),
            format!("make {} yours: chown -R \"$USER\" '{}'", folder.display(), folder.display()),
        ),
        Ok((dead, living)) if dead.is_empty() => {
            Finding::ok(CHECK, format!("{living} running, no leftovers"))
        }
        Ok((dead, living)) => Finding::note(
            CHECK,
            format!("{living} running; folders of {} killed ones: {}", dead.len(), dead.join(", ")),
            "the next kernel that starts removes them",
        ),
    }
}
