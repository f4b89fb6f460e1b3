//! `trainbook onnx export`.

use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use trainbook::Error;
use trainbook::history::Store;
use trainbook::trainer::Export;

use crate::{Shared, output};

#[derive(clap::Args)]
pub struct Arguments {
    /// The run: its id, or a beginning of it that no other has
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    run: String,
    /// Where to write the ONNX file, or the folder
    #[arg(short, long, value_name = "PATH")]
    out: PathBuf,
    /// Return probabilities instead of logits
    #[arg(long)]
    softmax: bool,
    /// Return the class, too
    #[arg(long)]
    class: bool,
    /// Write a folder with the file, rows to test it with, and checksums
    #[arg(long)]
    folder: bool,
    #[command(flatten)]
    shared: Shared,
}

pub fn run(Arguments { run, out, softmax, class, folder, shared }: Arguments) -> Result<(), Error> {
    let run = Store::from(shared.open_store()?).run(&run)?.load()?;
    let mut export = Export::new();
    if softmax {
        export = export.softmax();
    }
    if class {
        export = export.class();
    }
    if folder {
        export = export.folder();
    } else {
        output::check_file(&out)?;
    }
    let report = run.export_with(&out, export)?;
    output::print(shared.json, &report, ToString::to_string)
}
