use super::*;
use crate::open_end::OpenEnd;
use crate::{RunStart, Store, record};

const AT_ONCE: Duration = Duration::ZERO;
const SOON: Duration = Duration::from_secs(5);

fn new_index() -> (tempfile::TempDir, Index) {
    let folder = tempfile::tempdir().unwrap();
    let index = Index::new(folder.path());
    (folder, index)
}

fn run(number: u8) -> RunId {
    format!("20260101-000000-0000{number:02x}").parse().unwrap()
}

fn settled(number: u8) -> Settled {
    let summary = record::unreadable(&run(number), format!("number {number}"));
    Settled { journal: u64::from(number), summary }
}

/// Puts these into the index in one session.
fn put(index: &Index, numbers: &[u8]) {
    index
        .with(SOON, |session| {
            numbers.iter().try_for_each(|number| session.put_settled(&settled(*number)))?;
            session.flush()
        })
        .unwrap();
}

/// Asserts that another session finds these runs of eight, and no others, in either way.
fn assert_settled(index: &Index, numbers: &[u8]) {
    let same = |found: &Settled, number: u8| {
        let expected = settled(number);
        assert_eq!((found.journal, &found.summary), (expected.journal, &expected.summary));
    };
    index
        .with(SOON, |session| {
            let all = session.all_settled()?;
            assert_eq!(all.len(), numbers.len());
            for number in 0..8 {
                let one = session.settled(&run(number))?;
                assert_eq!(one.is_some(), numbers.contains(&number), "{number}");
                if let Some(one) = one {
                    same(&one, number);
                    same(&all[&run(number)], number);
                }
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn what_one_session_puts_another_one_finds() {
    let (_folder, index) = new_index();
    assert_settled(&index, &[]);
    put(&index, &[1, 2, 7]);
    assert_settled(&index, &[1, 2, 7]);
    put(&index, &[3]);
    assert_settled(&index, &[1, 2, 3, 7]);
}

/// Copies the files of an index as they are on disk at this moment.
pub(crate) fn copy_of(index: &Index) -> (tempfile::TempDir, Index) {
    let (folder, copy) = new_index();
    // Values that are large lie in a folder of their own.
    for part in ["", "blobs"] {
        std::fs::create_dir(copy.folder.join(part)).unwrap();
        for entry in std::fs::read_dir(index.folder.join(part)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                let name = path.file_name().unwrap();
                std::fs::copy(&path, copy.folder.join(part).join(name)).unwrap();
            }
        }
    }
    (folder, copy)
}

/// What a process finds that comes after one which was killed.
#[test]
fn what_was_flushed_is_on_disk_while_the_index_is_open() {
    let (_folder, index) = new_index();
    let (_copied, copy) = index
        .with(SOON, |session| {
            session.put_settled(&settled(1))?;
            session.flush()?;
            Ok(copy_of(&index))
        })
        .unwrap();
    assert_settled(&copy, &[1]);
}

/// A journal whose points are sealed, in blocks of two and of one.
fn seal(session: &Session) -> (RunId, Sealed) {
    let folder = tempfile::tempdir().unwrap();
    let id = Store::open(folder.path())
        .and_then(|store| store.start_run(RunStart::default()))
        .unwrap()
        .id()
        .clone();
    let path = folder.path().join(format!("runs/{id}.log"));
    let open = OpenEnd::read(&id, &path, None).unwrap().unwrap();
    let blocks = [("loss".into(), 2), ("lr".into(), 1)].into();
    let sealed = Sealed { position: open.end, fold: open.fold, blocks };
    let block = |points: &[(u64, f64)]| Block::seal(points).unwrap();
    let first =
        [("loss".into(), 0, block(&[(1, 0.5), (2, 0.25)])), ("lr".into(), 0, block(&[(1, 1e-3)]))];
    session.seal(&id, &sealed, &first).unwrap();
    session.seal(&id, &sealed, &[("loss".into(), 1, block(&[(3, 0.125)]))]).unwrap();
    (id, sealed)
}

#[test]
fn sealed_points_come_back_in_order_and_a_missing_block_is_damage() {
    let (_folder, index) = new_index();
    index
        .with(SOON, |session| {
            assert!(session.sealed(&run(1))?.is_none());
            let (id, sealed) = seal(session);
            let found = session.sealed(&id)?.unwrap();
            assert_eq!((found.position, &found.blocks), (sealed.position, &sealed.blocks));
            let points = |metric, count| session.points(&id, metric, count);
            assert_eq!(points("loss", 2)?, [(1, 0.5), (2, 0.25), (3, 0.125)]);
            assert_eq!(points("loss", 1)?, [(1, 0.5), (2, 0.25)]);
            assert_eq!(points("lr", 1)?, [(1, 1e-3)]);
            assert_eq!(points("lr", 0)?, []);
            for (metric, count) in [("lr", 2), ("los", 1)] {
                let missing = points(metric, count).unwrap_err();
                assert!(
                    matches!(&missing, IndexProblem::Damaged(why) if why.contains("is missing"))
                );
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_run_that_is_gone_leaves_nothing() {
    let (_folder, index) = new_index();
    put(&index, &[1, 2, 3]);
    index
        .with(SOON, |session| {
            let (id, sealed) = seal(session);
            session
                .put_settled(&Settled { journal: 9, summary: sealed.fold.summary(false, None) })?;
            let length = |session: &Session| session.db.len();
            assert_eq!(length(session), 3 + 1 + 1 + 3);
            session.forget(run(2).as_str())?;
            assert_eq!(length(session), 7);
            let (first, third) = (run(1), run(3));
            let all = HashSet::from([first.as_str(), third.as_str(), id.as_str()]);
            assert!(!session.keep_only(&all)?, "there is no other");
            assert_eq!(length(session), 7);
            // Everything of the long one.
            assert!(session.keep_only(&HashSet::from([first.as_str(), third.as_str()]))?);
            assert_eq!(length(session), 2);
            Ok(())
        })
        .unwrap();
    assert_settled(&index, &[1, 3]);
    // One of which only the seal is left.
    index
        .with(SOON, |session| {
            seal(session);
            assert!(session.keep_only(&HashSet::from([run(1).as_str()]))?);
            assert_eq!(session.db.len(), 1);
            Ok(())
        })
        .unwrap();
}

#[test]
fn anew_begins_with_nothing_or_not_at_all() {
    let (folder, index) = new_index();
    let count = |session: &Session| Ok(session.db.len());
    assert_eq!(index.anew(SOON, count).unwrap(), 0, "there was none");
    put(&index, &[1, 2]);
    assert_eq!(index.anew(SOON, count).unwrap(), 0);
    std::fs::remove_dir_all(&index.folder).unwrap();
    std::fs::write(&index.folder, "a file").unwrap();
    assert_eq!(index.anew(SOON, count).unwrap(), 0, "instead of a file");
    // A path that no system call removes, whoever asks.
    let fixed = Index { folder: folder.path().join("index").join("."), ..index };
    put(&fixed, &[1, 2]);
    let answer = fixed.anew(AT_ONCE, |_| Ok(()));
    assert!(matches!(answer, Err(IndexProblem::Unavailable(_))), "{answer:?}");
}

#[test]
fn damage_is_set_aside_and_the_work_done_again() {
    type Spoil = fn(&mut Vec<u8>);
    let spoils: [(Spoil, &str); 3] = [
        (|value| value[9] ^= 1, "a wrong checksum"),
        (|value| value.truncate(3), "too short"),
        (
            |value| {
                value[4] = VERSION + 1;
                let check = crc32c::crc32c(&value[4..]).to_le_bytes();
                value[..4].copy_from_slice(&check);
            },
            "another version",
        ),
    ];
    for (spoil, why) in spoils {
        let (folder, index) = new_index();
        put(&index, &[1, 2]);
        let mut seen = Vec::new();
        let found = index.with(SOON, |session| {
            let key = format!("r/{}", run(1));
            if let Some(value) = session.db.get(&key)? {
                let mut value = value.to_vec();
                spoil(&mut value);
                session.db.insert(&key, value)?;
                // One by one and all at once; the other one is whole.
                let (one, all) = (session.settled(&run(1)), session.all_settled());
                assert!(session.settled(&run(2))?.is_some());
                seen.extend([one.unwrap_err().to_string(), all.err().unwrap().to_string()]);
            }
            Ok(session.settled(&run(1))?.is_some())
        });
        assert!(!found.unwrap(), "{why}");
        assert!(seen.len() == 2 && seen.iter().all(|seen| seen.contains(why)), "{seen:?}");
        let names = std::fs::read_dir(folder.path()).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        assert_eq!(names.filter(|name| name.starts_with("index.damaged-")).count(), 1, "{why}");
    }
}

#[test]
fn a_panic_is_damage() {
    let (_folder, index) = new_index();
    let mut attempts = 0;
    let answer = index.with(SOON, |_| {
        attempts += 1;
        if attempts == 1 { panic!("as sled does on some damage") } else { Ok(attempts) }
    });
    assert_eq!(answer.unwrap(), 2);
}

/// The lock is waited for, and no longer than was said.
#[test]
fn who_holds_the_index_is_waited_for() {
    let (_folder, index) = new_index();
    let held = index.lock(AT_ONCE).unwrap();
    let started = Instant::now();
    let answer = index.with(Duration::from_millis(50), |_| Ok(()));
    assert!(matches!(answer, Err(IndexProblem::Unavailable(_))), "{answer:?}");
    assert!(started.elapsed() >= Duration::from_millis(50));
    assert!(index.anew(AT_ONCE, |_| Ok(())).is_err());
    drop(held);
    index.with(SOON, |_| Ok(())).unwrap();
}

#[test]
fn only_what_may_pass_is_tried_again() {
    let attempts = |patience: Duration, good_at: u32, error: fn(String) -> IndexProblem| {
        let mut attempts = 0;
        let answer = retry(patience, || {
            attempts += 1;
            if attempts == good_at { Ok(()) } else { Err(error("x".to_owned())) }
        });
        (attempts, answer.is_ok())
    };
    assert_eq!(attempts(SOON, 3, IndexProblem::Unavailable), (3, true));
    assert_eq!(attempts(SOON, 3, IndexProblem::Damaged), (1, false));
    assert_eq!(attempts(AT_ONCE, 3, IndexProblem::Unavailable), (1, false));
    let (many, found) = attempts(Duration::from_millis(60), u32::MAX, IndexProblem::Unavailable);
    assert!((2..=13).contains(&many) && !found, "{many} attempts");
}

/// What the file system refuses is no damage, and costs no index.
#[test]
fn errors_of_the_file_system_are_told_from_damage() {
    use io::ErrorKind::{NotADirectory, Other, PermissionDenied, ReadOnlyFilesystem, StorageFull};
    let of = |kind, text: &str| IndexProblem::from(sled::Error::Io(io::Error::new(kind, text)));
    for kind in [PermissionDenied, ReadOnlyFilesystem, StorageFull, io::ErrorKind::WouldBlock] {
        assert!(matches!(of(kind, "x"), IndexProblem::Unavailable(why) if why.contains('x')));
    }
    let lock = of(Other, "could not acquire lock on \"db\"");
    assert!(matches!(lock, IndexProblem::Unavailable(why) if why.contains("could not acquire")));
    for kind in [NotADirectory, Other] {
        assert!(matches!(of(kind, "y"), IndexProblem::Damaged(why) if why.contains('y')));
    }
    let corrupt = sled::Error::Corruption { at: None, bt: () };
    assert!(matches!(IndexProblem::from(corrupt), IndexProblem::Damaged(_)));
}
