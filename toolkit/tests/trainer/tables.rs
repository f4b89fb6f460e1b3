//! Tables as people have them, from the raw file to predictions in the targets' own unit.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use trainbook::callbacks::Direction;
use trainbook::data::{DataError, Table};
use trainbook::nn::layer::Kinds;
use trainbook::nn::loss::TargetKind;
use trainbook::onnx::Session;
use trainbook::prelude::*;
use trainbook::random::Stream;
use trainbook::trainer::TrainerBuilder;

/// Flats with a price around 500: `rooms;area;town;note;price`, decimal commas, gaps in the area.
fn flats(rows: u64) -> String {
    let mut text = String::from("rooms;area;town;note;price\n");
    for row in 0..rows {
        let mut draws = Stream::new(Seed(0), "flats").at(0, row);
        let (rooms, area) = (1 + draws.below(5), draws.uniform(20.0, 120.0));
        let (town, worth) =
            [("Ulm", 1.0), ("Köln", 1.3), ("Bad Ems", 0.8)][draws.below(3) as usize];
        let price = 200.0 + worth * (3.0 * area + 40.0 * rooms as f64) + 5.0 * draws.normal();
        let area = if row % 17 == 3 { String::new() } else { format!("{area:.1}") };
        let line = format!("{rooms};{area};{town};\"no; {row}\";{price:.2}");
        writeln!(text, "{}", line.replace('.', ",")).unwrap();
    }
    text
}

fn file(folder: &Path) -> PathBuf {
    let path = folder.join("flats.csv");
    std::fs::write(&path, flats(400)).unwrap();
    path
}

/// The table without its notes.
fn flats_of(path: &Path) -> Table {
    Dataset::csv(path).unwrap().ignore("note").unwrap()
}

/// Prices to be predicted, all on a common scale, and divided.
fn finished(table: Table) -> Dataset {
    let data = table.target_values("price").unwrap();
    let data = data.normalize(Normalize::standard()).unwrap();
    let data = data.scale_targets(TargetScaling::Standard).unwrap();
    data.split(Split::random(0.8, 0.1, 0.1), Seed(4)).unwrap()
}

fn prepared(path: &Path) -> Dataset {
    finished(flats_of(path).missing("area", Missing::Mean.with_indicator()).unwrap())
}

fn trained(data: &Dataset, store: &Store) -> Run {
    let net = Sequential::new().linear(32).relu().linear(1);
    let trainer = Trainer::regressor(data, net).seed(3).batch_size(16).learning_rate(5e-3);
    let trainer = trainer.metric(metric::RootMeanSquare).metric(metric::R2).quiet().store(store);
    trainer.build().unwrap().fit(Epochs(60)).unwrap()
}

#[test]
fn prices_are_predicted_and_judged_in_their_own_unit_here_in_the_store_and_in_onnx() {
    let folder = tempfile::tempdir().unwrap();
    let data = prepared(&file(folder.path()));
    assert_eq!(
        data.feature_names(),
        ["rooms", "area", "area_missing", "town=Bad Ems", "town=Köln", "town=Ulm"]
    );
    let store = Store::open(folder.path().join("store")).unwrap();
    let run = trained(&data, &store);
    let test = run.evaluate(Part::Test).unwrap();
    let (rmse, r2) = (test.metric("rmse").unwrap(), test.metric("r2").unwrap());
    // Prices deviate by 130; the loss is of targets that deviate by 1.
    assert!(rmse > 3.0 && rmse < 45.0, "{test}");
    assert!(test.loss < 0.1 && r2 > 0.9, "{test}");

    // By hand, from what is predicted for the raw rows.
    let rows = data.part(Part::Test);
    let raw = data.raw(rows).unwrap();
    let predicted = run.predict_on(&raw).unwrap();
    let Some(Targets::Values(prices)) = data.targets() else { panic!("prices are values") };
    let squares = rows.iter().zip(predicted.floats()).map(|(&row, p)| (p - prices[row]).powi(2));
    let by_hand = (squares.sum::<f32>() / rows.len() as f32).sqrt();
    assert!((f64::from(by_hand) - rmse).abs() < 1e-3 * rmse, "{by_hand} {rmse}");

    // The file takes the raw features and gives prices; its metadata say how features are made.
    let path = folder.path().join("flats.onnx");
    run.export(&path).unwrap();
    let theirs = Session::open(&path, None).unwrap().predict(raw.floats(), rows.len()).unwrap();
    for (ours, theirs) in predicted.floats().iter().zip(&theirs) {
        assert!((ours - theirs).abs() < 1e-3, "{ours} {theirs}");
    }
    let shown = format!("{:#}", trainbook::onnx::overview(&path).unwrap());
    for key in ["trainbook.encoding", "trainbook.target_scaling", "Bad Ems"] {
        assert!(shown.contains(key), "{key} is not in\n{shown}");
    }

    // Made again from the record alone.
    let stored = store.run(run.id().unwrap()).unwrap();
    let again = stored.load().unwrap();
    assert_eq!(again.evaluate(Part::Test).unwrap(), test);
    let other = stored.load_on(&prepared(&folder.path().join("flats.csv")), &Kinds::standard());
    assert_eq!(other.unwrap().predict_on(&raw).unwrap(), predicted);
}

