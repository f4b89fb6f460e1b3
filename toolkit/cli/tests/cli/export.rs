//! Runs in other programs' formats: what is written, what is refused, and what is left alone.

use std::fs;
use std::net::TcpListener;

use serde_json::{Value, json};
use trainbook::store::{EndState, Metric, RunEnd, RunStart, Store};

use crate::Place;

/// A place with a store of two runs, and their ids: the first has numbers that JSON has not.
fn with_runs() -> (Place, [String; 2]) {
    let place = Place::new();
    let store = Store::open(place.path("store")).unwrap();
    let run = |lr: f64, losses: &[f64]| {
        let params = [("lr".into(), lr.into())].into();
        let run = store
            .start_run(RunStart { model: "mlp".into(), params, seed: 7, ..RunStart::default() })
            .unwrap();
        for (step, loss) in (1..).zip(losses) {
            run.log(step, &[Metric::new("loss", *loss)]);
        }
        run.finish(RunEnd::new(EndState::Finished, losses.len() as u64, 1)).unwrap();
        run.id().to_string()
    };
    let ids = [run(0.5, &[1.0, f64::NAN, f64::INFINITY]), run(1e-5, &[0.25])];
    (place, ids)
}

/// `runs export` of the store, ready to be judged.
fn export<'a>(rest: &[&'a str]) -> Vec<&'a str> {
    [&["runs", "export", "--store", "store"], rest].concat()
}

#[test]
fn a_query_prints_a_csv_table() {
    let (place, [a, b]) = with_runs();
    let query = |how: &[&str]| {
        place.text(
            &[&["runs", "query", "seed = 7 order by params.lr", "--store", "store"], how].concat(),
        )
    };
    let csv = query(&["--csv"]);
    let rows: Vec<Vec<_>> = csv.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(rows.iter().map(|row| row[0]).collect::<Vec<_>>(), ["id", &b, &a]);
    let at = |name: &str| rows[0].iter().position(|column| *column == name).unwrap();
    assert_eq!([rows[1][at("params.lr")], rows[2][at("params.lr")]], ["1e-5", "0.5"]);
    assert_eq!(
        [rows[1][at("metrics.loss.last")], rows[2][at("metrics.loss.last")]],
        ["0.25", "inf"]
    );
    assert_eq!(query(&["--table"]), query(&[]));
    place.text(&export(&[
        "--query",
        "seed = 7 order by params.lr",
        "--format",
        "csv",
        "--out",
        "runs.csv",
    ]));
    assert_eq!(fs::read_to_string(place.path("runs.csv")).unwrap(), csv);
    for (one, other) in [("--csv", "--json"), ("--csv", "--table"), ("--table", "--json")] {
        place.refuses(
            &["runs", "query", "seed = 7", "--store", "store", one, other],
            &[one, other, "cannot be used with"],
        );
    }
}

#[test]
fn json_is_one_document_or_an_array_and_keeps_every_number() {
    let (place, [a, b]) = with_runs();
    let read = |name: &str| -> Value {
        serde_json::from_slice(&fs::read(place.path(name)).unwrap()).unwrap()
    };
    let report = place.json(&export(&[&a, "--format", "json", "--out", "new/one.json", "--json"]));
    assert_eq!((&report["runs"], &report["files"]), (&json!(1), &json!(["new/one.json"])));
    assert_eq!(report["bytes"], fs::metadata(place.path("new/one.json")).unwrap().len());
    let one = read("new/one.json");
    assert_eq!(one["summary"]["id"], a.as_str());
    assert_eq!(one["series"]["loss"], json!([[1, 1.0], [2, "NaN"], [3, "Infinity"]]));
    place.text(&export(&[&b, &a, &b, "--format", "json", "--out", "two.json"]));
    let two = read("two.json");
    assert_eq!(two.as_array().map(Vec::len), Some(2));
    assert_eq!((&two[0]["summary"]["id"], &two[1]), (&json!(b), &one));
    place.text(&export(&[
        "--query",
        "params.lr = 0.5",
        "--format",
        "json",
        "--null",
        "--out",
        "null.json",
    ]));
    assert_eq!(read("null.json")[0]["series"]["loss"], json!([[1, 1.0], [2, null], [3, null]]));
    assert_eq!(
        read("null.json")[0],
        place.json(&["runs", "show", &a, "--store", "store", "--json"])
    );
    place.text(&export(&["--query", "seed = 8", "--format", "json", "--out", "none.json"]));
    assert_eq!(read("none.json"), json!([]));
}

