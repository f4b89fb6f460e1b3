//! What a step is made of: gathered batches, mixed rows, groups, several targets, losses of one's
//! own; and what comes of it.

use std::sync::{Arc, Mutex};

use trainbook::callbacks::schedule::OneCycle;
use trainbook::callbacks::{Direction, Moment};
use trainbook::data::DataError;
use trainbook::optim::Optimizer;
use trainbook::prelude::*;
use trainbook::trainer::TrainerBuilder;

use crate::support::{BATCHES, builder, clouds, counts, name, probe, weight_bits};

fn losses(run: &Run) -> Vec<f64> {
    run.history().iter().map(|row| row.metrics[0].value).collect()
}

#[test]
fn gathered_batches_train_as_one_large_batch_with_its_tail() {
    // 70 rows: four batches of 16 and one of 6, in steps of 48 and 22; or batches of 48 and 22.
    let data = clouds();
    let train = |builder: TrainerBuilder| {
        let mut trainer = builder.with(Clip::global_norm(0.5)).build().unwrap();
        let run = trainer.fit(Epochs(4)).unwrap();
        (counts(trainer.counters()), losses(&run), run.model().weights().0)
    };
    let (counted, found, ours) = train(builder(&data, 3).accumulate(3));
    let (_, expected, theirs) = train(builder(&data, 3).batch_size(48));
    assert_eq!(counted, [4, 4 * BATCHES, 8, 8]);
    for (a, b) in found.iter().zip(&expected) {
        assert!((a - b).abs() < 1e-6, "{found:?}, {expected:?}");
    }
    for (a, b) in ours.iter().flatten().zip(theirs.iter().flatten()) {
        assert!((a - b).abs() < 1e-5, "{a} for {b}");
    }
    let (_, plain, _) = train(builder(&data, 3));
    assert!((plain[3] - expected[3]).abs() > 1e-3, "it makes no difference here");
}

#[test]
fn each_batch_begins_and_each_step_ends_once() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let told = seen.clone();
    let watch = probe(move |moment| {
        let rows = match &*moment {
            Moment::BatchStart(batch) => batch.samples.len(),
            Moment::RawGradients(view) => view.samples.len(),
            Moment::StepEnd(step) => step.samples.len(),
            _ => return Ok(Flow::Continue),
        };
        told.lock().unwrap().push((name(moment), rows));
        Ok(Flow::Continue)
    });
    let mut trainer = builder(&clouds(), 1).accumulate(3).with(watch).build().unwrap();
    trainer.fit(Epochs(1)).unwrap();
    let step = |batches: &[usize]| {
        let rows = batches.iter().sum();
        let ends = ["RawGradients", "StepEnd"].map(|end| (end, rows));
        batches.iter().map(|rows| ("BatchStart", *rows)).chain(ends).collect::<Vec<_>>()
    };
    assert_eq!(*seen.lock().unwrap(), [step(&[16, 16, 16]), step(&[16, 6])].concat());
}

#[test]
fn schedules_and_lengths_count_updates() {
    let rates = Arc::new(Mutex::new(Vec::new()));
    let told = rates.clone();
    let watch = on_step_end(move |step| {
        told.lock().unwrap().push(step.learning_rate);
        Ok(Flow::Continue)
    });
    let schedule = LrSchedule::step(1.0, 1, 0.1);
    let mut trainer =
        builder(&clouds(), 1).accumulate(3).with(schedule).with(watch).build().unwrap();
    trainer.fit(Steps(5)).unwrap();
    assert_eq!(trainer.counters().updates_applied, 5);
    assert_eq!(trainer.counters().epoch, 3);
    let rates = rates.lock().unwrap();
    for (rate, expected) in rates.iter().zip([1.0, 1.0, 0.1, 0.1, 0.01]) {
        assert!((rate - expected).abs() < 1e-12, "{rates:?}");
    }
    let mut every_second = builder(&clouds(), 1).accumulate(3);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let told = seen.clone();
    let watch = on_step_end(move |step| {
        told.lock().unwrap().push(step.counters.updates_attempted);
        Ok(Flow::Continue)
    });
    every_second = every_second.with(every(2, watch));
    every_second.build().unwrap().fit(Steps(5)).unwrap();
    assert_eq!(*seen.lock().unwrap(), [1, 3, 5]);
}

