//! Bad input: one line that names the thing and the cure, and nothing left behind.

use std::fs;

use crate::{Place, digits_like, shipped_digits, with_field};

/// A place with `bad.csv`.
fn with_data(csv: impl AsRef<[u8]>) -> Place {
    let place = Place::new();
    fs::write(place.path("bad.csv"), csv).unwrap();
    place
}

fn refuses_data(csv: impl AsRef<[u8]>, words: &[&str]) {
    let place = with_data(csv);
    for json in [&[][..], &["--json"]] {
        place.refuses(
            &[&["demo", "--data", "bad.csv", "--store", "store"], json].concat(),
            &[&["bad.csv"], words].concat(),
        );
    }
}

#[test]
fn data_that_is_not_there_or_not_whole() {
    let place = Place::new();
    fs::create_dir(place.path("folder")).unwrap();
    let demo = |data| ["demo", "--data", data, "--store", "store"];
    place.refuses(&demo("none.csv"), &["none.csv", "no such file", "correct the path"]);
    place.refuses(&demo("folder"), &["folder", "name a CSV file"]);
    let whole = fs::read(shipped_digits()).unwrap();
    refuses_data(&whole[..whole.len() / 2], &["ends too early", "fetch the file again"]);
    let mut damaged = whole;
    damaged[5_000] ^= 0xff;
    refuses_data(damaged, &["damaged", "fetch the file again"]);
    refuses_data("", &["empty"]);
}

#[test]
fn data_with_a_bad_row() {
    let good = digits_like(200);
    let line_5 = good.lines().nth(4).unwrap();
    let longer = good.replacen(line_5, &format!("{line_5},3"), 1);
    refuses_data(longer, &["line 5", "66 fields", "65"]);
    let label = |value| with_field(&good, 4, 64, value);
    refuses_data(label("12"), &["line 5", "label 12 is out of range", "renumber"]);
    refuses_data(label("-1"), &["line 5", "label -1 is negative", "from 0"]);
    refuses_data(label("3.5"), &["line 5", "label 3.5 is not an integer", "from 0"]);
    // The next label is no gap, so only the demo can know that it is one too many.
    refuses_data(label("10"), &["11 classes", "10", "labels 0 to 9"]);
    let feature = |value| with_field(&good, 4, 2, value);
    refuses_data(feature("NaN"), &["line 5", "column \"2\"", "NaN", "leave the row out"]);
    refuses_data(feature("inf"), &["line 5", "column \"2\"", "inf", "leave the row out"]);
    refuses_data(feature("abc"), &["line 5", "column \"2\"", "abc", "write a number"]);
    refuses_data(feature(""), &["line 5", "column \"2\"", "empty", "write a number"]);
    let narrow: String =
        good.lines().map(|line| line.split_once(',').unwrap().1.to_owned() + "\n").collect();
    refuses_data(narrow, &["63 features", "64", "8×8 pixels"]);
    let few: String = good.lines().take(8).map(|line| line.to_owned() + "\n").collect();
    refuses_data(few, &["8 classes", "labels 0 to 9"]);
}

