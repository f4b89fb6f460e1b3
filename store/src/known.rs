//! What this process knows about the runs of a store: the summaries, kept up to date with the
//! journals.
//!
//! A summary is asked for in this order. **Memory**: a run whose writer is gone is as it was when
//! that was found out; of a run that grows, only the new records are read. **The index**, for runs
//! that this process has not seen: it holds the summaries of settled runs, and how far a long
//! journal is sealed. **The journals**, for everything else, and for everything if the index is not
//! to be had. What was read there goes into the index for the next process.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::error::Result as StoreResult;
use crate::fold::Fold;
use crate::index::{Index, IndexProblem, Session, Settled};
use crate::journal::reader::{self, Position};
use crate::journals::Journals;
use crate::open_end::OpenEnd;
use crate::record;
use crate::run_id::RunId;
use crate::summary::RunSummary;

/// How many runs are kept in memory; the others are looked up each time. Some kilobytes each.
const REMEMBERED: usize = if cfg!(test) { 3 } else { 50_000 };

/// The summaries that this process has read.
#[derive(Debug, Default)]
pub(crate) struct Known {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    runs: HashMap<RunId, Remembered>,
    /// What the last listing gave, as long as every run in it is remembered.
    listing: Option<Listing>,
    /// Why the journals had to be read without the index, the last time that something had to be
    /// read.
    without_index: Option<IndexProblem>,
}

/// The summaries of all runs, newest first.
pub(crate) type Summaries = Arc<Vec<Arc<RunSummary>>>;

/// A list of all runs, so that one that asks for the same runs again pays for those alone that
/// grow.
#[derive(Debug)]
struct Listing {
    /// The runs, in the order in which they were asked for.
    ids: Vec<RunId>,
    summaries: Summaries,
    /// Where in `summaries` the runs stand of which more may become.
    open: Vec<usize>,
}

#[derive(Debug)]
struct Remembered {
    summary: Arc<RunSummary>,
    state: Growth,
}

/// What may still become of a run.
#[derive(Debug)]
enum Growth {
    /// Nothing: it can be read and its writer is gone.
    Final,
    /// More: its writer is there. What its records add up to, as far as they were read.
    Growing(Position, Box<Fold>),
    /// It could not be read, which may have been a passing trouble.
    Unreadable,
}

impl Known {
    /// The summaries of these runs, newest first. Waits no longer than `patience` for another
    /// process.
    pub(crate) fn summaries(
        &self,
        ids: Vec<RunId>,
        journals: &Journals,
        index: &Index,
        patience: Duration,
    ) -> Summaries {
        let mut state = self.lock();
        if let Some(summaries) = state.same_runs(&ids, journals) {
            return summaries;
        }
        let mut unknown = Vec::new();
        for id in &ids {
            let holds = |run: &mut Remembered| run.refresh(|| journals.path(id));
            if !state.runs.get_mut(id).is_some_and(holds) {
                state.runs.remove(id);
                unknown.push(id);
            }
        }
        if state.runs.len() + unknown.len() > ids.len() {
            let ids: HashSet<&RunId> = ids.iter().collect();
            state.runs.retain(|id, _| ids.contains(id));
        }
        let mut summaries: Vec<_> =
            state.runs.values().map(|remembered| Arc::clone(&remembered.summary)).collect();
        if !unknown.is_empty() {
            // One pass over everything in the index, or a look at each.
            let all = (unknown.len() * 8 > ids.len()).then_some(&*ids);
            let found = index.with(patience, |session| look_up(session, journals, &unknown, all));
            state.without_index = found.as_ref().err().cloned();
            let found = found.unwrap_or_else(|_| {
                unknown
                    .iter()
                    .filter_map(|id| Some(((*id).clone(), Remembered::read(id, journals)?)))
                    .collect()
            });
            for (id, remembered) in found {
                summaries.push(Arc::clone(&remembered.summary));
                if state.runs.len() < REMEMBERED {
                    state.runs.insert(id, remembered);
                }
            }
        }
        sort(&mut summaries);
        let summaries = Arc::new(summaries);
        // A run that is not remembered, or says nothing yet, has to be looked up again.
        state.listing = (state.runs.len() == ids.len()).then(|| {
            let grows = |run: &RunSummary| {
                state.runs.get(&run.id).is_some_and(|run| !matches!(run.state, Growth::Final))
            };
            let open = (0..summaries.len()).filter(|&place| grows(&summaries[place])).collect();
            Listing { ids, summaries: Arc::clone(&summaries), open }
        });
        summaries
    }

    /// The summary of one run; `None` if it says nothing yet, or is gone. Waits no longer than
    /// `patience` for another process.
    pub(crate) fn summary(
        &self,
        id: &RunId,
        journals: &Journals,
        index: &Index,
        patience: Duration,
    ) -> Option<Arc<RunSummary>> {
        let mut state = self.lock();
        if let Some(run) = state.runs.get_mut(id)
            && run.refresh(|| journals.path(id))
        {
            return Some(Arc::clone(&run.summary));
        }
        drop(state);
        let found = index.with(patience, |session| look_up(session, journals, &[id], None));
        let remembered = found.map(|mut found| found.pop().map(|(_, remembered)| remembered));
        remembered
            .unwrap_or_else(|_| Remembered::read(id, journals))
            .map(|remembered| remembered.summary)
    }

    /// Why the last reading went without the index; `None` if it did not.
    pub(crate) fn without_index(&self) -> Option<IndexProblem> {
        self.lock().without_index.clone()
    }

    /// Puts runs whose writers are gone into the index, if nobody else holds that for longer than
    /// `patience`. Whoever asks next would do it otherwise.
    pub(crate) fn settle(
        &self,
        ids: &[&RunId],
        journals: &Journals,
        index: &Index,
        patience: Duration,
    ) {
        let _ = index.with(patience, |session| look_up(session, journals, ids, None));
    }

