//! `trainbook runs show`.

use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use trainbook::{Error, display};

use crate::{Shared, output};

#[derive(clap::Args)]
pub struct Arguments {
    /// Its id, or a beginning of it that no other has
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    run: String,
    /// Also write its curves to this SVG file
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    #[command(flatten)]
    shared: Shared,
}

pub fn run(Arguments { run, svg, shared }: Arguments) -> Result<(), Error> {
    let store = shared.open_store()?;
    let record = store.run(&run)?;
    let past = store.past(&record);
    if let Some(path) = svg {
        output::check_file(&path)?;
        output::make_folder_of(&path)?;
        std::fs::write(&path, display::run_svg(&record, &past))
            .map_err(|source| Error::Write { path, source })?;
    }
    if let Some(process) = record.stopped_writer() {
        output::note(&format!(
            "process {process}, which records this run, is stopped; `kill -CONT {process}` continues it"
        ));
    }
    output::print(shared.json, &record, |record| display::run(record, &past).text)
}
