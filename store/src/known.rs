//! What this process knows about the runs of a store: the summaries, kept up to date with the journals.
//!
//! A summary is asked for in this order. **Memory**: a run whose writer is gone is as it was when that was found out; of a run
//! that grows, only the new records are read. **The index**, for runs that this process has not seen: it holds the summaries
//! of settled runs, and how far a long journal is sealed. **The journals**, for everything else, and for everything if the
//! index is not to be had. What was read there goes into the index for the next process.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::error::{Result as StoreResult, StoreError};
use crate::event::{Entry, MetricName};
use crate::fold::Fold;
use crate::index::block::{self, Block};
use crate::index::{Index, IndexError, Sealed, Session, Settled};
use crate::journal::reader::{self, Part, Position};
use crate::record;
use crate::run_id::RunId;
use crate::summary::RunSummary;

/// How much of a journal may be unsealed, in bytes. So much is read in a millisecond or two.
pub(crate) const UNSEALED: u64 = 1 << 20;

/// How many runs are kept in memory; the others are looked up each time. Some kilobytes each.
const REMEMBERED: usize = 50_000;

/// The folder of journals.
#[derive(Debug)]
pub(crate) struct Journals {
    folder: PathBuf,
}

impl Journals {
    pub(crate) fn new(folder: PathBuf) -> Journals {
        Journals { folder }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where the journal of a run is, or would be.
    pub(crate) fn path(&self, id: &RunId) -> PathBuf {
        self.folder.join(format!("{id}.log"))
    }

    /// Every run that has a journal, in no order.
    pub(crate) fn list(&self) -> StoreResult<Vec<RunId>> {
        let mut ids = Vec::new();
        for entry in std::fs::read_dir(&self.folder).map_err(StoreError::io("list", &self.folder))? {
            let name = entry.map_err(StoreError::io("list", &self.folder))?.file_name();
            // Anything that is no run's name was not put there by this crate.
            if let Some(Ok(id)) = name.to_str().and_then(|name| name.strip_suffix(".log")).map(str::parse) {
                ids.push(id);
            }
        }
        Ok(ids)
    }
}

/// The summaries that this process has read.
#[derive(Debug, Default)]
pub(crate) struct Known {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    runs: HashMap<RunId, Remembered>,
    /// What the last listing gave, as long as it holds.
    listing: Option<Vec<Arc<RunSummary>>>,
    /// Why the journals had to be read without the index, the last time that something had to be read.
    without_index: Option<String>,
}

#[derive(Debug)]
struct Remembered {
    summary: Arc<RunSummary>,
    /// Length of the journal that the summary is of, in bytes; 0 if it could not be read.
    length: u64,
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
    /// The summaries of these runs, newest first. Waits no longer than `patience` for another process.
    pub(crate) fn summaries(
        &self,
        ids: &[RunId],
        journals: &Journals,
        index: &Index,
        patience: Duration,
    ) -> Vec<Arc<RunSummary>> {
        let mut state = self.lock();
        let (mut unknown, mut changed) = (Vec::new(), false);
        for id in ids {
            let known = state.runs.get_mut(id).map(|remembered| remembered.refresh(|| journals.path(id)));
            match known {
                Some(Freshness::Same) => {}
                Some(Freshness::Newer) => changed = true,
                Some(Freshness::Lost) | None => {
                    state.runs.remove(id);
                    unknown.push(id);
                }
            }
        }
        if state.runs.len() + unknown.len() > ids.len() {
            let ids: HashSet<&RunId> = ids.iter().collect();
            state.runs.retain(|id, _| ids.contains(id));
            changed = true;
        }
        if !changed
            && unknown.is_empty()
            && let Some(listing) = &state.listing
        {
            return listing.clone();
        }
        let mut summaries: Vec<_> = state.runs.values().map(|remembered| Arc::clone(&remembered.summary)).collect();
        if !unknown.is_empty() {
            // One pass over everything in the index, or a look at each.
            let all = (unknown.len() * 8 > ids.len()).then_some(ids);
            let found = index.with(patience, |session| look_up(session, journals, &unknown, all));
            state.without_index = found.as_ref().err().map(why);
            let found = found.unwrap_or_else(|_| {
                unknown.iter().filter_map(|id| Some(((*id).clone(), read(id, &journals.path(id))?))).collect()
            });
            for (id, remembered) in found {
                summaries.push(Arc::clone(&remembered.summary));
                if state.runs.len() < REMEMBERED {
                    state.runs.insert(id, remembered);
                }
            }
        }
        // Ids tell seconds apart; several runs may start in one.
        summaries.sort_unstable_by(|a, b| b.started_at.cmp(&a.started_at).then_with(|| b.id.cmp(&a.id)));
        state.listing = Some(summaries.clone());
        summaries
    }

