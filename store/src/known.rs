//! What this process knows about the runs of a store: the summaries, kept up to date with the journals.
//!
//! A summary is asked for in this order. **Memory**: a settled run whose journal is as long as it was is as it was; of a run
//! that grows, only the new records are read. **The index**, for runs that this process has not seen: it holds the summaries
//! of settled runs, and how far a long journal is sealed. **The journals**, for everything else, and for everything if the
//! index is not to be had. What was read there goes into the index for the next process.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::event::{Entry, MetricName};
use crate::fold::Fold;
use crate::index::block::{self, Block};
use crate::index::{Index, IndexError, Sealed, Session, Settled};
use crate::journal::reader::{self, Part, Position};
use crate::record;
use crate::run_id::RunId;
use crate::summary::{RunState, RunSummary};

/// How much of a journal may be unsealed, in bytes. So much is read in a millisecond or two.
pub(crate) const UNSEALED: u64 = 1 << 20;

/// How many runs are kept in memory; the others are looked up each time. Some kilobytes each.
const REMEMBERED: usize = 50_000;

/// A journal in the folder of runs.
#[derive(Debug, Clone)]
pub(crate) struct JournalFile {
    pub(crate) id: RunId,
    pub(crate) path: PathBuf,
    /// In bytes, when the folder was read.
    pub(crate) length: u64,
}

/// The summaries that this process has read.
#[derive(Debug, Default)]
pub(crate) struct Known {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    runs: HashMap<RunId, Remembered>,
    /// Why the journals had to be read without the index, the last time that something had to be read.
    without_index: Option<String>,
}

#[derive(Debug)]
struct Remembered {
    summary: Arc<RunSummary>,
    /// Length of the journal that the summary is of, in bytes.
    length: u64,
    /// `None` for a settled run: nobody writes to it, so only another length would make it another run.
    growing: Option<(Position, Fold)>,
}

impl Known {
    /// The summaries of these journals, in their order. Waits no longer than `patience` for another process.
    pub(crate) fn summaries(
        &self,
        journals: &[JournalFile],
        index: &Index,
        patience: Duration,
    ) -> Vec<Arc<RunSummary>> {
        let mut state = self.lock();
        let mut unknown = Vec::new();
        for journal in journals {
            let known = state.runs.remove(&journal.id).and_then(|remembered| refresh(journal, remembered));
            match known {
                Some(remembered) => drop(state.runs.insert(journal.id.clone(), remembered)),
                None => unknown.push(journal),
            }
        }
        if state.runs.len() + unknown.len() > journals.len() {
            let ids: HashSet<&RunId> = journals.iter().map(|journal| &journal.id).collect();
            state.runs.retain(|id, _| ids.contains(id));
        }
        let mut others = HashMap::new();
        if !unknown.is_empty() {
            let found = index.with(patience, |session| look_up(session, &unknown, journals));
            state.without_index = found.as_ref().err().map(why);
            let found = found.unwrap_or_else(|_| unknown.iter().filter_map(|journal| read(journal)).collect());
            for (id, remembered) in found {
                let map = if state.runs.len() < REMEMBERED { &mut state.runs } else { &mut others };
                map.insert(id, remembered);
            }
        }
        journals
            .iter()
            .filter_map(|journal| state.runs.get(&journal.id).or_else(|| others.get(&journal.id)))
            .map(|remembered| Arc::clone(&remembered.summary))
            .collect()
    }

    /// Why the last reading went without the index; `None` if it did not.
    pub(crate) fn without_index(&self) -> Option<String> {
        self.lock().without_index.clone()
    }