/// Of features and of targets: in predictions, metrics, the exported file, its check and the store.
#[test]
fn logarithms_are_taken_and_undone_here_in_the_store_and_in_onnx() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path());
    let store = Store::open(folder.path().join("store")).unwrap();
    for (normalize, mask) in [
        (Normalize::log1p_of(["area"]), vec![false, true, false, false, false, false]),
        (Normalize::log1p(), vec![true; 6]),
    ] {
        let table = flats_of(&path).missing("area", Missing::Mean.with_indicator()).unwrap();
        let data = table.target_values("price").unwrap().normalize(normalize.clone()).unwrap();
        let data = data.scale_targets(TargetScaling::Log1p).unwrap();
        let data = data.split(Split::random(0.8, 0.1, 0.1), Seed(4)).unwrap();
        assert_eq!(data.normalization().log1p, mask);
        let run = trained(&data, &store);
        let test = run.evaluate(Part::Test).unwrap();
        let rmse = test.metric("rmse").unwrap();
        // In the prices' unit, around 500, of which the loss knows nothing.
        assert!(rmse > 3.0 && rmse < 60.0 && test.loss < 0.2, "{test}");
        let rows = data.part(Part::Test);
        let raw = data.raw(rows).unwrap();
        let predicted = run.predict_on(&raw).unwrap();
        let Some(Targets::Values(prices)) = data.targets() else { panic!("prices are values") };
        let squares: f32 =
            rows.iter().zip(predicted.floats()).map(|(&row, p)| (p - prices[row]).powi(2)).sum();
        let by_hand = (squares / rows.len() as f32).sqrt();
        assert!((f64::from(by_hand) - rmse).abs() < 1e-3 * rmse, "{by_hand} {rmse}");

        // Proved by ONNX Runtime and the f64 evaluation when it is written, and checked again.
        let path = folder.path().join("flats.onnx");
        let exported = run.export(&path).unwrap();
        assert!(exported.comparison.margin_used <= 1.0);
        let report = trainbook::onnx::check(&path, &Verifier::default()).unwrap();
        let session = Session::open(&path, None).unwrap();
        let theirs = session.predict(raw.floats(), rows.len()).unwrap();
        for (ours, theirs) in predicted.floats().iter().zip(&theirs) {
            assert!((ours - theirs).abs() < 2e-6 * ours.abs().max(500.0), "{ours} {theirs}");
        }
        let json = |key: &str| -> serde_json::Value {
            serde_json::from_str(&report.metadata[key]).unwrap()
        };
        assert_eq!(json("trainbook.normalization")["log1p"], serde_json::json!(mask));
        assert_eq!(json("trainbook.target_scaling")["log1p"], true);

        // What has no logarithm is refused here, and spoils no other row there.
        let mut wrong = raw.floats()[..12].to_vec();
        wrong[7] = -20.0;
        let error = run.predict(&wrong, 2).unwrap_err().to_string();
        assert!(error.contains("feature \"area\" of row 1") && error.contains("-20"), "{error}");
        let theirs = session.predict(&wrong, 2).unwrap();
        assert_eq!(theirs[0], session.predict(&wrong[..6], 1).unwrap()[0]);

        let stored = store.run(run.id().unwrap()).unwrap();
        assert_eq!(stored.recipe().unwrap().data.normalize, normalize);
        let again = stored.load().unwrap();
        assert_eq!(again.evaluate(Part::Test).unwrap(), test);
        assert_eq!(again.predict_on(&raw).unwrap(), predicted);
        let trainer = stored.trainer().unwrap().quiet().build();
        let repeated = trainer.unwrap().fit(Epochs(60)).unwrap();
        assert_eq!(repeated.evaluate(Part::Test).unwrap(), test);
    }
}

