//! `trainbook store`: one file for each thing that can be done to a store as a whole.

mod clean;
mod gc;
pub mod plan;
mod rebuild;

use clap::Subcommand;
use trainbook::Error;

/// What can be done to a store as a whole.
#[derive(Subcommand)]
pub enum Command {
    /// Delete runs by rules; without --yes it shows the plan
    Clean(clean::Arguments),
    /// Delete files that no run refers to; without --yes it shows the plan
    Gc(gc::Arguments),
    /// Build the index anew from the journals
    Rebuild(rebuild::Arguments),
}

/// Runs a command.
pub fn run(command: Command) -> Result<(), Error> {
    match command {
        Command::Clean(arguments) => clean::run(arguments),
        Command::Gc(arguments) => gc::run(arguments),
        Command::Rebuild(arguments) => rebuild::run(arguments),
    }
}
