//! What the simplest things come to: against numbers computed by hand, recorded so that later runs
//! find them, and without a trace in the trainer.

use trainbook::checks::BaselineScore;
use trainbook::history::Store;
use trainbook::prelude::*;
use trainbook::trainer::TrainerBuilder;

use crate::support::clouds;

fn score<'a>(all: &'a Baselines, name: &str, metric: &str) -> &'a BaselineScore {
    let baseline = all.get(name).unwrap_or_else(|| panic!("{name} is not there"));
    baseline.scores.iter().find(|score| score.metric == metric).unwrap()
}

fn builder(data: &Dataset) -> TrainerBuilder {
    let net = Sequential::new().linear(16).relu().linear(3);
    Trainer::classifier(data, net).seed(4).learning_rate(0.01).batch_size(16).quiet()
}

/// 100 rows of two features, of which the first says the class but for the last of ten; three
/// quarters are of class 0.
fn uneven() -> Dataset {
    let class = |row: usize| u32::from(row.is_multiple_of(4));
    let feature = |row: usize| {
        let sign = if class(row) == 1 { 1.0 } else { -1.0 };
        [sign, (row as f32 * 1.7).sin()]
    };
    let features = (0..100).flat_map(feature).collect();
    let classes = Targets::Classes((0..100).map(class).collect());
    let data = Dataset::from_rows("uneven", 2, features, classes).unwrap();
    data.split(Split::stratified(0.6, 0.4, 0.0), Seed(1)).unwrap()
}

#[test]
fn the_constant_is_what_can_be_said_without_looking() {
    let data = uneven();
    let net = Sequential::new().linear(2);
    let trainer = Trainer::classifier(&data, net).seed(1).quiet().build().unwrap();
    let all = trainer.baselines(BaselineCheck::over(Epochs(1)).seeds(1)).unwrap();
    // Both parts have three of the one for each of the other.
    let entropy = -(0.75_f64 * 0.75_f64.ln() + 0.25 * 0.25_f64.ln());
    let loss = score(&all, "constant", "val_loss").interval.mean;
    assert!((loss - entropy).abs() < 1e-6, "{loss}, not {entropy}");
    assert_eq!(score(&all, "constant", "val_accuracy").interval.mean, 0.75);
    assert!(score(&all, "constant", "val_accuracy").is_larger_better());

    // Where classes count alike, whatever their shares, nothing beats saying the same of each.
    let weight = Some(data.class_weights().unwrap());
    let loss = CrossEntropy { weight, ..CrossEntropy::default() };
    let net = Sequential::new().linear(2);
    let trainer = Trainer::classifier(&data, net).loss(loss).seed(1).quiet().build().unwrap();
    let all = trainer.baselines(BaselineCheck::over(Epochs(1)).seeds(1)).unwrap();
    let loss = score(&all, "constant", "val_loss").interval.mean;
    assert!((loss - 2.0_f64.ln()).abs() < 1e-6, "{loss}");

    // Of values it is the mean, and under the absolute error the median, of the training part.
    let values: Vec<f32> = (0..50).map(|i| (i * i) as f32 / 100.0).collect();
    let data = Dataset::from_rows("squares", 1, vec![1.0; 50], Targets::Values(values.clone()));
    let data = data.unwrap().split(Split::random(0.6, 0.4, 0.0), Seed(2)).unwrap();
    let of = |part: Part| -> Vec<f64> {
        data.part(part).iter().map(|&row| f64::from(values[row])).collect()
    };
    let (train, val) = (of(Part::Train), of(Part::Validation));
    let mean = train.iter().sum::<f64>() / train.len() as f64;
    let mut sorted = train.clone();
    sorted.sort_by(f64::total_cmp);
    let median = (sorted[14] + sorted[15]) / 2.0;
    let n = val.len() as f64;
    let squared = val.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
    let absolute = val.iter().map(|x| (x - median).abs()).sum::<f64>() / n;
    for (loss, expected) in
        [(Loss::mean_squared_error(), squared), (MeanAbsoluteError.into(), absolute)]
    {
        let trainer = Trainer::regressor(&data, Sequential::new().linear(1)).loss(loss).seed(1);
        let all = trainer.quiet().build().unwrap().baselines(Steps(1)).unwrap();
        let found = score(&all, "constant", "val_loss").interval.mean;
        assert!((found - expected).abs() < 1e-4 * expected, "{found}, not {expected}");
    }
}

#[test]
fn what_sees_nothing_is_beaten_by_what_sees() {
    let data = clouds();
    let trainer = builder(&data).build().unwrap();
    let before = trainer.state_hash().unwrap();
    let all = trainer.baselines(Epochs(30)).unwrap();
    assert_eq!(trainer.state_hash().unwrap(), before);
    let names: Vec<&str> = all.all.iter().map(|baseline| baseline.name.as_str()).collect();
    assert_eq!(names, ["constant", "zero_input", "linear", "mlp"]);
    let loss = |name| score(&all, name, "val_loss");
    assert_eq!([loss("constant"), loss("linear")].map(|score| score.seeds.len()), [1, 3]);
    // Without inputs nothing is better than the classes' shares.
    assert!(loss("zero_input").interval.mean > 0.98 * loss("constant").interval.mean, "{all}");
    assert!(loss("linear").interval.mean < 0.9 * loss("constant").interval.mean, "{all}");
    assert!(loss("linear").interval.half > 0.0 && loss("constant").interval.half.is_nan());
    assert!(all.to_string().starts_with("baseline    metric"), "{all}");
    // One seed has no interval, which is NaN.
    let again = trainer.baselines(Epochs(30)).unwrap();
    assert_eq!(format!("{again:?}"), format!("{all:?}"));
}

