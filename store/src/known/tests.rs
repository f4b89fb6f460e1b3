//! The lists that a store gives, while runs begin, grow and go.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Index, Known, REMEMBERED, look_up, look_up_all};
use crate::index::tests::copy_of;
use crate::journal::reader::count_opens;
use crate::journals::Journals;
use crate::{EndState, Metric, RunEnd, RunStart, RunWriter, Store};

#[test]
fn a_list_of_the_same_runs_is_brought_up_to_date() {
    let (other, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let writer = Store::open(other.path()).unwrap().start_run(RunStart::default()).unwrap();
    let name = format!("runs/{}.log", writer.id());
    let store = Store::open(folder.path()).unwrap();
    let growing = store.start_run(RunStart::default()).unwrap();
    // A run that is just starting.
    std::fs::write(folder.path().join(&name), b"").unwrap();
    let states = || {
        let runs = store.runs().unwrap();
        runs.into_iter().map(|run| (run.id, run.state.name(), run.steps)).collect::<BTreeSet<_>>()
    };
    let mut expected = BTreeSet::from([(growing.id().clone(), "running", 0)]);
    for _ in 0..2 {
        assert_eq!(states(), expected);
    }
    std::fs::copy(other.path().join(&name), folder.path().join(&name)).unwrap();
    expected.insert((writer.id().clone(), "crashed", 0));
    for _ in 0..2 {
        assert_eq!(states(), expected);
    }
    growing.log(7, &[Metric::new("loss", 1.0)]);
    growing.flush().unwrap();
    expected.remove(&(growing.id().clone(), "running", 0));
    expected.insert((growing.id().clone(), "running", 7));
    for _ in 0..2 {
        assert_eq!(states(), expected);
    }
    growing.finish(RunEnd::new(EndState::Finished, 8, 1)).unwrap();
    expected.remove(&(growing.id().clone(), "running", 7));
    expected.insert((growing.id().clone(), "finished", 8));
    for _ in 0..2 {
        assert_eq!(states(), expected);
    }
}

#[test]
fn a_run_that_is_not_remembered_leaves_the_list_when_it_is_deleted() {
    for deleted in 0..4 {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        for _ in 0..4 {
            let run = store.start_run(RunStart::default()).unwrap();
            run.finish(RunEnd::new(EndState::Finished, 0, 0)).unwrap();
        }
        let all = store.runs().unwrap();
        assert_eq!(all.len(), 4);
        store.plan_deletion(&[all[deleted].id.as_str()]).unwrap().carry_out().unwrap();
        let rest: Vec<_> = all.iter().filter(|run| run.id != all[deleted].id).cloned().collect();
        for _ in 0..2 {
            assert_eq!(store.runs().unwrap(), rest, "{deleted}");
        }
    }
}

/// Logs so many points that they are sealed while the run goes on.
fn log_enough_to_be_sealed(run: &RunWriter) {
    for step in 0..250_000 {
        run.log(step, &[Metric::new("loss", (step as f64).sqrt().sin())]);
        if step % 50_000 == 0 {
            run.flush().unwrap();
        }
    }
    run.flush().unwrap();
}

/// What was looked up is on disk before the index is closed, for the process that comes after one
/// which is killed.
#[test]
fn what_was_looked_up_is_on_disk_at_once() {
    let patience = Duration::from_secs(5);
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let run = store.start_run(RunStart::default()).unwrap();
    log_enough_to_be_sealed(&run);
    let id = run.id().clone();
    let journals = Journals::new(folder.path().join("runs"));
    let index = Index::new(folder.path());
    let look = |patience| {
        index.with(patience, |session| {
            assert_eq!(look_up(session, &journals, &[&id], None)?.len(), 1);
            Ok(copy_of(&index))
        })
    };
    let (_sealed, copy) = look(patience).unwrap();
    assert!(copy.with(patience, |session| session.sealed(&id)).unwrap().is_some());
    run.finish(RunEnd::new(EndState::Finished, 250_000, 1)).unwrap();
    drop(run);
    index.with(patience, |session| session.forget(id.as_str())).unwrap();
    let (_settled, copy) = look(patience).unwrap();
    assert!(copy.with(patience, |session| session.settled(&id)).unwrap().is_some());
    // A run that is gone is gone on disk, too.
    let (_empty, copy) = index
        .with(patience, |session| {
            assert_eq!(look_up_all(session, &journals, &[])?, 0);
            Ok(copy_of(&index))
        })
        .unwrap();
    assert!(copy.with(patience, |session| session.settled(&id)).unwrap().is_none());
}

/// Memory has an end, and lists beyond it are whole all the same.
#[test]
fn no_more_runs_are_remembered_than_there_is_room_for() {
    let patience = Duration::from_secs(5);
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    for _ in 0..REMEMBERED + 2 {
        store.start_run(RunStart::default()).unwrap();
    }
    let journals = Journals::new(folder.path().join("runs"));
    let (index, known) = (Index::new(folder.path()), Known::default());
    for _ in 0..2 {
        let ids = journals.list().unwrap();
        assert_eq!(known.summaries(ids, &journals, &index, patience).len(), REMEMBERED + 2);
        assert_eq!(known.lock().runs.len(), REMEMBERED);
    }
    // A journal that went away after it was listed is no run.
    let gone = "20260101-000000-000001".parse().unwrap();
    assert!(known.summary(&gone, &journals, &index, patience).is_none());
    let listed = known.summaries(vec![gone], &journals, &index, patience);
    assert!(listed.is_empty() && known.lock().runs.is_empty());
}

/// The list of the same runs is the same list, and of those that have ended nothing is looked at.
#[test]
fn the_same_list_is_not_put_together_again() {
    let patience = Duration::from_secs(5);
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let [ended, growing] = [(); 2].map(|()| store.start_run(RunStart::default()).unwrap());
    drop(ended);
    let journals = Journals::new(folder.path().join("runs"));
    let (index, known) = (Index::new(folder.path()), Known::default());
    let list = || known.summaries(journals.list().unwrap(), &journals, &index, patience);
    let open = || known.lock().listing.as_ref().map(|listing| listing.open.len());
    let address = |list: &super::Summaries| std::sync::Arc::as_ptr(list);
    let first = address(&list());
    assert_eq!((address(&list()), open()), (first, Some(1)));
    drop(growing);
    assert_eq!((address(&list()), open()), (first, Some(0)));
}

/// Who has to look at everything anyway forgets the runs that are no more.
#[test]
fn the_index_forgets_what_is_gone() {
    let patience = Duration::from_secs(5);
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let ids = [(); 3].map(|()| store.start_run(RunStart::default()).unwrap().id().clone());
    assert_eq!(store.runs().unwrap().len(), 3);
    let journals = Journals::new(folder.path().join("runs"));
    let index = Index::new(folder.path());
    std::fs::remove_file(journals.path(&ids[1])).unwrap();
    let runs = |session: &crate::index::Session| Ok(session.all_settled()?.len());
    assert_eq!(index.with(patience, runs).unwrap(), 3);
    let left = journals.list().unwrap();
    assert_eq!(Known::default().summaries(left, &journals, &index, patience).len(), 2);
    assert_eq!(index.with(patience, runs).unwrap(), 2);
}

/// A store with so many finished runs, every one of which is in the index.
fn settled(runs: usize) -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    for _ in 0..runs {
        let run = store.start_run(RunStart::default()).unwrap();
        run.log(1, &[Metric::new("loss", 1.0)]);
        run.finish(RunEnd::new(EndState::Finished, 1, 1)).unwrap();
    }
    // A writer that finds the index in use leaves its run to whoever asks next.
    store.runs().unwrap();
    (folder, store)
}