#[test]
fn categories_are_learned_as_rows_of_a_table_and_exported_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let table = flats_of(&file(folder.path())).missing("area", Missing::Mean).unwrap();
    let towns = Categories::embedded().unknown(Unknown::Zeros);
    let data = finished(table.categories("town", towns).unwrap());
    assert_eq!(data.category_features(), [(2, 3)]);
    let net = Sequential::new().categorical_embedding(data.category_features());
    let net = net.linear(32).relu().linear(1);
    let store = Store::open(folder.path().join("store")).unwrap();
    let trainer = Trainer::regressor(&data, net).seed(3).batch_size(16).learning_rate(5e-3);
    let trainer = trainer.metric(metric::R2).quiet().store(&store);
    let run = trainer.build().unwrap().fit(Epochs(60)).unwrap();
    let test = run.evaluate(Part::Test).unwrap();
    assert!(test.metric("r2").unwrap() > 0.9, "{test}");

    // Towns are far apart, and one that nobody knows lies among them.
    let encoding = data.encoding().unwrap();
    std::fs::write(
        folder.path().join("new.csv"),
        "rooms;town;area\n3;Bad Ems;90,5\n3;Köln;90,5\n3;Ulm;90,5\n3;Trier;90,5\n",
    )
    .unwrap();
    let rows = encoding.encode(&Dataset::csv(folder.path().join("new.csv")).unwrap()).unwrap();
    let prices = run.predict_on(&rows).unwrap();
    let [ems, koeln, ulm, trier] = prices.floats() else { panic!("four prices") };
    assert!(*ems + 30.0 < *ulm && *ulm + 30.0 < *koeln && trier.is_finite(), "{prices:?}");
    let path = folder.path().join("flats.onnx");
    run.export(&path).unwrap();
    let theirs = Session::open(&path, None).unwrap().predict(rows.floats(), 4).unwrap();
    for (ours, theirs) in prices.floats().iter().zip(&theirs) {
        assert!((ours - theirs).abs() < 1e-2, "{ours} {theirs}");
    }
    let again = store.run(run.id().unwrap()).unwrap().load().unwrap();
    assert_eq!(again.evaluate(Part::Test).unwrap(), test);

    // Of two categories' numbers the mean is another category.
    let net = Sequential::new().categorical_embedding(data.category_features()).linear(1);
    let trainer = Trainer::regressor(&data, net).mix(Mix::mixup(0.2)).quiet();
    let error = trainer.build().err().unwrap().to_string();
    assert!(error.contains("Categories::embedded"), "{error}");
    // Numbers that are no categories are found at the first step.
    let net = Sequential::new().categorical_embedding([(0, 3)]).linear(1);
    let trainer = Trainer::regressor(&data, net).quiet();
    let error = trainer.build().unwrap().fit(Epochs(1)).err().unwrap().to_string();
    assert!(error.contains("CategoricalEmbedding") && error.contains("feature 0"), "{error}");
}

