//! `trainbook runs list`.

use trainbook::{Error, display};

use crate::{Shared, output};

#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    shared: Shared,
}

pub fn run(Arguments { shared }: Arguments) -> Result<(), Error> {
    output::print(shared.json, &shared.open_store()?.runs()?, |runs| display::runs(runs).text)
}
