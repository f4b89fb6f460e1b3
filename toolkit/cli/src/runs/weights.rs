//! `trainbook runs weights`.

use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use trainbook::Error;
use trainbook::history::Store;

use crate::{Shared, output};

#[derive(clap::Args)]
pub struct Arguments {
    /// The run: its id, or a beginning of it that no other has
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    run: String,
    /// The safetensors file to write
    #[arg(short, long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    shared: Shared,
}

pub fn run(Arguments { run, out, shared }: Arguments) -> Result<(), Error> {
    shared.expect_text("the answer is a file")?;
    output::check_file(&out)?;
    let run = Store::from(shared.open_store()?).run(&run)?.load()?;
    output::make_folder_of(&out)?;
    run.save_weights(&out)?;
    output::line(&format!("{} with {} tensors", out.display(), run.model().tensors().len()))
}