#[test]
fn texts_are_classified_by_their_words() {
    let folder = tempfile::tempdir().unwrap();
    let mut csv = String::from("review,mood\n");
    for row in 0..60_u64 {
        let mut draws = Stream::new(Seed(0), "reviews").at(0, row);
        let (words, mood) =
            [(["fine", "great"], "good"), (["dull", "poor"], "bad")][row as usize % 2];
        let (word, film) = (words[draws.below(2) as usize], draws.below(9));
        writeln!(csv, "\"A {word} film, number {film}.\",{mood}").unwrap();
    }
    let path = folder.path().join("reviews.csv");
    std::fs::write(&path, csv).unwrap();
    let table = Dataset::csv(path).unwrap().words("review", Words::new(9)).unwrap();
    let data = table.target("mood").unwrap();
    let data = data.split(Split::stratified(0.8, 0.1, 0.1), Seed(1)).unwrap();
    let net = |tokens| {
        let net = Sequential::new().with(layer::Embedding::new(tokens, 6).padding_index(0));
        net.position_avg_pool().linear(2)
    };
    let size = data.vocabulary_size();
    let trainer = Trainer::classifier(&data, net(size)).seed(1).learning_rate(0.03).quiet();
    let run = trainer.build().unwrap().fit(Epochs(20)).unwrap();
    assert_eq!(run.evaluate(Part::Test).unwrap().accuracy(), Some(1.0));
    let report = run.report(Part::Test).unwrap();
    assert!(report.worst[0].at.as_ref().unwrap().starts_with("line "), "{report}");
    // The file is compared on texts such as these, with their padding.
    let path = folder.path().join("mood.onnx");
    run.export(&path).unwrap();
    let row = data.raw(&data.part(Part::Test)[..1]).unwrap();
    let theirs = Session::open(&path, None).unwrap().run(std::slice::from_ref(&row)).unwrap();
    let ours = run.predict_on(&row).unwrap();
    let pairs = ours.floats().iter().zip(theirs[0].floats());
    assert!(pairs.into_iter().all(|(a, b)| (a - b).abs() < 1e-5), "{ours:?} {theirs:?}");
    // Made for the words of another split.
    let error = Trainer::classifier(&data, net(size - 1)).quiet().build().err().unwrap();
    let error = error.to_string();
    assert!(error.contains(&format!("index {} is not in its table", size - 1)), "{error}");
    assert!(error.contains("data.vocabulary_size()"), "{error}");
    let error = run.write("a fine", 5, 1.0, Seed(0)).unwrap_err().to_string();
    assert!(error.contains("not trained on a text of characters"), "{error}");
}