    /// Forgets what was read of a run.
    pub(crate) fn forget(&self, id: &RunId) {
        let mut state = self.lock();
        state.runs.remove(id);
        state.listing = None;
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        *self.lock() = State::default();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The last listing, brought up to date; `None` if it was of other runs or cannot be.
    fn same_runs(&mut self, ids: &[RunId], journals: &Journals) -> Option<Summaries> {
        let listing = self.listing.as_mut().filter(|listing| listing.ids == ids)?;
        let mut open = Vec::new();
        for &place in &listing.open {
            let id = &listing.summaries[place].id;
            let run = self.runs.get_mut(id)?;
            if !run.refresh(|| journals.path(id)) {
                return None;
            }
            if !matches!(run.state, Growth::Final) {
                open.push(place);
            }
            Arc::make_mut(&mut listing.summaries)[place] = Arc::clone(&run.summary);
        }
        listing.open = open;
        Some(Arc::clone(&listing.summaries))
    }
}

impl Remembered {
    /// Brings this up to date from the journal, whose path is put together only if it is needed.
    /// False if it has to be looked up anew.
    fn refresh(&mut self, path: impl FnOnce() -> PathBuf) -> bool {
        let (position, fold) = match &mut self.state {
            Growth::Final => return true,
            Growth::Unreadable => return false,
            Growth::Growing(position, fold) => (position, fold),
        };
        let Ok(Some(part)) = reader::read_from(&path(), *position) else { return false };
        part.entries.iter().for_each(|entry| fold.apply(entry, |_, _, _| {}));
        *position = part.end;
        self.summary = Arc::new(fold.summary(part.live, part.damage));
        if !part.live {
            self.state = Growth::Final;
        }
        true
    }
}

/// What the index has about these runs, after bringing it up to date for them. If `all` names every
/// run that there is, the index is gone through as a whole and forgets the runs that are no more.
fn look_up(
    session: &Session,
    journals: &Journals,
    unknown: &[&RunId],
    all: Option<&[RunId]>,
) -> Result<Vec<(RunId, Remembered)>, IndexProblem> {
    let mut settled = all.map(|_| session.all_settled()).transpose()?;
    let mut changed = match all {
        Some(all) => session.keep_only(&all.iter().map(RunId::as_str).collect())?,
        None => false,
    };
    let mut found = Vec::with_capacity(unknown.len());
    for id in unknown {
        let path = journals.path(id);
        let indexed = match &mut settled {
            Some(settled) => settled.remove(*id),
            None => session.settled(id)?,
        };
        if let Some(Settled { journal: length, summary }) = indexed
            && path.metadata().is_ok_and(|metadata| metadata.len() == length)
        {
            found.push((
                (*id).clone(),
                Remembered { summary: Arc::new(summary), state: Growth::Final },
            ));
            continue;
        }
        let open = OpenEnd::read_and_seal(session, id, &path)?;
        let (length, sealed) = match &open {
            Ok(Some(open)) => (open.length, open.sealed),
            _ => (0, false),
        };
        changed |= sealed;
        let Some(remembered) = Remembered::of(id, &path, open) else { continue };
        if matches!(remembered.state, Growth::Final) {
            let summary = RunSummary::clone(&remembered.summary);
            session.put_settled(&Settled { journal: length, summary })?;
            changed = true;
        }
        found.push(((*id).clone(), remembered));
    }
    if changed {
        session.flush()?;
    }
    Ok(found)
}

/// The summaries of all runs from their journals alone, newest first; nothing is written.
pub(crate) fn read_all(journals: &Journals, ids: &[RunId]) -> Vec<Arc<RunSummary>> {
    let read = ids.iter().filter_map(|id| Remembered::read(id, journals));
    let mut summaries: Vec<_> = read.map(|remembered| remembered.summary).collect();
    sort(&mut summaries);
    summaries
}

/// Newest first. Ids tell seconds apart; several runs may start in one.
fn sort(summaries: &mut [Arc<RunSummary>]) {
    summaries
        .sort_unstable_by(|a, b| b.started_at.cmp(&a.started_at).then_with(|| b.id.cmp(&a.id)));
}

/// Puts everything about all journals into the index. Returns how many of them can be shown.
pub(crate) fn look_up_all(
    session: &Session,
    journals: &Journals,
    ids: &[RunId],
) -> Result<usize, IndexProblem> {
    Ok(look_up(session, journals, &ids.iter().collect::<Vec<_>>(), Some(ids))?.len())
}

impl Remembered {
    /// What reading a journal gave. `None` if it says nothing yet, or is gone. One run's trouble is
    /// shown on that run alone.
    fn of(id: &RunId, path: &Path, read: StoreResult<Option<OpenEnd>>) -> Option<Remembered> {
        match read {
            Ok(open) => {
                let OpenEnd { fold, end, live, damage, .. } = open?;
                let summary = Arc::new(fold.summary(live, damage));
                let state = if live { Growth::Growing(end, Box::new(fold)) } else { Growth::Final };
                Some(Remembered { summary, state })
            }
            Err(_) if !path.exists() => None,
            Err(error) => {
                let summary = Arc::new(record::unreadable(id, error.to_string()));
                Some(Remembered { summary, state: Growth::Unreadable })
            }
        }
    }

    /// From the journal alone.
    fn read(id: &RunId, journals: &Journals) -> Option<Remembered> {
        let path = journals.path(id);
        Remembered::of(id, &path, OpenEnd::read(id, &path, None))
    }
}

#[cfg(test)]
mod tests;
