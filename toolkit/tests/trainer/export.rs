//! The exported file computes what the trainer computes, or there is no file.

use trainbook::callbacks::{Moment, Snapshot};
use trainbook::onnx::{Session, Verifier};
use trainbook::prelude::*;

use crate::support::{builder, clouds, probe};

type Digits = (Linear<64, 32>, ReLU, Linear<32, 10>);

fn argmax(row: &[f32]) -> usize {
    (0..row.len()).max_by(|a, b| row[*a].total_cmp(&row[*b])).unwrap()
}

#[test]
fn the_file_answers_as_the_run_does() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../notebooks/data/digits.csv.gz");
    let data = Dataset::csv(path).unwrap().target(Column::last()).unwrap();
    let data = data.split(Split::stratified(0.8, 0.1, 0.1), Seed(7)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for (file, normalize) in
        [("standard.onnx", Normalize::standard()), ("divided.onnx", Normalize::divide_by(16.0))]
    {
        let data = data.clone().normalize(normalize).unwrap();
        let mut trainer =
            Trainer::classifier(&data, Network::of::<Digits>()).seed(1).quiet().build().unwrap();
        let run = trainer.fit(Epochs(2)).unwrap();
        let path = folder.path().join(file);
        let report = run.export(&path).unwrap();
        assert_eq!(report.graph_sha256, run.graph().unwrap().sha256());
        assert_eq!(report.parameters, 64 * 32 + 32 + 32 * 10 + 10 + 2 * 64);
        assert!(report.comparison.usual_abs_diff < 1e-5, "{report}");

        // every row as it stands in the data file: the normalisation is in the graph
        let rows: Vec<usize> = (0..data.len()).collect();
        let rows = data.raw(&rows).unwrap().floats().to_vec();
        let ours = run.predict(&rows, data.len()).unwrap();
        let theirs = Session::open(&path, None).unwrap().predict(&rows, data.len()).unwrap();
        assert_eq!(ours.len(), 10 * data.len());
        let difference = ours.iter().zip(&theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(difference < 1e-5, "{difference}");
        assert!(
            f64::from(difference) <= report.comparison.max_abs_diff.max(1e-5),
            "{difference}, {report}"
        );
        assert!(ours.chunks(10).zip(theirs.chunks(10)).all(|(a, b)| argmax(a) == argmax(b)));
    }
    let files = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(files, 2, "a temporary file was left behind");
}

#[test]
fn the_name_decides_nothing_but_where() {
    let run = builder(&clouds(), 1).build().unwrap().fit(Epochs(1)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let export = |name: &str| run.export(folder.path().join(name)).unwrap().file_sha256.clone();
    assert_eq!(export("a.onnx"), export("b.onnx"));
    assert_eq!(export("a.onnx"), export("a.onnx"), "an older file is replaced");
}

/// A run whose weights hold one NaN.
fn broken_run() -> Run {
    let spoil = probe(|moment| {
        if let Moment::FitEnd(end) = moment {
            let mut weights =
                Snapshot(vec![vec![0.5; 32], vec![0.5; 8], vec![0.5; 24], vec![0.5; 3]]);
            weights.0[2][7] = f32::NAN;
            end.restore(&weights)?;
        }
        Ok(Flow::Continue)
    });
    builder(&clouds(), 1).with(spoil).build().unwrap().fit(Epochs(1)).unwrap()
}

#[test]
fn what_is_refused_leaves_everything_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.onnx");
    let broken = broken_run();
    let refuse = |run: &Run, path: &std::path::Path, why: &str| {
        let message = run.export(path).unwrap_err().to_string();
        assert!(!message.contains('\n') && message.contains(why), "{message}");
    };
    refuse(&broken, &path, "2.weight[7] is NaN");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    std::fs::write(&path, "an older file").unwrap();
    refuse(&broken, &path, "2.weight[7] is NaN");
    assert_eq!(std::fs::read(&path).unwrap(), b"an older file");

    let run = builder(&clouds(), 1).build().unwrap().fit(Epochs(1)).unwrap();
    let directory = folder.path().join("folder");
    std::fs::create_dir(&directory).unwrap();
    refuse(&run, &directory, &directory.display().to_string());
    let missing = folder.path().join("missing").join("net.onnx");
    refuse(&run, &missing, &missing.display().to_string());
    assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 0);
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        2,
        "a temporary file was left behind"
    );
}

/// The outputs of the file for the rows of a part, and those rows.
fn answers(path: &std::path::Path, data: &Dataset, part: Part) -> Vec<f32> {
    let rows = data.part(part);
    let features = data.raw(rows).unwrap().floats().to_vec();
    Session::open(path, None).unwrap().predict(&features, rows.len()).unwrap()
}

