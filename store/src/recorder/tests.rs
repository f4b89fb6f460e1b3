use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::event::{EndState, RunStart};
use crate::journal::writer::Storage;
use crate::record::{self, RunRecord};
use crate::summary::RunState;

/// A file whose operations fail as long as their bit in `broken` is set. Half of a failing append
/// reaches the file.
struct Breakable {
    file: std::fs::File,
    broken: Arc<AtomicU64>,
}

const APPEND: u64 = 1;
const TRUNCATE: u64 = 2;
const SYNC: u64 = 4;
const RESERVE: u64 = 8;

impl Breakable {
    fn check(&self, operation: u64) -> io::Result<()> {
        if self.broken.load(Ordering::SeqCst) & operation == 0 {
            Ok(())
        } else {
            Err(io::ErrorKind::StorageFull.into())
        }
    }
}

impl Storage for Breakable {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Err(error) = self.check(APPEND) {
            self.file.append(&bytes[..bytes.len() / 2])?;
            return Err(error);
        }
        self.file.append(bytes)
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.check(TRUNCATE)?;
        self.file.truncate(length)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.check(SYNC)?;
        self.file.sync()
    }

    fn reserve(&mut self, length: u64) -> io::Result<()> {
        self.check(RESERVE)?;
        self.file.reserve(length)
    }
}

struct Fixture {
    folder: tempfile::TempDir,
    broken: Arc<AtomicU64>,
    run: RunWriter,
}

impl Fixture {
    fn new() -> Fixture {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let broken = Arc::new(AtomicU64::new(0));
        let at = Timestamp::now();
        let id = RunId::draw(at);
        let path = folder.path().join(format!("runs/{id}.log"));
        let file = std::fs::OpenOptions::new().append(true).create_new(true).open(path).unwrap();
        file.try_lock().unwrap();
        let start =
            encode(&Entry::Start { id: id.clone(), at, start: Box::new(RunStart::default()) })
                .unwrap();
        let storage = Box::new(Breakable { file, broken: Arc::clone(&broken) });
        let run =
            RunWriter::start(id, store, JournalWriter::create(storage, &start).unwrap()).unwrap();
        Fixture { folder, broken, run }
    }

    fn set_broken(&self, operations: u64) {
        self.broken.store(operations, Ordering::SeqCst);
    }

    fn log(&self, step: u64) {
        self.run.log(step, &[Metric::new("loss", step as f64)]);
    }

    fn record(&self) -> RunRecord {
        read(self.folder.path(), self.run.id())
    }
}

fn read(store: &Path, id: &RunId) -> RunRecord {
    record::load(id, &store.join(format!("runs/{id}.log"))).unwrap().unwrap()
}

fn steps(record: &RunRecord) -> Vec<u64> {
    record.series.get("loss").into_iter().flatten().map(|point| point.0).collect()
}

fn warnings(record: &RunRecord) -> Vec<&str> {
    let text = |event: &'_ TimedEvent| matches!(event.event, RunEvent::Warning { .. });
    let events = record.events.iter().filter(|event| text(event));
    events
        .filter_map(|event| {
            if let RunEvent::Warning { text } = &event.event { Some(text.as_str()) } else { None }
        })
        .collect()
}

#[test]
fn a_full_disk_costs_points_and_nothing_else() {
    for broken in [APPEND, APPEND | TRUNCATE] {
        let fixture = Fixture::new();
        fixture.log(1);
        fixture.run.flush().unwrap();
        fixture.set_broken(broken);
        fixture.log(2);
        fixture.log(3);
        fixture.run.event(RunEvent::Note { text: "lost".into() });
        let error = fixture.run.flush().unwrap_err().to_string();
        assert!(error.contains("2 metric points and 1 events"), "{error}");
        fixture.set_broken(0);
        fixture.log(4);
        assert!(fixture.run.flush().is_err(), "what is lost stays lost");
        let record = fixture.record();
        assert_eq!(steps(&record), [1, 4]);
        assert_eq!(record.damage, None, "the half record was cut off");
        assert_eq!(warnings(&record), [fixture.run.problem().unwrap()]);
        assert!(fixture.run.finish(RunEnd::new(EndState::Finished, 4, 1)).is_err());
        assert_eq!(fixture.record().summary.state, RunState::Finished);
    }
}

#[test]
fn on_a_disk_that_stays_full_the_end_and_what_is_missing_are_recorded_all_the_same() {
    let fixture = Fixture::new();
    fixture.log(1);
    fixture.run.flush().unwrap();
    fixture.set_broken(RESERVE);
    // More than what was reserved ahead.
    let mut step = 1;
    while fixture.run.problem().is_none() {
        step += 1;
        fixture.log(step);
        if step % 1000 == 0 {
            let _ = fixture.run.flush();
        }
        assert!(step < 1_000_000, "the disk never fills");
    }
    let _ = fixture.run.finish(RunEnd::new(EndState::Finished, step, 1));
    fixture.run.event(RunEvent::Note { text: "exported".into() });
    assert!(fixture.run.flush().is_err());
    let record = fixture.record();
    assert_eq!(record.summary.state, RunState::Finished);
    let kept = steps(&record).len() as u64;
    assert!(kept >= 1 && kept < step, "{kept} of {step}");
    let told = warnings(&record).join("\n");
    assert!(
        told.starts_with(&format!("{} metric points", step - kept)),
        "{told}; {kept} of {step} are there"
    );
    assert!(record.events.iter().any(|event| matches!(event.event, RunEvent::Note { .. })));
}

