//! `trainbook onnx`.

use std::path::PathBuf;

use clap::Subcommand;
use trainbook::{Error, onnx};

use crate::output;

/// What can be asked of ONNX files.
#[derive(Subcommand)]
pub enum Command {
    /// Check that a file is sound and that ONNX Runtime computes what its graph says
    Check {
        /// The ONNX file
        file: PathBuf,
        /// The ONNX Runtime library [default: the one that `trainbook ort show` names]
        #[arg(long, value_name = "FILE")]
        runtime: Option<PathBuf>,
        /// Print one JSON document instead of text
        #[arg(long)]
        json: bool,
    },
}

/// Runs a command.
pub fn run(command: Command) -> Result<(), Error> {
    match command {
        Command::Check { file, runtime, json } => {
            output::print(json, &onnx::check(&file, &runtime.into())?, ToString::to_string)
        }
    }
}
