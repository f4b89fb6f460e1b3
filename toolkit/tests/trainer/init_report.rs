//! The report on a network before its first step: numbers against another way to them, verdicts on
//! networks made to deserve them, and no trace.

use trainbook::callbacks::Gradients;
use trainbook::checks::Verdict;
use trainbook::data::Batch;
use trainbook::nn::layer::AnyLayer;
use trainbook::prelude::*;

use super::support::{Constant, batches, builder, clouds, task, weight_bits};

fn report(net: impl Into<Network>) -> InitReport {
    let data = clouds();
    let builder = Trainer::classifier(&data, net).seed(1).batch_size(16).quiet();
    builder.build().unwrap().init_report().unwrap()
}

fn moments(values: &[f32]) -> [f64; 2] {
    let n = values.len() as f64;
    let mean = values.iter().map(|v| f64::from(*v)).sum::<f64>() / n;
    let square = values.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / n;
    [mean, (square - mean * mean).sqrt()]
}

fn near(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-5 * (1.0 + expected.abs()), "{found}, not {expected}");
}

#[test]
fn its_numbers_are_those_of_the_first_step() {
    let data = clouds();
    let report = builder(&data, 3).build().unwrap().init_report().unwrap();
    let mut task = task(3, AdamW::default());
    let batch: &Batch = &batches(&data, 3, 0)[0];
    let loss = task.loss_of(batch).unwrap();
    near(report.loss(), f64::from(loss));
    near(report.baseline(), 3.0_f64.ln());

    let layers = report.layers();
    let places: Vec<_> = layers.iter().map(|l| (l.path.as_str(), l.kind.as_str())).collect();
    assert_eq!(places, [("0", "Linear"), ("1", "Relu"), ("2", "Linear")]);
    let outputs = task.model().predict(&batch.input).unwrap();
    let [mean, std] = moments(outputs.floats());
    near(layers[2].mean, mean);
    near(layers[2].std, std);
    let weights = task.model().weights().0;
    near(layers[0].weights[0].std, moments(&weights[0])[1]);
    near(layers[2].weights[0].std, moments(&weights[2])[1]);
    let mut gradients = Vec::new();
    let task: &mut dyn Gradients = &mut *task;
    task.edit(&mut |_, gradient| gradients.push(gradient.to_vec())).unwrap();
    near(layers[0].weights[0].gradient, moments(&gradients[0])[1]);
    near(layers[2].weights[0].gradient, moments(&gradients[2])[1]);

    assert_eq!(report.verdicts(), []);
    let text = report.to_string();
    assert!(text.starts_with("layer  kind    weights σ"), "{text}");
    let end = "outputs that know nothing have 1.0986\nnothing stands out";
    assert!(text.ends_with(end), "{text}");
    let view = report.view();
    assert!(
        view.html.starts_with("<div id=\"trainbook-") && view.text.contains("nothing stands out")
    );
}

#[test]
fn it_leaves_no_trace() {
    let data = clouds();
    let net = || Sequential::new().linear(8).batch_norm().relu().dropout(0.5).linear(3);
    let with = || {
        let trainer = Trainer::classifier(&data, net()).seed(1).batch_size(16).quiet();
        trainer.with(LrSchedule::one_cycle(0.03)).build().unwrap()
    };
    let (mut asked, mut untouched) = (with(), with());
    for _ in 0..2 {
        let before = asked.state_hash().unwrap();
        let report = asked.init_report().unwrap();
        assert_eq!(asked.state_hash().unwrap(), before);
        assert_eq!(asked.init_report().unwrap(), report);
        let run = asked.fit(Epochs(1)).unwrap();
        assert_eq!(weight_bits(&run), weight_bits(&untouched.fit(Epochs(1)).unwrap()));
        assert_eq!(asked.state_hash().unwrap(), untouched.state_hash().unwrap());
    }
}

#[test]
fn for_values_the_loss_stands_beside_their_variance() {
    let values: Vec<f32> = (0..40).map(|i| 100.0 + (i as f32 * 0.7).sin()).collect();
    let features = (0..80).map(|i| (i as f32).cos()).collect();
    let data = Dataset::from_rows("far from 0", 2, features, Targets::Values(values.clone()));
    let data = data.unwrap().split(Split::random(1.0, 0.0, 0.0), Seed(1)).unwrap();
    let trainer = Trainer::regressor(&data, Sequential::new().linear(1));
    let report = trainer.seed(1).batch_size(40).quiet().build().unwrap().init_report().unwrap();
    let [_, std] = moments(&values);
    assert!((report.baseline() - std * std).abs() < 1e-3, "{}", report.baseline());
    let [Verdict::Loss { loss, baseline }] = report.verdicts() else {
        panic!("{:?}", report.verdicts());
    };
    assert!(*loss > 9_000.0 && *baseline < 1.0);
    assert!(report.to_string().contains("targets are not scaled"), "{report}");
}