    /// Why the last reading went without the index; `None` if it did not.
    pub(crate) fn without_index(&self) -> Option<String> {
        self.lock().without_index.clone()
    }

    /// Puts a run whose writer is gone into the index, if nobody else holds that. Whoever asks next would do it otherwise.
    pub(crate) fn settle(&self, id: &RunId, journals: &Journals, index: &Index) {
        let _ = index.with(Duration::ZERO, |session| look_up(session, journals, &[id], None));
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        *self.lock() = State::default();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Remembered {
    /// Brings this up to date from the journal, whose path is put together only if it is needed.
    fn refresh(&mut self, path: impl FnOnce() -> PathBuf) -> Freshness {
        let (position, fold) = match &mut self.state {
            Growth::Final => return Freshness::Same,
            Growth::Unreadable => return Freshness::Lost,
            Growth::Growing(position, fold) => (position, fold),
        };
        let Ok(Some(part)) = reader::read_from(&path(), *position) else { return Freshness::Lost };
        part.entries.iter().for_each(|entry| fold.apply(entry, |_, _, _| {}));
        *position = part.end;
        self.summary = Arc::new(fold.summary(part.live, part.damage));
        self.length = part.length;
        if !part.live {
            self.state = Growth::Final;
        }
        Freshness::Newer
    }
}

/// What became of a summary when it was brought up to date.
enum Freshness {
    Same,
    Newer,
    /// It has to be looked up anew.
    Lost,
}

fn why(error: &IndexError) -> String {
    let (IndexError::Unavailable(why) | IndexError::Damaged(why)) = error;
    why.clone()
}

/// What the index has about these runs, after bringing it up to date for them. If `all` names every run that there is, the
/// index is gone through as a whole and forgets the runs that are no more.
fn look_up(
    session: &Session,
    journals: &Journals,
    unknown: &[&RunId],
    all: Option<&[RunId]>,
) -> Result<Vec<(RunId, Remembered)>, IndexError> {
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
            let summary = Arc::new(summary);
            found.push(((*id).clone(), Remembered { summary, length, state: Growth::Final }));
            continue;
        }
        let Some(open) = OpenEnd::read(session, id, &path)? else {
            found.extend(read(id, &path).map(|remembered| ((*id).clone(), remembered)));
            continue;
        };
        changed |= open.sealed;
        let remembered = open.remembered();
        if matches!(remembered.state, Growth::Final) {
            let summary = RunSummary::clone(&remembered.summary);
            session.put_settled(&Settled { journal: remembered.length, summary })?;
            changed = true;
        }
        found.push(((*id).clone(), remembered));
    }
    if changed {
        session.flush()?;
    }
    Ok(found)
}

/// Puts everything about all journals into the index. Returns how many of them can be shown.
pub(crate) fn look_up_all(session: &Session, journals: &Journals, ids: &[RunId]) -> Result<usize, IndexError> {
    Ok(look_up(session, journals, &ids.iter().collect::<Vec<_>>(), Some(ids))?.len())
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
        Remembered::new(&self.fold, self.end, self.length, self.live, self.damage.clone())
    }
}

impl Remembered {
    fn new(fold: &Fold, end: Position, length: u64, live: bool, damage: Option<String>) -> Remembered {
        let state = if live { Growth::Growing(end, Box::new(fold.clone())) } else { Growth::Final };
        Remembered { summary: Arc::new(fold.summary(live, damage)), length, state }
    }

    fn unreadable(id: &RunId, why: String) -> Remembered {
        Remembered { summary: Arc::new(record::unreadable(id, why)), length: 0, state: Growth::Unreadable }
    }
}

/// A run from its journal alone. One run's trouble is shown on that run alone.
fn read(id: &RunId, path: &Path) -> Option<Remembered> {
    let part = match reader::read(path) {
        Ok(Some(part)) => part,
        Ok(None) => return None,
        Err(_) if !path.exists() => return None,
        Err(error) => return Some(Remembered::unreadable(id, error.to_string())),
    };
    let Part { entries, end, length, live, damage } = part;
    let mut entries = entries.into_iter();
    Some(match Fold::begin(id, path, entries.next(), damage.as_deref()) {
        Ok((mut fold, _)) => {
            entries.for_each(|entry| fold.apply(&entry, |_, _, _| {}));
            Remembered::new(&fold, end, length, live, damage)
        }
        Err(error) => Remembered::unreadable(id, error.to_string()),
    })
}
