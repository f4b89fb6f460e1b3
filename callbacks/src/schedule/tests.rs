//! Schedules against PyTorch's values (`tests/fixtures/schedules.json`, made by
//! `tests/python/make_schedule_fixtures.py`).

use serde_json::Value;

use super::{Anneal, Cyclic, Decay, LrSchedule, Mode, OneCycle, StableDecay};
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
    let max_lr = || number("max_lr");
    let momenta = (case["base_momentum"].as_f64(), case["max_momentum"].as_f64());
    let schedule = match case["schedule"].as_str().unwrap() {
        "one_cycle" => LrSchedule::one_cycle(max_lr()),
        "one_cycle_options" => {
            let mut curve = OneCycle::to(max_lr())
                .pct_start(number("pct_start"))
                .div_factor(number("div_factor"))
                .final_div_factor(number("final_div_factor"));
            if case["anneal"] == "linear" {
                curve = curve.anneal(Anneal::Linear);
            }
            if case["three_phase"] == true {
                curve = curve.three_phase();
            }
            if let (Some(base), Some(max)) = momenta {
                curve = curve.cycle_momentum(base, max);
            }
            LrSchedule::of(curve)
        }
        "cosine" => LrSchedule::cosine(max_lr()),
        "cosine_with_restarts" => {
            LrSchedule::cosine_with_restarts(max_lr(), whole("first_epochs"), whole("factor"))
        }
        "step" => LrSchedule::step(number("lr"), whole("every_epochs"), number("gamma")),
        "multi_step" => {
            let epochs = case["at_epochs"].as_array().unwrap().iter().map(|v| v.as_u64().unwrap());
            LrSchedule::multi_step(number("lr"), epochs.collect::<Vec<_>>(), number("gamma"))
        }
        "exponential" => LrSchedule::exponential(number("lr"), number("gamma")),
        "linear" => LrSchedule::linear(max_lr()),
        "polynomial" => LrSchedule::polynomial(max_lr(), number("power")),
        "cyclic" => {
            let curve = Cyclic::between(number("base_lr"), max_lr()).up(whole("up"));
            let mut curve = case["down"].as_u64().into_iter().fold(curve, Cyclic::down);
            if let (Some(base), Some(max)) = momenta {
                curve = curve.cycle_momentum(base, max);
            }
            LrSchedule::of(curve.mode(match case["mode"].as_str().unwrap() {
                "triangular" => Mode::Triangular,
                "triangular2" => Mode::Triangular2,
                _ => Mode::ExpRange { gamma: number("gamma") },
            }))
        }
        "inverse_sqrt" => {
            let (width, rise) = (number("d_model"), whole("rise"));
            LrSchedule::inverse_sqrt((width * rise as f64).powf(-0.5), rise)
        }
        "warmup_stable_decay" => {
            let curve = StableDecay::at(max_lr()).decay_share(number("decay_share"));
            LrSchedule::of(match case["decay"].as_str().unwrap() {
                "linear" => curve.decay(Decay::Linear),
                _ => curve.decay(Decay::OneMinusSqrt),
            })
        }
        other => panic!("{other}"),
    };
    let min_lr = case["min_lr"].as_f64();
    min_lr.into_iter().fold(schedule, LrSchedule::min_lr).warmup(whole("warmup"))
}

/// Every curve, in every way that it goes.
fn all() -> Vec<LrSchedule> {
    let cyclic = |mode| LrSchedule::of(Cyclic::between(0.1, 1.0).up(2).down(3).mode(mode));
    let one_cycle = OneCycle::to(1.0);
    vec![
        LrSchedule::constant(1.0),
        LrSchedule::one_cycle(1.0),
        LrSchedule::of(one_cycle.clone().pct_start(0.0)),
        LrSchedule::of(one_cycle.clone().pct_start(1.0).anneal(Anneal::Linear)),
        LrSchedule::of(one_cycle.clone().pct_start(0.1)),
        LrSchedule::of(one_cycle.clone().pct_start(0.2).three_phase()),
        LrSchedule::of(one_cycle.pct_start(0.5).three_phase()),
        LrSchedule::cosine(1.0),
        LrSchedule::cosine_with_restarts(1.0, 1, 1),
        LrSchedule::cosine_with_restarts(1.0, 1, u64::MAX),
        LrSchedule::cosine_with_restarts(1.0, u64::MAX, 2).min_lr(0.1),
        LrSchedule::step(1.0, 2, 0.1),
        LrSchedule::multi_step(1.0, [1, 3], 0.1),
        LrSchedule::exponential(1.0, 0.9),
        LrSchedule::linear(1.0).min_lr(0.1),
        LrSchedule::polynomial(1.0, 2.0),
        LrSchedule::cyclic(0.0, 1.0, u64::MAX),
        cyclic(Mode::Triangular),
        cyclic(Mode::Triangular2),
        cyclic(Mode::ExpRange { gamma: 0.9 }),
        LrSchedule::inverse_sqrt(1.0, 3),
        LrSchedule::warmup_stable_decay(1.0, 2),
        LrSchedule::of(StableDecay::at(1.0).decay_share(0.0)),
        LrSchedule::of(StableDecay::at(1.0).decay_share(1.0).decay(Decay::OneMinusSqrt)),
    ]
}

