//! Rules that say which runs to keep.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::deletion::{DeletionPlan, PlannedRun, is_in_use, length};
use crate::error::{Result, StoreError};
use crate::run_id::RunId;
use crate::store::Store;

/// Rules that say which runs go: those that [`matching`](Retention::matching) selects, less those
/// that another rule keeps. A run that is being written always stays.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Retention {
    /// A query that selects the runs to be looked at; `None` selects all.
    pub matching: Option<String>,
    /// Keeps so many of the selected runs, the newest.
    pub keep_last: Option<usize>,
    /// Keeps so many of the selected runs, the best by a field as in `order by`: the least value is
    /// best, or with ` desc` behind the field the greatest. For example `metrics.val_loss.min` or
    /// `metrics.val_accuracy.max desc`. Runs that lack the field are not among the best.
    pub keep_best: Vec<(String, usize)>,
    /// Keeps the selected runs that started less than this before now.
    pub older_than: Option<Duration>,
}

impl Store {
    /// Plans what these rules say.
    ///
    /// # Errors
    /// [`StoreError::NoRule`] when there is no rule at all, and [`StoreError::Query`] for a wrong
    /// condition or field.
    pub fn plan_cleanup(&self, rules: &Retention) -> Result<DeletionPlan> {
        let Retention { matching, keep_last, keep_best, older_than } = rules;
        if matching.is_none() && keep_last.is_none() && keep_best.is_empty() && older_than.is_none()
        {
            return Err(StoreError::NoRule);
        }
        let mut runs = match matching {
            Some(query) => self.query(query)?,
            None => self.runs()?,
        };
        // Whatever order the query asked for.
        runs.sort_by(|a, b| b.started_at.cmp(&a.started_at).then_with(|| b.id.cmp(&a.id)));
        let candidates: HashSet<&RunId> = runs.iter().map(|run| &run.id).collect();
        let mut kept: HashMap<RunId, String> = HashMap::new();
        let mut keep = |id: &RunId, why: String| {
            kept.entry(id.clone()).or_insert(why);
        };
        for run in runs.iter().take(keep_last.unwrap_or_default()) {
            keep(&run.id, format!("among the newest {}", keep_last.unwrap_or_default()));
        }
        for (field, number) in keep_best {
            let bare = field.trim();
            let bare =
                [" desc", " asc"].iter().find_map(|end| strip_end(bare, end)).unwrap_or(bare);
            let order = self.query(&format!("{bare} is not null order by {field}"))?;
            let selected = order.iter().filter(|run| candidates.contains(&run.id));
            for run in selected.take(*number) {
                keep(&run.id, format!("among the best {number} by {}", field.trim()));
            }
        }
        if let Some(age) = older_than {
            let now = Timestamp::now();
            // An age from before the calendar begins is older than every run.
            let limit =
                SignedDuration::try_from(*age).ok().and_then(|age| now.checked_sub(age).ok());
            for run in runs.iter().filter(|run| limit.is_none_or(|limit| run.started_at > limit)) {
                keep(&run.id, "too young".to_owned());
            }
        }
        let mut planned = Vec::with_capacity(runs.len());
        for run in runs {
            let path = self.journals().path(&run.id);
            let in_use = is_in_use(&path).map_err(StoreError::io("read", &path))?;
            let stays =
                if in_use { Some("it is being written".to_owned()) } else { kept.remove(&run.id) };
            let goes = stays.is_none();
            let why = stays.unwrap_or_else(|| {
                if matching.is_some() { "selected" } else { "not kept" }.to_owned()
            });
            planned.push(PlannedRun { run, bytes: length(&path)?, goes, why });
        }
        Ok(DeletionPlan::new(self, planned))
    }
}

/// What comes before the word `end`, in either case.
fn strip_end<'a>(text: &'a str, end: &str) -> Option<&'a str> {
    let at = text.len().checked_sub(end.len())?;
    text.get(at..)?.eq_ignore_ascii_case(end).then(|| text.get(..at))?
}
