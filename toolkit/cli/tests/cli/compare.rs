//! `trainbook runs compare`.

use std::fs;

use serde_json::json;
use trainbook::store::{EndState, Metric, RunEnd, RunStart, Store};

use crate::Place;

/// Three runs that differ in their learning rates, and their ids.
fn with_runs() -> (Place, [String; 3]) {
    let place = Place::new();
    let store = Store::open(place.path("store")).unwrap();
    let ids = [(1e-3, 0.4), (1e-2, 0.2), (0.1, 0.3)].map(|(lr, loss)| {
        let params = [("lr".into(), f64::into(lr))].into();
        let run = store.start_run(RunStart { params, ..RunStart::default() }).unwrap();
        for (step, share) in [(1, 1.0), (2, loss)] {
            let metrics = [Metric::new("loss", share), Metric::new("accuracy", 1.0 - share / 10.0)];
            run.log(step, &metrics);
        }
        run.finish(RunEnd::new(EndState::Finished, 2, 1)).unwrap();
        run.id().to_string()
    });
    (place, ids)
}

#[test]
fn runs_stand_side_by_side() {
    let (place, [a, b, c]) = with_runs();
    fn compare<'a>(args: &[&'a str]) -> Vec<&'a str> {
        [&["runs", "compare", "--store", "store"], args].concat()
    }
    let text = place.text(&compare(&[&a, &b, &c[..21]]));
    for part in [
        &format!("  a  {a}  finished\n  b  {b}  finished\n")[..],
        "  params.lr      0.001  0.01  0.1\n",
        "metrics, those that differ most first\n  loss last      0.4    0.2   0.3\n",
        "\nthe same in all: ",
    ] {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
    let found = place.json(&compare(&[&a, &b, &c, "--metric", "accuracy", "--json"]));
    assert_eq!(found["runs"].as_array().unwrap().len(), 3);
    assert_eq!(found["fields"][0]["values"][&b], json!(0.01));
    assert_eq!(found["metrics"].as_array().unwrap().len(), 1);
    assert_eq!(found["metrics"][0]["metric"], "accuracy");
    place.text(&compare(&[&a, &b, "--svg", "pictures/both.svg"]));
    let svg = fs::read_to_string(place.path("pictures/both.svg")).unwrap();
    assert!(svg.starts_with("<svg") && svg.contains("loss") && svg.contains(&a), "{svg}");
    let refuses = |args: &[&str], words: &[&str]| place.refuses(&compare(args), words);
    refuses(&[&a], &["<RUN>"]);
    refuses(&[&a, &a], &["1 of them was given", "it takes two"]);
    refuses(&[&a, "nope"], &["\"nope\""]);
    refuses(&[&a, &b, "--metric", "los"], &["\"los\"", "nearest is loss"]);
    refuses(&[&a, &b, "--svg", "pictures"], &["pictures", "folder"]);
}
