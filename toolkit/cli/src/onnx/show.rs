//! `trainbook onnx show`.

use std::path::PathBuf;

use trainbook::{Error, onnx};

use crate::output;

#[derive(clap::Args)]
pub struct Arguments {
    /// The ONNX file
    file: PathBuf,
    /// Also show the metadata that the export wrote by itself
    #[arg(long)]
    all: bool,
    /// Print one JSON document instead of text
    #[arg(long)]
    json: bool,
}

pub fn run(Arguments { file, all, json }: Arguments) -> Result<(), Error> {
    output::print(json, &onnx::overview(&file)?, |overview| output::text(overview, all))
}
