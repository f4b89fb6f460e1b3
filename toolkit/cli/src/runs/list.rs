//! `trainbook runs list`.

use trainbook::{Error, display};

use crate::{Shared, output, tell_of_index};

#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    shared: Shared,
}

pub fn run(Arguments { shared }: Arguments) -> Result<(), Error> {
    let store = shared.open_store()?;
    let runs = store.runs()?;
    tell_of_index(&store);
    output::print(shared.json, &runs, |runs| display::runs(runs).text)
}
