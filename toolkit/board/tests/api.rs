//! What the board answers about runs.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod common;

use common::{Served, encoded};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use trainbook_store::{
    EndState, Environment, Metric, Parent, PlannedCallback, RunEnd, RunEvent, RunStart,
};

fn named(name: &str) -> RunStart {
    RunStart { name: Some(name.to_owned()), ..RunStart::default() }
}

fn ids(table: &Value) -> Vec<&str> {
    table["runs"].as_array().unwrap().iter().map(|run| run["id"].as_str().unwrap()).collect()
}

#[test]
fn the_table_has_what_a_query_selects_page_by_page() {
    let board = Served::new();
    assert_eq!(board.json("/api/runs")["total"], 0);
    let runs: Vec<String> =
        [0.5, 0.25, 0.125].map(|loss| board.finished(named("r"), &[1.0, loss])).into();
    let by_loss = board.json("/api/runs?order=metrics.loss.min&limit=2");
    assert_eq!((&by_loss["total"], &by_loss["offset"]), (&json!(3), &json!(0)));
    assert_eq!(ids(&by_loss), [&runs[2], &runs[1]]);
    assert_eq!(ids(&board.json("/api/runs?order=metrics.loss.min&limit=2&offset=2")), [&runs[0]]);
    assert_eq!(
        ids(&board.json("/api/runs?order=metrics.loss.min+desc&query=metrics.loss.min+%3C+0.5")),
        [&runs[1], &runs[2]]
    );
    let itself = board.json("/api/runs?order=id&query=order+by+metrics.loss.min+limit+1");
    assert_eq!((ids(&itself), &itself["sorts_itself"]), (vec![runs[2].as_str()], &json!(true)));
    assert_eq!(by_loss["runs"][0]["metrics"]["loss"]["min"], 0.125);
    assert_eq!(by_loss["names"], json!({"metrics": ["loss"], "params": [], "tags": []}));
    assert_eq!(ids(&board.json("/api/runs?offset=99")), Vec::<&str>::new());
}

#[test]
fn a_mistake_in_a_query_says_what_the_language_says_and_where() {
    let board = Served::new();
    board.finished(named("r"), &[1.0]);
    for order in ["", "&order=started_at+desc"] {
        let answer = board.get(&format!("/api/runs?query=metrics.lsos.min+%3C+1{order}"));
        assert_eq!(answer.status, 400);
        let error = &answer.json()["error"];
        assert_eq!(error["place"], json!({"start": 8, "end": 12}), "{error}");
        assert!(error["message"].as_str().unwrap().contains("loss"), "{error}");
        let text = error["text"].as_str().unwrap();
        assert!(text.ends_with("metrics.lsos.min < 1\n          ^^^^"), "{text}");
    }
    assert_eq!(board.get("/api/runs?query=seed+%3D&order=id").json()["error"]["place"]["start"], 6);
    let order = board.refused("/api/runs?order=nonsense+nonsense", 400);
    assert!(!order.is_empty());
    assert_eq!(
        board.refused("/api/runs?limit=many", 400),
        "read limit \"many\": it must be a whole number"
    );
}

/// A mistake in the order that a page asks for is not shown as one in the query.
#[test]
fn an_order_by_what_no_run_has_is_an_error() {
    let board = Served::new();
    board.finished(named("r"), &[1.0]);
    let message = board.refused("/api/runs?query=seed+%3D+0&order=metrics.val_loss.min", 400);
    assert!(message.contains("val_loss"), "{message}");
}

