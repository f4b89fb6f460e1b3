//! `trainbook runs`: one file for each thing that can be asked.

mod export;
mod list;
mod push;
mod query;
mod selection;
mod show;

use clap::Subcommand;
use trainbook::Error;

/// What can be asked of recorded runs.
#[derive(Subcommand)]
pub enum Command {
    /// List all runs, newest first
    List(list::Arguments),
    /// Show one run
    Show(show::Arguments),
    /// List the runs that a query selects
    Query(query::Arguments),
    /// Write runs to files that other programs read
    Export(export::Arguments),
    /// Push runs to an MLflow tracking server
    Push(push::Arguments),
}

/// Runs a command.
pub fn run(command: Command) -> Result<(), Error> {
    match command {
        Command::List(arguments) => list::run(arguments),
        Command::Show(arguments) => show::run(arguments),
        Command::Query(arguments) => query::run(arguments),
        Command::Export(arguments) => export::run(arguments),
        Command::Push(arguments) => push::run(arguments),
    }
}
