//! `trainbook runs query`.

use trainbook::store::export;
use trainbook::store::query::Answer;
use trainbook::{Error, display};

use crate::{Shared, output, tell_of_index};

#[derive(clap::Args)]
pub struct Arguments {
    /// For example: "metrics.val_accuracy.max > 0.95 and params.lr < 1e-2 order by
    /// metrics.val_loss.min limit 10"
    query: String,
    /// Print a short table for people; this is the default
    #[arg(long, conflicts_with_all = ["csv", "json"])]
    table: bool,
    /// Print a CSV table with all parameters, tags and metrics
    #[arg(long, conflicts_with_all = ["table", "json"])]
    csv: bool,
    #[command(flatten)]
    shared: Shared,
}

pub fn run(Arguments { query, table: _, csv, shared }: Arguments) -> Result<(), Error> {
    let store = shared.open_store()?;
    let Answer { runs, remarks } = store.answer(&query)?;
    tell_of_index(&store);
    remarks.iter().for_each(|remark| output::note(remark));
    if csv {
        let mut text = Vec::new();
        export::csv::runs(&runs, &mut text)?;
        return output::line(String::from_utf8_lossy(&text).trim_end_matches('\n'));
    }
    output::print(shared.json, &runs, |runs| display::runs(runs).text)
}
