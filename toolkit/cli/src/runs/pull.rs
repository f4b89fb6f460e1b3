//! `trainbook runs pull`.

use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use trainbook::Error;
use trainbook::store::{Store, Wanted};

use crate::{Shared, output, store_folder};

/// Finished runs come with their checkpoints and all else that they refer to, each checked; those
/// that are here already are left alone. The other store is only read, so it may be mounted, from
/// another machine too.
#[derive(clap::Args)]
pub struct Arguments {
    /// The other store's folder, or one with a .trainbook in it
    #[arg(value_name = "DIR")]
    from: PathBuf,
    /// Only these runs: their ids, or beginnings of them that no other there has
    #[arg(value_name = "RUN", value_parser = NonEmptyStringValueParser::new())]
    runs: Vec<String>,
    /// Only the runs that a query selects there
    #[arg(long, conflicts_with = "runs", value_parser = NonEmptyStringValueParser::new())]
    query: Option<String>,
    #[command(flatten)]
    shared: Shared,
}

pub fn run(Arguments { from, runs, query, shared }: Arguments) -> Result<(), Error> {
    let from = Store::open_existing(store_folder::within(from))?;
    let wanted = match query {
        Some(query) => Wanted::Query(query),
        None if runs.is_empty() => Wanted::All,
        None => Wanted::Runs(runs),
    };
    // Before there is a store here for what is not to be had there.
    let found = wanted.find(&from)?;
    let wanted = Wanted::Runs(found.iter().map(ToString::to_string).collect());
    // On a machine that has trained nothing yet, this is how its store begins.
    let store = Store::open(store_folder::resolve(shared.store))?;
    output::print(shared.json, &store.pull(&from, &wanted)?, ToString::to_string)
}
