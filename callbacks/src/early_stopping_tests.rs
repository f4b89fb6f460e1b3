//! Early stopping against tables and against Lightning's rules, written down a second time.

use super::*;
use crate::Stack;
use crate::fake::{Fake, setup_error};

/// A fit whose every epoch has one batch, so that the weights count the epochs.
fn fit(callback: EarlyStopping, values: &[f64]) -> Fake {
    let (epochs, values) = (values.len() as u64, values.to_vec());
    let mut fake = Fake::with(callback).batches(1);
    fake.metrics = Box::new(move |epoch| {
        let value = values.get(epoch as usize).copied().unwrap_or(f64::NAN);
        vec![("val_loss", value), ("val_accuracy", value)]
    });
    fake.fit(epochs);
    fake
}

fn detail(fake: &Fake) -> &str {
    let reason = fake.seen.reason.as_ref().unwrap();
    assert_eq!(reason.by, if reason.kind == StopKind::Completed { "" } else { "EarlyStopping" });
    &reason.detail
}

fn loss() -> EarlyStopping {
    EarlyStopping::on("val_loss")
}

/// The values of a metric, and how the fit with them ends.
type Course = (&'static str, EarlyStopping, &'static [f64], &'static str);

/// By hand, for every option.
fn table() -> Vec<Course> {
    const NAN: f64 = f64::NAN;
    #[rustfmt::skip]
    let table: Vec<Course> = vec![
        ("default patience", loss(), &[3.0, 2.0, 2.0, 2.5, 2.0, 1.0], "val_loss has not improved for 3 checks; best 2.0000 in epoch 2"),
        ("patience 0 is 1", loss().patience(0), &[3.0, 3.0, 1.0], "val_loss has not improved for 1 check; best 3.0000 in epoch 1"),
        ("patience 1", loss().patience(1), &[3.0, 3.0, 1.0], "val_loss has not improved for 1 check; best 3.0000 in epoch 1"),
        ("an improvement begins the wait anew", loss().patience(2), &[3.0, 3.0, 2.0, 3.0, 1.0, 2.0], ""),
        ("a small improvement is none", loss().patience(2).min_delta(0.5), &[3.0, 2.6, 2.5, 0.0], "val_loss has not improved for 2 checks; best 3.0000 in epoch 1"),
        ("accuracy goes up", EarlyStopping::on("val_accuracy").patience(1), &[0.1, 0.2, 0.15, 0.9], "val_accuracy has not improved for 1 check; best 0.2000 in epoch 2"),
        ("unless told", EarlyStopping::on("val_accuracy").minimize().patience(1), &[0.2, 0.1, 0.2], "val_accuracy has not improved for 1 check; best 0.1000 in epoch 2"),
        ("loss told to go up", loss().maximize().patience(1), &[0.2, 0.3, 0.2], "val_loss has not improved for 1 check; best 0.3000 in epoch 2"),
        ("NaN stops", loss(), &[3.0, NAN, 1.0], "val_loss is NaN in epoch 2; best 3.0000 in epoch 1"),
        ("NaN first", loss(), &[NAN, 1.0], "val_loss is NaN in epoch 1; no check was finite before"),
        ("NaN is waited for", loss().check_finite(false).patience(2), &[NAN, 3.0, NAN, NAN, 1.0], "val_loss has not improved for 2 checks; best 3.0000 in epoch 2"),
        ("infinity is never best", loss().check_finite(false), &[f64::NEG_INFINITY, 3.0, 2.0, 1.0], ""),
        ("start later", loss().start_from(2).patience(1), &[0.0, NAN, 3.0, 2.0, 2.5, 0.0], "val_loss has not improved for 1 check; best 2.0000 in epoch 4"),
        ("good enough", loss().stopping_threshold(0.5), &[3.0, 0.5, 0.4, 0.1], "val_loss is 0.4000 in epoch 3, better than 0.5000; best 0.4000 in epoch 3"),
        ("hopeless", loss().divergence_threshold(10.0), &[3.0, 10.0, 11.0, 1.0], "val_loss is 11.0000 in epoch 3, worse than 10.0000; best 3.0000 in epoch 1"),
        ("hopeless upwards", EarlyStopping::on("val_accuracy").divergence_threshold(0.1), &[0.5, 0.05], "val_accuracy is 0.0500 in epoch 2, worse than 0.1000; best 0.5000 in epoch 1"),
        // Keras: improvements above the baseline do not begin the wait anew, but only a check
        // without one stops.
        ("baseline never beaten", loss().baseline(1.0).patience(2), &[5.0, 4.0, 3.0, 3.5, 0.0], "val_loss has not beaten 1.0000 for 4 checks; best 3.0000 in epoch 3"),
        ("baseline beaten", loss().baseline(1.0).patience(2), &[5.0, 0.9, 1.0, 0.8, 1.0], ""),
        ("baseline beaten before", loss().baseline(3.5).patience(2), &[5.0, 3.0, 3.1, 3.2, 0.0], "val_loss has not improved for 2 checks; best 3.0000 in epoch 2"),
        ("baseline upwards", EarlyStopping::on("val_accuracy").baseline(0.9).patience(2), &[0.5, 0.6, 0.55], "val_accuracy has not beaten 0.9000 for 3 checks; best 0.6000 in epoch 2"),
        ("baseline is beaten by min_delta too", loss().baseline(1.0).min_delta(0.5).patience(2), &[0.75, 0.75, 0.0], "val_loss has not beaten 1.0000 for 2 checks; best 0.7500 in epoch 1"),
        ("a plateau", loss().patience(2), &[2.0, 2.0, 2.0, 0.0], "val_loss has not improved for 2 checks; best 2.0000 in epoch 1"),
        ("a plateau above", EarlyStopping::on("val_accuracy").patience(2), &[0.5, 0.5, 0.5, 1.0], "val_accuracy has not improved for 2 checks; best 0.5000 in epoch 1"),
        ("exactly min_delta is none", EarlyStopping::on("val_accuracy").min_delta(0.25).patience(2), &[0.5, 0.625, 0.75, 1.0], "val_accuracy has not improved for 2 checks; best 0.5000 in epoch 1"),
        ("small steps add up", loss().patience(2).min_delta(0.5), &[3.0, 2.6, 2.2, 1.8, 1.5], ""),
        ("NaN to the end", loss().check_finite(false).patience(2), &[NAN, NAN, NAN], "val_loss has not improved for 2 checks; no check was finite before"),
        ("infinity stops", loss(), &[3.0, f64::INFINITY], "val_loss is inf in epoch 2; best 3.0000 in epoch 1"),
        ("infinity is hopeless", loss().check_finite(false).divergence_threshold(10.0), &[1.0, f64::INFINITY], "val_loss is inf in epoch 2, worse than 10.0000; best 1.0000 in epoch 1"),
        ("infinity is good enough", loss().check_finite(false).stopping_threshold(0.5), &[f64::NEG_INFINITY], "val_loss is -inf in epoch 1, better than 0.5000; no check was finite before"),
        ("NaN is neither", loss().check_finite(false).stopping_threshold(0.5).divergence_threshold(10.0), &[NAN, 1.0, NAN], ""),
        ("start after the end", loss().start_from(9).patience(1), &[NAN, 1.0, 2.0, 2.0], ""),
        ("start at once", loss().start_from(1).patience(1), &[0.0, 2.0, 1.0, 1.0], "val_loss has not improved for 1 check; best 1.0000 in epoch 3"),
        ("no stop before 4 epochs", loss().patience(2).min_epochs(4), &[1.0, 2.0, 2.0, 2.0, 0.0], "val_loss has not improved for 3 checks; best 1.0000 in epoch 1"),
        ("a stop at 3 epochs", loss().patience(2).min_epochs(3), &[1.0, 2.0, 2.0, 2.0, 0.0], "val_loss has not improved for 2 checks; best 1.0000 in epoch 1"),
        // Lightning remembered the stop, and died the moment that the epochs were over (#19966).
        ("recovered in time", loss().patience(2).min_epochs(4), &[1.0, 2.0, 2.0, 0.5, 0.75, 0.75, 0.0], "val_loss has not improved for 2 checks; best 0.5000 in epoch 4"),
        ("a NaN of before is forgotten", loss().min_epochs(3), &[NAN, 1.0, 2.0, 2.0], ""),
        ("a NaN that stays is not", loss().min_epochs(3), &[1.0, NAN, NAN, 1.0], "val_loss is NaN in epoch 3; best 1.0000 in epoch 1"),
        ("good enough too early", loss().stopping_threshold(0.5).min_epochs(3), &[0.25, 3.0, 3.0, 0.4, 0.0], "val_loss is 0.4000 in epoch 4, better than 0.5000; best 0.2500 in epoch 1"),
        ("hopeless too early", loss().divergence_threshold(10.0).min_epochs(2), &[11.0, 3.0, 12.0, 0.0], "val_loss is 12.0000 in epoch 3, worse than 10.0000; best 3.0000 in epoch 2"),
        ("later than looked at", loss().start_from(1).min_epochs(4).patience(1), &[0.0, 3.0, 3.0, 3.0, 0.0], "val_loss has not improved for 2 checks; best 3.0000 in epoch 2"),
    ];
    table
}

#[test]
fn tables() {
    for (name, callback, values, expected) in table() {
        let fake = fit(callback, values);
        assert_eq!((detail(&fake), fake.seen.error.as_deref()), (expected, None), "{name}");
    }
}

/// The same courses in the middle of one epoch.
#[test]
fn every_validation_is_a_check() {
    let without_epochs = |text: &str| {
        let mut words: Vec<&str> = text.split_inclusive(' ').collect();
        words.retain(|word| !word.trim_end_matches([' ', ',', ';']).chars().all(char::is_numeric));
        words.concat().replace("in epoch", "")
    };
    let mut courses = 0;
    for (name, callback, values, expected) in table() {
        if callback.rule.start_from + callback.rule.min_epochs > 0 {
            continue; // these are counted in epochs
        }
        let checks = fit(callback.clone(), values).counters.batches_seen;
        let of = values.to_vec();
        let mut fake = Fake::with(callback.restore_best()).batches(values.len() as u64 + 1);
        fake.validate_every = Some(1);
        fake.validations = Box::new(move |batches| {
            let value = of[batches as usize - 1];
            vec![("val_loss", value), ("val_accuracy", value)]
        });
        // The last of an epoch is its end, of which nothing is to come here.
        fake.metrics = Box::new(|_| vec![("val_loss", 1e9), ("val_accuracy", -1e9)]);
        fake.fit(1);
        let reason = fake.seen.reason.as_ref().unwrap();
        if expected.is_empty() {
            assert_eq!(fake.counters.epoch, 1, "{name}: {reason:?}");
        } else {
            assert_eq!(without_epochs(&reason.detail), without_epochs(expected), "{name}");
            assert_eq!(fake.counters.batches_seen, checks, "{name}");
            // One batch a check, so that the weights say which it was.
            let best = expected.rsplit("in epoch ").next().unwrap().parse::<f32>();
            assert_eq!(fake.weights.0, best.unwrap_or(checks as f32), "{name}");
        }
        courses += 1;
    }
    assert!(courses > 25, "{courses}");
}

#[test]
fn epochs_that_cannot_stop_cannot_in_their_middle() {
    let fit = |stopping: EarlyStopping| {
        let mut fake = Fake::with(stopping).batches(4);
        fake.validate_every = Some(2);
        fake.validations = Box::new(|_| vec![("val_loss", 2.0)]);
        fake.metrics = Box::new(|_| vec![("val_loss", 2.0)]);
        fake.fit(5);
        (fake.counters.epoch, fake.counters.batches_seen)
    };
    // The middle of an epoch is no end of one: the third epoch is done when its end is checked.
    assert_eq!(fit(loss().patience(1)), (1, 4));
    assert_eq!(fit(loss().patience(1).min_epochs(3)), (3, 12));
    assert_eq!(fit(loss().patience(2)), (1, 6));
    assert_eq!(fit(loss().patience(1).start_from(2)), (3, 12));
    // What only whole epochs have is looked at there.
    let mut fake = Fake::with(EarlyStopping::on("train_loss").patience(1)).batches(4);
    fake.validate_every = Some(1);
    fake.validations = Box::new(|_| vec![("val_loss", 2.0)]);
    fake.metrics = Box::new(|_| vec![("train_loss", 2.0)]);
    fake.fit(5);
    assert_eq!(fake.counters.epoch, 2);
}

/// What is waited for, and what is best, is not lost where a fit is interrupted.
#[test]
fn a_course_that_is_interrupted_anywhere_ends_as_it_would_have() {
    let mut interrupted = 0;
    for (name, callback, values, expected) in table() {
        let callback = callback.restore_best();
        let whole = fit(callback.clone(), values);
        for done in 1..whole.counters.epoch {
            let fresh = || {
                let mut fake = Fake::with(callback.clone()).batches(1);
                fake.metrics = Box::new(|epoch| {
                    let value = values[epoch as usize];
                    vec![("val_loss", value), ("val_accuracy", value)]
                });
                fake
            };
            let mut first = fresh();
            first.fit_start(values.len() as u64).unwrap();
            (0..done).for_each(|_| assert_eq!(first.epoch(), Ok(None), "{name}"));
            let saved = first.stack.save().unwrap();
            let mut second = fresh();
            (second.counters, second.horizon) = (first.counters, first.horizon);
            second.weights = first.weights.clone();
            let mut end = second.resume(&saved);
            for _ in done..values.len() as u64 {
                if end == Ok(None) {
                    end = second.epoch();
                }
            }
            second.fit_end(end);
            assert_eq!(detail(&second), expected, "{name} after {done} epochs");
            assert_eq!(second.counters, whole.counters, "{name} after {done} epochs");
            assert_eq!(second.weights, whole.weights, "{name} after {done} epochs");
            interrupted += 1;
        }
    }
    assert!(interrupted > 80, "only {interrupted} were interrupted");
}

#[test]
fn the_best_of_the_epochs_that_cannot_stop_is_kept() {
    let stopping = loss().patience(1).min_epochs(4).restore_best();
    assert_eq!(fit(stopping, &[3.0, 1.0, 2.0, 2.0, 0.0]).weights.0, 2.0);
}

#[test]
fn what_is_recorded_without_minimum_epochs_is_as_it_always_was() {
    let json = |stopping: EarlyStopping| serde_json::to_value(stopping).unwrap();
    let old = json(loss());
    assert!(old.get("min_epochs").is_none(), "{old}");
    let read: EarlyStopping = serde_json::from_value(old.clone()).unwrap();
    assert_eq!((read.rule.min_epochs, json(read)), (0, old));
    let new = json(loss().min_epochs(3));
    assert_eq!(new["min_epochs"], 3);
    let read: EarlyStopping = serde_json::from_value(new).unwrap();
    assert_eq!(read.rule.min_epochs, 3);
}

#[test]
fn a_metric_of_steps_is_refused_before_the_first_one() {
    for metric in ["gradient_norm", "gradient_max/0.weight", "clipped", "loss_scale", "mine"] {
        let mut stack = Stack::new();
        stack.push(EarlyStopping::on(metric));
        stack.push(crate::GradientMonitor::new());
        stack.push(crate::LossScaleMonitor::new());
        stack.push(crate::Clip::global_norm(1.0));
        stack.push(crate::on_step_end(|_| Ok(Flow::Continue)).logs("mine"));
        let error = stack.plan(&[], false).unwrap_err().to_string();
        let begins = format!("plan the callbacks: EarlyStopping monitors {metric:?} at the end of");
        assert!(error.starts_with(&begins), "{error}");
    }
    let mut stack = Stack::new();
    stack.push(EarlyStopping::on("clipped_share"));
    stack.push(crate::Clip::global_norm(1.0));
    assert!(stack.plan(&[], false).is_ok());
}

/// Lightning 2.x, `EarlyStopping._evaluate_stopping_criteria`, with `min_delta` and the signs
/// folded in as there; returns the check (from 0) that stops and the wait counts.
fn lightning(
    values: &[f64],
    maximize: bool,
    patience: u64,
    min_delta: f64,
    thresholds: (Option<f64>, Option<f64>),
) -> (Option<usize>, Vec<u64>) {
    let op = |a: f64, b: f64| if maximize { a > b } else { a < b };
    let min_delta = if maximize { min_delta } else { -min_delta };
    let mut best = if maximize { f64::NEG_INFINITY } else { f64::INFINITY };
    let (mut wait, mut waits) = (0, Vec::new());
    for (i, &current) in values.iter().enumerate() {
        let mut stop = false;
        if !current.is_finite()
            || thresholds.0.is_some_and(|t| op(current, t))
            || thresholds.1.is_some_and(|t| op(-current, -t))
        {
            stop = true;
        } else if op(current - min_delta, best) {
            best = current;
            wait = 0;
        } else {
            wait += 1;
            stop = wait >= patience;
        }
        waits.push(wait);
        if stop {
            return (Some(i), waits);
        }
    }
    (None, waits)
}

#[test]
fn every_short_course_ends_where_lightning_ends_it() {
    // All courses of five values out of {0, 1, 2, 3, NaN}: 3,125 for each rule.
    let levels = [0.0, 1.0, 2.0, 3.0, f64::NAN];
    let thresholds = [(None, None), (Some(0.5), None), (None, Some(2.5)), (Some(0.5), Some(2.5))];
    for course in 0..5_usize.pow(5) {
        let values: Vec<f64> = (0..5).map(|i| levels[course / 5_usize.pow(i) % 5]).collect();
        for (patience, min_delta) in [(1, 0.0), (2, 0.0), (3, 1.0)] {
            for maximize in [false, true] {
                for (low, high) in thresholds {
                    // For a metric that goes up, the good end is the high one.
                    let (good, bad) = if maximize { (high, low) } else { (low, high) };
                    let mut ours = loss().patience(patience).min_delta(min_delta);
                    ours.rule.monitor.mode =
                        if maximize { Direction::Maximize } else { Direction::Minimize };
                    (ours.rule.stopping_threshold, ours.rule.divergence_threshold) = (good, bad);
                    let (mut track, mut waits) = (Track::default(), Vec::new());
                    let stop = values.iter().position(|&value| {
                        let check = ours.rule.check(&mut track, waits.len() as u64 + 1, value);
                        waits.push(track.wait);
                        check.stop.is_some()
                    });
                    let expected = lightning(&values, maximize, patience, min_delta, (good, bad));
                    assert_eq!(
                        (stop, waits),
                        expected,
                        "{values:?} maximize {maximize} {:?}",
                        ours.rule
                    );
                }
            }
        }
    }
}

#[test]
fn the_best_weights_come_back_however_the_fit_ends() {
    // Stopped, completed, stopped by NaN, reached the threshold: the weights count the epochs.
    let table: &[(EarlyStopping, &[f64], f32)] = &[
        (loss().patience(2), &[3.0, 1.0, 2.0, 2.0, 0.0], 2.0),
        (loss().patience(9), &[3.0, 1.0, 2.0], 2.0),
        (loss(), &[3.0, 1.0, f64::NAN], 2.0),
        (loss().stopping_threshold(0.5), &[3.0, 1.0, 0.1, 9.0], 3.0),
        (loss().divergence_threshold(5.0), &[3.0, 9.0], 1.0),
    ];
    for (callback, values, kept) in table {
        assert_eq!(fit(callback.clone().restore_best(), values).weights.0, *kept, "{values:?}");
    }
    assert_eq!(fit(loss().patience(2), &[3.0, 1.0, 2.0, 2.0]).weights.0, 4.0, "not asked for");
    assert_eq!(
        fit(loss().restore_best().check_finite(false), &[f64::NAN, f64::NAN]).weights.0,
        2.0,
        "nothing improved"
    );
}

#[test]
fn the_best_weights_come_back_after_an_error() {
    let mut stack = Stack::new();
    stack.push(loss().restore_best());
    stack.push(crate::on_epoch_end(|epoch| match epoch.counters.epoch {
        2 => Err(CallbackError::custom("no more")),
        _ => Ok(Flow::Continue),
    }));
    let mut fake = Fake::new(stack).batches(1);
    fake.metrics = Box::new(|epoch| vec![("val_loss", [3.0, 1.0, 2.0][epoch as usize])]);
    fake.fit(3);
    assert_eq!(fake.seen.error.as_deref(), Some("run callback on_epoch_end: no more"));
    assert_eq!(fake.weights.0, 2.0);
}

#[test]
fn a_second_fit_waits_anew_and_keeps_the_best() {
    let mut fake = fit(loss().patience(2), &[1.0, 2.0, 2.0]);
    assert_eq!(detail(&fake), "val_loss has not improved for 2 checks; best 1.0000 in epoch 1");
    fake.metrics = Box::new(|_| vec![("val_loss", 2.0)]);
    fake.fit(5);
    assert_eq!(fake.counters.epoch, 5);
    assert_eq!(detail(&fake), "val_loss has not improved for 2 checks; best 1.0000 in epoch 1");
}

#[test]
fn a_metric_that_is_missing_is_an_error() {
    let mut fake = Fake::with(loss());
    fake.fit(1);
    let error = fake.seen.error.unwrap();
    assert_eq!(
        error,
        "run callback EarlyStopping: \"val_loss\" is no metric of this epoch; monitor one that every epoch has at its end"
    );
}

#[test]
fn senseless_settings_are_refused() {
    let table = [
        (loss().min_delta(-0.1), "min_delta is -0.1, and must be a finite number, at least 0"),
        (loss().baseline(f64::NAN), "baseline is NaN, and must be a number"),
    ];
    for (callback, message) in table {
        assert_eq!(setup_error(callback), format!("set up EarlyStopping: {message}"));
    }
}

#[test]
fn the_trainer_says_which_way_its_metrics_go() {
    let stops = |stopping: EarlyStopping, direction: Direction| {
        let mut fake = Fake::with(stopping);
        fake.metrics = Box::new(|epoch| vec![("val_score", [1.0, 2.0, 3.0, 4.0][epoch as usize])]);
        fake.directions = Box::new(move |_| direction);
        fake.fit(4);
        fake.counters.epoch
    };
    let watch = || EarlyStopping::on("val_score").patience(2);
    // Which threshold is the worse one is known when the direction is.
    let error = |stop: f64, diverged: f64, direction: Direction| {
        let stopping = watch().stopping_threshold(stop).divergence_threshold(diverged);
        let mut fake = Fake::with(stopping);
        fake.metrics = Box::new(|_| vec![("val_score", 1.5)]);
        fake.directions = Box::new(move |_| direction);
        fake.fit(1);
        fake.seen.error
    };
    assert_eq!(error(2.0, 1.0, Direction::Maximize), None);
    assert_eq!(error(1.0, 2.0, Direction::Minimize), None);
    let message = "divergence_threshold is 1, and must be worse than the stopping threshold";
    let refused = error(2.0, 1.0, Direction::Minimize).unwrap();
    assert!(refused.contains(message), "{refused}");
    assert_eq!(stops(watch(), Direction::Maximize), 4);
    assert_eq!(stops(watch(), Direction::Minimize), 3);
    assert_eq!(stops(watch().maximize(), Direction::Minimize), 4);
}