#[test]
fn mixed_rows_train_and_validate_unmixed() {
    // Each feature four times, so that there is something to cut.
    let data = clouds();
    let rows: Vec<usize> = (0..data.len()).collect();
    let rows = data.raw(&rows).unwrap();
    let features = rows.floats().iter().flat_map(|x| [*x; 4]).collect();
    let images = Dataset::from_rows("wide clouds", 16, features, data.targets().unwrap().clone())
        .unwrap()
        .split(Split::stratified(0.7, 0.2, 0.1), Seed(1))
        .unwrap()
        .image(1, 4, 4)
        .unwrap();
    let net = || Sequential::new().flatten().linear(8).relu().linear(3);
    let train = |mix: Option<Mix>, seed| {
        let builder = Trainer::classifier(&images, net()).seed(seed).learning_rate(1e-2).quiet();
        builder.mix(mix).build().unwrap().fit(Epochs(10)).unwrap()
    };
    let plain = train(None, 1);
    for mix in [Mix::mixup(0.4), Mix::cutmix(1.0)] {
        let (run, again) = (train(Some(mix), 1), train(Some(mix), 1));
        assert_eq!(weight_bits(&run), weight_bits(&again));
        assert_ne!(weight_bits(&run), weight_bits(&plain));
        // Mixed rows are harder; whole ones are told apart all the same.
        assert!(losses(&run)[9] > losses(&plain)[9] + 0.02, "{:?}", losses(&run));
        let accuracy = run.evaluate(Part::Validation).unwrap().accuracy().unwrap();
        assert!(accuracy > 0.6, "{mix:?}: {accuracy}");
    }
    let refused = builder(&clouds(), 1).mix(Mix::cutmix(1.0)).build().err().unwrap();
    assert!(refused.to_string().contains("images or series"), "{refused}");
}

#[test]
fn groups_reach_the_trainer_and_its_record() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let train = |groups: Vec<ParameterGroup>| {
        let builder = builder(&clouds(), 1).parameter_groups(groups).store(&store);
        let mut trainer = builder.with(GradientMonitor::new()).build().unwrap();
        let before = trainer.predict_on(&Array::f32([1, 4], vec![1.0; 4])).unwrap();
        (trainer.fit(Epochs(1)).unwrap(), before)
    };
    let group = ParameterGroup::new("0").frozen();
    let (run, _) = train(vec![group.clone()]);
    let (plain, _) = train(Vec::new());
    assert_eq!(run.model().weights().0.len(), 4);
    assert_ne!(weight_bits(&run), weight_bits(&plain));
    let stored = store.run(run.id().unwrap()).unwrap();
    assert_eq!(stored.recipe().unwrap().groups, [group]);
    let error = builder(&clouds(), 1)
        .parameter_groups([ParameterGroup::new("0.weigth").frozen()])
        .build()
        .err()
        .unwrap();
    assert!(error.to_string().contains("the nearest is \"0.weight\""), "{error}");
}

