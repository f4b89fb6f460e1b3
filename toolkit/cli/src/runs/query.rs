//! `trainbook runs query`.

use trainbook::{Error, display};

use crate::{Shared, output, tell_of_index};

#[derive(clap::Args)]
pub struct Arguments {
    /// For example: "metrics.val_accuracy.max > 0.95 and params.lr < 1e-2 order by metrics.val_loss.min limit 10"
    query: String,
    #[command(flatten)]
    shared: Shared,
}

pub fn run(Arguments { query, shared }: Arguments) -> Result<(), Error> {
    let store = shared.open_store()?;
    let runs = store.query(&query)?;
    tell_of_index(&store);
    output::print(shared.json, &runs, |runs| display::runs(runs).text)
}
