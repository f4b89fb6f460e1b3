//! `trainbook onnx check`.

use std::path::PathBuf;

use trainbook::Error;
use trainbook::onnx;
#[cfg(feature = "tract")]
use trainbook::onnx::Verifier;

use crate::output;

#[derive(clap::Args)]
pub struct Arguments {
    /// The ONNX file, or the folder that an export made around it
    #[arg(value_name = "FILE|DIR")]
    file: PathBuf,
    /// The ONNX Runtime library [default: the one that `trainbook ort show` names]
    #[arg(long, value_name = "FILE")]
    runtime: Option<PathBuf>,
    /// Check in tract alone, without ONNX Runtime
    #[cfg(feature = "tract")]
    #[arg(long, conflicts_with = "runtime")]
    tract_only: bool,
    /// Print one JSON document instead of text
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: Arguments) -> Result<(), Error> {
    #[cfg(feature = "tract")]
    let alone = arguments.tract_only.then_some(Verifier::TractOnly);
    #[cfg(not(feature = "tract"))]
    let alone = None;
    let verifier = alone.unwrap_or_else(|| arguments.runtime.into());
    output::print(arguments.json, &onnx::check(&arguments.file, &verifier)?, ToString::to_string)
}