    /// Forgets a run, so that it is looked up again.
    pub(crate) fn forget(&self, run: &RunId) {
        self.lock().runs.remove(run);
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        *self.lock() = State::default();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn why(error: &IndexError) -> String {
    let (IndexError::Unavailable(why) | IndexError::Damaged(why)) = error;
    why.clone()
}

/// Brings what is remembered of a run up to date from its journal; `None` if that is not enough.
fn refresh(journal: &JournalFile, mut remembered: Remembered) -> Option<Remembered> {
    let Some((position, fold)) = &mut remembered.growing else {
        return (remembered.length == journal.length).then_some(remembered);
    };
    let part = reader::read_from(&journal.path, *position).ok()??;
    part.entries.iter().for_each(|entry| fold.apply(entry, |_, _, _| {}));
    *position = part.end;
    remembered.summary = Arc::new(fold.summary(part.live, part.damage));
    remembered.length = part.length;
    if !part.live {
        remembered.growing = None;
    }
    Some(remembered)
}

/// What the index has about these runs, after bringing it up to date for them. `all` is every journal that there is.
fn look_up(
    session: &Session,
    unknown: &[&JournalFile],
    all: &[JournalFile],
) -> Result<Vec<(RunId, Remembered)>, IndexError> {
    // One pass over everything, or a look at each.
    let many = unknown.len() * 8 > all.len();
    let mut settled = if many { session.all_settled()? } else { HashMap::new() };
    let mut changed = many && session.keep_only(&all.iter().map(|journal| journal.id.as_str()).collect())?;
    let mut found = Vec::with_capacity(unknown.len());
    for journal in unknown {
        let indexed = if many { settled.remove(&journal.id) } else { session.settled(&journal.id)? };
        if let Some(Settled { journal: length, summary }) = indexed
            && length == journal.length
        {
            found.push((journal.id.clone(), Remembered { summary: Arc::new(summary), length, growing: None }));
            continue;
        }
        let Some(open) = OpenEnd::read(session, &journal.id, &journal.path)? else {
            found.extend(read(journal));
            continue;
        };
        changed |= open.sealed;
        let remembered = open.remembered();
        if remembered.summary.state != RunState::Running {
            let summary = RunSummary::clone(&remembered.summary);
            session.put_settled(&Settled { journal: remembered.length, summary })?;
            changed = true;
        }
        found.push((journal.id.clone(), remembered));
    }
    if changed {
        session.flush()?;
    }
    Ok(found)
}

/// Puts everything about all journals into the index. Returns how many of them can be shown.
pub(crate) fn look_up_all(session: &Session, all: &[JournalFile]) -> Result<usize, IndexError> {
    Ok(look_up(session, &all.iter().collect::<Vec<_>>(), all)?.len())
}

/// The end of a journal that is not sealed, and what the whole journal adds up to.
pub(crate) struct OpenEnd {
    fold: Fold,
    end: Position,
    length: u64,
    live: bool,
    damage: Option<String>,
    /// How many sealed blocks each metric has.
    pub(crate) blocks: BTreeMap<MetricName, u32>,
    /// The points behind them.
    pub(crate) points: BTreeMap<MetricName, Vec<(u64, f64)>>,
    /// Whether reading sealed something, which is not on disk yet.
    pub(crate) sealed: bool,
}

impl OpenEnd {
    /// Reads the journal of `id` from where it is sealed. If what is not sealed is much, seals it. `None` if the journal
    /// cannot be read at all, or says nothing yet.
    pub(crate) fn read(session: &Session, id: &RunId, path: &Path) -> Result<Option<OpenEnd>, IndexError> {
        let from = session.sealed(id)?;
        let position = from.as_ref().map(|sealed| sealed.position).unwrap_or_default();
        let part = match reader::read_from(path, position) {
            Ok(Some(part)) => part,
            Ok(None) => return Ok(None),
            Err(error) if error.kind() == ErrorKind::InvalidData && from.is_some() => {
                // Another journal under this name.
                session.forget(id.as_str())?;
                return OpenEnd::read(session, id, path);
            }
            Err(_) => return Ok(None),
        };
        let Part { entries, end, length, live, damage } = part;
        let mut entries = entries.into_iter();
        let (fold, blocks) = match from {
            Some(Sealed { fold, blocks, .. }) => (fold, blocks),
            None => match Fold::begin(id, path, entries.next(), damage.as_deref()) {
                Ok((fold, _)) => (fold, BTreeMap::new()),
                Err(_) => return Ok(None),
            },
        };
        let mut open = OpenEnd { fold, end, length, live, damage, blocks, points: BTreeMap::new(), sealed: false };
        open.apply(entries);
        if end.offset - position.offset > UNSEALED {
            open.seal(session, id)?;
        }
        Ok(Some(open))
    }

    fn apply(&mut self, entries: impl Iterator<Item = Entry>) {
        let OpenEnd { fold, points, .. } = self;
        for entry in entries {
            fold.apply(&entry, |name, step, value| match points.get_mut(name) {
                Some(points) => points.push((step, value)),
                None => drop(points.insert(name.clone(), vec![(step, value)])),
            });
        }
    }

    fn seal(&mut self, session: &Session, id: &RunId) -> Result<(), IndexError> {
        let mut sealed = Vec::new();
        for (metric, points) in std::mem::take(&mut self.points) {
            let count = self.blocks.entry(metric.clone()).or_default();
            for points in points.chunks(block::POINTS) {
                let block = Block::seal(points).map_err(IndexError::Unavailable)?;
                sealed.push((metric.clone(), *count, block));
                *count += 1;
            }
        }
        let state = Sealed { position: self.end, fold: self.fold.clone(), blocks: self.blocks.clone() };
        session.seal(id, &state, &sealed)?;
        self.sealed = true;
        Ok(())
    }

    fn remembered(&self) -> Remembered {
        let summary = Arc::new(self.fold.summary(self.live, self.damage.clone()));
        let growing = self.live.then(|| (self.end, self.fold.clone()));
        Remembered { summary, length: self.length, growing }
    }
}

/// A run from its journal alone. One run's trouble is shown on that run alone.
fn read(journal: &JournalFile) -> Option<(RunId, Remembered)> {
    let JournalFile { id, path, .. } = journal;
    let unreadable = |why: String| {
        let summary = Arc::new(record::unreadable(id, why));
        Some((id.clone(), Remembered { summary, length: 0, growing: None }))
    };
    let part = match reader::read(path) {
        Ok(Some(part)) => part,
        Ok(None) => return None,
        Err(_) if !path.exists() => return None,
        Err(error) => return unreadable(error.to_string()),
    };
    let Part { entries, end, length, live, damage } = part;
    let mut entries = entries.into_iter();
    match Fold::begin(id, path, entries.next(), damage.as_deref()) {
        Ok((mut fold, _)) => {
            entries.for_each(|entry| fold.apply(&entry, |_, _, _| {}));
            let summary = Arc::new(fold.summary(live, damage));
            Some((id.clone(), Remembered { summary, length, growing: live.then_some((end, fold)) }))
        }
        Err(error) => unreadable(error.to_string()),
    }
}
