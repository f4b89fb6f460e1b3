//! `trainbook store clean`.

use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use jiff::{Span, SpanRelativeTo};
use trainbook::Error;
use trainbook::store::Retention;

use super::plan;
use crate::Shared;

#[derive(clap::Args)]
pub struct Arguments {
    /// Look only at the runs that this query selects, for example "tags.kind = 'trial'"
    #[arg(long = "where", value_name = "QUERY", value_parser = NonEmptyStringValueParser::new())]
    matching: Option<String>,
    /// Keep the newest N of them
    #[arg(long, value_name = "N")]
    keep_last: Option<usize>,
    /// Keep the best N by a field, the least value first: metrics.val_loss.min 5; or
    /// "metrics.val_accuracy.max desc" 5
    #[arg(long, num_args = 2, value_names = ["FIELD", "N"])]
    keep_best: Vec<String>,
    /// Keep those that started less than so long ago: 30d, 12h, 2w
    #[arg(long, value_name = "AGE", value_parser = age)]
    older_than: Option<Duration>,
    /// Delete, instead of only showing what would be deleted
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    shared: Shared,
}

pub fn run(
    Arguments { matching, keep_last, keep_best, older_than, yes, shared }: Arguments,
) -> Result<(), Error> {
    let mut best = Vec::new();
    for pair in keep_best.chunks_exact(2) {
        let number = pair[1].parse().map_err(|_| Error::Setting {
            setting: "--keep-best",
            value: pair[1].clone(),
            expected: "a field and then how many to keep, for example metrics.val_loss.min 5"
                .to_owned(),
        })?;
        best.push((pair[0].clone(), number));
    }
    let rules = Retention { matching, keep_last, keep_best: best, older_than };
    plan::deletion(&shared, yes, shared.open_store()?.plan_cleanup(&rules)?)
}

/// Reads an age. A day has 24 hours.
fn age(text: &str) -> Result<Duration, String> {
    let span = text.parse::<Span>().ok();
    let duration = span.and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()).ok());
    let duration = duration.and_then(|duration| Duration::try_from(duration).ok());
    duration.ok_or_else(|| {
        "it should be a number with a unit from seconds to weeks, such as 30d, 12h or 2w".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_have_a_unit() {
        const HOUR: u64 = 3600;
        for (text, hours) in
            [("30d", 30 * 24), ("12h", 12), ("2w", 14 * 24), ("1d 12h", 36), ("0h", 0)]
        {
            assert_eq!(age(text), Ok(Duration::from_secs(hours * HOUR)), "{text}");
        }
        for text in ["", "30", "d", "-3d", "1 month", "2 years", "soon"] {
            assert!(age(text).is_err(), "{text}");
        }
    }
}