#[test]
fn mistakes_in_the_command() {
    let place = Place::new();
    for (args, words) in [
        (&["demo", "--sed", "1"][..], &["'--sed'", "did you mean '--seed'"][..]),
        (&["demmo"], &["'demmo'", "did you mean 'demo'"]),
        (&["runs", "lits"], &["'lits'", "did you mean 'list'"]),
        (&["onnx", "chek", "x.onnx"], &["'chek'", "did you mean 'check'"]),
        (&["demo", "--seed"], &["value is required", "--seed"]),
        (&["demo", "--seed", "abc"], &["'abc'", "--seed", "whole number from 0"]),
        (&["demo", "--seed", "-1"], &["'-1'", "--seed", "whole number from 0"]),
        (
            &["demo", "--seed", "99999999999999999999"],
            &["'99999999999999999999'", "18446744073709551615"],
        ),
        (&["demo", "extra"], &["'extra'", "--help"]),
        (&["demo", "--store", ""], &["value is required", "--store"]),
        (&["runs", "show"], &["missing <RUN>", "--help"]),
        (&["runs", "query"], &["missing <QUERY>", "--help"]),
        (&["onnx", "check"], &["missing <FILE|DIR>", "--help"]),
        (&["onnx", "show"], &["missing <FILE>", "--help"]),
        (&["onnx", "bench", "--batch", "1"], &["missing <FILE>", "--help"]),
        (&["onnx", "shwo", "x.onnx"], &["'shwo'", "did you mean 'show'"]),
        (&["onnx", "show", "x.onnx", "--jsn"], &["--jsn", "did you mean '--json'"]),
        (&["onnx", "bench", "x.onnx", "--batches", "1"], &["--batches", "did you mean '--batch'"]),
        (&["onnx", "bench", "x.onnx", "--batch", "1,,8"], &["--batch", "whole number from 1"]),
        (
            &["onnx", "bench", "x.onnx", "--batch", "-1"],
            &["'-1'", "--batch", "whole number from 1"],
        ),
        (
            &["onnx", "bench", "x.onnx", "--threads", "0"],
            &["'0'", "--threads", "whole number from 1"],
        ),
        (&["demo", "--json", "--json"], &["--json", "multiple times"]),
    ] {
        place.refuses(args, words);
    }
}

#[test]
fn stores_that_cannot_be() {
    let place = Place::new();
    fs::write(place.path("file"), "").unwrap();
    place.refuses(
        &["demo", "--store", "file"],
        &["store file", "not a folder", "choose another path"],
    );
    place.refuses(&["demo", "--store", "file/store"], &["file/store", "choose a folder"]);
    place.refuses(&["runs", "list", "--store", "file"], &["store file", "not a folder"]);
    place.refuses(
        &["runs", "list", "--store", "none"],
        &["store none", "no store there", "check the path"],
    );
    place.refuses(&["runs", "show", "x", "--store", "none"], &["store none", "no store there"]);
    place.refuses(
        &["runs", "query", "seed = 1", "--store", "none"],
        &["store none", "no store there"],
    );
}

#[test]
fn files_that_cannot_be_written() {
    let place = Place::new();
    fs::create_dir(place.path("folder")).unwrap();
    fs::write(place.path("file"), "").unwrap();
    let demo = |onnx| ["demo", "--store", "store", "--onnx", onnx];
    place.refuses(&demo("folder"), &["write folder", "it is a folder", "name a file"]);
    place.refuses(&demo("file/x.onnx"), &["file/x.onnx", "file is a file, not a folder"]);
}

/// Permission bits do not stop root, but this file system stops everybody.
#[cfg(target_os = "linux")]
#[test]
fn folders_that_nobody_may_write_to() {
    let place = Place::new();
    place.refuses(
        &["demo", "--store", "/proc/store"],
        &["store folder /proc/store", "that you may write to"],
    );
    for onnx in ["/proc/x.onnx", "/proc/new/x.onnx"] {
        place.refuses(
            &["demo", "--store", "store", "--onnx", onnx],
            &[onnx, "that you may write to"],
        );
    }
}

#[test]
fn no_onnx_runtime() {
    let place = Place::new();
    fs::write(place.path("text.so"), "no library").unwrap();
    let demo = || place.trainbook(&["demo", "--store", "store"]);
    let cure = "trainbook ort install";
    for (value, word) in [
        ("/nonexistent", "ORT_DYLIB_PATH=/nonexistent"),
        ("text.so", "text.so"),
        (".", "not a file"),
    ] {
        let mut command = demo();
        command.env("ORT_DYLIB_PATH", value);
        place.refuses_as(command, &["ONNX Runtime", word, cure]);
    }
}
