//! Metrics of one's own, and how all of them read and write themselves.

use std::collections::BTreeSet;
use std::sync::Arc;

use trainbook_callbacks::Direction;
use trainbook_core::batch::{TargetKind, Targets};
use trainbook_metrics::{
    Average, CohenKappa, Distance, F1, FBeta, LabelF1, LabelRocAuc, Measure, Metric, Pinball,
    RocAuc, Tally, TopKAccuracy,
};

use crate::all;

#[test]
fn each_reads_itself_and_says_when_it_is_better() {
    let smaller = [
        "log_loss",
        "perplexity",
        "brier",
        "calibration_error",
        "mae",
        "mse",
        "rmse",
        "mape",
        "median_absolute",
        "max_error",
        "pinball_0_5",
    ];
    let mut names = BTreeSet::new();
    for (metric, kind) in all().iter().zip(Metric::names()) {
        let json = serde_json::to_value(metric).unwrap();
        assert_eq!(json["metric"], *kind);
        assert_eq!(&serde_json::from_value::<Metric>(json).unwrap(), metric);
        let least = metric.measure().direction() == Direction::Minimize;
        assert_eq!(least, smaller.contains(&metric.name().as_str()), "{}", metric.name());
        assert!(names.insert(metric.name()) || metric.name() == "macro_f1");
    }
}

#[test]
fn options_are_in_the_name_and_in_the_json() {
    let is = |metric: Metric, name: &str, json: &str| {
        assert_eq!(metric.name(), name);
        assert_eq!(serde_json::to_string(&metric).unwrap(), json);
        assert_eq!(serde_json::from_str::<Metric>(json).unwrap(), metric);
    };
    is(TopKAccuracy { k: 3 }.into(), "top3_accuracy", r#"{"metric":"TopKAccuracy","k":3}"#);
    let average = Average::Class(1);
    is(F1 { average }.into(), "f1_class_1", r#"{"metric":"F1","average":{"class":1}}"#);
    let average = Average::Weighted;
    is(
        RocAuc { average }.into(),
        "weighted_roc_auc",
        r#"{"metric":"RocAuc","average":"weighted"}"#,
    );
    is(
        FBeta { beta: 0.5, average: Average::Micro }.into(),
        "micro_f0_5",
        r#"{"metric":"FBeta","beta":0.5,"average":"micro"}"#,
    );
    is(
        CohenKappa { distance: Distance::Quadratic }.into(),
        "quadratic_kappa",
        r#"{"metric":"CohenKappa","distance":"quadratic"}"#,
    );
    is(Pinball { quantile: 0.9 }.into(), "pinball_0_9", r#"{"metric":"Pinball","quantile":0.9}"#);
    assert_eq!(LabelF1::default().name(), "label_macro_f1");
    assert_eq!(LabelRocAuc { average: Average::Micro }.name(), "label_micro_roc_auc");
}

/// The share of values that are met within 1.
#[derive(Debug)]
struct Near;

struct Counted([f64; 2]);

impl Measure for Near {
    fn name(&self) -> String {
        "near".to_owned()
    }

    fn direction(&self) -> Direction {
        Direction::Maximize
    }

    fn takes(&self) -> TargetKind {
        TargetKind::Values
    }

    fn begin(&self, _: usize) -> Box<dyn Tally> {
        Box::new(Counted([0.0; 2]))
    }
}

impl Tally for Counted {
    fn add(&mut self, outputs: &[f32], targets: &Targets, _: Option<&[f32]>) {
        let Targets::Values(values) = targets else { return };
        for (x, y) in outputs.iter().zip(values) {
            self.0[0] += f64::from(u8::from((x - y).abs() <= 1.0));
            self.0[1] += 1.0;
        }
    }

    fn value(&self) -> f64 {
        self.0[0] / self.0[1]
    }
}

#[test]
fn one_of_your_own() {
    let metric = Metric::custom(Arc::new(Near));
    let values = Targets::Values(vec![1.5, 7.0]);
    assert_eq!(metric.value(&[1.0, 5.0], 1, &values, None).unwrap(), 0.5);
    let json = serde_json::to_string(&metric).unwrap();
    assert_eq!(
        json,
        r#"{"metric":"Custom","name":"near","direction":"maximize","takes":"values"}"#
    );
    let elsewhere: Metric = serde_json::from_str(&json).unwrap();
    assert_eq!(elsewhere.name(), "near");
    assert!(elsewhere.is_missing());
    assert_eq!(elsewhere.measure().direction(), Direction::Maximize);
    assert!(elsewhere.measure().begin(1).value().is_nan());
}

#[test]
fn a_closure_sees_everything_at_once() {
    let outputs_of =
        |outputs: &[f32], targets: &Targets| (outputs.len() * 100 + targets.len()) as f64;
    let metric = Metric::of("sizes", Direction::Minimize, TargetKind::Classes, outputs_of);
    let mut tally = metric.measure().begin(2);
    assert!(tally.value().is_nan());
    tally.add(&[0.0; 6], &Targets::Classes(vec![0; 3]), None);
    tally.add(&[0.0; 2], &Targets::Classes(vec![0; 1]), None);
    assert_eq!(tally.value(), 804.0);
    // It would not heed them.
    tally.add(&[0.0; 2], &Targets::Classes(vec![0; 1]), Some(&[0.0]));
    assert!(tally.value().is_nan());
    assert_eq!(metric.measure().direction(), Direction::Minimize);
    assert!(format!("{metric:?}").contains("sizes"));
    let json = serde_json::to_string(&metric).unwrap();
    assert!(serde_json::from_str::<Metric>(&json).unwrap().is_missing());
}
