//! `trainbook runs diff`.

use clap::builder::NonEmptyStringValueParser;
use trainbook::Error;

use crate::{Shared, output};

#[derive(clap::Args)]
pub struct Arguments {
    /// The first run: its id, or a beginning of it that no other has
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    a: String,
    /// The second run
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    b: String,
    #[command(flatten)]
    shared: Shared,
}

pub fn run(Arguments { a, b, shared }: Arguments) -> Result<(), Error> {
    output::print(shared.json, &shared.open_store()?.diff(&a, &b)?, ToString::to_string)
}
