//! `trainbook onnx`: one file for each thing that can be asked.

mod bench;
mod check;
mod export;
mod show;

use clap::Subcommand;
use trainbook::Error;

/// What can be asked of ONNX files.
#[derive(Subcommand)]
pub enum Command {
    /// Write the network of a recorded run to a checked file
    Export(export::Arguments),
    /// Check that a file of any tool is sound and that ONNX Runtime computes what its graph says
    Check(check::Arguments),
    /// Show what is in a file of any tool: nodes, shapes, parameters, FLOPs, metadata
    Show(show::Arguments),
    /// Measure how long ONNX Runtime takes for a file, by batch size and threads
    Bench(bench::Arguments),
}

/// Runs a command.
pub fn run(command: Command) -> Result<(), Error> {
    match command {
        Command::Export(arguments) => export::run(arguments),
        Command::Check(arguments) => check::run(arguments),
        Command::Show(arguments) => show::run(arguments),
        Command::Bench(arguments) => bench::run(arguments),
    }
}
