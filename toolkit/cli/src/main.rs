//! The `trainbook` command.

mod board;
mod demo;
mod doctor;
mod kernel;
mod onnx;
mod ort;
mod output;
mod runs;
mod shell;
mod store;
mod store_folder;
mod usage;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use trainbook::Error;
use trainbook::store::{Store, StoreError};

/// Train neural networks by the playbook, and look at what was done.
#[derive(Parser)]
#[command(name = "trainbook", version, arg_required_else_help = true)]
struct Cli {
    /// Before a command they mean what they mean behind it, where clap hands them on.
    #[command(flatten)]
    shared: Shared,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Train a network on handwritten digits from start to checked ONNX file
    Demo(demo::Arguments),
    /// Look at recorded runs
    Runs {
        #[command(subcommand)]
        command: runs::Command,
    },
    /// Look at recorded runs in a browser
    Board(board::Arguments),
    /// Look after the store: delete runs by rules, free room, build the index anew
    Store {
        #[command(subcommand)]
        command: store::Command,
    },
    /// Install the Jupyter kernel in which notebooks train, or see which kernels there are
    Kernel {
        #[command(subcommand)]
        command: kernel::Command,
    },
    /// Look for what is wrong with this machine, and say what mends it
    Doctor(doctor::Arguments),
    /// Work with ONNX files
    Onnx {
        #[command(subcommand)]
        command: onnx::Command,
    },
    /// Install ONNX Runtime, or see which one is used
    Ort {
        #[command(subcommand)]
        command: ort::Command,
    },
}

/// Options that every command takes.
#[derive(clap::Args)]
struct Shared {
    /// The store's folder [default: $TRAINBOOK_STORE, or the nearest .trainbook above this folder]
    #[arg(long, value_name = "DIR", global = true)]
    store: Option<PathBuf>,
    /// Print one JSON document instead of text
    #[arg(long, global = true)]
    json: bool,
    /// Print the answer and errors alone, without notes and progress
    #[arg(long, short, global = true)]
    quiet: bool,
}

impl Shared {
    /// Whether nothing is shown but the answer.
    fn is_quiet(&self) -> bool {
        self.json || self.quiet
    }

    /// Opens the store that is meant, which must exist.
    fn open_store(&self) -> Result<Store, StoreError> {
        Store::open_existing(store_folder::resolve(self.store.clone()))
    }

    /// For a command whose answer is no JSON.
    fn expect_text(&self, answer: &str) -> Result<(), Error> {
        if !self.json {
            return Ok(());
        }
        let expected = format!("left out, because {answer}");
        Err(Error::Setting { setting: "--json", value: "on".to_owned(), expected })
    }
}

/// Tells on standard error why an answer took longer than it should have.
fn tell_of_index(store: &Store) {
    if let Some(problem) = store.index_problem() {
        output::note(&format!("the index could not be used, so the journals were read: {problem}"));
    }
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage::report(&error),
    };
    let json = cli.shared.json;
    if cli.shared.quiet {
        output::leave_out_notes();
    }
    let done = |outcome: Result<(), Error>| outcome.map(|()| ExitCode::SUCCESS);
    let outcome = match cli.command {
        Command::Demo(arguments) => done(demo::run(arguments)),
        Command::Runs { command } => done(runs::run(command)),
        Command::Board(arguments) => done(board::run(arguments)),
        Command::Store { command } => done(store::run(command)),
        Command::Kernel { command } => kernel::run(command, json),
        Command::Doctor(arguments) => doctor::run(&arguments),
        Command::Onnx { command } => done(onnx::run(command)),
        Command::Ort { command } => done(ort::run(command)),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            output::error(&format!("failed to {error}"));
            ExitCode::FAILURE
        }
    }
}
