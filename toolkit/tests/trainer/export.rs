//! The exported file computes what the trainer computes, or there is no file.

use trainbook::callbacks::{Moment, Snapshot};
use trainbook::onnx::Session;
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
    for (file, normalize) in [("standard.onnx", Normalize::standard()), ("divided.onnx", Normalize::divide_by(16.0))] {
        let data = data.clone().normalize(normalize).unwrap();
        let mut trainer = Trainer::classifier::<Digits>(&data).seed(1).quiet().build().unwrap();
        let run = trainer.fit(Epochs(2)).unwrap();
        let path = folder.path().join(file);
        let report = run.export(&path).unwrap();
        assert_eq!(report.graph_sha256, run.graph().unwrap().sha256());
        assert_eq!(report.parameters, 64 * 32 + 32 + 32 * 10 + 10 + 2 * 64);
        assert!(report.comparison.usual_abs_diff < 1e-5, "{report}");

        // every row as it stands in the data file: the normalisation is in the graph
        let rows: Vec<f32> = (0..data.len()).flat_map(|row| data.features(row)).copied().collect();
        let ours = run.predict(&rows, data.len()).unwrap();
        let theirs = Session::open(&path, None).unwrap().predict(&rows, data.len()).unwrap();
        assert_eq!(ours.len(), 10 * data.len());
        let difference = ours.iter().zip(&theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(difference < 1e-5, "{difference}");
        assert!(f64::from(difference) <= report.comparison.max_abs_diff.max(1e-5), "{difference}, {report}");
        assert!(ours.chunks(10).zip(theirs.chunks(10)).all(|(a, b)| argmax(a) == argmax(b)));
    }
    let files = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(files, 2, "a temporary file was left behind");
}

#[test]
fn the_name_decides_nothing_but_where() {
    let run = builder(&clouds(), 1).build().unwrap().fit(Epochs(1)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let export = |name: &str| run.export(folder.path().join(name)).unwrap().file_sha256;
    assert_eq!(export("a.onnx"), export("b.onnx"));
    assert_eq!(export("a.onnx"), export("a.onnx"), "an older file is replaced");
}

/// A run whose weights hold one NaN.
fn broken_run() -> Run {
    let spoil = probe(|moment| {
        if let Moment::FitEnd(end) = moment {
            let mut weights = Snapshot(vec![vec![0.5; 32], vec![0.5; 8], vec![0.5; 24], vec![0.5; 3]]);
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
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "a temporary file was left behind");
}