#[test]
fn points_and_event_files() {
    let (place, [a, b]) = with_runs();
    place.text(&export(&[&a, &b, "--format", "csv", "--points", "--out", "points.csv"]));
    let points = fs::read_to_string(place.path("points.csv")).unwrap();
    let expected = format!(
        "run,metric,step,value\n{a},loss,1,1.0\n{a},loss,2,NaN\n{a},loss,3,inf\n{b},loss,1,0.25\n"
    );
    assert_eq!(points, expected);
    place.text(&export(&[&a, &b, "--format", "tensorboard", "--out", "board"]));
    for id in [&a, &b] {
        let files: Vec<_> = fs::read_dir(place.path("board").join(id))
            .unwrap()
            .map(|f| f.unwrap().path())
            .collect();
        assert_eq!(files.len(), 1);
        assert!(
            files[0].file_name().unwrap().to_str().unwrap().starts_with("events.out.tfevents.")
        );
        assert!(fs::metadata(&files[0]).unwrap().len() > 100);
    }
    place.refuses(
        &export(&[&a, "--format", "tensorboard", "--out", "board"]),
        &["tfevents", "it exists", "--force"],
    );
}

#[test]
fn a_file_that_exists_is_left_alone_unless_forced() {
    let (place, [a, b]) = with_runs();
    fs::write(place.path("kept.json"), "mine").unwrap();
    place.refuses(
        &export(&[&a, "--format", "json", "--out", "kept.json"]),
        &["kept.json", "it exists", "--force"],
    );
    assert_eq!(fs::read_to_string(place.path("kept.json")).unwrap(), "mine");
    place.text(&export(&[&a, "--format", "json", "--out", "kept.json", "--force"]));
    let text = fs::read_to_string(place.path("kept.json")).unwrap();
    assert!(text.contains(&a), "{text}");
    // Also when what should be written cannot be read.
    fs::write(place.path("store/runs").join(format!("{b}.log")), "no journal").unwrap();
    let both =
        export(&["--query", "id is not null", "--format", "json", "--out", "kept.json", "--force"]);
    place.refuses(&both, &["read the journal", &b]);
    assert_eq!(fs::read_to_string(place.path("kept.json")).unwrap(), text);
}

#[test]
fn exports_that_cannot_be() {
    let (place, [a, _]) = with_runs();
    let one = |rest: &[&str], words: &[&str]| {
        place.refuses(&export(&[&[a.as_str()], rest].concat()), words)
    };
    one(&["--format", "json", "--out", "store"], &["store", "it is a folder"]);
    one(
        &["--format", "json", "--out", "x.json", "--points"],
        &["x.json", "--points", "csv and parquet"],
    );
    one(&["--format", "csv", "--out", "x.csv", "--null"], &["x.csv", "--null", "json"]);
    one(&["--format", "cvs", "--out", "x"], &["'cvs'", "there is json, csv, parquet, tensorboard"]);
    one(&["--format", "csv"], &["missing --out"]);
    one(&["--out", "x"], &["missing --format"]);
    one(
        &["--query", "seed = 7", "--format", "csv", "--out", "x"],
        &["--query", "cannot be used with"],
    );
    place.refuses(&export(&["--format", "csv", "--out", "x"]), &["missing", "RUN"]);
    place.refuses(&export(&["nope", "--format", "csv", "--out", "x"]), &["\"nope\"", "nearest id"]);
    fs::write(place.path("file"), "").unwrap();
    one(&["--format", "tensorboard", "--out", "file"], &["file is a file, not a folder"]);
}

#[cfg(not(feature = "parquet"))]
#[test]
fn parquet_says_how_to_get_it() {
    let (place, [a, _]) = with_runs();
    place.refuses(
        &export(&[&a, "--format", "parquet", "--out", "x"]),
        &["without Parquet", "--features parquet"],
    );
}

#[cfg(feature = "parquet")]
#[test]
fn parquet_files_begin_and_end_as_such() {
    let (place, [a, b]) = with_runs();
    for (name, points) in [("runs.parquet", &[][..]), ("points.parquet", &["--points"])] {
        place.text(&export(&[&[&a, &b, "--format", "parquet", "--out", name], points].concat()));
        let bytes = fs::read(place.path(name)).unwrap();
        assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"), "{name}");
    }
}

#[test]
fn servers_that_cannot_be_pushed_to() {
    let (place, [a, _]) = with_runs();
    let push = |rest: &[&str], words: &[&str]| {
        place.refuses(&[&["runs", "push", "--store", "store"], rest].concat(), words);
    };
    push(&[&a, "--mlflow", "mlruns"], &["MLflow server mlruns", "http://127.0.0.1:5000"]);
    push(&[&a, "--mlflow", "http://me:secret@host"], &["…@host", "MLFLOW_TRACKING_PASSWORD"]);
    #[cfg(not(feature = "mlflow-https"))]
    push(&[&a, "--mlflow", "https://host"], &["https://host", "cargo feature mlflow-https"]);
    push(&[&a], &["missing --mlflow"]);
    push(&["--mlflow", "http://127.0.0.1:1"], &["missing", "RUN"]);
    push(&["nope", "--mlflow", "http://127.0.0.1:1"], &["\"nope\"", "nearest id"]);
    // A port that was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}");
    push(&[&a, "--mlflow", &url], &["push to the MLflow server", &url, "is the server running?"]);
}