#[test]
fn schedules_reach_the_groups_and_the_optimizer() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let one_cycle = || OneCycle::to(1e-2).cycle_momentum(0.5, 0.95);
    let build = |optimizer: Optimizer, curve: OneCycle, group: Option<LrSchedule>| {
        let groups = [ParameterGroup::new("0"), ParameterGroup::new("*.bias")];
        let builder = builder(&clouds(), 1).store(&store).optimizer(optimizer);
        let builder = builder.parameter_groups(groups).with(LrSchedule::of(curve));
        group.into_iter().fold(builder, TrainerBuilder::with).build()
    };
    let train = |curve, group| {
        let mut trainer = build(AdamW::default().into(), curve, group).unwrap();
        let run = trainer.fit(Epochs(2)).unwrap();
        (weight_bits(&run), store.run(run.id().unwrap()).unwrap().series.clone())
    };
    let body = || LrSchedule::constant(1e-4).for_group("0");
    let (plain, _) = train(OneCycle::to(1e-2), None);
    let (cycled, record) = train(one_cycle(), None);
    let (grouped, both) = train(one_cycle(), Some(body()));
    assert!(plain != cycled && cycled != grouped);
    let momenta: Vec<f64> = record["momentum"].iter().map(|(_, value)| *value).collect();
    assert!((momenta[0] - 0.95).abs() < 1e-12, "{momenta:?}");
    assert!(momenta.iter().copied().fold(1.0, f64::min) < 0.6, "{momenta:?}");
    let rates: Vec<f64> = both["learning_rate/0"].iter().map(|(_, value)| *value).collect();
    assert!(rates.len() == momenta.len() && rates.iter().all(|rate| *rate == 1e-4), "{rates:?}");

    let refused = |optimizer: Optimizer, curve, group| {
        build(optimizer, curve, group).err().unwrap().to_string()
    };
    let error = refused(Adagrad::default().into(), one_cycle(), None);
    assert!(error.contains("adagrad") && error.contains("cycle_momentum"), "{error}");
    let other = LrSchedule::constant(1e-4).for_group("2");
    let error = refused(AdamW::default().into(), one_cycle(), Some(other));
    assert!(error.contains("\"2\"") && error.contains("0, *.bias"), "{error}");
    let fitted = |groups: Vec<ParameterGroup>| {
        let builder = builder(&clouds(), 1).parameter_groups(groups);
        builder.with(LrSchedule::constant(1e-4).for_group("0")).build().err().unwrap().to_string()
    };
    let error = fitted(vec![ParameterGroup::new("*"), ParameterGroup::new("0")]);
    assert!(error.contains("are of groups before it"), "{error}");
    let error = fitted(vec![ParameterGroup::new("0").frozen()]);
    assert!(error.contains("this one is frozen"), "{error}");
    let twice = build(AdamW::default().into(), one_cycle(), Some(LrSchedule::constant(1e-3)));
    assert!(twice.err().unwrap().to_string().contains("LrSchedule"));
}

/// Rows of 3 features with two values, their sum and their product.
fn two_values() -> Dataset {
    let features: Vec<f32> = (0..240).map(|i| ((i * 37 % 23) as f32 - 11.0) / 11.0).collect();
    let values = features.chunks(3).flat_map(|row| [row[0] + row[1], row[0] * row[2]]).collect();
    Dataset::from_arrays("two values", Array::f32([80, 3], features), Array::f32([80, 2], values))
        .unwrap()
        .split(Split::random(0.8, 0.1, 0.1), Seed(1))
        .unwrap()
}

#[test]
fn rows_with_several_values_are_learned() {
    let data = two_values();
    assert_eq!((data.len(), data.targets_per_row()), (80, 2));
    let net = |outputs| Sequential::new().linear(16).tanh().linear(outputs);
    let train = |loss: Loss| {
        let builder = Trainer::regressor(&data, net(2)).seed(1).learning_rate(1e-2).quiet();
        builder.loss(loss).build().unwrap().fit(Epochs(60)).unwrap()
    };
    for loss in [Loss::mean_squared_error(), Loss::huber()] {
        let run = train(loss);
        assert!(run.evaluate(Part::Test).unwrap().loss < 0.02, "{run}");
        assert_eq!(run.predict(&[0.5, -0.25, 1.0], 1).unwrap().len(), 2);
        let error = run.predict_proba(&Array::f32([1, 3], vec![0.0; 3])).unwrap_err().to_string();
        assert!(error.contains("have no probabilities"), "{error}");
    }
    let error = |outputs| {
        let built = Trainer::regressor(&data, net(outputs)).quiet().build();
        let error = built.err().unwrap();
        assert!(matches!(&error, Error::Data(DataError::Refused { .. })), "{error}");
        error.to_string()
    };
    assert!(error(1).contains("the network has one output, and a row has 2 values"));
    assert!(error(3).contains("the network has 3 outputs, and a row has 2 values"));
}

