//! `trainbook runs stop`.

use clap::builder::NonEmptyStringValueParser;
use serde::Serialize;
use trainbook::Error;

use crate::{Shared, output};

/// Whoever records the run stops its fit behind the step, ends the run as interrupted, and can go on with
/// it later.
#[derive(clap::Args)]
pub struct Arguments {
    /// Its id, or a beginning of it that no other has
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    run: String,
    #[command(flatten)]
    shared: Shared,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Asked {
    run: String,
}

pub fn run(Arguments { run, shared }: Arguments) -> Result<(), Error> {
    let run = shared.open_store()?.request_stop(&run)?.to_string();
    output::print(shared.json, &Asked { run }, |Asked { run }| {
        format!("run {run} was asked to stop behind its step")
    })
}
