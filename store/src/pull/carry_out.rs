//! Pulling.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::io::ErrorKind;
use std::path::Path;
use std::time::Instant;

use super::pulled::{LeftObject, LeftOut, MissingParent, Pulled};
use super::source::{self, Reference, Source};
use super::wanted::Wanted;
use crate::cleanup::MARGIN;
use crate::error::{Result, StoreError};
use crate::journal::reader;
use crate::object_id::ObjectId;
use crate::objects::{Copied, write_atomically, write_new};
use crate::run_id::RunId;
use crate::store::Store;

/// How often the objects of a run are looked after before its journal follows. Twice is enough,
/// unless they have to be copied again each time.
const ROUNDS: usize = 3;

/// What the first look at a run of the other store gave.
enum Look {
    /// It cannot be copied, and why.
    Unfit(String),
    Fit(Fit),
}

struct Fit {
    here: Here,
    has_ended: bool,
    parent: Option<RunId>,
    /// Of the journal, so that a change between the looks is noticed.
    hash: blake3::Hash,
    objects: Vec<Reference>,
}

/// What this store has of a run.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Here {
    Nothing,
    /// All of it, or more.
    All,
    /// The beginning.
    Part,
    /// Something that is being written.
    Held,
}

impl Store {
    /// Copies finished runs from another store into this one, with the objects that they refer to:
    /// checkpoints, changes to the code, notebooks. Pulling again copies what is new.
    ///
    /// Left out, with the reason, are runs that have not ended or are being written, and runs that
    /// are damaged. An object that is missing there or damaged is left out too; its run comes without
    /// it, and the next pull tries again. A run on which another went on comes with that one, also if
    /// it crashed; if it is not to be had, that is said.
    ///
    /// Safe while both stores are in use. The other store is only read, without its index, and may be
    /// mounted read-only or from another machine. Killed at any moment, a pull leaves whole runs and
    /// goes on when it is called again.
    ///
    /// # Errors
    /// [`StoreError::OtherRun`] before anything is copied, if this store holds a run of the same id
    /// that is another; [`StoreError::PullFromItself`]; as [`query`](Store::query) and
    /// [`summary`](Store::summary) for what is [wanted](Wanted); and [`StoreError::Io`] if this store
    /// cannot be written, for example because the disk is full: the runs before that one are here.
    ///
    /// ```
    /// use trainbook_store::{EndState, RunEnd, RunStart, Store, Wanted};
    ///
    /// # let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    /// let elsewhere = Store::open(there.path())?;
    /// elsewhere.start_run(RunStart::default())?.finish(RunEnd::new(EndState::Finished, 0, 0))?;
    ///
    /// let store = Store::open(here.path())?;
    /// let pulled = store.pull(&elsewhere, &Wanted::Query("state = 'finished'".into()))?;
    /// assert_eq!(pulled.runs.len(), 1);
    /// assert_eq!(store.pull(&elsewhere, &Wanted::All)?.runs.len(), 0);
    /// # Ok::<(), trainbook_store::StoreError>(())
    /// ```
    pub fn pull(&self, from: &Store, wanted: &Wanted) -> Result<Pulled> {
        if is_same(self.path(), from.path()) {
            return Err(StoreError::PullFromItself { path: from.path().to_owned() });
        }
        let (runs, needed) = self.look(from, wanted.find(from)?)?;
        let mut pull = Pull { to: self, from, seen: HashSet::new(), pulled: Pulled::default() };
        for (id, look) in &runs {
            match look {
                Look::Unfit(why) => pull.leave_out(id, why),
                Look::Fit(run) if !run.has_ended && !needed.contains(id) => {
                    pull.leave_out(id, NOT_ENDED);
                }
                Look::Fit(run) => pull.run(id, run)?,
            }
        }
        let mut pulled = pull.pulled;
        for id in &pulled.runs {
            if let Some(Look::Fit(Fit { parent: Some(parent), .. })) = runs.get(id)
                && !self.journals().path(parent).exists()
            {
                let (run, parent) = (id.clone(), parent.clone());
                pulled.missing_parents.push(MissingParent { run, parent });
            }
        }
        let new: Vec<&RunId> = pulled.runs.iter().chain(&pulled.grown).collect();
        self.settle_all(&new, &pulled.grown);
        Ok(pulled)
    }

    /// Looks at the runs and at those on which they went on, of which the ids are the second value.
    fn look(
        &self,
        from: &Store,
        wanted: Vec<RunId>,
    ) -> Result<(BTreeMap<RunId, Look>, HashSet<RunId>)> {
        let (mut runs, mut needed) = (BTreeMap::new(), HashSet::new());
        let mut queue = VecDeque::from(wanted);
        loop {
            while let Some(id) = queue.pop_front() {
                if runs.contains_key(&id) {
                    continue;
                }
                match Source::read(&id, &from.journals().path(&id)) {
                    Ok(source) => {
                        let look = Look::Fit(self.fit(&id, source)?);
                        runs.insert(id, look);
                    }
                    Err(Some(why)) => drop(runs.insert(id, Look::Unfit(why))),
                    // A parent that is not there is missed later.
                    Err(None) if needed.contains(&id) => {}
                    Err(None) => drop(runs.insert(id, Look::Unfit("it was deleted".to_owned()))),
                }
            }
            for (id, look) in &runs {
                if let Look::Fit(Fit { has_ended, parent: Some(parent), .. }) = look
                    && (*has_ended || needed.contains(id))
                    && !needed.contains(parent)
                {
                    queue.push_back(parent.clone());
                }
            }
            if queue.is_empty() {
                return Ok((runs, needed));
            }
            needed.extend(queue.iter().cloned());
        }
    }

