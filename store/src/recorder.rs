//! The writing end of a run: a queue that training fills, and a thread that empties it into the
//! journal.
//!
//! ```text
//! training thread(s)            queue (bounded)            recording thread
//!   log(step, metrics)   ──▸   points and events   ──▸   sleep until 200 ms have passed, the queue is half full,
//!   event(checkpoint)                                    or something urgent came
//!   flush(), finish()    ◂──   "up to here is on disk"   take all · write · sync every 200 ms or when urgent
//! ```
//!
//! Recording never breaks training. When the disk is full or fails, the journal is cut back to its
//! last good record, what is lost is counted, and as soon as writing works again a warning with the
//! count goes into the journal.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::error::{Result, StoreError};
use crate::event::{Entry, Metric, RunEnd, RunEvent, TimedEvent};
use crate::journal::block::{Block, Point};
use crate::journal::writer::{JournalWriter, encode};
use crate::object_id::ObjectId;
use crate::run_id::RunId;
use crate::store::Store;

/// How many points and events may wait for the recording thread.
const CAPACITY: usize = 1 << 16;

/// How long a point may wait before it is written and synced. With the sync itself this stays under
/// half a second.
const GROUP: Duration = Duration::from_millis(200);

/// How long `log` and `event` wait for room in the queue before they give up.
const PATIENCE: Duration = Duration::from_secs(1);

/// The writing end of a run. Clones write to the same run, from any thread.
///
/// The journal stays locked until the last clone is dropped; that is what shows others that the run
/// is alive. A run that was [finished](RunWriter::finish) is never shown as running or crashed,
/// whatever becomes of its writer. A writer that is dropped without `finish` writes out what it
/// holds, and the run reads as crashed.
#[derive(Clone)]
pub struct RunWriter {
    inner: Arc<Inner>,
}

struct Inner {
    id: RunId,
    store: Store,
    started: Instant,
    queue: Arc<Queue>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl RunWriter {
    /// Starts the thread that writes to `journal`, which holds the start record already.
    pub(crate) fn start(
        id: RunId,
        store: Store,
        journal: JournalWriter,
    ) -> std::io::Result<RunWriter> {
        let queue = Arc::new(Queue::default());
        let shared = Arc::clone(&queue);
        let thread = std::thread::Builder::new()
            .name("trainbook-recorder".into())
            .spawn(move || record(journal, &shared))?;
        let inner =
            Inner { id, store, started: Instant::now(), queue, thread: Mutex::new(Some(thread)) };
        Ok(RunWriter { inner: Arc::new(inner) })
    }

    /// The run that this writes to.
    pub fn id(&self) -> &RunId {
        &self.inner.id
    }

    /// The store that the run is in.
    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    /// Records the metrics of one step. The trainer numbers steps by the batches seen.
    ///
    /// Returns at once; only when 65,536 points wait for the disk does it wait too, for a second at
    /// most, and then counts the points as lost (see [`problem`](RunWriter::problem)). The same
    /// metric may be logged at the same step again: both points are kept.
    pub fn log(&self, step: u64, metrics: &[Metric]) {
        let points = metrics.iter().map(|Metric { name, value }| Point {
            name: name.clone(),
            step,
            value: *value,
        });
        self.inner.queue.push(points.map(Item::Point), metrics.len(), false);
    }

    /// Records that something happened, also after the end of the run. A checkpoint is on its way
    /// to the disk at once.
    pub fn event(&self, event: RunEvent) {
        let urgent = matches!(event, RunEvent::Checkpoint { .. });
        let entry = Entry::Event(TimedEvent { at: Timestamp::now(), event });
        self.inner.queue.push(std::iter::once(Item::Entry(Box::new(entry))), 1, urgent);
    }

    /// Records that something happened and returns once that is on disk.
    ///
    /// # Errors
    /// It may not be on disk, or something else that was recorded at the same time. What was lost
    /// before does not matter here, other than to [`flush`](RunWriter::flush).
    pub fn event_on_disk(&self, event: RunEvent) -> Result<()> {
        let before = self.inner.queue.lock().losses.of_events();
        self.event(event);
        self.inner.queue.wait_until_durable();
        let state = self.inner.queue.lock();
        if state.losses.of_events() == before {
            return Ok(());
        }
        let problem = state.losses.describe().unwrap_or_default();
        Err(StoreError::Recording { id: self.id().clone(), problem })
    }

    /// Records that the run no longer keeps a checkpoint that it has recorded under this label with
    /// this object ([`RunEvent::Released`]). Its record lists it no longer, and what no other
    /// checkpoint and no other run refers to can be [collected](Store::plan_collection).
    ///
    /// Whoever releases a checkpoint for the sake of another waits until that one is on disk
    /// ([`event_on_disk`](RunWriter::event_on_disk)): a power cut must not leave neither. And no
    /// object may be released that was put again and is yet to be recorded.
    ///
    /// Only checkpoints of this run can be released: what it says of another's is passed over.
    pub fn release(&self, label: impl Into<String>, object: ObjectId) {
        self.event(RunEvent::Released { label: label.into(), object, metric: None });
    }

    /// Returns once everything that was logged so far is on disk.
    ///
    /// # Errors
    /// When something that was logged since the run began is not on disk and never will be.
    pub fn flush(&self) -> Result<()> {
        self.inner.queue.wait_until_durable();
        match self.problem() {
            None => Ok(()),
            Some(problem) => Err(StoreError::Recording { id: self.id().clone(), problem }),
        }
    }

    /// Records how the run ended and returns once that is on disk. Should it be called again, the
    /// last end counts.
    ///
    /// Afterwards [`event`](RunWriter::event) still works: exports and evaluations come after the
    /// end of training.
    ///
    /// # Errors
    /// As [`flush`](RunWriter::flush); the end itself may be on disk nevertheless.
    pub fn finish(&self, end: RunEnd) -> Result<()> {
        let seconds = self.inner.started.elapsed().as_secs_f64();
        let entry = Entry::End { at: Timestamp::now(), seconds, end };
        self.inner.queue.push(std::iter::once(Item::Entry(Box::new(entry))), 1, true);
        let done = self.flush();
        self.forget_stop();
        done
    }

    /// What is missing from the record and why, in one line; `None` when nothing is.
    pub fn problem(&self) -> Option<String> {
        self.inner.queue.lock().losses.describe()
    }
}

impl fmt::Debug for RunWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RunWriter").field(&self.inner.id).finish()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.queue.lock().closed = true;
        self.queue.work.notify_one();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // It has said all that there is to say about a problem through `problem`.
            let _ = thread.join();
        }
        self.store.settle(&self.id);
    }
}

