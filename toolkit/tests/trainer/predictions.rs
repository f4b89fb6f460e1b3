//! What callbacks are told of predictions, and the log of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use trainbook::callbacks::{Answer, Moment, RowPrediction};
use trainbook::prelude::*;
use trainbook::random::Stream;

use crate::support::{builder, clouds, probe};

/// All that was logged of predictions, by name.
fn logged(store: &Store, run: &Run) -> BTreeMap<String, Vec<(u64, f64)>> {
    let record = store.run(run.id().unwrap()).unwrap();
    let series = record.series.iter().map(|(name, points)| (name.to_string(), points.clone()));
    series.filter(|(name, _)| name.starts_with("pr")).collect()
}

/// What a callback at the end of the fit's last epoch is told of these rows.
fn told(trainer: trainbook::trainer::TrainerBuilder, rows: &[usize]) -> (Run, Vec<RowPrediction>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (write, rows) = (Arc::clone(&seen), rows.to_vec());
    let look = probe(move |moment| {
        if let Moment::EpochEnd(epoch) = moment {
            *write.lock().unwrap() = epoch.predictions.of(&rows)?;
        }
        Ok(Flow::Continue)
    });
    let run = trainer.with(look).build().unwrap().fit(Epochs(3)).unwrap();
    let seen = seen.lock().unwrap().clone();
    (run, seen)
}

#[test]
fn the_log_says_what_the_network_gives_at_every_validation() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let data = clouds();
    let rows = [data.part(Part::Validation)[0], data.part(Part::Train)[3], 99];
    let mut trainer = builder(&data, 1)
        .learning_rate(1e-2)
        .validate_every(Steps(3))
        .store(&store)
        .with(PredictionLog::of(rows))
        .build()
        .unwrap();
    let run = trainer.fit(Epochs(4)).unwrap();
    let logged = logged(&store, &run);
    assert_eq!(logged.len(), 6, "{logged:?}");
    // Behind every third step, of five in an epoch, and at its end.
    let steps = |name: &str| logged[name].iter().map(|point| point.0).collect::<Vec<_>>();
    assert_eq!(steps(&format!("prediction/{}", rows[0])), [3, 5, 6, 9, 10, 12, 15, 18, 20]);
    let Some(Targets::Classes(classes)) = data.targets() else { panic!("these are classes") };
    let chances = run.predict_proba(&data.raw(&rows).unwrap()).unwrap();
    for (row, chances) in rows.into_iter().zip(chances.floats().chunks(3)) {
        let last = |name: &str| logged[&format!("{name}/{row}")].last().unwrap().1;
        let right = f64::from(chances[classes[row] as usize]);
        assert!((last("probability") - right).abs() < 1e-6, "{row}: {right}");
        let best = (0..3).max_by(|a, b| chances[*a].total_cmp(&chances[*b])).unwrap();
        assert_eq!(last("prediction"), best as f64);
    }
    let shown = run.view().unwrap().html;
    for row in rows {
        assert!(shown.contains(&format!("row {row}")), "{row}");
    }
    assert!(shown.contains("probability of the right class"));
    // Who looks changes nothing.
    let without = builder(&data, 1).learning_rate(1e-2).validate_every(Steps(3));
    let without = without.build().unwrap().fit(Epochs(4)).unwrap();
    assert_eq!(without.weights_sha256(), run.weights_sha256());
    // The record makes it again.
    let again = store.run(run.id().unwrap()).unwrap().trainer_on(&data, &Kinds::standard());
    let again = again.unwrap().store(&store).quiet().build().unwrap().fit(Epochs(4)).unwrap();
    assert_eq!(self::logged(&store, &again), logged);
}

#[test]
fn a_row_that_the_data_have_not_ends_the_fit_before_its_first_step() {
    let data = clouds();
    let mut trainer = builder(&data, 1).with(PredictionLog::of([99, 100])).build().unwrap();
    let error = trainer.fit(Epochs(1)).unwrap_err().to_string();
    assert!(error.contains("PredictionLog") && error.contains("predict row 100"), "{error}");
    assert!(error.contains("the data have 100"), "{error}");
    assert_eq!(trainer.counters().batches_seen, 0);
}

#[test]
fn scaled_targets_are_told_in_their_own_unit() {
    let mut draws = Stream::new(Seed(0), "prices").at(0, 0);
    let features: Vec<f32> = (0..120).map(|_| draws.normal() as f32).collect();
    let prices = features.chunks(2).map(|x| 500.0 + 40.0 * x[0] - 25.0 * x[1]).collect();
    let data = Dataset::from_rows("prices", 2, features, Targets::Values(prices)).unwrap();
    let data = data.split(Split::in_order(0.5, 0.5, 0.0), Seed(1)).unwrap();
    let data = data.scale_targets(TargetScaling::Standard).unwrap();
    let trainer = Trainer::regressor(&data, Sequential::new().linear(1)).seed(1).quiet();
    // More than are predicted at once, one of them twice in a row.
    let rows: Vec<usize> = (0..60).cycle().take(299).chain([58]).collect();
    let (run, told) = told(trainer.learning_rate(0.1), &rows);
    assert_eq!(told.iter().map(|told| told.row).collect::<Vec<_>>(), rows);
    let expected = run.predict_on(&data.raw(&rows).unwrap()).unwrap();
    let Some(Targets::Values(prices)) = data.targets() else { panic!("these are values") };
    for (told, expected) in told.iter().zip(expected.floats()) {
        let Answer::Values { values, targets } = &told.answer else { panic!("{told:?}") };
        assert_eq!(targets[..], [f64::from(prices[told.row])]);
        let off = values[0] - f64::from(*expected);
        assert!(values.len() == 1 && off.abs() < 1e-3, "{told:?}, not {expected}");
        assert!((values[0] - 500.0).abs() < 200.0, "{told:?}");
    }
}

