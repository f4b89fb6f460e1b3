//! Learning a few rows by heart: sound set-ups pass, broken ones fail with what breaks them named.

use trainbook::checks::{Culprit, GradientFault, Verdict};
use trainbook::nn::layer::AnyLayer;
use trainbook::nn::loss::Objective;
use trainbook::nn::{HostTensor, NnError};
use trainbook::prelude::*;
use trainbook::trainer::TrainerBuilder;

use crate::support::{Constant, clouds, weight_bits};

/// Classes of clouds that lie apart from each other, as images, series or plain rows.
fn mlp() -> Sequential {
    Sequential::new().linear(32).relu().linear(32).relu().linear(3)
}

fn classifier(net: impl Into<Network>) -> TrainerBuilder {
    Trainer::classifier(&clouds(), net).seed(1).quiet()
}

fn waves(scale: f32) -> Dataset {
    let features: Vec<f32> = (0..120).map(|i| (i as f32 * 0.7).sin()).collect();
    let values = features.chunks(3).map(|x| scale * (x[0] * x[1] + x[2])).collect();
    Dataset::from_rows("waves", 3, features, Targets::Values(values)).unwrap()
}

fn regressor(net: impl Into<Network>, scale: f32) -> TrainerBuilder {
    Trainer::regressor(&waves(scale), net).seed(1).quiet()
}

fn narrow() -> Sequential {
    Sequential::new().linear(32).tanh().linear(1)
}

fn check(builder: TrainerBuilder) -> OverfitReport {
    let trainer = builder.build().unwrap();
    let before = trainer.state_hash().unwrap();
    let report = trainer.overfit_check(10).unwrap();
    assert_eq!(trainer.state_hash().unwrap(), before);
    report
}

#[test]
fn sound_setups_pass() {
    let images = || {
        let draws: Vec<f32> = (0..40 * 36).map(|i| ((i * i) as f32 * 0.37).sin()).collect();
        let classes = (0..40).map(|row| row % 2).collect();
        let data = Dataset::from_rows("images", 36, draws, Targets::Classes(classes)).unwrap();
        let net = Sequential::new().conv2d(8, 3).batch_norm().relu().max_pool2d(2).flatten();
        let data = data.image(1, 6, 6).unwrap();
        Trainer::classifier(&data, net.linear(2)).seed(1).quiet()
    };
    let smooth = CrossEntropy { label_smoothing: 0.1, ..CrossEntropy::default() };
    let text = || {
        let text = "the quick brown fox jumps over the lazy dog, and then it sleeps. ".repeat(4);
        let data = Dataset::text_of("a text", &text).characters(8, 3).unwrap();
        let vocabulary = data.vocabulary_size();
        let net = Sequential::new().embedding(vocabulary, 32).gru(64).linear(vocabulary);
        Trainer::classifier(&data, net).seed(1).learning_rate(1e-2).quiet()
    };
    let setups: [(&str, TrainerBuilder); 7] = [
        ("an MLP", classifier(mlp())),
        ("with dropout and label smoothing", {
            let net = Sequential::new().linear(64).relu().dropout(0.3).linear(3);
            classifier(net).loss(smooth)
        }),
        ("values", regressor(narrow(), 1.0).learning_rate(1e-2)),
        ("images", images()),
        ("SGD by a schedule", {
            let sgd = Sgd { momentum: 0.9, ..Sgd::default() };
            classifier(mlp()).optimizer(sgd).with(LrSchedule::one_cycle(0.05))
        }),
        ("mixed precision", classifier(mlp()).precision(Precision::Mixed)),
        ("a text", text()),
    ];
    for (name, builder) in setups {
        let report = check(builder);
        assert!(report.passed, "{name}: {report}");
        assert!(report.culprits.is_empty() && report.loss <= report.target, "{name}: {report}");
        assert!(report.least < report.target && report.target < report.baseline, "{report:?}");
        assert!(report.to_string().starts_with("passed: 10 rows are known by heart after "));
    }
}

/// The mean squared error with the gradient multiplied by a factor.
#[derive(Debug)]
struct Skewed(f32);

impl Objective for Skewed {
    fn name(&self) -> &str {
        "Skewed"
    }

    fn takes(&self) -> TargetKind {
        TargetKind::Values
    }

    fn with_gradient(
        &self,
        outputs: &HostTensor,
        targets: &Targets,
        gradient: &mut [f32],
    ) -> Result<f64, NnError> {
        let loss = MeanSquaredError.with_gradient(outputs, targets, gradient)?;
        gradient.iter_mut().for_each(|g| *g *= self.0);
        Ok(loss)
    }

    fn sum(&self, outputs: &HostTensor, targets: &Targets) -> Result<(f64, f64), NnError> {
        MeanSquaredError.sum(outputs, targets)
    }
}

fn skewed(factor: f32) -> TrainerBuilder {
    regressor(narrow(), 1.0).loss(Loss::custom(std::sync::Arc::new(Skewed(factor))))
}

