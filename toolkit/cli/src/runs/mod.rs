//! `trainbook runs`: one file for each thing that can be asked.

mod compare;
mod delete;
mod diff;
mod export;
mod history;
mod list;
mod predict;
mod pull;
mod push;
mod query;
mod resume;
mod selection;
mod show;
mod stop;
mod tail;
mod weights;

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
    /// Predict the rows of a CSV file with the network of a run
    Predict(predict::Arguments),
    /// Ask a run that is being recorded to stop behind its step
    Stop(stop::Arguments),
    /// Go on with a run that was interrupted, as if it never had been
    Resume(resume::Arguments),
    /// Write the weights that a run ended with to a safetensors file
    Weights(weights::Arguments),
    /// Show what differs between two runs
    Diff(diff::Arguments),
    /// Lay several runs side by side: what differs, most first
    Compare(compare::Arguments),
    /// Delete runs; without --yes it shows which
    Delete(delete::Arguments),
    /// Print the points of one metric of a run
    History(history::Arguments),
    /// Follow a run while it is being recorded
    Tail(tail::Arguments),
    /// Write runs to files that other programs read
    Export(export::Arguments),
    /// Take the finished runs of another store into this one
    Pull(pull::Arguments),
    /// Push runs to an MLflow tracking server
    Push(push::Arguments),
}

/// Runs a command.
pub fn run(command: Command) -> Result<(), Error> {
    match command {
        Command::List(arguments) => list::run(arguments),
        Command::Show(arguments) => show::run(arguments),
        Command::Query(arguments) => query::run(arguments),
        Command::Predict(arguments) => predict::run(arguments),
        Command::Stop(arguments) => stop::run(arguments),
        Command::Resume(arguments) => resume::run(arguments),
        Command::Weights(arguments) => weights::run(arguments),
        Command::Diff(arguments) => diff::run(arguments),
        Command::Compare(arguments) => compare::run(arguments),
        Command::Delete(arguments) => delete::run(arguments),
        Command::History(arguments) => history::run(arguments),
        Command::Tail(arguments) => tail::run(arguments),
        Command::Export(arguments) => export::run(arguments),
        Command::Pull(arguments) => pull::run(arguments),
        Command::Push(arguments) => push::run(arguments),
    }
}
