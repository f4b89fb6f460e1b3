//! The `trainbook` command.

mod board;
mod demo;
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
    _shared: Shared,
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
}

impl Shared {
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
    let outcome = match cli.command {
        Command::Demo(arguments) => demo::run(arguments),
        Command::Runs { command } => runs::run(command),
        Command::Board(arguments) => board::run(arguments),
        Command::Store { command } => store::run(command),
        Command::Onnx { command } => onnx::run(command),
        Command::Ort { command } => ort::run(command),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::error(&format!("failed to {error}"));
            ExitCode::FAILURE
        }
    }
}
