//! Rows on disk are those in memory, and a folder is whole or not there.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::hooked::Hooked;
use super::*;
use crate::{Array, Batch, DataError, DataRecipe, Loader, Origin, Part, RowMarks, WindowOptions};
use trainbook_core::random::Stream;

fn batches(data: &Dataset) -> Vec<Batch> {
    let stream = Stream::new(Seed(7), "shuffle");
    let mut all = Vec::new();
    for (part, stream) in [(Part::Train, Some(stream)), (Part::Validation, None)] {
        let mut loader = Loader::new(data, part, 32, stream);
        loader.start(2);
        let mut batch = Batch::default();
        while loader.next(&mut batch).unwrap() {
            all.push(batch.clone());
        }
    }
    all
}

fn header(folder: &Path) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(folder.join("shards.json")).unwrap()).unwrap()
}

fn failed<T: std::fmt::Debug>(result: Result<T, DataError>) -> String {
    result.unwrap_err().to_string()
}

type Make<'a> = &'a dyn Fn(Dataset) -> Dataset;

#[test]
fn rows_on_disk_are_those_in_memory() {
    let temporary = tempfile::tempdir().unwrap();
    let odd = |_| {
        let (features, labels) = digits_raw();
        let features = features.iter().map(|x| x / 3.0 - 1.0).collect();
        Dataset::from_rows("odd", 64, features, Targets::Classes(labels)).unwrap()
    };
    let unit = |_| {
        let (features, _) = digits_raw();
        let features: Vec<f32> = features.iter().map(|x| (x * 15.0) / 255.0).collect();
        let targets = features.chunks(64).flat_map(|row| [row[3], row[20]]).collect();
        let input = crate::Array::f32([1797, 8, 8], features);
        Dataset::from_arrays("unit", input, crate::Array::f32([1797, 2], targets)).unwrap()
    };
    let images = |data: Dataset| data.image(1, 8, 8).unwrap();
    let cases: [(&str, Make<'_>, u64, Split); 4] = [
        ("pixels", &|data| data, 1, Split::stratified(0.8, 0.1, 0.1)),
        ("images", &images, 1, Split::stratified(0.8, 0.1, 0.1)),
        ("unit", &unit, 1, Split::random(0.8, 0.1, 0.1)),
        ("odd", &odd, 4, Split::stratified(0.8, 0.1, 0.1)),
    ];
    for (name, make, bytes, split) in cases {
        let data = make(digits());
        // The last has more files than are kept open.
        for per_shard in if name == "images" { vec![5000, 400, 13] } else { vec![1797, 400] } {
            let folder = temporary.path().join(format!("{name}-{per_shard}"));
            data.write_shards(&folder, per_shard).unwrap();
            Dataset::verify_shards(&folder).unwrap();
            let shards = Dataset::shards(&folder).unwrap();
            let files = std::fs::read_dir(&folder).unwrap().count();
            assert_eq!(files, 2 + 1797_usize.div_ceil(per_shard));
            let first = std::fs::metadata(folder.join("rows-00000.bin")).unwrap().len();
            assert_eq!(first, per_shard.min(1797) as u64 * 64 * bytes, "{name}");
            assert_eq!(shards.fingerprint().unwrap().hash, data.fingerprint().unwrap().hash);
            let prepare = |data: Dataset| {
                data.normalize(Normalize::standard()).unwrap().split(split, Seed(5)).unwrap()
            };
            let (shards, data) = (prepare(shards), prepare(data.clone()));
            assert_eq!(shards.fingerprint().unwrap().hash, data.fingerprint().unwrap().hash);
            assert_eq!(shards.shape(), data.shape());
            assert_eq!(batches(&shards), batches(&data));
            let json = serde_json::to_string(&shards.recipe()).unwrap();
            assert!(json.contains(r#""from":"shards""#), "{json}");
            let recipe: DataRecipe = serde_json::from_str(&json).unwrap();
            assert_eq!(recipe.make().unwrap().fingerprint().unwrap(), {
                let mut expected = shards.fingerprint().unwrap();
                expected.source = folder.display().to_string();
                expected
            });
            let Origin::Shards { path } = recipe.origin else { panic!("{json}") };
            assert_eq!(path, folder);
        }
    }
}

#[test]
fn names_and_marks_come_back() {
    let temporary = tempfile::tempdir().unwrap();
    let file = temporary.path().join("rows.csv");
    std::fs::write(&file, "height,width,kind\n1,-0.0,0\n2,3,1\n4,5,1\n").unwrap();
    let marks = RowMarks {
        groups: Some(vec![7, 7, 1]),
        times: Some(vec![-1.5, 0.0, 1e300]),
        weights: Some(vec![0.0, 1.0, 2.5]),
    };
    let data = Dataset::csv(&file).unwrap().target("kind").unwrap();
    let data = data.groups(vec![7, 7, 1]).unwrap().times(vec![-1.5, 0.0, 1e300]).unwrap();
    let data = data.weights(vec![0.0, 1.0, 2.5]).unwrap();
    let folder = temporary.path().join("deep/er/shards");
    data.write_shards(&folder, 2).unwrap();
    let shards = Dataset::shards(&folder).unwrap();
    assert_eq!(shards.marks(), &marks);
    assert_eq!(shards.feature_names(), ["height", "width"]);
    assert_eq!(shards.class_names(), ["0", "1"]);
    let bits = |data: &Dataset| {
        let raw = data.raw(&[2, 0, 1]).unwrap();
        raw.floats().iter().map(|x| x.to_bits()).collect::<Vec<_>>()
    };
    assert_eq!(bits(&shards), bits(&data), "-0.0 is no byte");
    // The source's own groups divide it, and the recipe needs no parts.
    let split = shards.split(Split::grouped(0.5, 0.5, 0.0), Seed(1));
    let recipe = |data: &Dataset| serde_json::to_string(&data.recipe()).unwrap();
    assert!(!recipe(&split.unwrap()).contains("parts"));
}

#[test]
fn damage_is_found_and_named() {
    let temporary = tempfile::tempdir().unwrap();
    let make = |name: &str| {
        let folder = temporary.path().join(name);
        digits().write_shards(&folder, 500).unwrap();
        folder
    };
    let open = |folder: &Path| failed(Dataset::shards(folder));
    assert!(open(&temporary.path().join("nowhere")).contains("nowhere/shards.json"));

    let folder = make("missing");
    std::fs::remove_file(folder.join("rows-00002.bin")).unwrap();
    assert!(open(&folder).starts_with("read ") && open(&folder).contains("rows-00002.bin: "));

    let folder = make("short");
    let shard = folder.join("rows-00003.bin");
    std::fs::write(&shard, &std::fs::read(&shard).unwrap()[1..]).unwrap();
    let error = open(&folder);
    assert!(
        error.contains("rows-00003.bin to its end: it has 19007 bytes and must have 19008"),
        "{error}"
    );

    let folder = make("changed");
    let shard = folder.join("rows-00001.bin");
    let mut bytes = std::fs::read(&shard).unwrap();
    bytes[77] ^= 1;
    std::fs::write(&shard, bytes).unwrap();
    Dataset::shards(&folder).unwrap();
    let error = failed(Dataset::verify_shards(&folder));
    assert!(
        error.contains("rows-00001.bin as a whole: it does not hold what was written"),
        "{error}"
    );

    let folder = make("targets");
    let targets = folder.join("targets.bin");
    let mut bytes = std::fs::read(&targets).unwrap();
    bytes[4] ^= 1;
    std::fs::write(&targets, bytes).unwrap();
    let damaged = "targets.bin as a whole: it does not hold what was written";
    assert!(open(&folder).contains(damaged));
    assert!(failed(Dataset::verify_shards(&folder)).contains(damaged));

    // Shortened while it is open: the row that is gone is an error of that batch.
    let folder = make("later");
    let data = Dataset::shards(&folder).unwrap();
    std::fs::File::options()
        .write(true)
        .open(folder.join("rows-00000.bin"))
        .unwrap()
        .set_len(640)
        .unwrap();
    assert!(data.raw(&[9]).is_ok());
    assert!(failed(data.raw(&[9, 10])).contains("rows-00000.bin"));

    let folder = make("header");
    let good = header(&folder);
    let change = |name: &str, value: serde_json::Value| {
        let mut header = good.clone();
        header[name] = value;
        std::fs::write(folder.join("shards.json"), header.to_string()).unwrap();
        open(&folder)
    };
    assert!(change("format", 2.into()).contains("it is 2, and this version reads 1"));
    for (name, value) in [
        ("rows", 0.into()),
        ("rows", 1796.into()),
        ("rows", u64::MAX.into()),
        ("rows_per_shard", 0.into()),
        ("rows_per_shard", 501.into()),
        ("shape", serde_json::json!([0])),
        ("shape", serde_json::json!([u64::MAX, 2, 64])),
        ("shape", serde_json::json!([65])),
        ("element", "f32".into()),
        ("shards", serde_json::json!([])),
    ] {
        let error = change(name, value.clone());
        assert!(error.contains("write the shards again"), "{name} {value}: {error}");
    }
    assert!(change("class_names", serde_json::json!(["0"])).contains("the target of row 1 is"));
    assert!(change("targets_per_row", 2.into()).contains("1797 rows with 2 targets each"));
    assert!(change("feature_names", serde_json::json!(["a"])).contains("1 names for 64 features"));
    assert!(change("element", "f16".into()).contains("it is no header of shards"));
    std::fs::write(folder.join("shards.json"), "{").unwrap();
    assert!(open(&folder).contains("line 1, column 1: it is no header of shards"));
}

#[test]
fn what_cannot_be_written_is_refused() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("shards");
    assert!(failed(digits().write_shards(&folder, 0)).contains("rows_per_shard to 0"));
    let text = Dataset::text_of("text", "to be or not to be").characters(4, 1).unwrap();
    assert!(failed(text.write_shards(&folder, 5)).contains("its rows are windows"));
    let series = Array::f32([20], (0..20).map(|x| x as f32).collect());
    let windows = Dataset::windows("line", series, WindowOptions::new(4, 1)).unwrap();
    assert!(failed(windows.write_shards(&folder, 5)).contains("its rows are windows"));
    let fitted = Hooked::fitted(digits());
    assert!(failed(fitted.write_shards(&folder, 5)).contains("fitted to the rows"));
    digits().write_shards(&folder, 500).unwrap();
    assert!(failed(digits().write_shards(&folder, 500)).contains("is there already"));
}

#[test]
fn a_writer_that_fails_or_is_killed_leaves_no_folder_behind() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("shards");
    let partial = temporary.path().join("shards.partial");
    let mut calls = 0;
    loop {
        let left = AtomicUsize::new(calls);
        let data = Hooked::dataset(
            digits(),
            Arc::new(move |_: &[usize]| match left.fetch_sub(1, Ordering::SeqCst) {
                0 => Err(DataError::Refused { action: "read", reason: "no more".to_owned() }),
                _ => Ok(()),
            }),
        );
        let written = data.write_shards(&folder, 300);
        assert!(!partial.exists());
        match written {
            Err(error) => assert_eq!(error.to_string(), "read the data: no more"),
            Ok(()) => break,
        }
        assert!(!folder.exists(), "after {calls} calls");
        calls += 1;
    }
    assert!(calls > 14, "8 reads to look at the rows, and 2 for each shard: {calls}");
    Dataset::verify_shards(&folder).unwrap();
    // One that was killed while it wrote has left this; it is no folder of shards, and goes.
    std::fs::rename(&folder, &partial).unwrap();
    std::fs::remove_file(partial.join("shards.json")).unwrap();
    assert!(failed(Dataset::shards(&partial)).contains("shards.json"));
    digits().write_shards(&folder, 300).unwrap();
    assert!(!partial.exists());
    Dataset::verify_shards(&folder).unwrap();
}
