//! Records that are kept up to date, and several curves at once.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod common;

use common::{finished, journal, new_store, start};
use proptest::prelude::*;
use trainbook_store::{
    EndState, Metric, ObjectId, RunEnd, RunEvent, RunRecord, RunState, Store, StoreError,
};

/// The record as a whole reading gives it, of which NaN equals itself.
fn whole(store: &Store, id: &str, with_points: bool) -> String {
    let mut record = store.run(id).unwrap();
    if !with_points {
        record.series.clear();
    }
    format!("{record:?}")
}

fn shown(record: &RunRecord) -> String {
    format!("{record:?}")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// However points, events and releases follow each other, and whenever somebody looks.
    #[test]
    fn a_watched_record_is_what_reading_it_again_would_give(
        steps in prop::collection::vec((0..6_u8, 0..2_u8, 0..3_u8, any::<bool>()), 1..40),
    ) {
        let (_folder, store) = new_store();
        let run = start(&store, "mlp");
        let id = run.id().to_string();
        let mut watched = [false, true].map(|with_points| store.watch(&id, with_points).unwrap());
        for (step, (what, label, object, looks)) in (1..).zip(steps) {
            let (label, object) = (format!("label {label}"), ObjectId::of(&[object]));
            match what {
                0 => run.log(step, &[Metric::new("loss", 1.0), Metric::new("x", f64::NAN)]),
                1 => run.event(RunEvent::Note { text: step.to_string() }),
                2 => run.event(RunEvent::Warning { text: step.to_string() }),
                3 | 4 => {
                    let metric = None;
                    run.event(RunEvent::Checkpoint { label, step, epoch: step, object, metric });
                }
                _ => run.release(label, object),
            }
            if !looks {
                continue;
            }
            run.flush().unwrap();
            for (watched, with_points) in watched.iter_mut().zip([false, true]) {
                watched.refresh().unwrap();
                prop_assert_eq!(shown(watched.record()), whole(&store, &id, with_points));
                prop_assert!(!watched.refresh().unwrap(), "nothing is new");
            }
        }
        run.finish(RunEnd::new(EndState::Finished, 1, 1)).unwrap();
        drop(run);
        for (watched, with_points) in watched.iter_mut().zip([false, true]) {
            prop_assert!(watched.refresh().unwrap());
            prop_assert_eq!(shown(watched.record()), whole(&store, &id, with_points));
        }
    }
}

#[test]
fn a_watched_run_that_crashes_or_goes_away_is_told() {
    let (folder, store) = new_store();
    let run = start(&store, "mlp");
    let id = run.id().to_string();
    let mut watched = store.watch(&id, false).unwrap();
    assert!(!watched.refresh().unwrap());
    assert_eq!(watched.id().as_str(), id);
    let length = watched.length();
    drop(run);
    // Not a byte more, and yet another state.
    assert!(watched.refresh().unwrap());
    assert_eq!(watched.record().summary.state, RunState::Crashed);
    assert_eq!((watched.length(), watched.refresh().unwrap()), (length, false));
    let path = journal(folder.path(), &id);
    assert_eq!(path.metadata().unwrap().len(), length);
    std::fs::write(&path, "short").unwrap();
    assert!(watched.refresh().is_err());
    std::fs::remove_file(&path).unwrap();
    assert!(watched.refresh().is_err());
    assert_eq!(watched.record().summary.state, RunState::Crashed);
    let starting = "20260101-000000-000000";
    std::fs::write(journal(folder.path(), starting), "").unwrap();
    assert!(matches!(store.watch(starting, true), Err(StoreError::UnreadableRun { .. })));
}

#[test]
fn several_curves_are_what_each_alone_is() {
    let (folder, store) = new_store();
    let short = finished(&store, "mlp", 0.25);
    let run = start(&store, "mlp");
    for step in 1..=120_000_u64 {
        let value = (step as f64).sqrt().sin();
        run.log(step, &[Metric::new("loss", value), Metric::new("twice", 2.0 * value)]);
        if step % 20_000 == 0 {
            run.flush().unwrap();
        }
    }
    let long = run.id().to_string();
    assert!(journal(folder.path(), &long).metadata().unwrap().len() > 1 << 20, "it is sealed");
    // Behind what is sealed, and nowhere else.
    run.log(7, &[Metric::new("late", 1.0)]);
    run.flush().unwrap();
    for (id, names) in [(&short, &["loss"][..]), (&long, &["twice", "loss", "late", "loss"])] {
        for at_most in [3, 500, usize::MAX] {
            let all = store.histories(id, names, at_most).unwrap();
            assert_eq!(all.len(), names.iter().collect::<std::collections::BTreeSet<_>>().len());
            for name in names {
                assert_eq!(all[*name], store.history(id, name, at_most).unwrap(), "{name}");
            }
        }
        let error = store.histories(id, &["loss", "lsos"], 10).unwrap_err();
        let StoreError::UnknownMetric { metric, nearest, .. } = error else { unreachable!() };
        assert_eq!((metric.as_str(), nearest.as_deref()), ("lsos", Some("loss")));
        let none: [&str; 0] = [];
        assert!(store.histories(id, &none, 10).unwrap().is_empty());
    }
}

/// What is shared is the same, and is not copied.
#[test]
fn a_shared_answer_is_the_same_answer() {
    let (_folder, store) = new_store();
    (0..3).for_each(|n| drop(finished(&store, "mlp", f64::from(n))));
    let query = "metrics.loss.min > 0 order by metrics.loss.min";
    let (own, shared) = (store.answer(query).unwrap(), store.shared_answer(query).unwrap());
    assert!(own.runs.iter().eq(shared.runs.iter().map(|run| &**run)), "{own}");
    assert_eq!((own.runs.len(), &own.remarks), (2, &shared.remarks));
    let again = store.shared_answer(query).unwrap();
    let addresses = |runs: &[std::sync::Arc<trainbook_store::RunSummary>]| {
        runs.iter().map(std::sync::Arc::as_ptr).collect::<Vec<_>>()
    };
    assert_eq!(addresses(&again.runs), addresses(&shared.runs));
    let all = store.shared_answer_to(trainbook_store::query::Query::all()).unwrap();
    assert_eq!(all.runs.len(), 3);
}
