//! `trainbook store rebuild`.

use serde::Serialize;
use trainbook::Error;

use crate::{Shared, output};

#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    shared: Shared,
}

#[derive(Serialize)]
struct Rebuilt {
    runs: usize,
}

pub fn run(Arguments { shared }: Arguments) -> Result<(), Error> {
    let rebuilt = Rebuilt { runs: shared.open_store()?.rebuild_index()? };
    output::print(shared.json, &rebuilt, |Rebuilt { runs }| {
        format!(
            "the index was built anew; it holds {runs} {}",
            if *runs == 1 { "run" } else { "runs" }
        )
    })
}