#[test]
fn positions_that_do_not_count_are_left_out_and_labels_have_a_probability_each() {
    // Rows of four positions; of row 5 none counts, of the others the first does not.
    let (mut values, mut classes) = (Vec::new(), Vec::new());
    let mut draws = Stream::new(Seed(0), "sequences").at(0, 0);
    for at in 0..40 * 4 {
        let x = draws.normal();
        values.extend([x as f32, draws.normal() as f32]);
        let ignored = at / 4 == 5 || at % 4 == 0;
        classes.push(if ignored { 2 } else { i64::from(x > 0.0) });
    }
    let input = Array::f32([40, 4, 2], values.clone());
    let data =
        Dataset::from_arrays("sequences", input.clone(), Array::i64([40, 4], classes.clone()));
    let data = data.unwrap();
    let net = Sequential::new().linear(8).relu().linear(3);
    let loss = CrossEntropy { ignore_index: Some(2), ..CrossEntropy::default() };
    let trainer = Trainer::classifier(&data, net).loss(loss).seed(1).quiet();
    let (run, told) = told(trainer, &[5, 7, 7, 5, 6]);
    assert_eq!(told.iter().map(|told| told.row).collect::<Vec<_>>(), [5, 7, 7, 5, 6]);
    let empty = Answer::Classes { probabilities: vec![], targets: vec![] };
    assert!(told[0].answer == empty && told[3].answer == empty);
    assert_eq!(told[1], told[2]);
    let logits = run.predict_on(&input).unwrap();
    for told in [&told[1], &told[4]] {
        let Answer::Classes { probabilities, targets } = &told.answer else { panic!("{told:?}") };
        let from = 4 * told.row + 1;
        let expected = classes[from..from + 3].iter().map(|class| *class as u32);
        assert_eq!(*targets, expected.collect::<Vec<_>>());
        let logits = &logits.floats()[3 * from..3 * (from + 3)];
        let expected = logits.chunks(3).flat_map(metric::probabilities).collect::<Vec<_>>();
        let off = probabilities.iter().zip(&expected).map(|(a, b)| (a - b).abs());
        assert!(probabilities.len() == 9 && off.fold(0.0, f64::max) < 1e-6, "{told:?}");
    }

    let labels = values.iter().map(|x| f32::from(u8::from(*x > 0.0))).collect::<Vec<_>>();
    let (input, labels) = (Array::f32([160, 2], values), Array::f32([160, 2], labels));
    let data = Dataset::from_arrays("labels", input.clone(), labels.clone()).unwrap();
    let trainer = Trainer::regressor(&data, Sequential::new().linear(2)).seed(1).quiet();
    let (run, told) = self::told(trainer.loss(BinaryCrossEntropy::default()), &[30, 31]);
    let expected = run.predict_proba(&input).unwrap();
    for RowPrediction { row, answer } in told {
        let Answer::Labels { probabilities, targets } = answer else { panic!("{answer:?}") };
        let of = |array: &Array| {
            array.floats()[2 * row..2 * row + 2].iter().copied().map(f64::from).collect::<Vec<_>>()
        };
        assert_eq!(targets, of(&labels));
        let off = probabilities.iter().zip(of(&expected)).map(|(a, b)| (a - b).abs());
        assert!(off.fold(0.0, f64::max) < 1e-6, "{row}");
    }
}

#[test]
fn averages_are_judged_where_they_are_in_place() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let data = clouds();
    let average = WeightAverage::ema(0.9);
    let trainer = builder(&data, 1).store(&store).with(PredictionLog::of([0])).with(average);
    let run = trainer.build().unwrap().fit(Epochs(2)).unwrap();
    let plain = builder(&data, 1).store(&store).with(PredictionLog::of([0]));
    let plain = plain.build().unwrap().fit(Epochs(2)).unwrap();
    let (of_average, of_weights) = (logged(&store, &run), logged(&store, &plain));
    assert_ne!(of_average["probability/0"], of_weights["probability/0"]);
    // The fit ends with the averages.
    let Some(Targets::Classes(classes)) = data.targets() else { panic!("these are classes") };
    let chances = run.predict_proba(&data.raw(&[0]).unwrap()).unwrap();
    let right = f64::from(chances.floats()[classes[0] as usize]);
    assert!((of_average["probability/0"][1].1 - right).abs() < 1e-6);
}