#[test]
fn a_run_that_is_written_grows_from_look_to_look() {
    let board = Served::new();
    let run = board.start(named("live"));
    run.log(1, &[Metric::new("loss", 2.0)]);
    run.flush().unwrap();
    let page = format!("/api/run/{}", run.id());
    let curve = format!("{page}/metrics?name=loss");
    let tags =
        || ["/api/runs", &page, &curve].map(|at| board.get(at).header("ETag").unwrap().to_owned());
    let first = tags();
    assert_eq!(board.json(&page)["run"]["state"], "running");
    assert_eq!(
        board.json(&curve)["metrics"]["loss"],
        json!({"total": 1, "steps": [1], "values": [2.0]})
    );
    for (at, tag) in ["/api/runs", &page, &curve].into_iter().zip(&first) {
        let same = board.get_with(at, &format!("If-None-Match: {tag}\r\n"));
        assert_eq!((same.status, same.body.len()), (304, 0), "{at}");
        assert_eq!(same.header("ETag"), Some(tag.as_str()));
    }

    run.log(2, &[Metric::new("loss", f64::NAN)]);
    run.event(RunEvent::Note { text: "half".into() });
    run.flush().unwrap();
    let second = tags();
    for (at, (old, new)) in ["/api/runs", &page, &curve].into_iter().zip(first.iter().zip(&second))
    {
        assert_ne!(old, new, "{at}");
        assert_eq!(board.get_with(at, &format!("If-None-Match: {old}\r\n")).status, 200, "{at}");
    }
    let now = board.json(&page);
    assert_eq!(now["events"][0]["event"]["note"]["text"], "half");
    assert_eq!(now["run"]["metrics"]["loss"]["last"], "NaN");
    assert_eq!(board.json(&curve)["metrics"]["loss"]["values"], json!([2.0, null]));

    run.finish(RunEnd::new(EndState::Stopped { reason: "by hand".into() }, 2, 1)).unwrap();
    // The page may say so only when the writer is gone.
    drop(run);
    let ended = board.json(&page);
    assert_eq!(
        (&ended["run"]["state"], &ended["run"]["reason"]),
        (&json!("stopped"), &json!("by hand"))
    );
}

#[test]
fn a_run_shows_all_that_its_record_holds() {
    let board = Served::new();
    let first = board.finished(named("first"), &[1.0]);
    let diff = board.store.put_object(b"--- a\n+++ b\n").unwrap();
    let start = RunStart {
        params: [("lr".into(), 1e-3.into()), ("nan".into(), f64::NAN.into())].into(),
        tags: [("kind".into(), "tag".to_owned())].into(),
        seed: u64::MAX,
        model: "m".repeat(200),
        plan: vec![PlannedCallback {
            name: "Clip".into(),
            writes: vec!["gradients".into()],
            ..Default::default()
        }],
        recipe: Some("{\"network\":[1]}".into()),
        parent: Some(Parent { run: first.parse().unwrap(), step: 1, resumed: true }),
        environment: Environment { git_diff: Some(diff), threads: 2, ..Environment::default() },
        ..RunStart::default()
    };
    let run = board.start(start);
    let weights = board.store.put_object(b"weights").unwrap();
    let label = "best".to_owned();
    run.event(RunEvent::Checkpoint { label, step: 3, epoch: 1, object: weights, metric: None });
    run.finish(RunEnd::new(EndState::Finished, 3, 1)).unwrap();
    let id = run.id().to_string();
    let page = board.json(&format!("/api/run/{id}"));
    assert_eq!(page["run"]["seed"], u64::MAX.to_string());
    assert_eq!(page["run"]["params"], json!({"lr": "0.001", "nan": "NaN"}));
    assert_eq!(page["run"]["tags"]["kind"], "tag");
    assert_eq!(page["model"].as_str().unwrap().len(), 200);
    assert_eq!(page["run"]["model"].as_str().unwrap().chars().count(), 80);
    assert_eq!(page["plan"][0]["name"], "Clip");
    assert_eq!(page["recipe"], "{\n  \"network\": [\n    1\n  ]\n}");
    assert_eq!(page["parent"], json!({"run": first, "step": 1, "resumed": true}));
    assert_eq!(page["environment"]["threads"], 2);
    assert_eq!(
        page["objects"],
        json!([
            {"id": diff.to_string(), "what": "changes to the code since the commit", "text": true},
            {"id": weights.to_string(), "what": "checkpoint best at step 3", "text": false},
        ])
    );
    let file = board.get(&format!("/api/run/{id}/object/{weights}"));
    assert_eq!((file.status, file.body.as_slice()), (200, b"weights".as_slice()));
    assert_eq!(file.header("Content-Type"), Some("application/octet-stream"));
    assert!(file.header("Content-Disposition").unwrap().starts_with("attachment; filename=\""));
    // Of another run, none, and what is no object is none.
    board.refused(&format!("/api/run/{first}/object/{weights}"), 404);
    board.refused(&format!("/api/run/{id}/object/..%2F..%2Fformat"), 404);
}