/// Ten rows that are all the same, each of another class.
fn contradictory() -> Dataset {
    let classes = Targets::Classes((0..10).collect());
    Dataset::from_rows("ten labels", 4, [1.0, -1.0, 0.5, 2.0].repeat(10), classes).unwrap()
}

type Case = (&'static str, TrainerBuilder, fn(&Culprit) -> bool, &'static str);

#[test]
fn broken_setups_fail_with_the_right_culprit_first() {
    let broken: [Case; 15] = [
        (
            "ten labels of equal inputs",
            Trainer::classifier(&contradictory(), Sequential::new().linear(16).relu().linear(10))
                .seed(1)
                .quiet(),
            |c| matches!(c, Culprit::Contradiction { copies: 9, .. }),
            "have the same inputs and other targets",
        ),
        (
            "softmax twice",
            classifier(mlp().softmax()),
            |c| matches!(c, Culprit::Bounded { twice: true, .. }),
            "does itself what this layer does",
        ),
        (
            "a ReLU behind the last layer",
            regressor(narrow().relu(), 1.0),
            |c| matches!(c, Culprit::Bounded { twice: false, range: (0.0, _), .. }),
            "gives numbers not below 0",
        ),
        (
            "a tanh of targets far from 0",
            regressor(narrow().tanh(), 50.0),
            |c| matches!(c, Culprit::Bounded { range: (-1.0, 1.0), .. }),
            "gives numbers from -1 to 1",
        ),
        (
            "loss detached",
            skewed(0.0),
            |c| matches!(c, Culprit::LossGradient(GradientFault::Zero)),
            "gradient is 0 where the loss changes",
        ),
        (
            "loss turned over",
            skewed(-1.0),
            |c| matches!(c, Culprit::LossGradient(GradientFault::Reversed)),
            "points the wrong way",
        ),
        (
            "a rate far too low",
            classifier(mlp()).learning_rate(1e-6),
            |c| matches!(c, Culprit::Rate { passes, .. } if *passes > 1e-5),
            "is too low",
        ),
        (
            "a rate far too high",
            classifier(mlp()).optimizer(Sgd::default()).learning_rate(50.0),
            |c| matches!(c, Culprit::Rate { passes, .. } if *passes < 50.0),
            "is too high",
        ),
        (
            "all but the last bias frozen",
            classifier(mlp()).parameter_groups([
                ParameterGroup::new("0").frozen(),
                ParameterGroup::new("2").frozen(),
                ParameterGroup::new("4.weight").frozen(),
            ]),
            |c| matches!(c, Culprit::Frozen { groups, .. } if groups.len() == 3),
            "parameter groups hold back 0, 2, 4.weight",
        ),
        (
            "a rate of 0 for everything",
            classifier(mlp()).parameter_groups([ParameterGroup::new("*").rate(0.0)]),
            |c| matches!(c, Culprit::Frozen { .. }),
            "parameter groups hold back *",
        ),
        (
            "weight decay that leaves nothing",
            classifier(mlp()).optimizer(AdamW { weight_decay: 300.0, ..AdamW::default() }),
            |c| matches!(c, Culprit::WeightDecay { .. }),
            "holds the weights down",
        ),
        (
            "weights that begin far too small",
            classifier(
                Sequential::new().linear(16).relu().linear(16).relu().linear(16).relu().linear(3),
            )
            .init(Init::truncated_normal().gain(1e-6)),
            |c| matches!(c, Culprit::Weights { .. }),
            "the weights with which it begins",
        ),
        (
            "weights of 0",
            classifier(
                Sequential::new()
                    .with(Constant { out: 8, value: 0.0 })
                    .relu()
                    .with(Constant { out: 3, value: 0.0 }),
            ),
            |c| matches!(c, Culprit::Before(Verdict::ZeroWeights { .. })),
            "is 0 throughout",
        ),
        (
            "ReLUs that are dead",
            classifier(
                Sequential::new()
                    .linear(8)
                    .relu()
                    .with(Constant { out: 8, value: -1.0 })
                    .relu()
                    .linear(3),
            ),
            |c| {
                matches!(
                    c,
                    Culprit::Before(
                        Verdict::Dead { .. }
                            | Verdict::NoGradient { .. }
                            | Verdict::IdenticalUnits { .. }
                    )
                )
            },
            "2.weight",
        ),
        (
            "targets of thousands",
            regressor(narrow(), 5_000.0),
            |c| matches!(c, Culprit::Before(Verdict::Loss { .. })),
            "the targets are not scaled",
        ),
    ];
    let mut first = 0;
    let cases = broken.len();
    for (name, builder, right, says) in broken {
        let report = check(builder);
        assert!(!report.passed, "{name}: {report}");
        let named = report.culprits.iter().position(right);
        println!("{name}: {named:?}\n{report}\n");
        first += usize::from(named == Some(0));
        assert!(named.is_some(), "{name}: {report}");
        assert!(report.to_string().contains(says), "{name}: {report}");
    }
    assert!(first >= cases - 2, "first in {first} of {cases}");
}

