//! Batch sizes that are tried, and the loss with which a network begins.

use trainbook::nn::layer::AnyLayer;
use trainbook::prelude::*;

use crate::support::{builder, clouds};

#[test]
fn sizes_go_up_to_the_rows_there_are_and_leave_no_trace() {
    let data = clouds();
    let trainer = builder(&data, 1).build().unwrap();
    let before = trainer.state_hash().unwrap();
    let sizes = trainer.find_batch_size().unwrap();
    assert_eq!(trainer.state_hash().unwrap(), before);
    let rows: Vec<usize> = sizes.tried.iter().map(|size| size.rows).collect();
    assert_eq!(rows, [8, 16, 32, 64, 70][..rows.len()]);
    assert!(rows.len() >= 3, "{sizes}");
    assert_eq!((sizes.largest, sizes.own), (rows[rows.len() - 1], (16, 1e-3)));
    let why = if rows.len() == 5 { "the training part has 70 rows" } else { "won less than 5 %" };
    assert!(sizes.ended.contains(why), "{sizes}");
    let with = builder(&data, 1).accumulate(2).with(LrSchedule::one_cycle(0.02));
    assert_eq!(with.build().unwrap().find_batch_size().unwrap().own, (32, 0.02));
    let best = sizes.tried.iter().map(|size| size.rate()).fold(0.0, f64::max);
    let fastest = sizes.tried.iter().find(|size| size.rows == sizes.fastest).unwrap();
    assert!(fastest.rate() >= 0.95 * best && fastest.seconds > 0.0);
    // What a step holds grows with its rows.
    assert!(sizes.tried.is_sorted_by_key(|size| size.bytes), "{sizes}");
    // The same as the report on memory, but for the batches read ahead.
    let memory = trainer.memory().unwrap();
    let of_16 = sizes.tried[1].bytes.unwrap();
    assert_eq!(of_16, memory.step.total() + memory.batches);
    let text = sizes.to_string();
    assert!(text.contains("by the linear scaling rule the learning rate there is"), "{text}");
}

#[test]
fn the_rule_is_linear() {
    assert_eq!(linear_scaling(0.1, 256, 8192), 3.2);
    assert_eq!(linear_scaling(1e-3, 32, 16), 5e-4);
}

#[test]
fn the_loss_at_start_stands_beside_what_needs_no_look() {
    let data = clouds();
    let trainer = builder(&data, 1).build().unwrap();
    let before = trainer.state_hash().unwrap();
    let start = trainer.loss_at_start().unwrap();
    assert_eq!(trainer.state_hash().unwrap(), before);
    assert!((start.zeros - 3.0_f64.ln()).abs() < 1e-6, "{start}");
    // The entropy of the classes in the training part.
    let Targets::Classes(classes) = data.targets().unwrap() else { panic!("no classes") };
    let train = data.part(Part::Train);
    let share = |class: u32| {
        let of = train.iter().filter(|row| classes[**row] == class).count();
        of as f64 / train.len() as f64
    };
    let entropy: f64 = (0..3).map(|class| -share(class) * share(class).ln()).sum();
    assert!((start.prior - entropy).abs() < 1e-6, "{start}");
    assert!(start.is_sound(), "{start}");

    let last = AnyLayer::new(layer::Linear::new(3)).init(Init::lecun_normal().gain(20.0));
    let net = Sequential::new().linear(32).tanh().with(last);
    let start = Trainer::classifier(&data, net).seed(1).quiet().build().unwrap();
    let start = start.loss_at_start().unwrap();
    assert!(!start.is_sound() && start.to_string().contains("too large"), "{start}");

    let values = Targets::Values((0..40).map(|i| 5_000.0 + (i as f32).sin()).collect());
    let far = Dataset::from_rows("far", 1, (0..40).map(|i| (i as f32).cos()).collect(), values);
    let trainer = Trainer::regressor(&far.unwrap(), Sequential::new().linear(1)).seed(1).quiet();
    let start = trainer.build().unwrap().loss_at_start().unwrap();
    assert!(!start.is_sound() && start.to_string().contains("are not scaled"), "{start}");

    let mut trainer = builder(&data, 1).learning_rate(0.02).build().unwrap();
    trainer.fit(Epochs(30)).unwrap();
    let start = trainer.loss_at_start().unwrap();
    assert!(start.is_sound() && start.is_trained(), "{start}");
    assert!(start.to_string().ends_with("the network has learned from these rows"), "{start}");
}

#[test]
fn the_best_constant_of_each_label_counts_its_own_weight() {
    let labels =
        |row: usize| [f32::from(u8::from(row.is_multiple_of(4))), f32::from(u8::from(row % 5 < 2))];
    let rows = 40;
    let features = (0..rows).map(|row| row as f32 / 40.0).collect();
    let targets = (0..rows).flat_map(labels).collect();
    let data = Dataset::from_arrays(
        "labels",
        Array::f32([rows, 1], features),
        Array::f32([rows, 2], targets),
    )
    .unwrap()
    .split(Split::random(1.0, 0.0, 0.0), Seed(1))
    .unwrap();
    let weights = [3.0, 1.0];
    let loss = BinaryCrossEntropy { pos_weight: Some(weights.map(|w| w as f32).to_vec()) };
    let trainer = Trainer::regressor(&data, Sequential::new().linear(2)).loss(loss).seed(1).quiet();
    let found = trainer.build().unwrap().loss_at_start().unwrap().prior;
    // By trying: w y ln(1 + e⁻ˣ) + (1 − y) ln(1 + eˣ).
    let best = |label: usize| {
        let share = (0..rows).map(|row| f64::from(labels(row)[label])).sum::<f64>() / rows as f64;
        let at =
            |x: f64| weights[label] * share * (-x).exp().ln_1p() + (1.0 - share) * x.exp().ln_1p();
        (-4000..4000).map(|x| at(f64::from(x) / 1000.0)).fold(f64::INFINITY, f64::min)
    };
    let expected = (best(0) + best(1)) / 2.0;
    assert!((found - expected).abs() < 1e-6, "{found}, not {expected}");
}