#[test]
fn a_run_that_is_dropped_on_a_full_disk_says_what_is_missing() {
    let fixture = Fixture::new();
    fixture.set_broken(RESERVE | APPEND);
    fixture.log(1);
    let _ = fixture.run.flush();
    fixture.set_broken(RESERVE);
    let Fixture { folder, run, .. } = fixture;
    let id = run.id().clone();
    drop(run);
    let record = read(folder.path(), &id);
    assert_eq!(record.summary.state, RunState::Crashed);
    assert!(warnings(&record)[0].starts_with("1 metric points"), "{:?}", warnings(&record));
}

#[test]
fn a_disk_that_does_not_confirm_is_a_problem() {
    let fixture = Fixture::new();
    fixture.set_broken(SYNC);
    fixture.log(1);
    assert!(fixture.run.flush().unwrap_err().to_string().contains("did not confirm"));
    fixture.set_broken(0);
    fixture.log(2);
    assert!(fixture.run.flush().is_err(), "the first point may still be lost");
    assert_eq!(steps(&fixture.record()), [1, 2]);
}

#[test]
fn points_and_events_keep_their_order_and_arrive_without_a_flush() {
    let fixture = Fixture::new();
    let mut expected = Vec::new();
    for step in 0..100_000 {
        fixture.log(step);
        expected.push(step);
    }
    let Fixture { folder, run, .. } = fixture;
    let id = run.id().clone();
    let clone = run.clone();
    drop(run);
    clone.event(RunEvent::Note { text: "last".into() });
    drop(clone);
    let record = read(folder.path(), &id);
    assert_eq!(steps(&record), expected);
    assert_eq!(record.events.len(), 1);
    assert_eq!(record.summary.state, RunState::Crashed, "nobody finished it");
}

#[test]
fn what_is_logged_reaches_the_file_by_itself() {
    let fixture = Fixture::new();
    fixture.log(1);
    let started = Instant::now();
    while steps(&fixture.record()).is_empty() {
        assert!(started.elapsed() < Duration::from_secs(20), "the recording thread sleeps");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_record_that_is_too_long_is_counted_and_the_rest_is_kept() {
    let fixture = Fixture::new();
    fixture.log(1);
    fixture.run.event(RunEvent::Note { text: "x".repeat(17 << 20) });
    fixture.log(2);
    assert!(fixture.run.flush().is_err());
    assert_eq!(steps(&fixture.record()), [1, 2]);
    assert!(fixture.run.problem().unwrap().contains("1 events"));
}

#[test]
fn many_threads_may_log() {
    let fixture = Fixture::new();
    std::thread::scope(|scope| {
        for thread in 0..4_u64 {
            let run = &fixture.run;
            scope.spawn(move || {
                for step in 0..30_000 {
                    run.log(
                        step,
                        &[
                            Metric::new(format!("m{thread}"), 0.5),
                            Metric::new("a_name_longer_than_inline", 1.0),
                        ],
                    );
                }
            });
        }
    });
    fixture.run.flush().unwrap();
    let record = fixture.record();
    for thread in 0..4 {
        let series = &record.series[format!("m{thread}").as_str()];
        assert!(series.iter().map(|point| point.0).eq(0..30_000), "thread {thread}");
    }
    assert_eq!(record.series["a_name_longer_than_inline"].len(), 120_000);
}

/// What is told of one event does not depend on what was lost before.
#[test]
fn an_event_is_on_disk_or_said_not_to_be() {
    let note = || RunEvent::Note { text: "kept".into() };
    let there = |fixture: &Fixture| {
        let is_there = |event: &TimedEvent| matches!(event.event, RunEvent::Note { .. });
        fixture.record().events.iter().filter(|event| is_there(event)).count()
    };
    for broken in [APPEND | RESERVE, SYNC] {
        let fixture = Fixture::new();
        fixture.run.event_on_disk(note()).unwrap();
        assert_eq!(there(&fixture), 1);
        fixture.set_broken(broken);
        let error = fixture.run.event_on_disk(note()).unwrap_err();
        assert!(matches!(error, StoreError::Recording { .. }), "{error}");
        fixture.set_broken(0);
        fixture.run.event_on_disk(note()).unwrap();
        assert!(fixture.run.flush().is_err(), "what was lost is still lost");
        // What a sync did not confirm is written once more.
        assert_eq!(there(&fixture), if broken == SYNC { 3 } else { 2 });
    }
    // Points are no events.
    let fixture = Fixture::new();
    fixture.set_broken(APPEND);
    fixture.log(1);
    assert!(fixture.run.flush().is_err());
    fixture.set_broken(0);
    fixture.run.event_on_disk(note()).unwrap();
}
