//! `trainbook runs delete`.

use clap::builder::NonEmptyStringValueParser;
use trainbook::Error;

use crate::Shared;
use crate::store::plan;

#[derive(clap::Args)]
pub struct Arguments {
    /// Ids, or beginnings of ids that no other run has
    #[arg(required = true, value_name = "RUN", value_parser = NonEmptyStringValueParser::new())]
    runs: Vec<String>,
    /// Delete, instead of only showing what would be deleted
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    shared: Shared,
}

pub fn run(Arguments { runs, yes, shared }: Arguments) -> Result<(), Error> {
    plan::deletion(&shared, yes, shared.open_store()?.plan_deletion(&runs)?)
}
