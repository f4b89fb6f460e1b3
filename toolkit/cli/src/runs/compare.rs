//! `trainbook runs compare`.

use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use trainbook::{Error, display};

use crate::{Shared, output};

#[derive(clap::Args)]
pub struct Arguments {
    /// The runs, two or more: their ids, or beginnings of them that no other has
    #[arg(value_name = "RUN", num_args = 2.., required = true, value_parser = NonEmptyStringValueParser::new())]
    runs: Vec<String>,
    /// Only this metric; may be given several times
    #[arg(long = "metric", value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    metrics: Vec<String>,
    /// Also write the curves of all runs, over each other, to this SVG file
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    #[command(flatten)]
    shared: Shared,
}

pub fn run(Arguments { runs, metrics, svg, shared }: Arguments) -> Result<(), Error> {
    let mut comparison = shared.open_store()?.compare(&runs)?;
    if !metrics.is_empty() {
        comparison = comparison.only(&metrics)?;
    }
    if let Some(path) = svg {
        output::check_file(&path)?;
        output::make_folder_of(&path)?;
        std::fs::write(&path, display::comparison_svg(&comparison))
            .map_err(|source| Error::Write { path, source })?;
    }
    output::print(shared.json, &comparison, ToString::to_string)
}
