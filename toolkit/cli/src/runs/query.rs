//! `trainbook runs query`.

use trainbook::{Error, display};

use crate::{Shared, output};

#[derive(clap::Args)]
pub struct Arguments {
    /// For example: "metrics.val_accuracy.max > 0.95 and params.lr < 1e-2 order by metrics.val_loss.min limit 10"
    query: String,
    #[command(flatten)]
    shared: Shared,
}

pub fn run(Arguments { query, shared }: Arguments) -> Result<(), Error> {
    output::print(shared.json, &shared.open_store()?.query(&query)?, |runs| display::runs(runs).text)
}
