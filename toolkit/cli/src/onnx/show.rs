//! `trainbook onnx show`.

use std::path::PathBuf;

use trainbook::{Error, onnx};

use crate::output;

#[derive(clap::Args)]
pub struct Arguments {
    /// The ONNX file
    file: PathBuf,
    /// Print one JSON document instead of text
    #[arg(long)]
    json: bool,
}

pub fn run(Arguments { file, json }: Arguments) -> Result<(), Error> {
    output::print(json, &onnx::overview(&file)?, ToString::to_string)
}