#[test]
fn later_runs_say_by_how_much_they_beat_them() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let data = clouds();
    let mut trainer = builder(&data).store(&store).build().unwrap();
    let run = trainer.fit(Epochs(1)).unwrap();
    let none = run.against_baselines().unwrap();
    assert!(none.all().is_empty() && none.to_string().contains("no baselines of this data"));

    trainer.baselines(BaselineCheck::over(Epochs(20)).seeds(2)).unwrap();
    assert_eq!(store.query("tags.baseline = 'linear'").unwrap().len(), 2);
    assert_eq!(store.query("tags.baseline like '%'").unwrap().len(), 7);
    // Of several calls the newest counts.
    let short = trainer.baselines(BaselineCheck::over(Epochs(1)).seeds(1)).unwrap();
    let newest = trainer.fit(Epochs(1)).unwrap().against_baselines().unwrap();
    let of = |margins: &Margins, name: &str| {
        margins.all().iter().find(|margin| margin.baseline == name).unwrap().of_baseline
    };
    assert_eq!(of(&newest, "linear"), score(&short, "linear", "val_loss").interval.mean);
    let all = trainer.baselines(BaselineCheck::over(Epochs(20)).seeds(2)).unwrap();
    // As somebody else finds them, in another program.
    let again = Store::open(folder.path()).unwrap();
    let run = builder(&data).store(&again).build().unwrap().fit(Epochs(30)).unwrap();
    let margins = run.against_baselines().unwrap();
    assert_eq!(margins.all().len(), 4 * 2);
    let own = run.evaluate(Part::Validation).unwrap();
    for margin in margins.all() {
        let of = score(&all, &margin.baseline, &margin.metric);
        assert!((margin.of_baseline - of.interval.mean).abs() < 1e-12, "{margin:?}");
        let (value, better) = match margin.metric.as_str() {
            "val_loss" => (own.loss, margin.of_baseline - own.loss),
            _ => (own.accuracy().unwrap(), own.accuracy().unwrap() - margin.of_baseline),
        };
        assert_eq!((margin.of_run, margin.better_by), (value, better));
    }
    assert!(margins.all()[0].is_clear(), "{margins}");
    assert_eq!(all.against(&run).unwrap().to_string(), margins.to_string());

    // Nor are those of another loss.
    let focal = builder(&data).loss(Focal::default()).store(&store).build().unwrap();
    let run = { focal }.fit(Epochs(1)).unwrap();
    assert!(run.against_baselines().unwrap().all().is_empty());

    // Other data are others' baselines.
    let other = uneven();
    let net = Sequential::new().linear(2);
    let run = Trainer::classifier(&other, net).store(&store).quiet().build().unwrap();
    let run = { run }.fit(Epochs(1)).unwrap();
    assert!(run.against_baselines().unwrap().all().is_empty());
}

#[test]
fn texts_and_series_have_theirs_and_what_has_none_says_so() {
    let text = "now is the time for all good people to come to the aid of the party. ".repeat(6);
    let data = Dataset::text_of("a text", &text).characters(8, 2).unwrap();
    let data = data.split(Split::in_order(0.7, 0.3, 0.0), Seed(1)).unwrap();
    let vocabulary = data.vocabulary_size();
    let net = Sequential::new().embedding(vocabulary, 16).gru(16).linear(vocabulary);
    let trainer = Trainer::classifier(&data, net).seed(1).quiet().build().unwrap();
    let all = trainer.baselines(BaselineCheck::over(Epochs(200)).seeds(1)).unwrap();
    // A table of what follows on each character does better than their shares.
    let loss = |name| score(&all, name, "val_loss").interval.mean;
    assert!(loss("linear") < 0.8 * loss("constant"), "{all}");
    assert!(all.left_out.is_empty());

    let series: Vec<f32> = (0..40 * 12).map(|i| (i as f32 * 0.3).sin()).collect();
    let shift = series[..40 * 6].iter().map(|x| x + 1.0).collect();
    let (input, targets) = (Array::f32([40, 2, 6], series), Array::f32([40, 6], shift));
    let data = Dataset::from_arrays("series", input, targets).unwrap();
    let data = data.split(Split::random(0.7, 0.3, 0.0), Seed(1)).unwrap();
    let net = Sequential::new().with(layer::Conv1d::new(1, 3).padding(1));
    let trainer = Trainer::regressor(&data, net).seed(1).quiet().build().unwrap();
    let all = trainer.baselines(BaselineCheck::over(Epochs(2)).seeds(1)).unwrap();
    assert!(all.get("constant").is_some() && all.get("zero_input").is_some(), "{all}");
    assert_eq!(all.left_out.len(), 2);
    assert!(all.to_string().contains("without linear: from samples of shape [2, 6]"), "{all}");
    let unsplit = Dataset::from_rows("few", 1, vec![1.0; 4], Targets::Values(vec![1.0; 4]));
    let trainer = Trainer::regressor(&unsplit.unwrap(), Sequential::new().linear(1)).quiet();
    let error = trainer.build().unwrap().baselines(Epochs(1)).unwrap_err().to_string();
    assert!(error.starts_with("train baselines: there is no validation part"), "{error}");
}
