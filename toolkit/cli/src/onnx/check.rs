//! `trainbook onnx check`.

use std::path::PathBuf;

use trainbook::{Error, onnx};

use crate::output;

#[derive(clap::Args)]
pub struct Arguments {
    /// The ONNX file
    file: PathBuf,
    /// The ONNX Runtime library [default: ORT_DYLIB_PATH, the project's cache, the system]
    #[arg(long, value_name = "FILE")]
    runtime: Option<PathBuf>,
    /// Print one JSON document instead of text
    #[arg(long)]
    json: bool,
}

pub fn run(Arguments { file, runtime, json }: Arguments) -> Result<(), Error> {
    output::print(json, &onnx::check(&file, runtime.as_deref())?, ToString::to_string)
}
