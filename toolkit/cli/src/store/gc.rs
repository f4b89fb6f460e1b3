//! `trainbook store gc`.

use trainbook::Error;

use super::plan;
use crate::Shared;

#[derive(clap::Args)]
pub struct Arguments {
    /// Delete, instead of only showing what would be deleted
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    shared: Shared,
}

pub fn run(Arguments { yes, shared }: Arguments) -> Result<(), Error> {
    plan::collection(&shared, yes, shared.open_store()?.plan_collection()?)
}