#[test]
fn rates_are_those_of_pytorch() {
    let fixture: Value =
        serde_json::from_str(include_str!("../../tests/fixtures/schedules.json")).unwrap();
    let cases = fixture["cases"].as_array().unwrap();
    for schedule in all() {
        let name = schedule.curve.shape().name();
        let checked = name == "constant" || cases.iter().any(|c| c["schedule"] == name);
        assert!(checked, "no case for {name}");
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
fn momenta_are_those_of_pytorch() {
    let fixture: Value =
        serde_json::from_str(include_str!("../../tests/fixtures/schedules.json")).unwrap();
    let mut cases = 0;
    for case in fixture["cases"].as_array().unwrap() {
        let schedule = schedule(case);
        let whole = |key: &str| case[key].as_u64().unwrap();
        let horizon = horizon(whole("epochs"), whole("batches_per_epoch"));
        let Some(momenta) = case["momenta"].as_array() else {
            assert_eq!(schedule.momentum_at(3, horizon), None);
            continue;
        };
        cases += 1;
        let warmup = whole("warmup");
        assert_eq!(momenta.len() as u64 + warmup, horizon.updates());
        for step in 0..warmup {
            assert_eq!(schedule.momentum_at(step, horizon), momenta[0].as_f64());
        }
        for (step, expected) in momenta.iter().enumerate() {
            let ours = schedule.momentum_at(warmup + step as u64, horizon).unwrap();
            let expected = expected.as_f64().unwrap();
            assert!(
                ((ours - expected) / expected).abs() <= 1e-12,
                "{schedule:?} at {step}: {ours} is not {expected}"
            );
        }
    }
    assert_eq!(cases, 14);
}

#[test]
fn a_schedule_of_a_group_and_momentum_stand_beside_that_of_all_others() {
    let curve = Cyclic::between(0.1, 0.2).up(2).cycle_momentum(0.8, 0.9);
    let mut fake = Fake::with(vec![
        Box::new(LrSchedule::of(curve)) as Box<dyn crate::Callback>,
        Box::new(LrSchedule::linear(1.0).for_group("encoder")),
        Box::new(LrSchedule::constant(0.5).for_group("*.bias")),
    ]);
    fake.fit(1);
    let updates = fake.horizon.updates();
    for (step, settings) in fake.seen.settings.iter().enumerate() {
        let height = [0.0, 0.5, 1.0, 0.5][step % 4];
        assert!((settings.learning_rate - 0.1 - 0.1 * height).abs() < 1e-15);
        assert!((settings.momentum.unwrap() - 0.9 + 0.1 * height).abs() < 1e-15);
        let line = 1.0 - step as f64 / updates as f64;
        assert!((settings.rate_of(Some("encoder")) - line).abs() < 1e-15);
        assert_eq!(settings.rate_of(Some("*.bias")), 0.5);
        assert_eq!(settings.rate_of(Some("head")), settings.learning_rate);
        let logged = |name: &str| {
            let log = &fake.seen.step_logs[step];
            log.iter().filter(|m| m.name == name).map(|m| m.value).collect::<Vec<_>>()
        };
        assert_eq!(logged("momentum"), [settings.momentum.unwrap()]);
        assert_eq!(logged("learning_rate/encoder"), [settings.rate_of(Some("encoder"))]);
    }
    assert_eq!(fake.seen.settings.len() as u64, updates);
}

#[test]
fn momentum_is_of_all_tensors_and_below_1() {
    let one_cycle = |base, max| LrSchedule::of(OneCycle::to(0.1).cycle_momentum(base, max));
    assert!(setup_error(one_cycle(0.8, 0.9).for_group("a")).contains("one momentum for all"));
    assert!(setup_error(one_cycle(0.8, 1.0)).contains("max_momentum"));
    assert!(setup_error(one_cycle(0.9, 0.8)).contains("base_momentum"));
    let cyclic = Cyclic::between(0.1, 0.2).cycle_momentum(-0.1, 0.9);
    assert!(setup_error(LrSchedule::of(cyclic)).contains("base_momentum"));
}

#[test]
fn every_fit_has_finite_rates_of_at_most_the_peak() {
    for schedule in all() {
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
    for schedule in all() {
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
            "min_lr is 0.1, and must be left out: this schedule has none",
        ),
        (LrSchedule::step(1.0, 0, 0.1), "every_epochs is 0, and must be at least 1"),
        (
            LrSchedule::step(1.0, 1, f64::INFINITY),
            "gamma is inf, and must be a finite number above 0",
        ),
        (
            LrSchedule::multi_step(1.0, [1], -0.1),
            "gamma is -0.1, and must be a finite number above 0",
        ),
        (LrSchedule::exponential(0.0, 0.9), "lr is 0, and must be a finite number above 0"),
        (
            LrSchedule::linear(1.0).min_lr(f64::NAN),
            "min_lr is NaN, and must be between 0 and max_lr",
        ),
        (LrSchedule::polynomial(1.0, 0.0), "power is 0, and must be a finite number above 0"),
        (LrSchedule::cosine_with_restarts(1.0, 0, 1), "first_epochs is 0, and must be at least 1"),
        (LrSchedule::cosine_with_restarts(1.0, 1, 0), "factor is 0, and must be at least 1"),
        (LrSchedule::cyclic(2.0, 1.0, 5), "base_lr is 2, and must be between 0 and max_lr"),
        (LrSchedule::cyclic(0.1, 1.0, 0), "up is 0, and must be at least 1"),
        (LrSchedule::of(Cyclic::between(0.1, 1.0).down(0)), "down is 0, and must be at least 1"),
        (
            LrSchedule::of(Cyclic::between(0.1, 1.0).mode(Mode::ExpRange { gamma: 1.5 })),
            "gamma is 1.5, and must be above 0 and at most 1",
        ),
        (
            LrSchedule::of(Cyclic::between(0.1, 1.0).mode(Mode::ExpRange { gamma: 0.0 })),
            "gamma is 0, and must be above 0 and at most 1",
        ),
        (LrSchedule::inverse_sqrt(1.0, 0), "rise is 0, and must be at least 1"),
        (
            LrSchedule::of(StableDecay::at(1.0).decay_share(1.5)),
            "decay_share is 1.5, and must be between 0 and 1",
        ),
        (
            LrSchedule::of(OneCycle::to(1.0).pct_start(1.5)),
            "pct_start is 1.5, and must be between 0 and 1",
        ),
        (
            LrSchedule::of(OneCycle::to(1.0).pct_start(0.6).three_phase()),
            "pct_start is 0.6, and must be between 0 and 0.5 in three phases",
        ),
        (
            LrSchedule::of(OneCycle::to(1.0).div_factor(0.0)),
            "div_factor is 0, and must be a finite number above 0",
        ),
        (
            LrSchedule::of(OneCycle::to(1.0).final_div_factor(f64::NAN)),
            "final_div_factor is NaN, and must be a finite number above 0",
        ),
    ];
    for (schedule, message) in table {
        assert_eq!(setup_error(schedule), format!("set up LrSchedule: {message}"));
    }
}

/// What records of earlier versions hold is read, and written the same.
#[test]
fn the_record_of_the_first_schedules_has_not_changed() {
    let records = [
        (LrSchedule::constant(0.5), r#"{"curve":{"constant":{"lr":0.5}},"warmup":0}"#),
        (
            LrSchedule::one_cycle(0.5).warmup(3),
            r#"{"curve":{"one_cycle":{"max_lr":0.5}},"warmup":3}"#,
        ),
        (
            LrSchedule::cosine(0.5).min_lr(0.25),
            r#"{"curve":{"cosine":{"max_lr":0.5}},"min_lr":0.25,"warmup":0}"#,
        ),
        (
            LrSchedule::step(0.5, 2, 0.25),
            r#"{"curve":{"step":{"lr":0.5,"every_epochs":2,"gamma":0.25}},"warmup":0}"#,
        ),
    ];
    for (schedule, json) in records {
        assert_eq!(serde_json::to_string(&schedule).unwrap(), json);
        let read: LrSchedule = serde_json::from_str(json).unwrap();
        assert_eq!(format!("{read:?}"), format!("{schedule:?}"));
    }
}

#[test]
fn a_schedule_has_one_name_in_queries_and_records() {
    for schedule in all() {
        let record = serde_json::to_value(&schedule).unwrap();
        assert!(record["curve"].get(schedule.curve.shape().name()).is_some(), "{record}");
        let read: LrSchedule = serde_json::from_value(record).unwrap();
        assert_eq!(format!("{read:?}"), format!("{schedule:?}"));
    }
}

#[test]
fn one_cycle_names_its_defaults() {
    let named = OneCycle::to(0.5)
        .pct_start(0.3)
        .div_factor(25.0)
        .final_div_factor(1e4)
        .anneal(Anneal::Cosine);
    let horizon = horizon(3, 7);
    assert_eq!(
        LrSchedule::of(named).preview(horizon, 99),
        LrSchedule::one_cycle(0.5).preview(horizon, 99)
    );
}

#[test]
fn a_preview_is_what_the_fit_uses() {
    for schedule in all() {
        let mut fake = Fake::with(schedule.clone()).batches(5);
        fake.fit(3);
        let preview = schedule.preview(horizon(3, 5), 1000);
        let (steps, rates): (Vec<u64>, Vec<f64>) = preview.into_iter().unzip();
        assert_eq!(steps, (0..15).collect::<Vec<_>>());
        assert_eq!(rates, fake.seen.learning_rates, "{schedule:?}");
    }
}

#[test]
fn a_preview_of_few_points_has_both_ends() {
    let steps = |horizon: Horizon, points| -> Vec<u64> {
        let preview = LrSchedule::linear(1.0).preview(horizon, points);
        preview.iter().for_each(|&(step, rate)| {
            assert_eq!(rate, LrSchedule::linear(1.0).rate_at(step, horizon));
        });
        preview.into_iter().map(|(step, _)| step).collect()
    };
    assert_eq!(steps(horizon(2, 5), 4), [0, 3, 6, 9]);
    assert_eq!(steps(horizon(2, 5), 10), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert_eq!(steps(horizon(2, 5), 1), [0]);
    assert_eq!(steps(horizon(2, 5), 0), [0; 0]);
    assert_eq!(steps(horizon(0, 5), 9), [0; 0]);
    assert_eq!(steps(horizon(u64::MAX, 5), 3), [0, u64::MAX / 2, u64::MAX - 1]);
    let limited = Horizon { limit: Some(3), ..horizon(2, 5) };
    assert_eq!(steps(limited, 9), [0, 1, 2]);
}

/// Every curve with this rate.
fn at(lr: f64) -> Vec<LrSchedule> {
    vec![
        LrSchedule::constant(lr),
        LrSchedule::one_cycle(lr),
        LrSchedule::cosine(lr),
        LrSchedule::cosine_with_restarts(lr, 1, 1),
        LrSchedule::step(lr, 2, 0.1),
        LrSchedule::multi_step(lr, [1, 3], 0.1),
        LrSchedule::exponential(lr, 0.9),
        LrSchedule::linear(lr),
        LrSchedule::polynomial(lr, 2.0),
        LrSchedule::cyclic(0.0, lr, 5),
        LrSchedule::inverse_sqrt(lr, 3),
        LrSchedule::warmup_stable_decay(lr, 2),
    ]
}

#[test]
fn a_run_is_found_by_the_rate_of_any_curve_and_a_rate_below_0_is_refused() {
    for schedule in at(0.375) {
        let params = crate::Callback::params(&schedule);
        assert!(params.contains(&("lr", 0.375.into())), "{params:?}");
    }
    for schedule in at(-0.375) {
        let error = setup_error(schedule);
        assert!(error.contains("lr is -0.375, and must be a finite number above 0"), "{error}");
    }
}

#[test]
fn a_curve_of_the_rate_alone_leaves_the_momentum() {
    for schedule in at(0.1) {
        assert_eq!(schedule.momentum_at(3, horizon(2, 5)), None, "{schedule:?}");
    }
}