enum Item {
    Point(Point),
    Entry(Box<Entry>),
}

#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    /// The recording thread waits here.
    work: Condvar,
    /// Everyone who waits for room or for the disk waits here.
    progress: Condvar,
}

#[derive(Default)]
struct State {
    items: Vec<Item>,
    /// How many items were ever put in.
    accepted: u64,
    /// How many of them are on disk or lost for good.
    settled: u64,
    urgent: bool,
    closed: bool,
    losses: Losses,
}

/// What is not in the journal and never will be.
#[derive(Default, Clone)]
struct Losses {
    points: u64,
    events: u64,
    /// How often what was written could not be confirmed.
    unconfirmed: u64,
    cause: Option<String>,
}

impl Losses {
    fn add(&mut self, points: u64, events: u64, cause: &str) {
        self.points += points;
        self.events += events;
        self.cause.get_or_insert_with(|| cause.to_owned());
    }

    /// What was written may not be on disk.
    fn doubt(&mut self, cause: &str) {
        self.unconfirmed += 1;
        self.add(0, 0, cause);
    }

    /// Grows with every event that may not be on disk.
    fn of_events(&self) -> (u64, u64) {
        (self.events, self.unconfirmed)
    }

    /// A record of it for the run.
    fn warning(&self) -> Option<Vec<u8>> {
        if self.points + self.events == 0 {
            return None;
        }
        let event = RunEvent::Warning { text: self.describe()? };
        encode(&Entry::Event(TimedEvent { at: Timestamp::now(), event })).ok()
    }

    fn describe(&self) -> Option<String> {
        let cause = self.cause.as_ref()?;
        Some(match (self.points, self.events) {
            (0, 0) => cause.clone(),
            (points, events) => {
                format!("{points} metric points and {events} events could not be recorded: {cause}")
            }
        })
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, items: impl Iterator<Item = Item>, count: usize, urgent: bool) {
        let full =
            |state: &mut State| !state.items.is_empty() && state.items.len() + count > CAPACITY;
        let mut state = self.lock();
        if full(&mut state) {
            self.work.notify_one();
            state = self
                .progress
                .wait_timeout_while(state, PATIENCE, full)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
            if full(&mut state) {
                let (points, events) = items.fold((0, 0), |(p, e), item| {
                    if matches!(item, Item::Point(_)) { (p + 1, e) } else { (p, e + 1) }
                });
                state.losses.add(points, events, "the disk is too slow");
                return;
            }
        }
        let before = state.items.len();
        state.items.extend(items);
        state.accepted += count as u64;
        state.urgent |= urgent;
        // The thread has to be woken once when there is something and once when it should not wait
        // for more.
        let wake =
            before == 0 || urgent || (before < CAPACITY / 2 && state.items.len() >= CAPACITY / 2);
        drop(state);
        if wake {
            self.work.notify_one();
        }
    }

