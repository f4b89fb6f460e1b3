//! Reduction on a plateau against PyTorch's (`tests/fixtures/schedules.json`, made by
//! `tests/python/make_schedule_fixtures.py`).

use serde_json::Value;

use super::{ReduceOnPlateau, ThresholdMode};
use crate::fake::{Fake, setup_error};
use crate::{Callback, Direction, LrSchedule, Stack};

fn watch() -> ReduceOnPlateau {
    ReduceOnPlateau::on("val_loss")
}

/// A fit of an epoch for each value, of one step each and one more to see the last rate.
fn fit(plateau: ReduceOnPlateau, lr: f64, values: Vec<f64>) -> Fake {
    let epochs = values.len() as u64 + 1;
    let mut fake = Fake::with(plateau).batches(1);
    fake.settings.learning_rate = lr;
    fake.metrics = Box::new(move |epoch| {
        vec![("val_loss", values.get(epoch as usize).copied().unwrap_or_default())]
    });
    fake.fit(epochs);
    fake
}

#[test]
fn rates_are_those_of_pytorch() {
    let fixture: Value =
        serde_json::from_str(include_str!("../../tests/fixtures/schedules.json")).unwrap();
    let cases = fixture["plateau"].as_array().unwrap();
    assert!(cases.len() >= 10, "only {} cases", cases.len());
    for case in cases {
        let number = |key: &str| case[key].as_f64().unwrap();
        let mut plateau = watch()
            .factor(number("factor"))
            .patience(case["patience"].as_u64().unwrap())
            .threshold(number("threshold"))
            .cooldown(case["cooldown"].as_u64().unwrap())
            .min_lr(number("min_lr"))
            .eps(number("eps"));
        if case["threshold_mode"] == "abs" {
            plateau = plateau.threshold_mode(ThresholdMode::Absolute);
        }
        plateau = if case["mode"] == "max" { plateau.maximize() } else { plateau.minimize() };
        // JSON has neither NaN nor infinity, so they are words.
        let values: Vec<f64> = case["values"]
            .as_array()
            .unwrap()
            .iter()
            .map(|v| v.as_f64().unwrap_or_else(|| v.as_str().unwrap().parse().unwrap()))
            .collect();
        let expected: Vec<f64> =
            case["rates"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
        let fake = fit(plateau, number("lr"), values);
        assert_eq!(fake.seen.error, None);
        let rates = &fake.seen.learning_rates[1..];
        assert_eq!(rates.len(), expected.len());
        for (epoch, (ours, expected)) in rates.iter().zip(&expected).enumerate() {
            assert!(
                ((ours - expected) / expected).abs() <= 1e-12,
                "{case} after epoch {epoch}: {ours} is not {expected}"
            );
        }
    }
}

#[test]
fn defaults_are_those_of_pytorch() {
    let fixture: Value =
        serde_json::from_str(include_str!("../../tests/fixtures/schedules.json")).unwrap();
    let rule = watch().rule;
    let ours = serde_json::json!({
        "factor": rule.factor, "patience": rule.patience, "threshold": rule.threshold,
        "threshold_mode": "rel", "cooldown": rule.cooldown, "min_lr": rule.min_lr, "eps": rule.eps,
    });
    assert_eq!(rule.threshold_mode, ThresholdMode::Relative);
    for (key, value) in fixture["plateau_defaults"].as_object().unwrap() {
        let same = value == &ours[key] || value.as_f64() == ours[key].as_f64();
        assert!(same, "{key} is {}, and PyTorch's {value}", ours[key]);
    }
}

#[test]
fn the_trainer_says_which_way_its_metrics_go() {
    let rates = |plateau: ReduceOnPlateau, direction: Direction| {
        let mut fake = Fake::with(plateau.patience(0)).batches(1);
        fake.metrics = Box::new(|epoch| vec![("val_score", 1.0 + epoch as f64)]);
        fake.directions = Box::new(move |_| direction);
        fake.fit(3);
        fake.seen.learning_rates
    };
    let watch = || ReduceOnPlateau::on("val_score").factor(0.5);
    assert_eq!(rates(watch(), Direction::Maximize), [1.0, 1.0, 1.0]);
    assert_eq!(rates(watch(), Direction::Minimize), [1.0, 1.0, 0.5]);
    assert_eq!(rates(watch().maximize(), Direction::Minimize), [1.0, 1.0, 1.0]);
    assert_eq!(rates(watch().minimize(), Direction::Maximize), [1.0, 1.0, 0.5]);
}

#[test]
fn the_rate_stays_down_in_every_step_and_in_a_fit_that_follows() {
    let mut fake = Fake::with(watch().factor(0.5).patience(1)).batches(2);
    fake.metrics = Box::new(|_| vec![("val_loss", 1.0)]);
    fake.fit(3); // the third epoch is the second bad one
    assert_eq!(fake.seen.learning_rates, [1.0; 6]);
    fake.fit(1);
    assert_eq!(fake.seen.learning_rates[6..], [0.5, 0.5]);
}

#[test]
fn a_warmup_is_that_of_schedules_and_rises_to_what_plateaus_leave() {
    let rates = |callback: Box<dyn Callback>, values: fn(u64) -> f64| {
        let mut fake = Fake::with(callback).batches(2);
        fake.settings.learning_rate = 0.5;
        fake.metrics = Box::new(move |epoch| vec![("val_loss", values(epoch))]);
        fake.fit(2);
        fake.fit(2); // the rise goes on, from the rate that the first fit ended with
        fake.seen.learning_rates
    };
    let improving = |epoch: u64| 9.0 - epoch as f64;
    let mut whole = Fake::with(LrSchedule::constant(0.5).warmup(5)).batches(2);
    whole.fit(4);
    let warm = || watch().patience(0).factor(0.5).warmup(5);
    assert_eq!(rates(Box::new(warm()), improving), whole.seen.learning_rates);
    // The second epoch is bad, and so is the third.
    let rates = rates(Box::new(warm()), |_| 1.0);
    let goals = [0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.125, 0.125];
    for (step, (rate, goal)) in rates.iter().zip(goals).enumerate() {
        let expected = goal * ((step + 1) as f64 / 6.0).min(1.0);
        assert!((rate - expected).abs() < 1e-15, "{rate} at {step} is not {expected}");
    }
}

#[test]
fn a_metric_that_a_callback_logs_can_be_watched() {
    let mut stack = Stack::new();
    stack.push(watch().patience(0).factor(0.5));
    stack.push(crate::on_epoch_end(|epoch| {
        epoch.log.push("own_loss", 1.0);
        Ok(crate::Flow::Continue)
    }));
    stack.push(ReduceOnPlateau::on("own_loss").patience(0).factor(0.5));
    let mut fake = Fake::new(stack).batches(1);
    fake.metrics = Box::new(|_| vec![("val_loss", 1.0)]);
    fake.fit(3);
    assert_eq!((fake.seen.error, fake.seen.learning_rates), (None, vec![1.0, 1.0, 0.25]));
}

#[test]
fn the_rate_has_one_writer() {
    let mut stack = Stack::new();
    stack.push(LrSchedule::constant(0.1));
    stack.push(watch());
    let metrics = [trainbook_store::Name::new("val_loss")];
    let error = stack.plan(&metrics, false).unwrap_err().to_string();
    assert!(error.contains("both write the learning rate"), "{error}");
}

#[test]
fn a_metric_that_is_missing_is_an_error() {
    let mut fake = Fake::with(watch());
    fake.fit(1);
    assert_eq!(
        fake.seen.error.unwrap(),
        "run callback ReduceOnPlateau: \"val_loss\" is no metric of this epoch; monitor one that \
         every epoch has at its end"
    );
}

#[test]
fn senseless_settings_are_refused() {
    let table = [
        (watch().factor(1.0), "factor is 1, and must be above 0 and below 1"),
        (watch().factor(0.0), "factor is 0, and must be above 0 and below 1"),
        (watch().factor(f64::NAN), "factor is NaN, and must be above 0 and below 1"),
        (watch().threshold(-1.0), "threshold is -1, and must be a finite number, at least 0"),
        (watch().threshold(1.0), "threshold is 1, and must be below 1, as a share of the best"),
        (watch().min_lr(f64::INFINITY), "min_lr is inf, and must be a finite number, at least 0"),
        (watch().eps(-1e-8), "eps is -0.00000001, and must be a finite number, at least 0"),
    ];
    for (plateau, message) in table {
        assert_eq!(setup_error(plateau), format!("set up ReduceOnPlateau: {message}"));
    }
    let mut absolute = watch().threshold(2.0).threshold_mode(ThresholdMode::Absolute);
    assert!(absolute.setup(&mut crate::Setup::default()).is_ok());
}

#[test]
fn what_rises_must_rise_by_the_share_and_a_rate_must_fall_by_more_than_eps() {
    // 10 % above 1, 1.1 and so on; 1.05 is a plateau.
    let rises = || watch().maximize().patience(0).threshold(0.1).factor(0.5);
    let values = vec![1.0, 1.2, 1.4, 1.6];
    assert_eq!(fit(rises(), 1.0, values).seen.learning_rates, [1.0; 5]);
    let values = vec![1.0, 1.05, 1.2];
    assert_eq!(fit(rises(), 1.0, values).seen.learning_rates, [1.0, 1.0, 0.5, 0.5]);
    let absolute = rises().threshold_mode(ThresholdMode::Absolute);
    assert_eq!(fit(absolute, 1.0, vec![1.0, 1.05, 1.2]).seen.learning_rates, [1.0, 1.0, 0.5, 0.5]);
    let falls = |eps| fit(watch().patience(0).factor(0.5).eps(eps), 1.0, vec![1.0; 3]);
    assert_eq!(falls(0.5).seen.learning_rates, [1.0; 4], "by exactly eps is not more");
    assert_eq!(falls(0.25).seen.learning_rates, [1.0, 1.0, 0.5, 0.5]);
}