#[test]
fn several_labels_a_row_have_a_probability_each() {
    let data = two_values();
    let signs = match data.targets() {
        Some(Targets::Values(values)) => {
            values.iter().map(|v| f32::from(u8::from(*v > 0.0))).collect()
        }
        _ => panic!("these are values"),
    };
    let rows: Vec<usize> = (0..80).collect();
    let features = data.raw(&rows).unwrap().floats().to_vec();
    let input = Array::f32([80, 3], features);
    let labels = Array::f32([80, 2], signs);
    let data = Dataset::from_arrays("labels", input.clone(), labels)
        .unwrap()
        .split(Split::random(0.8, 0.1, 0.1), Seed(1))
        .unwrap();
    let mut trainer = Trainer::regressor(&data, Sequential::new().linear(24).tanh().linear(2))
        .loss(BinaryCrossEntropy::default())
        .seed(2)
        .learning_rate(2e-2)
        .quiet()
        .build()
        .unwrap();
    let run = trainer.fit(Epochs(60)).unwrap();
    let (logits, chances) = (run.predict_on(&input).unwrap(), run.predict_proba(&input).unwrap());
    assert_eq!(chances.shape, [80, 2]);
    assert_eq!(trainer.predict_proba(&input).unwrap(), chances);
    let Some(Targets::Values(labels)) = data.targets() else { panic!("these are values") };
    let mut right = 0;
    for ((x, p), label) in logits.floats().iter().zip(chances.floats()).zip(labels) {
        assert!((p - 1.0 / (1.0 + (-x).exp())).abs() < 1e-6);
        right += usize::from((*p > 0.5) == (*label > 0.5));
    }
    assert!(right > 145, "{right} of 160");
}