    fn wait_until_durable(&self) {
        let mut state = self.lock();
        let mine = state.accepted;
        if state.settled < mine {
            state.urgent = true;
            self.work.notify_one();
            let waiting = self.progress.wait_while(state, |state| state.settled < mine);
            drop(waiting.unwrap_or_else(PoisonError::into_inner));
        }
    }
}

/// Tells everyone who waits that nothing more will be written, should the recording thread ever end
/// before its time.
struct LastWill<'a>(&'a Queue);

impl Drop for LastWill<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        if state.settled < state.accepted || !state.closed {
            state.losses.doubt("the recording thread ended early");
        }
        state.settled = u64::MAX;
        drop(state);
        self.0.progress.notify_all();
    }
}

/// The recording thread.
fn record(mut journal: JournalWriter, queue: &Queue) {
    let _last_will = LastWill(queue);
    let mut batch = Vec::new();
    let mut unsynced: Option<Instant> = None;
    let mut untold = Losses::default();
    let mut ended = false;
    loop {
        let idle = |state: &mut State| state.items.is_empty() && !state.urgent && !state.closed;
        let gathering =
            |state: &mut State| state.items.len() < CAPACITY / 2 && !state.urgent && !state.closed;
        let mut state = queue.lock();
        if unsynced.is_none() {
            state = queue.work.wait_while(state, idle).unwrap_or_else(PoisonError::into_inner);
        }
        let rest = GROUP.saturating_sub(unsynced.map_or(Duration::ZERO, |since| since.elapsed()));
        state = queue
            .work
            .wait_timeout_while(state, rest, gathering)
            .unwrap_or_else(PoisonError::into_inner)
            .0;
        std::mem::swap(&mut state.items, &mut batch);
        let urgent = std::mem::take(&mut state.urgent) || state.closed;
        let (ticket, closed) = (state.accepted, state.closed);
        drop(state);
        queue.progress.notify_all();

        let mut lost = Losses::default();
        let silent = closed && untold.cause.is_some();
        if !batch.is_empty() || silent {
            ended |= batch.iter().any(
                |item| matches!(item, Item::Entry(entry) if matches!(**entry, Entry::End { .. })),
            );
            write_batch(&mut journal, &mut batch, &mut untold, &mut lost, ended || closed);
            unsynced.get_or_insert_with(Instant::now);
        }
        let sync = urgent || unsynced.is_some_and(|since| since.elapsed() >= GROUP);
        if sync {
            unsynced = None;
            if let Err(error) = journal.sync() {
                lost.doubt(&format!("the disk did not confirm what was written: {error}"));
            }
        }
        let mut state = queue.lock();
        if let Some(cause) = &lost.cause {
            state.losses.add(lost.points, lost.events, cause);
            state.losses.unconfirmed += lost.unconfirmed;
        }
        if sync {
            state.settled = ticket;
        }
        drop(state);
        queue.progress.notify_all();
        if closed {
            return;
        }
    }
}

/// Writes the items, preceded by a warning about what was lost before, and empties `batch`. When
/// the run is over and the disk full, the room kept for last words takes the entries and a warning
/// that counts the points that it cannot take.
fn write_batch(
    journal: &mut JournalWriter,
    batch: &mut Vec<Item>,
    untold: &mut Losses,
    lost: &mut Losses,
    over: bool,
) {
    let (mut payloads, mut entries) = (Vec::new(), Vec::new());
    let (mut points, mut events) = (0, 0);
    payloads.extend(untold.warning());
    for items in batch.chunk_by(|a, b| matches!((a, b), (Item::Point(_), Item::Point(_)))) {
        if let [Item::Entry(entry)] = items {
            match encode(entry) {
                Ok(payload) => {
                    entries.push(payloads.len());
                    payloads.push(payload);
                    events += 1;
                }
                Err(why) => lost.add(0, 1, &why),
            }
            continue;
        }
        let column = items
            .iter()
            .filter_map(|item| if let Item::Point(point) = item { Some(point) } else { None });
        match encode(&Entry::Metrics(Block::new(column))) {
            Ok(payload) => {
                payloads.push(payload);
                points += items.len() as u64;
            }
            Err(why) => lost.add(items.len() as u64, 0, &why),
        }
    }
    batch.clear();
    if let Err(error) = journal.append(payloads.iter().map(Vec::as_slice)) {
        let cause = error.to_string();
        lost.add(points, 0, &cause);
        let mut last_words = untold.clone();
        last_words.add(lost.points, lost.events, &cause);
        let warning = last_words.warning();
        let words = warning
            .iter()
            .chain(entries.iter().filter_map(|at| payloads.get(*at)))
            .map(Vec::as_slice);
        if over && journal.append_last_words(words).is_ok() {
            *untold = Losses::default();
            return;
        }
        lost.add(0, events, &cause);
    } else {
        *untold = Losses::default();
    }
    if let Some(cause) = &lost.cause {
        untold.add(lost.points, lost.events, cause);
    }
}

#[cfg(test)]
mod tests;
