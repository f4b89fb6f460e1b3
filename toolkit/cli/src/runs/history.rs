//! `trainbook runs history`.

use clap::builder::NonEmptyStringValueParser;
use trainbook::{Error, display};

use crate::{Shared, output};

#[derive(clap::Args)]
pub struct Arguments {
    /// Its id, or a beginning of it that no other has
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    run: String,
    /// The metric, for example `val_loss`
    metric: String,
    /// Keep at most so many points: the first, the last, and the extremes of equal stretches
    /// between them
    #[arg(long, value_name = "N", default_value_t = 2000)]
    points: usize,
    #[command(flatten)]
    shared: Shared,
}

pub fn run(Arguments { run, metric, points, shared }: Arguments) -> Result<(), Error> {
    let history = shared.open_store()?.history(&run, &metric, points)?;
    output::print(shared.json, &history, |history| display::history(&metric, history))
}
