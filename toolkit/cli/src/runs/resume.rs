//! `trainbook runs resume`.

use clap::builder::NonEmptyStringValueParser;
use trainbook::history::Store;
use trainbook::{Error, display};

use crate::{Shared, output};

#[derive(clap::Args)]
pub struct Arguments {
    /// The run: its id, or a beginning of it that no other has
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    run: String,
    #[command(flatten)]
    shared: Shared,
}

pub fn run(Arguments { run, shared }: Arguments) -> Result<(), Error> {
    let store = Store::from(shared.open_store()?);
    let stored = store.run(&run)?;
    // What it shows while it trains belongs beside the answer, where that is for programs or asked for alone.
    let resumed = if shared.is_quiet() { stored.resume_quietly() } else { stored.resume() }?;
    let Some(id) = resumed.id() else { return Ok(()) };
    let record = store.run(id)?;
    output::print(shared.json, &*record, |record| display::run(record, &store.past(record)).text)
}
