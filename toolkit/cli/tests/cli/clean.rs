//! `trainbook runs delete` and `trainbook store clean | gc | rebuild`.

use std::fs::File;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use trainbook::store::{EndState, Metric, ObjectId, RunEnd, RunEvent, RunStart, Store};

use crate::{Place, files, succeeded};

/// A finished run with this loss and a checkpoint that seems three hours old.
fn run(place: &Place, loss: f64) -> (String, ObjectId) {
    let store = Store::open(place.path("store")).unwrap();
    let run = store.start_run(RunStart { model: "mlp".into(), ..RunStart::default() }).unwrap();
    run.log(1, &[Metric::new("val_loss", loss)]);
    let object = store.put_object(format!("weights of loss {loss}").as_bytes()).unwrap();
    run.event(RunEvent::Checkpoint {
        label: "last".into(),
        step: 1,
        epoch: 1,
        object,
        metric: None,
    });
    run.finish(RunEnd::new(EndState::Finished, 1, 1)).unwrap();
    let name = object.to_string();
    let file = File::options()
        .write(true)
        .open(place.path("store/objects").join(&name[..2]).join(&name))
        .unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(3 * 3600)).unwrap();
    (run.id().to_string(), object)
}

fn ids(place: &Place) -> Vec<String> {
    let list = place.json(&["runs", "list", "--json", "--store", "store"]);
    list.as_array().unwrap().iter().map(|run| run["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_plan_is_shown_before_runs_and_objects_go() {
    let place = Place::new();
    let runs: Vec<(String, ObjectId)> =
        [0.3, 0.1, 0.2].iter().map(|loss| run(&place, *loss)).collect();
    let (gone, object) = &runs[0];
    let before = files(place.folder.path());
    let delete = ["runs", "delete", gone, "--store", "store"];
    let plan = place.text(&delete);
    assert!(plan.contains(gone) && plan.contains("1 of 1 run would be deleted"), "{plan}");
    assert!(
        plan.trim_end()
            .ends_with("nothing was deleted; to delete, give the same command with --yes"),
        "{plan}"
    );
    let shown = place.json(&[&delete[..], &["--json"]].concat());
    assert_eq!(
        (&shown["plan"]["runs"][0]["run"]["id"], &shown["done"]),
        (&json!(gone), &Value::Null)
    );
    assert!(place.text(&["store", "gc", "--store", "store"]).contains("nothing to delete"));
    assert_eq!(files(place.folder.path()), before, "a plan changes nothing");

    let done = place.text(&[&delete[..], &["--yes"]].concat());
    assert!(done.contains("deleted 1 run, ") && done.contains("`trainbook store gc`"), "{done}");
    assert_eq!(ids(&place).len(), 2);

    let gc = ["store", "gc", "--store", "store"];
    let plan = place.text(&gc);
    assert!(
        plan.contains("delete  1 object, 19 bytes\nkeep    2 objects that runs refer to\n"),
        "{plan}"
    );
    let done = place.json(&[&gc[..], &["--yes", "--json"]].concat());
    assert_eq!((&done["done"]["files"], &done["done"]["bytes"]), (&json!(1), &json!(19)), "{done}");
    let store = Store::open(place.path("store")).unwrap();
    assert!(store.get_object(object).is_err());
    assert!(runs[1..].iter().all(|(_, object)| store.get_object(object).is_ok()));
    assert!(place.text(&gc).contains("nothing to delete"));
}

#[test]
fn rules_choose() {
    let place = Place::new();
    let runs: Vec<String> = [0.3, 0.1, 0.2, 0.4].iter().map(|loss| run(&place, *loss).0).collect();
    let clean = |args: &[&str]| {
        place.json(&[&["store", "clean", "--json", "--store", "store"], args].concat())
    };
    let going = |args: &[&str]| -> Vec<usize> {
        let plan = clean(args);
        let planned =
            plan["plan"]["runs"].as_array().unwrap().iter().filter(|run| run["goes"] == true);
        let mut going: Vec<_> = planned
            .map(|run| runs.iter().position(|id| run["run"]["id"] == id.as_str()).unwrap())
            .collect();
        going.sort_unstable();
        going
    };
    assert_eq!(going(&["--keep-last", "1"]), [0, 1, 2]);
    assert_eq!(going(&["--keep-best", "metrics.val_loss.min", "2"]), [0, 3]);
    assert_eq!(
        going(&["--keep-best", "metrics.val_loss.min desc", "1", "--keep-last", "1"]),
        [0, 1, 2]
    );
    assert_eq!(going(&["--where", "metrics.val_loss < 0.25"]), [1, 2]);
    assert_eq!(going(&["--older-than", "30d"]), [0; 0]);
    let text = place.text(&[
        "store",
        "clean",
        "--keep-best",
        "metrics.val_loss.min",
        "1",
        "--yes",
        "--store",
        "store",
    ]);
    assert!(
        text.contains("among the best 1 by metrics.val_loss.min")
            && text.contains("deleted 3 runs"),
        "{text}"
    );
    assert_eq!(ids(&place), [runs[1].clone()]);
    assert_eq!(
        place.json(&["store", "rebuild", "--json", "--store", "store"]),
        json!({ "runs": 1 })
    );
    let text = place.text(&["store", "rebuild", "--store", "store"]);
    assert_eq!(text, "the index was built anew; it holds 1 run\n");
}

#[test]
fn what_makes_no_sense_is_refused() {
    let place = Place::new();
    let (id, _) = run(&place, 0.1);
    let clean = |args: &[&str], words: &[&str]| {
        place.refuses(&[&["store", "clean", "--yes", "--store", "store"], args].concat(), words);
    };
    clean(&[], &["no rule"]);
    clean(&["--older-than", "30"], &["'30'", "30d, 12h or 2w"]);
    clean(&["--keep-best", "metrics.val_loss.min", "few"], &["few", "how many to keep"]);
    clean(&["--keep-last", "-1"], &["-1"]);
    place.refuses(&["store", "gcc", "--store", "store"], &["'gcc'", "did you mean 'gc'"]);
    place.refuses(&["runs", "delete", "--store", "store"], &["missing <RUN>"]);
    place.refuses(&["runs", "delete", "nope", "--yes", "--store", "store"], &["\"nope\"", &id]);
    place.refuses(&["store", "gc", "--store", "none"], &["none", "no store there"]);
    // A wrong query shows its place in two more lines.
    let output = place
        .trainbook(&["store", "clean", "--where", "modl = 'mlp'", "--store", "store"])
        .output()
        .unwrap();
    assert!(!succeeded(&output) && String::from_utf8(output.stderr).unwrap().contains("`model`"));

    let store = Store::open(place.path("store")).unwrap();
    let living = store.start_run(RunStart::default()).unwrap();
    place.refuses(
        &["runs", "delete", living.id().as_str(), &id, "--yes", "--store", "store"],
        &["is being written"],
    );
    assert_eq!(ids(&place).len(), 2);
}
