//! `trainbook onnx bench`.

use std::path::PathBuf;

use trainbook::Error;
use trainbook::onnx::{self, LatencyOptions};

use crate::output;

#[derive(clap::Args)]
pub struct Arguments {
    /// The ONNX file
    file: PathBuf,
    /// Rows per run [default: 1,8,32,128, or what the file fixes]
    #[arg(long, value_name = "N,N", value_delimiter = ',', value_parser = count, allow_negative_numbers = true)]
    batch: Vec<usize>,
    /// Threads for the work within one operator [default: 1, and as many as the processor has]
    #[arg(long, value_name = "N,N", value_delimiter = ',', value_parser = count, allow_negative_numbers = true)]
    threads: Vec<usize>,
    /// The ONNX Runtime library [default: the one that `trainbook ort show` names]
    #[arg(long, value_name = "FILE")]
    runtime: Option<PathBuf>,
    /// Print one JSON document instead of text
    #[arg(long)]
    json: bool,
}

pub fn run(Arguments { file, batch, threads, runtime, json }: Arguments) -> Result<(), Error> {
    let options = LatencyOptions { batches: batch, threads, runtime, ..LatencyOptions::default() };
    output::print(json, &onnx::latency(&file, &options)?, ToString::to_string)
}

fn count(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|&count| count > 0)
        .ok_or_else(|| "it must be a whole number from 1, or several with commas".into())
}