/// As another process that has read nothing yet.
fn fresh(store: &Store) -> Store {
    Store::open_existing(store.path()).unwrap()
}

/// Asks in every way that the index answers, and expects that not one journal is opened.
fn opens_nothing(store: &Store, runs: usize) {
    let (list, opens) = count_opens(|| fresh(store).runs().unwrap());
    assert_eq!((list.len(), opens), (runs, 0), "a list");
    assert!(list.iter().all(|run| run.damage.is_none() && run.metrics["loss"].count == 1));
    for run in &list {
        let (one, opens) = count_opens(|| fresh(store).summary(run.id.as_str()).unwrap());
        assert_eq!((&one, opens), (run, 0), "one run");
    }
    let query = || fresh(store).query("metrics.loss.min = 1 and state = 'finished'").unwrap();
    let (found, opens) = count_opens(query);
    assert_eq!((found.len(), opens), (runs, 0), "a query");
}

/// The answers would be the same without an index, so the journals that are opened are counted.
#[test]
fn a_settled_run_is_answered_without_opening_its_journal() {
    let (_folder, store) = settled(5);
    opens_nothing(&store, 5);
    // Of one more, that one is opened, and once; by whoever asks first.
    let id = store.start_run(RunStart::default()).unwrap().id().clone();
    let forget = |session: &crate::index::Session| session.forget(id.as_str());
    store.inner_index().with(Duration::from_secs(5), forget).unwrap();
    for opens in [1, 0] {
        let (list, opened) = count_opens(|| fresh(&store).runs().unwrap());
        assert_eq!((list.len(), opened), (6, opens));
    }
}