#[test]
fn two_runs_are_compared() {
    let board = Served::new();
    let [a, b] = [(1e-3, 0.5), (1e-2, 0.25)].map(|(lr, loss)| {
        let params = [("lr".into(), f64::into(lr))].into();
        board.finished(RunStart { params, ..RunStart::default() }, &[1.0, loss])
    });
    let diff = board.json(&format!("/api/diff/{a}/{b}"));
    assert_eq!(diff["sentence"], "only params.lr differs");
    assert_eq!(
        diff["differences"][0],
        json!({"path": "params.lr", "group": "settings", "a": "0.001", "b": "0.01"})
    );
    assert_eq!(diff["divergences"], json!([{"metric": "loss", "step": 2, "a": 0.5, "b": 0.25}]));
    let same = board.json(&format!("/api/diff/{a}/{a}"));
    assert_eq!(same["sentence"], "nothing differs: the results are the same bit for bit");
    assert_eq!(same["differences"], json!([]));
    board.refused(&format!("/api/diff/{a}/nobody"), 404);
}

/// What is kept of growing runs between two looks is as good as their journals.
#[test]
fn a_comparison_of_runs_that_grow_grows_with_them() {
    let board = Served::new();
    let [a, b] = ["a", "b"].map(|name| board.start(named(name)));
    let both = |value: f64| {
        for run in [&a, &b] {
            run.log(1, &[Metric::new("loss", value)]);
            run.flush().unwrap();
        }
    };
    both(1.0);
    let diff = format!("/api/diff/{}/{}", a.id(), b.id());
    let looked = || {
        let answer = board.get(&diff);
        let tag = answer.header("ETag").unwrap().to_owned();
        let same = board.get_with(&diff, &format!("If-None-Match: {tag}\r\n"));
        assert_eq!((answer.status, same.status, same.body.len()), (200, 304, 0));
        let found = answer.json();
        let told = board.store.diff(a.id().as_str(), b.id().as_str()).unwrap();
        assert_eq!(found["sentence"], told.sentence());
        let count = told.causes.len() + told.results.len() + told.circumstances.len();
        assert_eq!(found["differences"].as_array().unwrap().len(), count);
        (tag, found["divergences"].clone())
    };
    let (first, divergences) = looked();
    assert_eq!(divergences, json!([]));
    both(2.0);
    b.log(2, &[Metric::new("loss", 0.5)]);
    b.flush().unwrap();
    let (second, divergences) = looked();
    assert_ne!(first, second);
    assert_eq!(divergences, json!([{"metric": "loss", "step": 2, "a": null, "b": 0.5}]));
    // An event changes no number of the summary.
    a.event(RunEvent::Note { text: "half".into() });
    a.flush().unwrap();
    let (third, _) = looked();
    assert_ne!(second, third);
    // Nor does the end of a writer change the journal.
    let (id, other) = (a.id().to_string(), b.id().to_string());
    drop((a, b)); // their writers
    let answer = board.get_with(&diff, &format!("If-None-Match: {third}\r\n"));
    assert_eq!(answer.status, 200);
    let told = board.store.diff(&id, &other).unwrap();
    assert_eq!(answer.json()["sentence"], told.sentence());
    // The other way round it is another answer.
    let turned = board.json(&format!("/api/diff/{other}/{id}"));
    assert_eq!((&turned["a"], &turned["divergences"][0]["a"]), (&json!(other), &json!(0.5)));
}

#[test]
fn damage_is_shown_on_its_run_alone() {
    let board = Served::new();
    let whole = board.finished(named("whole"), &[1.0]);
    let [cut, broken] = ["cut", "broken"].map(|name| board.finished(named(name), &[1.0, 0.5]));
    let journal = |id: &str| board.folder.path().join("runs").join(format!("{id}.log"));
    let bytes = std::fs::read(journal(&cut)).unwrap();
    std::fs::write(journal(&cut), &bytes[..bytes.len() - 3]).unwrap();
    std::fs::write(journal(&broken), b"not a journal at all").unwrap();

    let table = board.json("/api/runs?order=id");
    let damage = |id: &str| {
        let runs = table["runs"].as_array().unwrap();
        runs.iter().find(|run| run["id"] == *id).unwrap()["damage"].clone()
    };
    assert_eq!(damage(&whole), Value::Null);
    assert!(damage(&cut).is_string() && damage(&broken).is_string(), "{table}");
    let page = board.json(&format!("/api/run/{cut}"));
    assert_eq!((&page["run"]["state"], &page["run"]["name"]), (&json!("crashed"), &json!("cut")));
    let message = board.refused(&format!("/api/run/{broken}"), 500);
    assert!(message.starts_with("read the journal "), "{message}");
}

