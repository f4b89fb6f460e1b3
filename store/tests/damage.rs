//! A damaged journal shows a part of the truth and says so; a damaged index is built anew.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod common;

use common::{finished, journal, new_store, start};
use trainbook_store::{
    EndState, Metric, RunEnd, RunEvent, RunRecord, RunState, RunSummary, Store, StoreError,
};

/// A small run of several records, its id and its record.
fn small_run(store: &Store) -> (String, RunRecord) {
    let run = start(store, "mlp");
    run.log(1, &[Metric::new("loss", 0.5), Metric::new("accuracy", 0.1)]);
    run.flush().unwrap();
    run.event(RunEvent::Note { text: "half".into() });
    run.log(2, &[Metric::new("loss", f64::NAN)]);
    run.flush().unwrap();
    run.log(3, &[Metric::new("loss", 0.25)]);
    run.finish(RunEnd::new(EndState::Finished, 3, 1)).unwrap();
    run.event(RunEvent::Warning { text: "late".into() });
    let id = run.id().to_string();
    drop(run);
    let record = store.run(&id).unwrap();
    (id, record)
}

/// Whether every value in `part` is one of `whole`, in the same order and from the start.
fn assert_prefix(part: &RunRecord, whole: &RunRecord, what: &str) {
    for (name, series) in &part.series {
        let bits = |series: &[(u64, f64)]| {
            series.iter().map(|(step, value)| (*step, value.to_bits())).collect::<Vec<_>>()
        };
        assert!(bits(&whole.series[name]).starts_with(&bits(series)), "{what}: {name}");
    }
    assert!(whole.events.starts_with(&part.events), "{what}");
    assert_eq!(
        (&part.plan, &part.environment, &part.data),
        (&whole.plan, &whole.environment, &whole.data),
        "{what}"
    );
    assert_eq!(
        (&part.summary.model, part.summary.started_at),
        (&whole.summary.model, whole.summary.started_at),
        "{what}"
    );
    let state = &part.summary.state;
    assert!(*state == whole.summary.state || *state == RunState::Crashed, "{what}: {state:?}");
}

#[test]
fn no_flipped_byte_gives_a_wrong_value() {
    let (folder, store) = new_store();
    let (id, whole) = small_run(&store);
    let path = journal(folder.path(), &id);
    let bytes = std::fs::read(&path).unwrap();
    for at in 0..bytes.len() {
        for mask in [0x01, 0x80, 0xff] {
            let mut flipped = bytes.clone();
            flipped[at] ^= mask;
            std::fs::write(&path, &flipped).unwrap();
            match store.run(&id) {
                Ok(part) => {
                    assert!(part.damage.is_some(), "byte {at} ^ {mask:#x} goes unnoticed");
                    assert_prefix(&part, &whole, &format!("byte {at} ^ {mask:#x}"));
                }
                Err(error) => {
                    assert!(matches!(error, StoreError::UnreadableRun { .. }), "byte {at}: {error}")
                }
            }
        }
    }
}

#[test]
fn every_length_shows_what_was_whole() {
    let (folder, store) = new_store();
    let (id, whole) = small_run(&store);
    let path = journal(folder.path(), &id);
    let bytes = std::fs::read(&path).unwrap();
    let (mut seen, mut clean) = (0, 0);
    for length in (0..=bytes.len()).rev() {
        std::fs::write(&path, &bytes[..length]).unwrap();
        match store.run(&id) {
            Ok(part) => {
                assert_prefix(&part, &whole, &format!("{length} bytes"));
                (seen, clean) = (seen + 1, clean + usize::from(part.damage.is_none()));
            }
            Err(error) => assert!(
                matches!(error, StoreError::UnreadableRun { .. }),
                "{length} bytes: {error}"
            ),
        }
    }
    assert!(seen > bytes.len() / 4, "most of the file is behind the start");
    // Start, points, note with points (two records), points, end, warning: a cut between records is
    // a clean end.
    assert_eq!(clean, 7, "records");
}

#[test]
fn one_damaged_run_leaves_the_list_whole_and_says_so() {
    let (folder, store) = new_store();
    let good = finished(&store, "mlp", 0.5);
    let (cut, _) = small_run(&store);
    let headless = finished(&store, "mlp", 0.5);
    let path = journal(folder.path(), &cut);
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 3]).unwrap();
    std::fs::write(journal(folder.path(), &headless), b"not a journal at all").unwrap();
    for _ in 0..2 {
        let runs = store.runs().unwrap();
        let damage =
            |id: &str| runs.iter().find(|run| run.id.as_str() == id).unwrap().damage.clone();
        assert_eq!(damage(&good), None);
        assert!(
            damage(&cut).unwrap().contains("bytes are not a whole record"),
            "{:?}",
            damage(&cut)
        );
        assert!(damage(&headless).unwrap().contains("damaged"), "{:?}", damage(&headless));
    }
    // A journal under the name of another run is not that run.
    std::fs::copy(journal(folder.path(), &good), journal(folder.path(), &headless)).unwrap();
    assert!(store.run(&headless).unwrap_err().to_string().contains("renamed"));
}

#[test]
fn the_index_may_vanish_or_rot() {
    let (folder, store) = new_store();
    for n in 0..30 {
        finished(&store, "mlp", f64::from(n));
    }
    let expected: Vec<RunSummary> = store.runs().unwrap();
    let index = folder.path().join("index");
    // A store that was just opened remembers nothing and has to ask the index.
    let fresh = || Store::open(folder.path()).unwrap();
    std::fs::remove_dir_all(&index).unwrap();
    assert_eq!(fresh().runs().unwrap(), expected);
    assert_eq!(fresh().rebuild_index().unwrap(), 30);
    assert_eq!(fresh().runs().unwrap(), expected);

    // Each file of the index in turn is overwritten, cut, and flipped here and there.
    let files = |folder: &std::path::Path| {
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.is_file()).collect::<Vec<_>>()
    };
    let names: Vec<_> =
        files(&index).iter().map(|path| path.file_name().unwrap().to_owned()).collect();
    assert!(names.len() >= 2, "{names:?}");
    for name in names {
        for kind in 0..8 {
            let path = index.join(&name);
            let mut bytes = std::fs::read(&path).unwrap_or_default();
            let length = bytes.len();
            match kind {
                0 => bytes.iter_mut().for_each(|byte| *byte ^= 0x5a),
                1 => bytes.truncate(length / 2),
                2 => bytes.clear(),
                _ => {
                    let start = kind * 37 % length.max(1);
                    bytes.iter_mut().skip(start).step_by(101 * kind).for_each(|byte| *byte ^= 0xff);
                }
            }
            std::fs::write(&path, bytes).unwrap();
            assert_eq!(fresh().runs().unwrap(), expected, "{name:?}, damage {kind}");
            assert_eq!(
                fresh().runs().unwrap(),
                expected,
                "{name:?}, damage {kind}, the second time"
            );
        }
    }
    let aside = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(
        aside.filter(|name| name.to_string_lossy().starts_with("index.damaged-")).count() > 0,
        "nothing was set aside"
    );

    // Something else in its place.
    for _ in 0..2 {
        std::fs::remove_dir_all(&index).unwrap();
        std::fs::write(&index, "a file").unwrap();
        assert_eq!(fresh().runs().unwrap(), expected);
    }
    std::fs::remove_dir_all(&index).unwrap();
    std::fs::write(&index, "a file").unwrap();
    assert_eq!(fresh().rebuild_index().unwrap(), 30);
}