#[test]
fn rows_that_count_for_nothing_are_not_learned_and_not_judged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flats.csv");
    // Every fourth price is nonsense, and a quarter of the others counts five times.
    let mut text = String::new();
    for (row, line) in flats(400).lines().enumerate() {
        let (rest, price) = line.rsplit_once(';').unwrap();
        let line = match row {
            0 => format!("{rest};{price};w"),
            row if row % 4 == 0 => format!("{rest};0,0;0"),
            row => format!("{rest};{price};{}", if row % 4 == 1 { 5 } else { 1 }),
        };
        writeln!(text, "{line}").unwrap();
    }
    std::fs::write(&path, text).unwrap();
    let made = |path: &Path| {
        let table = flats_of(path).weights("w").unwrap();
        finished(table.missing("area", Missing::Mean).unwrap())
    };
    let data = made(&path).weigh_rows().unwrap();
    let store = Store::open(folder.path().join("store")).unwrap();
    let run = trained(&data, &store);
    let test = run.evaluate(Part::Test).unwrap();
    let rmse = test.metric("rmse").unwrap();
    assert!(rmse < 45.0, "{test}");
    // By hand.
    let rows = data.part(Part::Test);
    let predicted = run.predict_on(&data.raw(rows).unwrap()).unwrap();
    let Some(Targets::Values(prices)) = data.targets() else { panic!("prices are values") };
    let weights = data.marks().weights.as_ref().unwrap();
    let each = rows.iter().zip(predicted.floats());
    let squares = each.map(|(&row, p)| (weights[row], weights[row] * (p - prices[row]).powi(2)));
    let (total, sum) = squares.fold((0.0, 0.0), |(w, s), (dw, ds)| (w + dw, s + ds));
    let by_hand = f64::from((sum / total).sqrt());
    assert!((by_hand - rmse).abs() < 1e-3 * rmse, "{by_hand} {rmse}");
    let report = run.report(Part::Test).unwrap();
    let worst = &report.worst[0];
    assert_eq!(worst.at, Some(format!("line {}", worst.row + 2)));
    assert!(report.worst.iter().all(|worst| weights[worst.row] > 0.0));
    assert!(test.rows < rows.len() && report.evaluation == test);
    let interval = report.interval("rmse").unwrap();
    assert!(interval.low < rmse && rmse < interval.high && (interval.value - rmse).abs() < 1e-6);
    // From the record alone.
    let stored = store.run(run.id().unwrap()).unwrap();
    assert_eq!(stored.load().unwrap().evaluate(Part::Test).unwrap(), test);
    let again = stored.trainer().unwrap().quiet().build().unwrap().fit(Epochs(60)).unwrap();
    assert_eq!(again.evaluate(Part::Test).unwrap(), test);
    assert!(stored.load_on(&made(&path), &Kinds::standard()).is_err());
    // Without the weights the nonsense is learned.
    let plain = trained(&made(&path), &store).evaluate(Part::Test).unwrap();
    assert!(plain.metric("rmse").unwrap() > 150.0, "{plain}");

    let refused = |trainer: TrainerBuilder| trainer.quiet().build().err().unwrap().to_string();
    let net = || Sequential::new().linear(1);
    let drawn = Trainer::regressor(&data, net()).sampling(Sampling::Weighted);
    let mixed = Trainer::regressor(&data, net()).mix(Mix::mixup(0.2));
    for (error, word) in [(refused(drawn), "drawn"), (refused(mixed), "mixed")] {
        assert!(error.contains("weigh_rows") && error.contains(word), "{error}");
    }
    let near = Metric::of("near", Direction::Maximize, TargetKind::Values, |_, _| 1.0);
    let error = refused(Trainer::regressor(&data, net()).metric(near));
    assert!(error.contains("near") && error.contains("heeds weights"), "{error}");
    // A part of which no row counts.
    for part in [Part::Train, Part::Validation, Part::Test] {
        let mut weights = vec![1.0; data.len()];
        data.part(part).iter().for_each(|&row| weights[row] = 0.0);
        let data = data.clone().weights(weights).unwrap();
        let trainer = Trainer::regressor(&data, net()).quiet();
        let error = match part {
            Part::Test => {
                let run = trainer.build().unwrap().fit(Epochs(1)).unwrap();
                run.evaluate(part).unwrap_err().to_string()
            }
            _ => refused(trainer),
        };
        let expected = format!("no row of the {part} part has a weight above 0");
        assert!(error.contains(&expected), "{error}");
    }
}

