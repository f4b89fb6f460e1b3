//! What was before a run that went on with another.

use std::collections::BTreeMap;

use crate::event::Parent;
use crate::name::Name;
use crate::record::RunRecord;
use crate::store::Store;

/// The runs before one, and what they recorded up to where it went on.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Past {
    /// Whom each went on with, the first run of all at the end. A run that is not there any more
    /// ends the list, with its name.
    pub parents: Vec<Parent>,
    /// Every metric as (step, value), as in [`RunRecord::series`].
    pub series: BTreeMap<Name, Vec<(u64, f64)>>,
}

impl Past {
    /// The points of a metric before those of the run itself.
    pub fn of(&self, metric: &str) -> &[(u64, f64)] {
        self.series.get(metric).map_or(&[], Vec::as_slice)
    }
}

impl Store {
    /// What was before a run. Of an earlier run counts what it recorded up to the step behind which
    /// the later one went on, and before the later one's own points of the same metric: at that step
    /// may have been the end of an epoch, which the later run came to again.
    pub fn past(&self, run: &RunRecord) -> Past {
        let mut past = Past::default();
        let mut next = run.summary.parent.clone();
        let mut limit = u64::MAX;
        // A run's parent is older than it, unless somebody has written one by hand.
        let mut seen = vec![run.summary.id.clone()];
        let first = |points: &Vec<(u64, f64)>| points.first().map(|(step, _)| *step);
        while let Some(parent) = next.take().filter(|parent| !seen.contains(&parent.run)) {
            limit = limit.min(parent.step);
            if let Ok(record) = self.run(parent.run.as_str()) {
                for (name, points) in record.series {
                    let own = run.series.get(&name).and_then(first);
                    let series = past.series.entry(name).or_default();
                    let again = first(series).or(own).unwrap_or(u64::MAX);
                    let is_before = |step: u64| step <= limit && step < again;
                    let before = points.into_iter().filter(|(step, _)| is_before(*step));
                    series.splice(0..0, before);
                }
                next = record.summary.parent;
            }
            seen.push(parent.run.clone());
            past.parents.push(parent);
        }
        past.series.retain(|_, points| !points.is_empty());
        past
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EndState, Metric, RunEnd, RunStart};

    #[test]
    fn a_chain_of_runs_is_one_curve() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let run = |parent: Option<Parent>, points: &[(u64, f64)]| {
            let run = store.start_run(RunStart { parent, ..RunStart::default() }).unwrap();
            points.iter().for_each(|(step, value)| run.log(*step, &[Metric::new("loss", *value)]));
            let ends = points.iter().filter(|(step, _)| step % 2 == 0);
            ends.for_each(|(step, value)| run.log(*step, &[Metric::new("epoch", *value)]));
            run.finish(RunEnd::new(EndState::Finished, 1, 1)).unwrap();
            run.id().clone()
        };
        let parent = |run: &crate::RunId, step| Parent { run: run.clone(), step, resumed: true };
        // The first one went beyond the checkpoint from which the second went on.
        let first = run(None, &[(1, 1.0), (2, 2.0), (3, 3.5)]);
        let second = run(Some(parent(&first, 2)), &[(3, 3.0), (4, 4.0), (5, 5.5)]);
        let third = run(Some(parent(&second, 4)), &[(5, 5.0)]);
        let record = store.run(third.as_str()).unwrap();
        let past = store.past(&record);
        assert_eq!(past.of("loss"), [(1, 1.0), (2, 2.0), (3, 3.0), (4, 4.0)]);
        assert_eq!(past.of("epoch"), [(2, 2.0), (4, 4.0)]);
        let fourth = run(Some(parent(&second, 3)), &[(4, 4.5)]);
        let past = store.past(&store.run(fourth.as_str()).unwrap());
        assert_eq!(past.of("epoch"), [(2, 2.0)]);
        // From within the step's epoch: its end is there twice.
        let fifth =
            store.start_run(RunStart { parent: Some(parent(&second, 4)), ..RunStart::default() });
        let fifth = fifth.unwrap();
        fifth.log(4, &[Metric::new("epoch", 4.25)]);
        fifth.finish(RunEnd::new(EndState::Finished, 1, 1)).unwrap();
        let past = store.past(&store.run(fifth.id().as_str()).unwrap());
        assert_eq!(past.of("epoch"), [(2, 2.0)]);
        assert_eq!(past.of("loss").last(), Some(&(4, 4.0)));
        let past = store.past(&record);
        assert_eq!(past.parents, [parent(&second, 4), parent(&first, 2)]);
        assert_eq!(store.past(&store.run(first.as_str()).unwrap()), Past::default());
        let found = store.query(&format!("parent = '{first}'")).unwrap();
        assert_eq!(found.iter().map(|run| &run.id).collect::<Vec<_>>(), [&second]);
        let orphans = store.query("parent is null").unwrap();
        assert_eq!(orphans.iter().map(|run| &run.id).collect::<Vec<_>>(), [&first]);

        // A parent that is gone is named, and ends the chain.
        store.plan_deletion(&[first.as_str()]).unwrap().carry_out().unwrap();
        let past = store.past(&record);
        assert_eq!(past.of("loss"), [(3, 3.0), (4, 4.0)]);
        assert_eq!(past.parents.len(), 2);
    }
}