#[test]
fn what_is_not_there_is_said_with_what_is_near() {
    let board = Served::new();
    assert_eq!(board.refused("/api/run/x", 404), "find run \"x\": the store holds no runs yet");
    let id = board.finished(named("r"), &[1.0]);
    assert!(board.refused("/api/run/20000101-000000-000000", 404).contains(&id));
    assert_eq!(
        board.refused(&format!("/api/run/{id}/metrics?name=lsos"), 404),
        format!("find metric \"lsos\" in run {id}: the nearest is loss")
    );
    board.refused(&format!("/api/run/{id}/metrics"), 400);
    for points in ["0", "2001", "-1", "x"] {
        board.refused(&format!("/api/run/{id}/metrics?name=loss&points={points}"), 400);
    }
    // A beginning that no other run has will do.
    assert_eq!(board.json(&format!("/api/run/{}", &id[..21]))["run"]["id"], id);
    std::fs::remove_file(board.folder.path().join("runs").join(format!("{id}.log"))).unwrap();
    board.refused(&format!("/api/run/{id}"), 404);
}

/// Names come out as they went in, in JSON that nobody takes for a page.
#[test]
fn hostile_names_stay_text() {
    const NAME: &str = "</script><img src=x onerror=alert(1)>\u{202e}\"'`\0";
    let board = Served::new();
    let start = RunStart {
        params: [(NAME.into(), NAME.into())].into(),
        tags: [("__proto__".into(), NAME.to_owned())].into(),
        model: NAME.into(),
        ..named(NAME)
    };
    let run = board.start(start);
    run.log(1, &[Metric::new(NAME, 1.0), Metric::new("__proto__", 2.0)]);
    run.event(RunEvent::Warning { text: NAME.into() });
    run.finish(RunEnd::new(EndState::Failed { error: NAME.into() }, 1, 1)).unwrap();
    let id = run.id().to_string();
    let answer = board.get("/api/runs");
    assert_eq!(answer.header("X-Content-Type-Options"), Some("nosniff"));
    let table = answer.json();
    let row = &table["runs"][0];
    assert_eq!(
        (&row["name"], &row["params"][NAME], &row["reason"]),
        (&json!(NAME), &json!(NAME), &json!(NAME))
    );
    assert_eq!(row["metrics"]["__proto__"]["last"], 2.0);
    let curve = board.json(&format!("/api/run/{id}/metrics?name={}&name=__proto__", encoded(NAME)));
    assert_eq!(curve["metrics"][NAME]["values"], json!([1.0]));
    let quoted = encoded(&format!("metrics.`{}`.last", NAME.replace('`', "``")));
    assert_eq!(board.json(&format!("/api/runs?order={quoted}"))["total"], 1);
    assert_eq!(
        board.json(&format!("/api/run/{id}"))["events"][0]["event"]["warning"]["text"],
        NAME
    );
}

/// What a curve shows of many points: ends, extremes and order, and no more than was asked for.
#[test]
fn a_thinned_curve_keeps_every_spike() {
    let board = Served::new();
    let spikes = prop::collection::vec((any::<prop::sample::Index>(), -1e6..1e6), 1..4);
    let mut runner = TestRunner::new(Config { cases: 32, ..Config::default() });
    let outcome =
        runner.run(&(1..5_000_usize, 5..2_000_usize, spikes), |(count, at_most, spikes)| {
            let mut values: Vec<f64> = (0..count).map(|step| (step as f64 * 0.01).sin()).collect();
            for (place, value) in &spikes {
                values[place.index(count)] = *value;
            }
            let id = board.finished(RunStart::default(), &values);
            let document = board.json(&format!("/api/run/{id}/metrics?name=loss&points={at_most}"));
            let curve = &document["metrics"]["loss"];
            let steps: Vec<usize> = serde_json::from_value(curve["steps"].clone()).unwrap();
            let shown: Vec<f64> = serde_json::from_value(curve["values"].clone()).unwrap();
            prop_assert_eq!(&curve["total"], &json!(count));
            prop_assert!(steps.len() == shown.len() && steps.len() <= at_most);
            prop_assert!(steps.windows(2).all(|pair| pair[0] < pair[1]));
            prop_assert!(steps.iter().zip(&shown).all(|(step, value)| values[step - 1] == *value));
            prop_assert_eq!((steps.first(), steps.last()), (Some(&1), Some(&count)));
            let least = |of: &[f64]| of.iter().copied().fold(f64::INFINITY, f64::min);
            let greatest = |of: &[f64]| of.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            prop_assert_eq!((least(&shown), greatest(&shown)), (least(&values), greatest(&values)));
            Ok(())
        });
    outcome.unwrap();
}