#[test]
fn a_report_says_where_a_network_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let data = prepared(&file(folder.path()));
    let store = Store::open(folder.path().join("store")).unwrap();
    let run = trained(&data, &store);
    let report = run.report(Part::Validation).unwrap();
    assert_eq!(report.evaluation, run.evaluate(Part::Validation).unwrap());
    let rmse = report.interval("rmse").unwrap();
    assert!(rmse.low < rmse.value && rmse.value < rmse.high, "{rmse}");
    assert_eq!(Some(rmse.value), report.evaluation.metric("rmse"));
    assert!(report.confusion.is_none() && report.calibration.is_none());
    assert_eq!(report.predictions.len(), data.part(Part::Validation).len());
    let errors: Vec<f64> = report.worst.iter().map(|worst| worst.error).collect();
    assert!(errors.len() == 10 && errors.is_sorted_by(|a, b| a >= b), "{errors:?}");
    let row = report.worst[0].row;
    assert!(data.part(Part::Validation).contains(&row));
    let Some(Targets::Values(prices)) = data.targets() else { panic!("prices are values") };
    let predicted = run.predict_on(&data.raw(&[row]).unwrap()).unwrap().floats()[0];
    assert!((f64::from((predicted - prices[row]).abs()) - errors[0]).abs() < 1e-2);
    let first = data.part(Part::Validation)[0];
    let predicted = run.predict_on(&data.raw(&[first]).unwrap()).unwrap().floats()[0];
    let (x, y) = report.predictions[0];
    assert!((x - f64::from(predicted)).abs() < 1e-2 && (y - f64::from(prices[first])).abs() < 1e-2);
    assert!(report.view().html.contains("<img"));

    // Of classes: the table, the matrix and the probabilities.
    let data = crate::support::clouds();
    let run = crate::support::builder(&data, 1).build().unwrap().fit(Epochs(5)).unwrap();
    let report = run.report(Part::Train).unwrap();
    let confusion = report.confusion.as_ref().unwrap();
    assert_eq!(confusion.total(), 70.0);
    assert_eq!(Some(confusion.accuracy()), report.evaluation.accuracy());
    let bins = &report.calibration.as_ref().unwrap().bins;
    assert_eq!(bins.iter().map(|bin| bin.rows).sum::<f64>(), 70.0);
    let right = bins.iter().filter(|bin| bin.rows > 0.0).map(|bin| bin.accuracy() * bin.rows);
    assert!((right.sum::<f64>() / 70.0 - confusion.accuracy()).abs() < 1e-9);
    let worst = &report.worst[0];
    assert!(worst.error > 0.5 && worst.target != worst.predicted, "{worst:?}");
    let text = report.to_string();
    for words in ["precision", "recall", "calibration error", "the worst rows"] {
        assert!(text.contains(words), "{words} is not in\n{text}");
    }
}

#[test]
fn what_scaled_targets_do_not_fit_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let data = prepared(&file(folder.path()));
    let net = || Sequential::new().linear(1);
    for loss in [Loss::from(PoissonNll), BinaryCrossEntropy::default().into()] {
        let name = loss.name().to_owned();
        let refused = Trainer::regressor(&data, net()).loss(loss).quiet().build();
        let error = refused.err().unwrap().to_string();
        assert!(error.contains(&name) && error.contains("these targets are scaled"), "{error}");
    }
    let classes = crate::support::clouds().scale_targets(TargetScaling::Standard);
    assert!(matches!(classes, Err(DataError::Refused { .. })));
}

#[test]
fn classes_keep_their_names() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("towns.csv");
    std::fs::write(&path, flats(300)).unwrap();
    let data = Dataset::csv(&path)
        .unwrap()
        .ignore(["note", "area"])
        .unwrap()
        .target("town")
        .unwrap()
        .normalize(Normalize::standard())
        .unwrap()
        .split(Split::stratified(0.8, 0.2, 0.0), Seed(1))
        .unwrap();
    assert_eq!(data.class_names(), ["Bad Ems", "Köln", "Ulm"]);
    let net = Sequential::new().linear(8).relu().linear(3);
    let mut trainer = Trainer::classifier(&data, net).seed(1).quiet().build().unwrap();
    let run = trainer.fit(Epochs(2)).unwrap();
    let report = run.report(Part::Validation).unwrap().to_string();
    assert!(report.contains("Bad Ems") && report.contains("Köln"), "{report}");
    let path = folder.path().join("towns.onnx");
    run.export(&path).unwrap();
    let shown = format!("{:#}", trainbook::onnx::overview(&path).unwrap());
    assert!(shown.contains("Köln"), "{shown}");
}

/// Four positions a row: the class is whether the number there is positive, and 2 where it does not
/// count.
fn sequences(ignored: impl Fn(usize, usize) -> bool) -> Dataset {
    let (mut values, mut classes) = (Vec::new(), Vec::new());
    for row in 0..40 {
        let mut draws = Stream::new(Seed(0), "sequences").at(0, row as u64);
        for position in 0..4 {
            let x = draws.normal();
            values.extend([x as f32, draws.normal() as f32]);
            classes.push(if ignored(row, position) { 2 } else { i64::from(x > 0.0) });
        }
    }
    let data = Dataset::from_arrays(
        "sequences",
        Array::f32([40, 4, 2], values),
        Array::i64([40, 4], classes),
    );
    data.unwrap().split(Split::in_order(0.5, 0.5, 0.0), Seed(1)).unwrap()
}

