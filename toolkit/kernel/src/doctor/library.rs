//! What is compiled ahead.

use super::disk::size;
use super::{Finding, Machine};
use crate::SeedState;

const CHECK: &str = "library";
const INSTALL: &str = "trainbook kernel install";

pub(super) fn check(machine: &Machine<'_>) -> Vec<Finding> {
    match SeedState::look(&machine.folders, true) {
        SeedState::Ready(seed) => {
            let manifest = &seed.manifest;
            let features = match manifest.features.as_slice() {
                [] => String::new(),
                some => format!(" with {}", some.join(", ")),
            };
            let bytes = size(manifest.bytes);
            Finding::ok(CHECK, format!("trainbook {}{features}, {bytes}", manifest.toolkit))
        }
        SeedState::Stale(_, why) => {
            let found = format!("what is compiled ahead is out of date: {why}");
            Finding::broken(CHECK, found, INSTALL)
        }
        SeedState::Missing => Finding::broken(
            CHECK,
            "nothing is compiled ahead: the first cell of every kernel takes minutes",
            INSTALL,
        ),
        SeedState::Damaged(why) => Finding::broken(
            CHECK,
            format!("what is compiled ahead is damaged: {why}"),
            format!("{INSTALL} --force"),
        ),
    }
}