/// Loss and accuracy that follow from a file's logits.
fn evaluated(path: &std::path::Path, data: &Dataset, part: Part) -> (f64, usize) {
    let logits = answers(path, data, part);
    let Some(Targets::Classes(classes)) = data.targets() else { panic!() };
    let rows = data.part(part).iter().zip(logits.chunks_exact(3));
    let mut loss = 0.0;
    let mut right = 0;
    for (&row, logits) in rows {
        let class = classes[row] as usize;
        let sum: f64 = logits.iter().map(|&logit| f64::from(logit).exp()).sum();
        loss += sum.ln() - f64::from(logits[class]);
        right += usize::from(argmax(logits) == class);
    }
    (loss / data.part(part).len() as f64, right)
}

/// The file of a run says on every part what the run's own evaluation says.
fn exports_what_it_evaluates(run: &Run, data: &Dataset) -> trainbook::onnx::ExportReport {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.onnx");
    let report = run.export(&path).unwrap();
    for part in [Part::Train, Part::Validation, Part::Test] {
        let expected = run.evaluate(part).unwrap();
        let (loss, right) = evaluated(&path, data, part);
        assert!((loss - expected.loss).abs() < 1e-6, "{part}: {loss}, {expected}");
        assert_eq!(Some(right), expected.correct, "{part}");
    }
    report
}

#[test]
fn after_early_stopping_the_best_weights_are_exported() {
    let data = clouds();
    let fit = |stopping: EarlyStopping| {
        builder(&data, 1)
            .learning_rate(0.03)
            .with(stopping)
            .build()
            .unwrap()
            .fit(Epochs(100))
            .unwrap()
    };
    let restored = fit(EarlyStopping::on("val_loss").patience(5).restore_best());
    let last = fit(EarlyStopping::on("val_loss").patience(5));
    let best = exports_what_it_evaluates(&restored, &data);
    let at_the_end = exports_what_it_evaluates(&last, &data);
    assert_ne!(best.graph_sha256, at_the_end.graph_sha256);
    let val_loss = |row: &trainbook::trainer::EpochRow| {
        row.metrics.iter().find(|m| m.name == "val_loss").unwrap().value
    };
    let least = restored.history().iter().map(val_loss).fold(f64::INFINITY, f64::min);
    assert_eq!(restored.evaluate(Part::Validation).unwrap().loss, least);
    assert!(last.evaluate(Part::Validation).unwrap().loss > least);
}

#[test]
fn after_resuming_the_same_file_is_exported() {
    let data = clouds();
    let mut uninterrupted = builder(&data, 1).build().unwrap();
    uninterrupted.fit(Epochs(2)).unwrap();
    let bytes = uninterrupted.checkpoint().unwrap();
    let expected = uninterrupted.fit(Epochs(5)).unwrap();
    let mut resumed = builder(&data, 1).build().unwrap();
    resumed.load_checkpoint(&bytes).unwrap();
    let run = resumed.fit(Epochs(5)).unwrap();
    let (a, b) =
        (exports_what_it_evaluates(&expected, &data), exports_what_it_evaluates(&run, &data));
    assert_eq!(a.graph_sha256, b.graph_sha256);
    // A run keeps its weights while its trainer goes on.
    resumed.fit(Epochs(9)).unwrap();
    assert_eq!(exports_what_it_evaluates(&run, &data).graph_sha256, b.graph_sha256);
}

#[test]
fn the_metadata_tell_a_deployer_what_to_know() {
    let data = clouds().normalize(Normalize::standard()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().join("store")).unwrap();
    let run = builder(&data, 1).store(&store).build().unwrap().fit(Epochs(1)).unwrap();
    let path = folder.path().join("net.onnx");
    let named = Export::new().labels(["red", "green", "blue, mostly"]).metadata("team", "α");
    let exported = run.export_with(&path, named).unwrap();
    let report = trainbook::onnx::check(&path, &Verifier::default()).unwrap();
    let text = |key: &str| report.metadata.get(key).unwrap_or_else(|| panic!("no {key}")).clone();
    let json = |key: &str| -> serde_json::Value { serde_json::from_str(&text(key)).unwrap() };
    assert_eq!(text("trainbook.run"), run.id().unwrap().to_string());
    assert_eq!((text("trainbook.seed"), text("team")), ("1".into(), "α".into()));
    assert_eq!(text("trainbook.data"), data.fingerprint().unwrap().hash);
    assert_eq!(json("trainbook.labels"), serde_json::json!(["red", "green", "blue, mostly"]));
    assert_eq!(json("trainbook.metrics")["val_loss"], run.evaluate(Part::Validation).unwrap().loss);
    assert_eq!(json("trainbook.normalization")["in_graph"], true);
    let scale: Vec<f32> =
        serde_json::from_value(json("trainbook.normalization")["scale"].clone()).unwrap();
    assert_eq!(scale, data.normalization().scale);
    assert_eq!(json("trainbook.schema")["inputs"][0]["shape"], serde_json::json!(["batch", "4"]));
    assert_eq!(json("trainbook.schema")["features"], serde_json::json!(["0", "1", "2", "3"]));
    let proof = json(trainbook::onnx::PROOF);
    assert_eq!(proof["max_abs_diff"], exported.comparison.max_abs_diff);
    assert_eq!(proof["comparisons"], 60);
    assert!(proof["checked_in"].as_str().unwrap().contains(&exported.checked_in.version));
    assert_eq!(report.golden[0].rows, 3);

    for labels in [&["a", "b"][..], &["a", "b", "b"], &["a", "b", "c", "d"]] {
        let error =
            run.export_with(&path, Export::new().labels(labels.iter().copied())).unwrap_err();
        assert!(matches!(error, Error::Setting { setting: "labels", .. }), "{error}");
    }
    for key in ["trainbook.proof", "trainbook.seed", "trainbook.mine"] {
        let taken = run.export_with(&path, Export::new().metadata(key, "none needed")).unwrap_err();
        assert!(matches!(taken, Error::Setting { setting: "metadata", .. }), "{taken}");
    }
}

