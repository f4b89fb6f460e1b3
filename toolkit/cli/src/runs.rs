//! `trainbook runs`.

use std::path::PathBuf;

use clap::Subcommand;
use clap::builder::NonEmptyStringValueParser;
use trainbook::store::Store;
use trainbook::{Error, display};

use crate::{Shared, output, store_folder};

/// What can be asked of recorded runs.
#[derive(Subcommand)]
pub enum Command {
    /// List all runs, newest first
    List {
        #[command(flatten)]
        shared: Shared,
    },
    /// Show one run
    Show {
        /// Its id, or a beginning of it that no other has
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        run: String,
        /// Also write its curves to this SVG file
        #[arg(long, value_name = "FILE")]
        svg: Option<PathBuf>,
        #[command(flatten)]
        shared: Shared,
    },
    /// List the runs that a query selects
    Query {
        /// For example: "metrics.val_accuracy.max > 0.95 and params.lr < 1e-2 order by metrics.val_loss.min limit 10"
        query: String,
        #[command(flatten)]
        shared: Shared,
    },
}

/// Runs a command.
pub fn run(command: Command) -> Result<(), Error> {
    let open = |shared: &Shared| Store::open_existing(store_folder::resolve(shared.store.clone()));
    match command {
        Command::List { shared } => {
            output::print(shared.json, &open(&shared)?.runs()?, |runs| display::runs(runs).text)
        }
        Command::Query { query, shared } => {
            output::print(shared.json, &open(&shared)?.query(&query)?, |runs| display::runs(runs).text)
        }
        Command::Show { run, svg, shared } => {
            let record = open(&shared)?.run(&run)?;
            if let Some(path) = svg {
                output::check_file(&path)?;
                output::make_folder_of(&path)?;
                std::fs::write(&path, display::run_svg(&record)).map_err(|source| Error::Write { path, source })?;
            }
            output::print(shared.json, &record, |record| display::run(record).text)
        }
    }
}