#[test]
fn probabilities_of_classes_add_up_to_one() {
    let data = clouds();
    let mut trainer = builder(&data, 1).build().unwrap();
    let run = trainer.fit(Epochs(5)).unwrap();
    let rows = Array::f32([3, 4], data.raw(&[0]).unwrap().floats().repeat(3));
    let (logits, chances) = (run.predict_on(&rows).unwrap(), run.predict_proba(&rows).unwrap());
    for (x, p) in logits.floats().chunks(3).zip(chances.floats().chunks(3)) {
        assert!((p.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        assert!((p[0] / p[1] - (x[0] - x[1]).exp()).abs() < 1e-4 * (p[0] / p[1]));
    }
    trainer.fit(Epochs(1)).unwrap();
    assert_ne!(trainer.predict_proba(&rows).unwrap(), chances, "the trainer has gone on");
    assert_eq!(run.predict_proba(&rows).unwrap(), chances);
}

#[test]
fn a_loss_of_ones_own_trains_and_is_named_where_it_is_missing() {
    use dfdx::prelude::*;
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let data = two_values();
    let quartic =
        Loss::from_fn("Quartic", TargetKind::Values, |x, y| (x - y).square().square().mean());
    let net = || Sequential::new().linear(16).tanh().linear(2);
    let mut trainer = Trainer::regressor(&data, net())
        .loss(quartic.clone())
        .seed(1)
        .learning_rate(1e-2)
        .quiet()
        .store(&store)
        .build()
        .unwrap();
    let run = trainer.fit(Epochs(30)).unwrap();
    let losses = losses(&run);
    assert!(losses[29] < 0.1 * losses[0], "{losses:?}");
    // Elsewhere the network is there, and the loss is not.
    let stored = store.run(run.id().unwrap()).unwrap();
    let again = stored.load_on(&data, &Kinds::standard()).unwrap();
    let row = [0.1, 0.2, 0.3];
    assert_eq!(again.predict(&row, 1).unwrap(), run.predict(&row, 1).unwrap());
    let error = again.evaluate(Part::Test).unwrap_err().to_string();
    assert!(error.contains("does not have the loss Quartic"), "{error}");
    let trainer = || stored.trainer_on(&data, &Kinds::standard()).unwrap().quiet();
    let error = trainer().build().err().unwrap().to_string();
    assert!(error.contains("the run had the loss Quartic"), "{error}");
    let repeated = trainer().loss(quartic).build().unwrap().fit(Epochs(30)).unwrap();
    assert_eq!(weight_bits(&repeated), weight_bits(&run));
}

#[test]
fn losses_and_targets_that_do_not_fit_are_refused() {
    let says = |builder: TrainerBuilder, part: &str| {
        let error = builder.quiet().build().err().unwrap().to_string();
        assert!(error.contains(part), "{error}");
    };
    let net = || Sequential::new().linear(3);
    says(
        Trainer::classifier(&clouds(), net()).loss(MeanSquaredError),
        "MeanSquaredError needs values",
    );
    says(Trainer::classifier(&two_values(), net()), "CrossEntropy needs classes");
    let per_position = Sequential::new().with(layer::Reshape::new([2, 2])).linear(3);
    says(Trainer::classifier(&clouds(), per_position), "outputs for 2 positions of a row");
    says(builder(&clouds(), 1).accumulate(0), "accumulate");
    says(builder(&clouds(), 1).mix(Mix::mixup(-1.0)), "above 0");
}

#[test]
fn a_dev_run_leaves_no_trace_and_fails_as_the_real_one_would() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let full = |data: &Dataset| {
        builder(data, 1)
            .with(LrSchedule::one_cycle(1e-2))
            .with(Clip::global_norm(0.1))
            .with(EarlyStopping::on("val_loss").patience(1).restore_best())
            .with(Checkpoint::best("val_loss"))
            .store(&store)
    };
    let mut trainer = full(&clouds()).build().unwrap();
    trainer.fit(Epochs(1)).unwrap();
    let before = (trainer.state_hash().unwrap(), trainer.counters());
    let report = trainer.dev_run(2).unwrap();
    assert_eq!((trainer.state_hash().unwrap(), trainer.counters()), before);
    assert_eq!(store.query("seed = 1").unwrap().len(), 1, "it was recorded");
    let text = report.to_string();
    for part in ["train: ", "validation: ", "test: ", "ONNX form: there is one"] {
        assert!(text.contains(part), "{text}");
    }
    assert!(text.contains("20 rows of the validation part"), "{text}");
    let mut twin = full(&clouds()).build().unwrap();
    twin.fit(Epochs(1)).unwrap();
    let (a, b) = (trainer.fit(Epochs(1)).unwrap(), twin.fit(Epochs(1)).unwrap());
    assert_eq!(weight_bits(&a), weight_bits(&b));

    let broken = on_step_end(|_| Err(CallbackError::custom("no such thing")));
    let mut trainer = full(&clouds()).with(broken).build().unwrap();
    let before = trainer.state_hash().unwrap();
    let error = trainer.dev_run(1).unwrap_err().to_string();
    assert!(error.contains("no such thing"), "{error}");
    assert_eq!(trainer.state_hash().unwrap(), before);
}

#[test]
fn a_cut_data_set_says_so_in_its_recipe() {
    let data = clouds().first_rows(8).first_rows(12);
    let parts = [Part::Train, Part::Validation, Part::Test].map(|part| data.part(part).len());
    assert_eq!(parts, [8, 8, 8]);
    assert_eq!(data.recipe().first_rows, Some(8));
    // Fitted on all rows, before or after the cut.
    let standard =
        |data: Dataset| data.normalize(Normalize::standard()).unwrap().fingerprint().unwrap();
    let before =
        clouds().normalize(Normalize::standard()).unwrap().first_rows(8).fingerprint().unwrap();
    assert_eq!(standard(clouds().first_rows(8)).hash, before.hash);
    assert_ne!(data.fingerprint().unwrap().hash, clouds().fingerprint().unwrap().hash);
}

#[test]
fn metrics_of_choice_are_measured_recorded_and_watched() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let data = two_values();
    let net = || Sequential::new().linear(16).tanh().linear(2);
    let build = || {
        Trainer::regressor(&data, net())
            .metric(metric::R2)
            .metric(metric::MeanAbsolute)
            .learning_rate(1e-2)
            .seed(1)
            .quiet()
    };
    let mut trainer = build()
        // Larger is better: nobody has to say it.
        .with(EarlyStopping::on("val_r2").patience(40).restore_best())
        .store(&store)
        .build()
        .unwrap();
    let run = trainer.fit(Epochs(40)).unwrap();
    let names: Vec<&str> = run.history()[0].metrics.iter().map(|m| m.name.as_str()).collect();
    assert_eq!(names, ["train_loss", "val_loss", "val_r2", "val_mae"]);
    let r2: Vec<f64> = run.history().iter().map(|row| row.metrics[2].value).collect();
    let best = r2.iter().copied().fold(f64::MIN, f64::max);
    assert!(best > 0.8, "{r2:?}");
    let judged = run.evaluate(Part::Validation).unwrap();
    assert_eq!(judged.metric("r2"), Some(best), "the best weights are restored");
    assert!(judged.to_string().contains(", r2 0.") && judged.to_string().contains(", mae 0."));
    let stored = store.run(run.id().unwrap()).unwrap();
    let again = stored.load_on(&data, &Kinds::standard()).unwrap();
    assert_eq!(again.evaluate(Part::Validation).unwrap(), judged);
    assert_eq!(again.history(), run.history());
    assert_eq!(store.query("metrics.val_r2.max > 0.8").unwrap().len(), 1);
    let mut repeated =
        stored.trainer_on(&data, &Kinds::standard()).unwrap().quiet().build().unwrap();
    assert_eq!(repeated.fit(Epochs(40)).unwrap().history(), run.history());

    let says = |builder: TrainerBuilder, part: &str| {
        let error = builder.build().err().unwrap().to_string();
        assert!(error.contains(part), "{error}");
    };
    says(build().metric(metric::R2), "there is one of this name");
    says(build().metric(metric::MacroF1), "one of values, as MeanSquaredError is");
    says(builder(&clouds(), 1).metric(metric::TopKAccuracy { k: 4 }), "from 1 to 3");
    says(build().with(EarlyStopping::on("val_r3")), "did you mean \"val_r2\"?");
}

