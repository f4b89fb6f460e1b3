//! Schedules against PyTorch's values (`tests/fixtures/schedules.json`, made by
//! `tests/python/make_schedule_fixtures.py`).

use serde_json::Value;

use super::LrSchedule;
use crate::Horizon;
use crate::fake::{Fake, setup_error};

fn horizon(epochs: u64, batches_per_epoch: u64) -> Horizon {
    Horizon {
        epochs,
        batches_per_epoch,
        updates_per_epoch: batches_per_epoch,
        first_update: 0,
        limit: None,
    }
}

fn schedule(case: &Value) -> LrSchedule {
    let number = |key: &str| case[key].as_f64().unwrap();
    let whole = |key: &str| case[key].as_u64().unwrap();
    let schedule = match case["schedule"].as_str().unwrap() {
        "one_cycle" => LrSchedule::one_cycle(number("max_lr")),
        "cosine" => LrSchedule::cosine(number("max_lr")).min_lr(number("min_lr")),
        "step" => LrSchedule::step(number("lr"), whole("every_epochs"), number("gamma")),
        other => panic!("{other}"),
    };
    schedule.warmup(whole("warmup"))
}

#[test]
fn rates_are_those_of_pytorch() {
    let fixture: Value =
        serde_json::from_str(include_str!("../../tests/fixtures/schedules.json")).unwrap();
    let cases = fixture["cases"].as_array().unwrap();
    for kind in ["one_cycle", "cosine", "step"] {
        assert!(cases.iter().any(|c| c["schedule"] == kind), "no case for {kind}");
    }
    for case in cases {
        let schedule = schedule(case);
        let horizon =
            horizon(case["epochs"].as_u64().unwrap(), case["batches_per_epoch"].as_u64().unwrap());
        let rates = case["rates"].as_array().unwrap();
        assert_eq!(rates.len() as u64, horizon.updates());
        for (step, expected) in rates.iter().enumerate() {
            let (ours, expected) =
                (schedule.rate_at(step as u64, horizon), expected.as_f64().unwrap());
            assert!(
                ((ours - expected) / expected).abs() <= 1e-12,
                "{schedule:?} at {step}: {ours} is not {expected}"
            );
        }
    }
}

#[test]
fn every_fit_has_finite_rates_of_at_most_the_peak() {
    let all = [
        LrSchedule::constant(1.0),
        LrSchedule::one_cycle(1.0),
        LrSchedule::cosine(1.0),
        LrSchedule::step(1.0, 2, 0.1),
    ];
    for schedule in all {
        for warmup in [0, 1, 5, 100] {
            let schedule = schedule.clone().warmup(warmup);
            for horizon in [
                horizon(0, 0),
                horizon(0, 3),
                horizon(1, 1),
                horizon(1, 3),
                horizon(2, 5),
                horizon(u64::MAX, 2),
            ] {
                for step in [0, 1, 2, 3, 9, 10, 50, u64::MAX] {
                    let rate = schedule.rate_at(step, horizon);
                    assert!(
                        (0.0..=1.0).contains(&rate),
                        "{schedule:?} at {step} of {horizon:?}: {rate}"
                    );
                }
            }
        }
    }
}

#[test]
fn beyond_the_end_the_rate_stays() {
    let horizon = horizon(2, 5);
    for schedule in
        [LrSchedule::one_cycle(1.0), LrSchedule::cosine(1.0), LrSchedule::step(1.0, 1, 0.1)]
    {
        assert_eq!(schedule.rate_at(10, horizon), schedule.rate_at(9, horizon));
        assert_eq!(schedule.rate_at(1000, horizon), schedule.rate_at(9, horizon));
    }
}

#[test]
fn warmup_rises_to_the_first_rate_of_the_schedule() {
    let rates: Vec<_> = (0..6)
        .map(|step| LrSchedule::constant(1.0).warmup(3).rate_at(step, horizon(1, 6)))
        .collect();
    assert_eq!(rates, [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]);
}

#[test]
fn a_schedule_follows_applied_updates_of_this_fit() {
    let mut fake = Fake::with(vec![
        Box::new(LrSchedule::cosine(1.0)) as Box<dyn crate::Callback>,
        Box::new(crate::NanGuard::new().skip_up_to(1)),
    ])
    .batches(4);
    // An earlier fit applied 40 updates; here the second is skipped, so the third step repeats its
    // rate.
    fake.counters.updates_applied = 40;
    fake.loss = Box::new(|step| if step == 2 { f32::NAN } else { 1.0 });
    fake.fit(1);
    let schedule = LrSchedule::cosine(1.0);
    let expected = [0, 1, 1, 2].map(|step| schedule.rate_at(step, horizon(1, 4)));
    assert_eq!(fake.seen.learning_rates, expected);
}

#[test]
fn a_run_can_be_found_by_its_schedule() {
    let params = crate::Callback::params(&LrSchedule::one_cycle(3e-3).warmup(5));
    assert_eq!(
        params,
        [("schedule", "one_cycle".into()), ("lr", 3e-3.into()), ("warmup", 5_u64.into())]
    );
}

#[test]
fn senseless_settings_are_refused() {
    let table = [
        (LrSchedule::constant(0.0), "lr is 0, and must be a finite number above 0"),
        (LrSchedule::one_cycle(f64::NAN), "max_lr is NaN, and must be a finite number above 0"),
        (LrSchedule::cosine(-1.0), "max_lr is -1, and must be a finite number above 0"),
        (LrSchedule::cosine(1.0).min_lr(2.0), "min_lr is 2, and must be between 0 and max_lr"),
        (
            LrSchedule::one_cycle(1.0).min_lr(0.1),
            "min_lr is 0.1, and must be left out: only cosine has one",
        ),
        (LrSchedule::step(1.0, 0, 0.1), "every_epochs is 0, and must be at least 1"),
        (
            LrSchedule::step(1.0, 1, f64::INFINITY),
            "gamma is inf, and must be a finite number above 0",
        ),
    ];
    for (schedule, message) in table {
        assert_eq!(setup_error(schedule), format!("set up LrSchedule: {message}"));
    }
}