#[test]
fn weights_of_0_and_units_that_stay_equal_are_named() {
    let zero = Sequential::new().linear(8).tanh().with(Constant { out: 3, value: 0.0 });
    let found = report(zero);
    let zero = Verdict::ZeroWeights { weight: "2.weight".to_owned(), shape: vec![3, 8] };
    let none = Verdict::NoGradient { weight: "0.weight".to_owned() };
    assert!(found.verdicts().contains(&zero) && found.verdicts().contains(&none), "{found}");
    // Its own units get different gradients, so they part.
    assert!(!found.to_string().contains("stay equal"), "{found}");

    let equal = Sequential::new()
        .with(Constant { out: 5, value: 0.3 })
        .tanh()
        .with(Constant { out: 4, value: 0.2 })
        .tanh()
        .linear(3);
    let found = report(equal);
    let twins = |weight: &str, copies, of| Verdict::IdenticalUnits {
        weight: weight.to_owned(),
        units: (0, 1),
        copies,
        of,
    };
    assert!(found.verdicts().contains(&twins("0.weight", 4, 5)), "{found}");
    // What follows the second one differs, and with it the gradients.
    assert!(!found.to_string().contains("of 2.weight have equal"), "{found}");
    let text = found.to_string();
    assert!(text.contains("units 0 and 1 of 0.weight have equal weights"), "{text}");
}

fn deep(init: Init) -> AnyLayer {
    let net = (0..8).fold(Sequential::new(), |net, _| net.linear(16).tanh());
    AnyLayer::new(net.linear(3)).init(init)
}

#[test]
fn signals_and_gradients_that_vanish_or_explode_are_named_with_the_layers() {
    let found = report(deep(Init::xavier_normal().gain(0.2)));
    let [Verdict::Signals(signals)] = found.verdicts() else { panic!("{found}") };
    assert!(signals.vanishes, "{found}");
    assert_eq!((signals.largest.0.as_str(), signals.smallest.0.as_str()), ("0", "16"));
    assert!(found.to_string().contains("outputs vanish across depth: σ from "), "{found}");

    // A sigmoid's slope is a quarter at most.
    let net = (0..8).fold(Sequential::new(), |net, _| net.linear(16).sigmoid());
    let found = report(AnyLayer::new(net.linear(3)).init(Init::xavier_normal()));
    let [.., Verdict::Gradients(gradients)] = found.verdicts() else { panic!("{found}") };
    assert!(gradients.vanishes && gradients.largest.0 == "16.weight", "{found}");
    assert!(found.to_string().contains("gradients vanish towards the first layers"), "{found}");

    let net = (0..8).fold(Sequential::new(), |net, _| net.linear(16).relu());
    let found = report(AnyLayer::new(net.linear(3)).init(Init::kaiming_normal().gain(6.0)));
    let explodes = |verdict: &Verdict| matches!(verdict, Verdict::Signals(s) if !s.vanishes);
    assert!(found.verdicts().iter().any(explodes), "{found}");

    let found = report(deep(Init::xavier_normal().gain(Gain::Following)));
    assert_eq!(found.verdicts(), [], "{found}");
}

#[test]
fn outputs_that_begin_too_sure_of_themselves_are_named() {
    let last = |gain: f64| {
        let last = AnyLayer::new(layer::Linear::new(3)).init(Init::lecun_normal().gain(gain));
        report(Sequential::new().linear(32).tanh().with(last))
    };
    let found = last(6.0);
    let [Verdict::Loss { loss, baseline }] = found.verdicts() else { panic!("{found}") };
    assert!(*loss > 1.2 * 3.0_f64.ln() && (baseline - 3.0_f64.ln()).abs() < 1e-6, "{found}");
    assert_eq!(last(0.1).verdicts(), []);
}

#[test]
fn dead_units_are_counted() {
    let net = Sequential::new()
        .with(layer::Square)
        .with(Constant { out: 4, value: -1.0 })
        .relu()
        .linear(3);
    let found = report(net);
    let relu = found.layers().iter().find(|layer| layer.kind == "Relu").unwrap();
    assert_eq!(relu.dead, Some(1.0));
    let dead = Verdict::Dead { layer: "2".to_owned(), share: 1.0 };
    assert!(found.verdicts().contains(&dead), "{found}");
    let text = found.to_string();
    assert!(text.contains("0 in every row of the batch: 100.0 % of 2"), "{text}");
    let linear = report(Sequential::new().linear(64).relu().linear(3));
    let share = linear.layers()[1].dead.unwrap();
    assert!(share < 0.2, "{share}");
}

#[test]
fn no_number_is_named_first() {
    let found = report(Sequential::new().linear(4).with(layer::Ln).linear(3));
    let [Verdict::NotFinite { layer, .. }] = found.verdicts() else { panic!("{found}") };
    assert_eq!(layer.as_deref(), Some("1"));
    assert!(found.to_string().contains("the output of 1 has NaN"), "{found}");
}