#[test]
fn heads_and_folders_are_as_asked() {
    let data = clouds().normalize(Normalize::standard()).unwrap();
    let run = builder(&data, 1).build().unwrap().fit(Epochs(3)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clouds");
    let report = run.export_with(&path, Export::new().softmax().class().folder()).unwrap();
    assert_eq!(report.path, path);
    let checked = trainbook::onnx::check(&path, &Verifier::default()).unwrap();
    assert_eq!(
        checked.signature,
        "input [batch, 4] → probabilities [batch, 3], class [batch] of int64"
    );
    let places: Vec<_> =
        checked.golden.iter().map(|golden| (golden.place.as_str(), golden.rows)).collect();
    assert_eq!(places, [("metadata", 3), ("test_data_set_0", 33)]);

    let rows = data.part(Part::Test);
    let features = data.raw(rows).unwrap().floats().to_vec();
    let session = Session::open(&path.join("model.onnx"), None).unwrap();
    let outputs =
        session.run(&[trainbook::onnx::Array::f32([rows.len(), 4], features.clone())]).unwrap();
    let logits = run.predict(&features, rows.len()).unwrap();
    for (i, logits) in logits.chunks_exact(3).enumerate() {
        let sum: f64 = logits.iter().map(|&x| f64::from(x).exp()).sum();
        for (j, &logit) in logits.iter().enumerate() {
            assert!(
                (f64::from(outputs[0].floats()[3 * i + j]) - f64::from(logit).exp() / sum).abs()
                    < 1e-6
            );
        }
        assert_eq!(outputs[1].integers()[i], argmax(logits) as i64);
    }

    // A second export replaces the folder, and nothing else is left.
    run.export_with(&path, Export::new().folder()).unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    let other = folder.path().join("other");
    std::fs::create_dir(&other).unwrap();
    std::fs::write(other.join("precious.txt"), "").unwrap();
    let error = run.export_with(&other, Export::new().folder()).unwrap_err().to_string();
    assert!(error.contains("something else under that name"), "{error}");
    assert!(other.join("precious.txt").exists());

    // Logits divided by a temperature, proved as the rest is.
    let cooled = folder.path().join("cooled.onnx");
    let temperature = run.temperature().unwrap();
    run.export_with(&cooled, Export::new().temperature(temperature.value)).unwrap();
    let answers = Session::open(&cooled, None).unwrap().predict(&features, rows.len()).unwrap();
    let expected = temperature.apply(&logits);
    assert!(answers.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-5 * (1.0 + b.abs())));
    assert!(answers.iter().zip(&logits).any(|(a, b)| (a - b).abs() > 1e-2));
    for wrong in [0.0, -1.0, f64::NAN, 1e-60, 1e60] {
        let error = run.export_with(&cooled, Export::new().temperature(wrong)).unwrap_err();
        assert!(error.to_string().contains("a finite number above 0"), "{error}");
    }

    let raw = folder.path().join("raw.onnx");
    run.export_with(&raw, Export::new().normalized_input()).unwrap();
    let mut normalized = features.clone();
    normalized.chunks_mut(4).for_each(|row| data.normalization().apply(row));
    let answers = Session::open(&raw, None).unwrap().predict(&normalized, rows.len()).unwrap();
    assert!(answers.iter().zip(&logits).all(|(a, b)| (a - b).abs() < 1e-5));
}

#[test]
fn a_regression_has_neither_head_nor_labels() {
    let features: Vec<f32> = (0..40).map(|i| i as f32 / 40.0).collect();
    let data =
        Dataset::from_rows("a line", 1, features.clone(), Targets::Values(features)).unwrap();
    let run = Trainer::regressor(&data, Network::of::<Linear<1, 1>>())
        .seed(1)
        .quiet()
        .build()
        .unwrap()
        .fit(Epochs(1))
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("line.onnx");
    for export in [
        Export::new().softmax(),
        Export::new().class(),
        Export::new().labels(["a"]),
        Export::new().temperature(2.0),
    ] {
        assert!(matches!(run.export_with(&path, export), Err(Error::Setting { .. })));
    }
    run.export(&path).unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}
