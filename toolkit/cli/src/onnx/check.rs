//! `trainbook onnx check`.

use std::path::PathBuf;

use trainbook::Error;
use trainbook::onnx::{self, Verifier};

use crate::output;

#[derive(clap::Args)]
pub struct Arguments {
    /// The ONNX file, of any tool, or the folder that an export made around it
    #[arg(value_name = "FILE|DIR")]
    file: PathBuf,
    /// The ONNX Runtime library [default: the one that `trainbook ort show` names]
    #[arg(long, value_name = "FILE")]
    runtime: Option<PathBuf>,
    /// Check in tract alone, without ONNX Runtime
    #[cfg(feature = "tract")]
    #[arg(long, conflicts_with = "runtime")]
    tract_only: bool,
    /// Also show the metadata that the export wrote by itself
    #[arg(long)]
    all: bool,
    /// Print one JSON document instead of text
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: Arguments) -> Result<(), Error> {
    let verifier = verifier(&arguments);
    let report = onnx::check(&arguments.file, &verifier)?;
    output::print(arguments.json, &report, |report| output::text(report, arguments.all))
}

fn verifier(arguments: &Arguments) -> Verifier {
    #[cfg(feature = "tract")]
    if arguments.tract_only {
        return Verifier::TractOnly;
    }
    arguments.runtime.clone().into()
}