#[test]
fn a_rebuilt_index_answers_without_opening_a_journal() {
    let (_folder, store) = settled(5);
    // All are opened once, although all were known; and a second time.
    for _ in 0..2 {
        let (runs, opens) = count_opens(|| fresh(&store).rebuild_index().unwrap());
        assert_eq!((runs, opens), (5, 5));
        opens_nothing(&store, 5);
    }
    // Whether there was an index or not, or something else.
    let index = store.path().join("index");
    std::fs::remove_dir_all(&index).unwrap();
    std::fs::write(&index, "a file").unwrap();
    let (runs, opens) = count_opens(|| fresh(&store).rebuild_index().unwrap());
    assert_eq!((runs, opens), (5, 5));
    opens_nothing(&store, 5);
}

#[test]
fn an_index_that_was_damaged_answers_without_opening_a_journal() {
    let (_folder, store) = settled(5);
    for entry in std::fs::read_dir(store.path().join("index")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            std::fs::write(&path, bytes.iter().map(|byte| byte ^ 0x5a).collect::<Vec<_>>())
                .unwrap();
        }
    }
    let (list, opens) = count_opens(|| fresh(&store).runs().unwrap());
    assert_eq!((list.len(), opens), (5, 5), "it was set aside");
    opens_nothing(&store, 5);
}

/// Of a long journal only the end behind what is sealed is read: so it is opened, and little comes.
#[test]
fn a_sealed_journal_is_read_from_its_seal() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let run = store.start_run(RunStart::default()).unwrap();
    log_enough_to_be_sealed(&run);
    let id = run.id().as_str();
    let read = |store: &Store| store.history(id, "loss", usize::MAX).unwrap().total;
    assert_eq!(count_opens(|| read(&fresh(&store))), (250_000, 1));
    let sealed = store.inner_index().with(Duration::from_secs(5), |session| {
        Ok(session.sealed(run.id())?.map(|sealed| (sealed.position.offset, sealed.blocks["loss"])))
    });
    let (offset, blocks) = sealed.unwrap().unwrap();
    assert!(offset > 2 << 20 && blocks >= 4, "{offset} bytes in {blocks} blocks");
    assert_eq!(count_opens(|| read(&fresh(&store))), (250_000, 1));
}
