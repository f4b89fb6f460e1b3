//! Questions to a store on disk, in text and in Rust, and those that the book shows.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod common;

use std::time::Duration;

use common::new_store;
use trainbook_store::query::{Query, ago, field, metric, param, tag};
use trainbook_store::{
    EndState, Metric, Result, RunEnd, RunEvent, RunStart, RunSummary, Store, StoreError,
};

/// Three runs of 100 steps, of which the last, with the highest learning rate, climbs to 100.
fn sweep(store: &Store) {
    for (lr, kind) in [(1e-4, "mlp"), (1e-3, "cnn-2"), (1e-1, "CNN-4")] {
        let tags = [("model".into(), kind.to_owned())].into();
        let start =
            RunStart { params: [("lr".into(), lr.into())].into(), tags, ..RunStart::default() };
        let run = store.start_run(start).unwrap();
        for step in 1..=100 {
            let loss = if lr > 0.01 { step as f64 } else { (-100.0 * lr * step as f64).exp() };
            run.log(step, &[Metric::new("val_loss", loss), Metric::new("lr", lr)]);
        }
        run.finish(RunEnd::new(EndState::Finished, 100, 1)).unwrap();
        run.event(RunEvent::Evaluation {
            part: "test".into(),
            metrics: vec![Metric::new("test_loss", lr)],
        });
        run.flush().unwrap();
    }
}

/// The block of Rust in the book.
fn in_rust(store: &Store) -> Result<Vec<RunSummary>> {
    let good = metric("val_loss").min().less_than(0.5).and(param("lr").between(1e-4, 1e-2));
    let fast = metric("val_loss").at(50).at_most(0.01);
    let recent = field::started_at().greater_than(ago(Duration::from_secs(2 * 24 * 3600)));
    let query = good
        .and(fast.or(tag("model").ilike("cnn%")))
        .and(recent)
        .and(!metric("val_loss").any().greater_than(10))
        .order_by(metric("val_loss").min().ascending())
        .limit(10);
    println!("{query}");
    store.select(query)
}

/// The learning rates of the runs that fit.
fn rates(runs: &[RunSummary]) -> Vec<f64> {
    runs.iter().filter_map(|run| run.params["lr"].as_f64()).collect()
}

#[test]
fn points_and_times_are_asked_of_the_disk() {
    let (_folder, store) = new_store();
    sweep(&store);
    for (text, expected) in [
        ("metrics.val_loss.at(50) = 50", vec![0.1]),
        ("any(metrics.val_loss = 50)", vec![0.1]),
        ("any(metrics.val_loss between 50.2 and 50.8)", vec![]),
        ("metrics.test_loss.at(99) is not null", vec![]),
        ("order by metrics.val_loss.at(50) desc", vec![0.1, 1e-4, 1e-3]),
        (
            "started > now - 1h and metrics.test_loss.at(100) < 0.01 order by params.lr",
            vec![1e-4, 1e-3],
        ),
        ("started > now", vec![]),
    ] {
        assert_eq!(rates(&store.query(text).unwrap()), expected, "{text}");
    }
}

#[test]
fn rust_and_text_ask_the_same() {
    let (_folder, store) = new_store();
    sweep(&store);
    assert_eq!(rates(&in_rust(&store).unwrap()), [1e-3]);

    let query = metric("val_loss").last().descending();
    let query = param("lr").one_of([1e-4, 0.1]).order_by(query).limit(1);
    assert_eq!(store.select(&query).unwrap(), store.query(&query.to_string()).unwrap());
    assert_eq!(rates(&store.select(query).unwrap()), [0.1]);
    assert_eq!(store.select(param("lr").is_null()).unwrap(), []);
    assert_eq!(store.select(Query::all()).unwrap(), store.runs().unwrap());
    assert_eq!(store.select(Query::all().limit(2)).unwrap(), store.runs().unwrap()[..2]);

    let typo = store.select(param("ir").equals("x").and(field::seed().equals(7))).unwrap_err();
    assert_eq!(
        typo.to_string(),
        "read the query: no run has a parameter `ir`; the nearest is `lr`\n  params.ir = 'x' and seed = 7\n         ^^"
    );
    let nan = store.select(metric("val_loss").last().less_than(f64::NAN)).unwrap_err();
    assert!(
        matches!(nan, StoreError::Query(error) if error.message().contains("nan_count") && error.span() == (24..27))
    );
    let none: [f64; 0] = [];
    let empty = store.select(param("lr").one_of(none)).unwrap_err();
    assert!(empty.to_string().contains("`in` needs at least one value"), "{empty}");
}

/// A parameter that is a text in one run and a number in the others.
#[test]
fn runs_that_are_passed_over_are_told_of() {
    let (_folder, store) = new_store();
    sweep(&store);
    let params = [("lr".into(), "cosine 0.1".into())].into();
    store.start_run(RunStart { params, ..RunStart::default() }).unwrap();
    let text = "params.lr like 'cosine%'";
    let answer = store.answer(text).unwrap();
    assert_eq!((&answer.runs, answer.runs.len()), (&store.query(text).unwrap(), 1));
    assert_eq!(
        answer.remarks,
        ["3 runs were passed over: their `params.lr` is a number, and the query asks for a text"]
    );
    assert_eq!(
        store.answer_to(param("lr").at_most(1)).unwrap().remarks,
        ["1 run was passed over: its `params.lr` is a text, and the query asks for a number"]
    );
    assert_eq!(store.answer_to(Query::all()).unwrap().remarks, Vec::<String>::new());
    assert!(matches!(store.answer_to(param("ir").at_most(1)), Err(StoreError::Query(_))));
}

/// A pattern that Rust writes is refused as one in a text is.
#[test]
fn patterns_may_have_signs_that_are_themselves() {
    let (_folder, store) = new_store();
    for name in ["100%", "1000", "C:\\runs"] {
        store.start_run(RunStart { name: Some(name.to_owned()), ..RunStart::default() }).unwrap();
    }
    let names = |pattern: &str| {
        let runs = store.select(field::name().like(pattern)).unwrap();
        runs.into_iter().filter_map(|run| run.name).collect::<Vec<_>>()
    };
    assert_eq!(names(r"100\%"), ["100%"]);
    assert_eq!(names("100%").len(), 2);
    assert_eq!(names(r"c:\\%"), [""; 0]);
    assert_eq!(names(r"C:\\%"), [r"C:\runs"]);
    let error = store.select(field::name().ilike(r"c:\runs")).unwrap_err().to_string();
    assert!(error.contains(r"a backslash itself is written twice: 'c:\\runs'"), "{error}");
}

/// The lines of the fenced block under this marker in the book.
fn block(marker: &str) -> String {
    let page = include_str!("../../book/src/run-history.md");
    let (_, after) = page.split_once(&format!("<!-- {marker} -->")).unwrap();
    let (_, block) = after.split_once("```").unwrap();
    let (block, _) = block.split_once("\n```").unwrap();
    block.split_once('\n').unwrap().1.to_owned()
}

#[test]
fn the_book_shows_what_works() {
    let (_folder, store) = new_store();
    sweep(&store);
    let texts = block("queries");
    assert!(texts.lines().count() > 5, "{texts}");
    for text in texts.lines() {
        assert!(!store.query(text).unwrap().is_empty(), "{text}");
    }
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let this = words(include_str!("query.rs"));
    assert!(
        this.contains(&words(&block("store/tests/query.rs"))),
        "copy the body of `in_rust` into the book"
    );
}