fn of_sequences(data: &Dataset, ignore: Option<i64>) -> Run {
    let net = Sequential::new().linear(8).relu().linear(3);
    let loss = CrossEntropy { ignore_index: ignore, ..CrossEntropy::default() };
    let trainer = Trainer::classifier(data, net).loss(loss).seed(1).quiet();
    trainer.build().unwrap().fit(Epochs(3)).unwrap()
}

#[test]
fn a_report_of_sequences_names_positions_and_draws_rows_whole() {
    // The first position of every row does not count, so that each has three that do.
    let data = sequences(|row, position| position == 0 || (row, position) == (5, 3));
    let run = of_sequences(&data, Some(2));
    let report = run.report(Part::Validation).unwrap();
    assert_eq!(report.evaluation.judged, 60);
    let Some(Targets::Classes(classes)) = data.targets() else { panic!("these are classes") };
    assert_eq!(report.worst.len(), 10);
    for worst in &report.worst {
        assert!(worst.position > 0 && data.part(Part::Validation).contains(&worst.row));
        let logits = run.predict_on(&data.raw(&[worst.row]).unwrap()).unwrap();
        let logits = &logits.floats()[3 * worst.position..][..3];
        let class = classes[4 * worst.row + worst.position];
        assert_eq!(worst.target, class.to_string());
        let error = 1.0 - metric::probability(logits, class as usize);
        assert!((worst.error - error).abs() < 1e-6, "{worst:?}, {error}");
    }
    // Rows are drawn whole: the three positions of each together.
    let rows = data.part(Part::Validation);
    let outputs = run.predict_on(&data.raw(rows).unwrap()).unwrap();
    let counts = |at: &usize| !at.is_multiple_of(4);
    let logits = outputs.floats().chunks(3).enumerate().filter(|(at, _)| counts(at));
    let logits = logits.flat_map(|(_, logits)| logits.to_vec()).collect::<Vec<_>>();
    let targets = rows.iter().flat_map(|row| &classes[4 * row + 1..4 * row + 4]).copied();
    let expected = metric::Bootstrap::new(run.seed()).together(3);
    let expected = expected
        .interval(&metric::Accuracy.into(), &logits, 3, &Targets::Classes(targets.collect()), None)
        .unwrap();
    assert_eq!(report.interval("accuracy").unwrap(), expected);

    // In the training part row 5 has fewer that count, and no interval is right.
    let report = run.report(Part::Train).unwrap();
    assert_eq!((report.evaluation.judged, report.intervals.len()), (59, 0));
    // Where nothing counts there is nothing to report.
    let data = sequences(|row, position| row >= 20 || position == 0);
    let report = of_sequences(&data, Some(2)).report(Part::Validation).unwrap();
    assert!(report.worst.is_empty() && report.intervals.is_empty());
}

#[test]
fn a_report_of_labels_speaks_of_probabilities() {
    let mut draws = Stream::new(Seed(0), "labels").at(0, 0);
    let values: Vec<f32> = (0..60).map(|_| draws.normal() as f32).collect();
    let labels = values.iter().map(|x| f32::from(u8::from(*x > 0.0))).collect();
    let (input, labels) = (Array::f32([30, 2], values), Array::f32([30, 2], labels));
    let data = Dataset::from_arrays("labels", input.clone(), labels.clone()).unwrap();
    let trainer = Trainer::regressor(&data, Sequential::new().linear(2)).seed(1).quiet();
    let trainer = trainer.loss(BinaryCrossEntropy::default());
    let run = trainer.build().unwrap().fit(Epochs(5)).unwrap();
    let report = run.report(Part::Train).unwrap();
    let probabilities = run.predict_proba(&input).unwrap();
    assert_eq!(report.worst.len(), 10);
    for worst in &report.worst {
        let at = 2 * worst.row + worst.position;
        let off = (probabilities.floats()[at] - labels.floats()[at]).abs();
        assert!((worst.error - f64::from(off)).abs() < 1e-6, "{worst:?}, {off}");
    }
    assert!(report.predictions.is_empty() && report.worst.iter().all(|worst| worst.error < 1.0));
}