#[test]
fn a_metric_of_ones_own_is_asked_for_where_it_is_missing() {
    #[derive(Debug)]
    struct Constant(f64);
    impl metric::Measure for Constant {
        fn name(&self) -> String {
            "constant".to_owned()
        }
        fn direction(&self) -> Direction {
            Direction::Maximize
        }
        fn takes(&self) -> TargetKind {
            TargetKind::Classes
        }
        fn begin(&self, _: usize) -> Box<dyn metric::Tally> {
            Box::new(Self(self.0))
        }
    }
    impl metric::Tally for Constant {
        fn add(&mut self, _: &[f32], _: &Targets, _: Option<&[f32]>) {}
        fn value(&self) -> f64 {
            self.0
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let data = clouds();
    let own = || Metric::custom(Arc::new(Constant(0.25)));
    let stopping = || EarlyStopping::on("val_constant").patience(2);
    let first = builder(&data, 1).metric(own()).with(stopping()).store(&store);
    let run = first.build().unwrap().fit(Epochs(9)).unwrap();
    assert_eq!((run.epochs(), run.history()[0].metrics[3].value), (3, 0.25));
    let stored = store.run(run.id().unwrap()).unwrap();
    let trainer = || stored.trainer_on(&data, &Kinds::standard()).unwrap().quiet();
    let error = trainer().build().err().unwrap().to_string();
    assert!(error.contains("the run had the metric constant"), "{error}");
    let again = trainer().metric(own()).build().unwrap().fit(Epochs(9)).unwrap();
    assert_eq!(again.history(), run.history());
}

#[test]
fn positions_that_do_not_count_are_not_judged() {
    let ignoring = CrossEntropy { ignore_index: Some(0), ..CrossEntropy::default() };
    let data = clouds();
    let of = |loss: CrossEntropy| {
        let builder = builder(&data, 1).loss(loss).metric(metric::BalancedAccuracy);
        let run = builder.build().unwrap().fit(Epochs(20)).unwrap();
        run.evaluate(Part::Validation).unwrap()
    };
    let (all, some) = (of(CrossEntropy::default()), of(ignoring));
    assert_eq!((all.rows, all.judged), (20, 20));
    assert!(some.rows == 20 && some.judged < 15, "{some:?}");
    assert_eq!(some.metric("accuracy"), some.accuracy());
    assert!(some.accuracy().unwrap() > 0.8, "classes 1 and 2 alone are easy: {some:?}");
}

#[test]
fn a_network_that_sees_what_it_is_to_predict_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("text.txt");
    std::fs::write(&path, "to be or not to be, that is the question. ".repeat(20)).unwrap();
    let text = Dataset::text(&path).unwrap().characters(12, 1).unwrap();
    let characters = text.classes().unwrap();
    let build = |middle: layer::AnyLayer| {
        let net = Sequential::new().embedding(characters, 8).with(middle).linear(characters);
        Trainer::classifier(&text, net).seed(1).quiet().build()
    };
    let block = || layer::TransformerEncoderLayer::new(2, 16);
    for causal in [
        layer::AnyLayer::new(block().causal()),
        layer::AnyLayer::new(layer::Lstm::new(8)),
        layer::AnyLayer::new(layer::LayerNorm::new()),
    ] {
        assert!(build(causal).is_ok());
    }
    for seeing in [
        layer::AnyLayer::new(block()),
        layer::AnyLayer::new(layer::Lstm { bidirectional: true, ..layer::Lstm::new(8) }),
    ] {
        let error = build(seeing).err().unwrap().to_string();
        assert!(error.contains("the network sees what it is to predict"), "{error}");
        assert!(error.contains("at position 0"), "{error}");
    }
}

#[test]
fn metrics_of_the_training_part_are_measured_when_they_are_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let data = clouds();
    let build = || builder(&data, 1).metric(metric::BalancedAccuracy).validate_every(Steps(2));
    let stops = EarlyStopping::on("train_accuracy").patience(2);
    let mut trainer = build().train_metrics().with(stops).store(&store).build().unwrap();
    let run = trainer.fit(Epochs(6)).unwrap();
    let record = store.run(run.id().unwrap()).unwrap();
    let last = &run.history().last().unwrap().metrics;
    let names: Vec<&str> = last.iter().map(|metric| metric.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "train_loss",
            "train_accuracy",
            "train_balanced_accuracy",
            "val_loss",
            "val_accuracy",
            "val_balanced_accuracy"
        ]
    );
    let on_train = run.evaluate(Part::Train).unwrap();
    assert_eq!(Some(last[1].value), on_train.accuracy());
    assert_eq!(Some(last[2].value), on_train.metric("balanced_accuracy"));
    let on_validation = run.evaluate(Part::Validation).unwrap();
    assert_eq!(last[3].value, on_validation.loss);
    // In the middle of an epoch the validation part alone is measured.
    assert!(record.series["val_accuracy"].len() > record.series["train_accuracy"].len());
    assert_eq!(record.series["train_accuracy"].len() as u64, run.epochs());
    // The record brings them back, and who does not ask has none.
    let again = record.trainer_on(&data, &Kinds::standard()).unwrap().quiet();
    let again = again.build().unwrap().fit(Epochs(6)).unwrap();
    assert_eq!(again.history(), run.history());
    let error = build().with(EarlyStopping::on("train_accuracy")).build().err().unwrap();
    assert!(error.to_string().contains("train_accuracy"), "{error}");
}