#[test]
fn what_cannot_be_asked_is_refused() {
    let same =
        Dataset::from_rows("same", 2, vec![0.5; 40], Targets::Values(vec![3.0; 20])).unwrap();
    let trainer = Trainer::regressor(&same, narrow()).seed(1).quiet().build().unwrap();
    let error = trainer.overfit_check(10).unwrap_err().to_string();
    assert!(error.contains("targets of the rows are all the same"), "{error}");
    let error = classifier(mlp()).build().unwrap().overfit_check(0).unwrap_err().to_string();
    assert_eq!(error, "set rows to 0: it must be at least 1");
}

#[test]
fn rows_are_of_each_class_as_many_and_the_same_each_time() {
    // 90 rows of one class in front of ten of the other.
    let features: Vec<f32> = (0..200).map(|i| (i as f32).sin()).collect();
    let classes = (0..100).map(|row| u32::from(row >= 90)).collect();
    let data = Dataset::from_rows("uneven", 2, features, Targets::Classes(classes)).unwrap();
    let net = Sequential::new().linear(32).tanh().linear(32).tanh().linear(2);
    let trainer = Trainer::classifier(&data, net).seed(1).learning_rate(0.01).quiet();
    let trainer = trainer.build().unwrap();
    let report = trainer.overfit_check(OverfitCheck::rows(8).steps(5)).unwrap();
    assert_eq!(report.rows.iter().filter(|row| **row >= 90).count(), 4, "{:?}", report.rows);
    assert_eq!((report.steps, report.curve.len(), report.passed), (5, 5, false));
    assert_eq!(trainer.overfit_check(OverfitCheck::rows(8).steps(5)).unwrap(), report);
}

#[test]
fn the_trainer_trains_on_as_if_nothing_had_been_asked() {
    let net = || Sequential::new().linear(8).batch_norm().relu().dropout(0.5).linear(3);
    let build = || {
        let sgd = Sgd { momentum: 0.9, ..Sgd::default() };
        classifier(net()).optimizer(sgd).with(LrSchedule::one_cycle(0.03)).build().unwrap()
    };
    let (mut asked, mut untouched) = (build(), build());
    for _ in 0..2 {
        asked.overfit_check(OverfitCheck::rows(10).steps(30)).unwrap();
        let run = asked.fit(Epochs(1)).unwrap();
        assert_eq!(weight_bits(&run), weight_bits(&untouched.fit(Epochs(1)).unwrap()));
    }
}

#[test]
fn a_loss_with_a_wrong_gradient_never_passes_however_well_the_network_begins() {
    // Outputs of about 0 have the loss of targets that are scaled already.
    let last = AnyLayer::new(layer::Linear::new(1)).init(Init::lecun_normal().gain(1e-6));
    let net = || Sequential::new().linear(16).tanh().with(last.clone());
    for factor in [0.0, -1.0] {
        let loss = Loss::custom(std::sync::Arc::new(Skewed(factor)));
        let report = check(regressor(net(), 1.0).loss(loss).learning_rate(1e-6));
        assert!(!report.passed, "{factor}: {report}");
        assert!(matches!(report.culprits[0], Culprit::LossGradient(_)), "{factor}: {report}");
    }
}

#[test]
fn what_knows_nothing_is_said_in_the_losss_own_terms() {
    // Of counts it is the logarithm of their mean, of several values the mean of each.
    let features: Vec<f32> = (0..60).map(|i| (i as f32 * 0.7).sin()).collect();
    let counts: Vec<f32> = (0..20).map(|i| 90.0 + (i % 5) as f32 * 5.0).collect();
    let data = Dataset::from_rows("counts", 3, features.clone(), Targets::Values(counts)).unwrap();
    let trainer = Trainer::regressor(&data, narrow()).loss(PoissonNll).seed(1).quiet();
    let report = trainer.learning_rate(0.02).build().unwrap().overfit_check(10).unwrap();
    // e^x − y·x of x = ln 100: 100 − 100·ln 100, and rows about 100.
    assert!((-400.0..-320.0).contains(&report.baseline), "{report:?}");
    assert!(report.least < report.baseline && report.target < report.baseline, "{report:?}");

    let pairs = (0..20).flat_map(|i| [(i as f32).sin(), 100.0 + (i as f32).cos()]).collect();
    let (input, targets) = (Array::f32([20, 3], features), Array::f32([20, 2], pairs));
    let data = Dataset::from_arrays("pairs", input, targets).unwrap();
    let net = Sequential::new().linear(16).tanh().linear(2);
    let trainer = Trainer::regressor(&data, net).seed(1).quiet().build().unwrap();
    let report = trainer.overfit_check(OverfitCheck::rows(10).steps(1)).unwrap();
    assert!((0.2..1.0).contains(&report.baseline), "{report:?}");
}
