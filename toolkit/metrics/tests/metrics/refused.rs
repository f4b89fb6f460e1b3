//! Names, options and data that make no sense.

use trainbook_callbacks::Direction;
use trainbook_core::batch::Targets;
use trainbook_metrics::{
    Accuracy, Average, CalibrationError, ConfusionMatrix, F1, FBeta, MeanAbsolute, Measure, Metric,
    Pinball, TopKAccuracy,
};

#[test]
fn a_mistyped_name_is_corrected() {
    let error = Metric::named("Acuracy").unwrap_err().to_string();
    assert_eq!(error, "find the metric \"Acuracy\": there is none; did you mean \"Accuracy\"?");
    assert!(Metric::named("rocauc").unwrap_err().to_string().contains("\"RocAuc\""));
    assert!(Metric::named("Custom").is_err());
    assert_eq!(Metric::named("TopKAccuracy").unwrap(), TopKAccuracy { k: 5 }.into());
}

#[test]
fn options_are_checked() {
    let says = |metric: Metric, text: &str| {
        let error = metric.measure().check(&[4, 3]).unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
    };
    for k in [0, 4] {
        says(TopKAccuracy { k }.into(), "from 1 to 3");
    }
    says(F1 { average: Average::Class(3) }.into(), "set the average of F1 to class 3: it must be");
    says(FBeta { beta: 0.0, ..FBeta::default() }.into(), "set beta of FBeta to 0: it must be");
    says(FBeta { beta: f64::NAN, ..FBeta::default() }.into(), "a finite number above 0");
    says(FBeta { average: Average::Class(9), ..FBeta::default() }.into(), "from 0 to 2");
    says(
        Pinball { quantile: 1.5 }.into(),
        "set quantile of Pinball to 1.5: it must be from 0 to 1",
    );
    says(CalibrationError { bins: 0 }.into(), "set bins of CalibrationError to 0");
    assert!(F1 { average: Average::Class(2) }.check(&[4, 3]).is_ok());
    for json in [
        r#"{"metric":"F1","avarage":"macro"}"#,
        r#"{"metric":"F1","average":"mean"}"#,
        r#"{"metric":"F2"}"#,
    ] {
        assert!(serde_json::from_str::<Metric>(json).is_err(), "{json}");
    }
}

#[test]
fn data_that_does_not_fit_is_refused() {
    let classes = |classes: &[u32]| Targets::Classes(classes.to_vec());
    let says = |metric: Metric, outputs: &[f32], targets: &Targets, weights, text: &str| {
        let error = metric.value(outputs, 2, targets, weights).unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
    };
    let accuracy = || Metric::from(Accuracy);
    says(accuracy(), &[0.0; 3], &classes(&[0]), None, "3 outputs are not rows of 2");
    says(accuracy(), &[0.0; 4], &classes(&[0]), None, "have 1 targets; it takes 2");
    says(accuracy(), &[0.0; 4], &classes(&[0, 2]), None, "class 2; the last class is 1");
    says(accuracy(), &[0.0; 2], &Targets::Values(vec![0.0]), None, "it takes classes");
    says(
        MeanAbsolute.into(),
        &[0.0; 2],
        &classes(&[0]),
        None,
        "measure mae: the targets are classes",
    );
    says(accuracy(), &[0.0; 2], &classes(&[0]), Some(&[1.0, 1.0]), "2 weights are given");
    says(accuracy(), &[0.0; 2], &classes(&[0]), Some(&[-1.0]), "a weight is -1");
    says(accuracy(), &[0.0; 2], &classes(&[0]), Some(&[f32::NAN]), "a weight is NaN");
    let error = ConfusionMatrix::of(&[0.0; 2], &classes(&[0]), None, ["only"]).unwrap_err();
    assert!(error.to_string().contains("it takes 2"), "{error}");
    assert!(Accuracy.begin(0).value().is_nan());
}

#[test]
fn what_is_no_number_is_never_right() {
    let outputs = [f32::NAN; 3];
    for metric in crate::all() {
        let takes = metric.measure().takes();
        let targets = match takes {
            trainbook_core::batch::TargetKind::Classes => Targets::Classes(vec![0]),
            trainbook_core::batch::TargetKind::Values => Targets::Values(vec![0.0; 3]),
        };
        if metric == (TopKAccuracy { k: 5 }.into()) {
            let top = Metric::from(TopKAccuracy { k: 3 });
            assert_eq!(top.value(&outputs, 3, &targets, None).unwrap(), 0.0);
            continue;
        }
        let value = metric.value(&outputs, 3, &targets, None).unwrap();
        // 0 is the best of what is to be small.
        let worst = value == 0.0 && metric.measure().direction() == Direction::Maximize;
        assert!(value.is_nan() || worst, "{}: {value}", metric.name());
    }
    // Nor does one that is none hide behind those before and after it.
    let (outputs, targets) = ([1.0, f32::NAN, 1.0], Targets::Values(vec![0.0, 1.0, 1.0]));
    for name in ["MaxError", "MedianAbsolute", "LabelRocAuc", "LabelAveragePrecision", "R2"] {
        let value = Metric::named(name).unwrap().value(&outputs, 1, &targets, None).unwrap();
        assert!(value.is_nan(), "{name}: {value}");
    }
    // Of equal outputs the first is preferred.
    for (k, expected) in [(1, 0.5), (2, 1.0)] {
        let top = Metric::from(TopKAccuracy { k });
        let targets = Targets::Classes(vec![0, 1]);
        assert_eq!(top.value(&[1.0; 4], 2, &targets, None).unwrap(), expected);
    }
}
