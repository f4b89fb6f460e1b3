//! `trainbook runs tail`.

use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use trainbook::{Error, display};

use crate::{Shared, output};

/// How long to wait before looking again. The writer puts what it has on disk five times a second.
const PAUSE: Duration = Duration::from_millis(100);

#[derive(clap::Args)]
pub struct Arguments {
    /// Its id, or a beginning of it that no other has
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    run: String,
    /// Show this metric only; may be given several times
    #[arg(long, value_name = "NAME")]
    metric: Vec<String>,
    #[command(flatten)]
    shared: Shared,
}

/// Prints what there is and what comes, until the run's writer is gone or nobody reads any more. As
/// JSON, one document for each look that finds something new.
pub fn run(Arguments { run, metric, shared }: Arguments) -> Result<(), Error> {
    let mut tail = shared.open_store()?.tail(&run)?;
    loop {
        if let Some(update) = tail.poll()? {
            let is_news = !update.points.is_empty() || !update.events.is_empty() || !update.live;
            let text = match (is_news, shared.json) {
                (false, _) => String::new(),
                (true, true) => output::document(&update)?,
                (true, false) => display::update(&update, &metric),
            };
            if !text.is_empty() && !output::live_line(text.trim_end())? {
                return Ok(());
            }
            if !update.live {
                return Ok(());
            }
        }
        std::thread::sleep(PAUSE);
    }
}