    fn fit(&self, id: &RunId, source: Source) -> Result<Fit> {
        let Source { bytes, has_ended, parent, objects } = source;
        let here = self.has(id, &bytes)?;
        Ok(Fit { here, has_ended, parent, hash: blake3::hash(&bytes), objects })
    }

    /// What this store has of the run with this journal.
    fn has(&self, id: &RunId, journal: &[u8]) -> Result<Here> {
        let path = self.journals().path(id);
        let failed = |error| StoreError::io("read", &path)(error);
        let file = match std::fs::File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Here::Nothing),
            Err(error) => return Err(failed(error)),
        };
        if reader::is_locked(&file).map_err(failed)? {
            return Ok(Here::Held);
        }
        let own = std::fs::read(&path).map_err(failed)?;
        if own.starts_with(journal) {
            return Ok(Here::All);
        }
        // A copy of a journal that was being written may end in the middle of a record.
        let part = reader::decode(&own, true);
        let end = usize::try_from(part.end.offset).unwrap_or(usize::MAX);
        match own.get(..end) {
            Some(whole) if part.damage.is_none() && journal.starts_with(whole) => Ok(Here::Part),
            _ => Err(StoreError::OtherRun { id: id.clone() }),
        }
    }
}

/// A pull under way.
struct Pull<'s> {
    to: &'s Store,
    from: &'s Store,
    /// The objects that were found whole here, or copied.
    seen: HashSet<ObjectId>,
    pulled: Pulled,
}

impl Pull<'_> {
    fn run(&mut self, id: &RunId, run: &Fit) -> Result<()> {
        if run.here == Here::Held {
            self.leave_out(id, "a run of that id is being written here");
            return Ok(());
        }
        if run.here == Here::All {
            self.pulled.known += 1;
            // All were here with its journal, but for what could not be had then.
            let lost: Vec<&Reference> = run
                .objects
                .iter()
                .filter(|object| !self.to.objects().has(&object.object))
                .collect();
            return self.copy_objects(id, lost).map(drop);
        }
        let mut all: Vec<&Reference> = run.objects.iter().collect();
        for _ in 0..ROUNDS {
            let started = Instant::now();
            all = self.copy_objects(id, all)?;
            if started.elapsed() < MARGIN / 4 {
                break;
            }
        }
        // What it held when its objects were looked after.
        let bytes = match source::journal(&self.from.journals().path(id)) {
            Ok((bytes, _)) if blake3::hash(&bytes) == run.hash => bytes,
            Ok(_) => {
                self.leave_out(id, "it changed while it was being pulled; pull again");
                return Ok(());
            }
            Err(why) => {
                self.leave_out(id, why.as_deref().unwrap_or("it was deleted"));
                return Ok(());
            }
        };
        self.to.raise_format()?;
        let path = self.to.journals().path(id);
        // Another pull may have been faster.
        let here = match self.to.has(id, &bytes)? {
            Here::Nothing if write_new(&path, &bytes)? => {
                self.pulled.runs.push(id.clone());
                Here::All
            }
            Here::Nothing => self.to.has(id, &bytes)?,
            here => here,
        };
        if here == Here::Part {
            write_atomically(&path, &bytes)?;
            self.pulled.grown.push(id.clone());
        } else if self.pulled.runs.last() != Some(id) {
            self.pulled.known += 1;
            return Ok(());
        }
        self.pulled.bytes += bytes.len() as u64;
        Ok(())
    }

    /// Sees to it that these objects are here and young. Gives back those that are.
    fn copy_objects<'r>(
        &mut self,
        run: &RunId,
        objects: Vec<&'r Reference>,
    ) -> Result<Vec<&'r Reference>> {
        let (to, from) = (self.to.objects(), self.from.objects());
        let mut here = Vec::with_capacity(objects.len());
        for reference in objects {
            let Reference { object, what } = reference;
            let copied = if self.seen.contains(object) && to.keep(object)? {
                Copied::WasHere
            } else {
                to.copy(object, from)?
            };
            let why = match copied {
                Copied::Now(bytes) => {
                    self.pulled.objects += 1;
                    self.pulled.bytes += bytes;
                    None
                }
                Copied::WasHere => None,
                // A text that looks like the name of an object and is none.
                Copied::Missing if what.is_none() => continue,
                Copied::Missing => Some("it is not there".to_owned()),
                Copied::Unusable(why) => Some(why),
            };
            match why {
                None => {
                    self.seen.insert(*object);
                    here.push(reference);
                }
                Some(why) => self.pulled.left_objects.push(LeftObject {
                    object: *object,
                    run: run.clone(),
                    what: what.clone().unwrap_or_else(|| "an object".to_owned()),
                    why,
                }),
            }
        }
        Ok(here)
    }

    fn leave_out(&mut self, run: &RunId, why: &str) {
        self.pulled.left_out.push(LeftOut { run: run.clone(), why: why.to_owned() });
    }
}

/// Why a run without an end record does not come.
const NOT_ENDED: &str = "it has no end record: it crashed, or is being recorded on a machine whose locks are not seen here";

/// Whether two paths are one folder.
fn is_same(a: &Path, b: &Path) -> bool {
    match (a.canonicalize(), b.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        _ => a == b,
    }
}
