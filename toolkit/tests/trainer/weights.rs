//! Weights that come from PyTorch and go there.

use safetensors::SafeTensors;
use serde::Deserialize;
use trainbook::prelude::*;

use crate::support::{clouds, weight_bits};

/// Written by `tests/python/make_weights_fixture.py`.
#[derive(Deserialize)]
struct Fixture {
    rows: Vec<f32>,
    outputs: Vec<f32>,
}

fn fixture(name: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/trainer/fixtures").join(name)
}

#[test]
fn weights_of_pytorch_give_what_they_give_there() {
    let Fixture { rows, outputs } =
        serde_json::from_str(include_str!("fixtures/torch.json")).unwrap();
    let net = Sequential::new().linear(5).tanh().batch_norm().linear(3);
    let mut trainer = Trainer::classifier(&clouds(), net).seed(1).quiet().build().unwrap();
    let report = trainer.load_weights(fixture("torch.safetensors")).unwrap();
    assert_eq!(report.loaded.len(), 8, "{report}");
    assert_eq!(report.unexpected, ["4.weight"]);
    assert_eq!(report.to_string(), "8 of 8 tensors loaded\n  in the file alone: 4.weight");
    let run = trainer.fit(Epochs(0)).unwrap();
    let got = run.predict_on(&Array::f32([2, 4], rows)).unwrap();
    for (got, expected) in got.floats().iter().zip(&outputs) {
        assert!((got - expected).abs() < 1e-6, "{got} for {expected}");
    }
}

#[test]
fn what_does_not_fit_stays_and_is_named() {
    // Another head, and one layer more.
    let net = Sequential::new().linear(5).tanh().batch_norm().linear(2).relu().linear(3);
    let mut trainer = Trainer::classifier(&clouds(), net).seed(1).quiet().build().unwrap();
    let before = trainer.fit(Epochs(0)).unwrap();
    let report = trainer.load_weights(fixture("torch.safetensors")).unwrap();
    assert_eq!(report.loaded.len(), 6, "{report}");
    assert_eq!(report.missing, ["5.weight", "5.bias"]);
    let misfits = ["3.weight is [3, 5] there and [2, 5] here", "3.bias is [3] there and [2] here"];
    assert_eq!(report.misfits, misfits);
    let after = trainer.fit(Epochs(0)).unwrap();
    let of = |run: &Run, name: &str| {
        let at = run.model().tensors().iter().position(|tensor| tensor.name == name).unwrap();
        run.model().weights().0[at].clone()
    };
    assert_ne!(of(&after, "0.weight"), of(&before, "0.weight"));
    for name in ["3.weight", "3.bias", "5.weight"] {
        assert_eq!(of(&after, name), of(&before, name), "{name}");
    }

    // Nothing fits, no file, no whole file: an error, and nothing has changed.
    let mut other =
        Trainer::classifier(&clouds(), Sequential::new().linear(9).linear(3)).seed(1).quiet();
    other = other.learning_rate(1e-2);
    let mut other = other.build().unwrap();
    let hash = other.state_hash().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let cut = folder.path().join("cut.safetensors");
    let bytes = std::fs::read(fixture("torch.safetensors")).unwrap();
    std::fs::write(&cut, &bytes[..bytes.len() - 1]).unwrap();
    for (path, expected) in [
        (fixture("torch.safetensors"), "no tensor of it fits this network"),
        (folder.path().join("none.safetensors"), "No such file"),
        (cut, "no whole safetensors file"),
    ] {
        let error = other.load_weights(&path).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert!(error.contains(&path.display().to_string()), "{error}");
        assert_eq!(other.state_hash().unwrap(), hash);
    }
}

#[test]
fn saved_weights_come_back_under_their_names() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clouds.safetensors");
    let net = || Sequential::new().linear(5).tanh().batch_norm().linear(3);
    let build = |seed| {
        let trainer = Trainer::classifier(&clouds(), net()).seed(seed).quiet();
        trainer.build().unwrap()
    };
    let mut trainer = build(1);
    let run = trainer.fit(Epochs(2)).unwrap();
    run.save_weights(&path).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(file.tensor("0.weight").unwrap().shape(), [5, 4]);
    let mut names = file.names();
    names.sort_unstable();
    let expected = [
        "0.bias",
        "0.weight",
        "2.bias",
        "2.running_mean",
        "2.running_var",
        "2.weight",
        "3.bias",
        "3.weight",
    ];
    assert_eq!(names, expected);
    let mut other = build(2);
    assert_eq!(other.load_weights(&path).unwrap().loaded.len(), 8);
    assert_eq!(weight_bits(&other.fit(Epochs(0)).unwrap()), weight_bits(&run));
    // A checkpoint is such a file too.
    std::fs::write(&path, trainer.checkpoint().unwrap()).unwrap();
    let mut third = build(3);
    let report = third.load_weights(&path).unwrap();
    assert_eq!((report.loaded.len(), report.unexpected.len()), (8, 0), "{report}");
    assert_eq!(weight_bits(&third.fit(Epochs(0)).unwrap()), weight_bits(&run));
    let nowhere = folder.path().join("missing").join("clouds.safetensors");
    let error = run.save_weights(&nowhere).unwrap_err().to_string();
    assert!(error.contains("missing"), "{error}");
}
