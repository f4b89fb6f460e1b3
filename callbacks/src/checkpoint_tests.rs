use std::time::Duration;

use super::{Checkpoint, Kept};
use crate::clock::Hands;
use crate::fake::{Fake, setup_error};
use crate::{
    Callback, CallbackError, CallbackRecipe, CallbackState, CheckpointKey, CheckpointRequest,
    Stack, every,
};

fn labels(checkpoint: Checkpoint, losses: &'static [f64]) -> Vec<String> {
    let mut fake = Fake::with(checkpoint);
    fake.metrics = Box::new(|epoch| {
        vec![("val_loss", losses[epoch as usize]), ("val_accuracy", losses[epoch as usize])]
    });
    fake.fit(losses.len() as u64);
    let label = |r: &CheckpointRequest| match &r.metric {
        Some(m) => format!("{} {}={}", r.label, m.name, m.value),
        None => r.label.clone(),
    };
    fake.seen
        .requests
        .iter()
        .map(|epoch| epoch.iter().map(label).collect::<Vec<_>>().join("; "))
        .collect()
}

#[test]
fn the_best_is_kept_when_it_is_strictly_better() {
    let losses = &[f64::NAN, 3.0, 3.0, 2.0, 4.0, f64::NEG_INFINITY];
    assert_eq!(
        labels(Checkpoint::best("val_loss"), losses),
        ["", "best val_loss=3", "", "best val_loss=2", "", ""]
    );
    let accuracies = &[0.1, 0.3, 0.2, f64::INFINITY];
    let best = ["best val_accuracy=0.1", "best val_accuracy=0.3", "", ""];
    assert_eq!(labels(Checkpoint::best("val_accuracy"), accuracies), best);
    assert_eq!(labels(Checkpoint::best("val_loss").maximize(), &[1.0, 2.0])[1], "best val_loss=2");
    assert_eq!(labels(Checkpoint::best("val_accuracy").minimize(), &[1.0, 2.0])[1], "");
}

#[test]
fn the_best_may_be_in_the_middle_of_an_epoch() {
    let fit = |checkpoint: Checkpoint| {
        let mut fake = Fake::with(checkpoint).batches(3);
        fake.validate_every = Some(1);
        let losses = [3.0, 2.0, 0.0, 2.5, 1.0, 0.0];
        fake.validations = Box::new(move |batch| vec![("val_loss", losses[batch as usize - 1])]);
        fake.metrics = Box::new(|epoch| vec![("val_loss", [1.5, 0.5][epoch as usize])]);
        fake.fit(2);
        let labels = |requests: &[CheckpointRequest]| -> Vec<String> {
            let value = |r: &CheckpointRequest| r.metric.as_ref().map_or(f64::NAN, |m| m.value);
            requests.iter().map(|r| format!("{} {}", r.label, value(r))).collect()
        };
        let released: usize = fake.seen.step_requests.iter().map(|r| r.releases.len()).sum();
        (labels(&fake.seen.step_requests), labels(&fake.seen.requests.concat()), released)
    };
    let (steps, epochs, _) = fit(Checkpoint::best("val_loss"));
    assert_eq!(steps, ["best 3", "best 2", "best 1"]);
    assert_eq!(epochs, ["best 1.5", "best 0.5"]);
    let (steps, epochs, released) = fit(Checkpoint::best("val_loss").keep(2));
    assert_eq!(steps, ["best-step-000001 3", "best-step-000002 2", "best-step-000005 1"]);
    assert_eq!(epochs, ["best-epoch-0001 1.5", "best-epoch-0002 0.5"]);
    assert_eq!(released, 1);
    assert!(fit(Checkpoint::last()).0.is_empty());
}

#[test]
fn the_rhythm_is_kept() {
    assert_eq!(labels(Checkpoint::last(), &[1.0, 2.0]), ["last", "last"]);
    assert_eq!(
        labels(Checkpoint::every_epochs(2), &[1.0; 5]),
        ["", "epoch-0002", "", "epoch-0004", ""]
    );
    let mut fake = Fake::with(Checkpoint::every_steps(2));
    fake.gradients = Box::new(|step| vec![vec![1.0 / step as f32]]);
    fake.fit(2);
    assert_eq!(step_labels(&fake), ["step-000002", "step-000004", "step-000006"]);
    let mut skipping = Stack::new();
    skipping.push(crate::NanGuard::new().skip_up_to(1));
    skipping.push(Checkpoint::every_steps(2));
    let mut fake = Fake::new(skipping);
    let nan = |step| if step == 2 { f32::NAN } else { 1.0 };
    fake.gradients = Box::new(move |step| vec![vec![nan(step)]]);
    fake.fit(1);
    assert_eq!(fake.seen.applied, [true, false, true]);
    assert_eq!(step_labels(&fake), ["step-000002"], "a skipped update is none");
    assert!(setup_error(Checkpoint::every_steps(0)).contains("every_steps is 0"));
    // A duration can be 1e18 seconds, but not minutes.
    for minutes in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e18, 1e300] {
        let error = setup_error(Checkpoint::every_minutes(minutes));
        assert!(error.contains(&format!("every_minutes is {minutes}, and must be")), "{error}");
    }
    assert!(setup_error(Checkpoint::last().keep(0)).ends_with("keep is 0, and must be at least 1"));
    assert_eq!(
        setup_error(Checkpoint::every_epochs(0)),
        "set up Checkpoint: every_epochs is 0, and must be at least 1"
    );
}

#[test]
fn a_best_is_taken_back_for_its_own_metric_alone() {
    let values = |checkpoint: &Checkpoint| -> Vec<f64> {
        checkpoint.kept.iter().filter_map(|kept| kept.value).collect()
    };
    let loaded = |mut checkpoint: Checkpoint, state: &CallbackState| {
        checkpoint.load(state).unwrap();
        assert!(checkpoint.kept.iter().all(|kept| kept.key.is_none()));
        values(&checkpoint)
    };
    for best in [&[][..], &[0.5], &[2.0, 1.0, 2.0]] {
        let kept = |value: &f64| Kept { value: Some(*value), key: None };
        let kept = best.iter().map(kept).collect();
        let saved = Checkpoint { kept, ..Checkpoint::best("val_loss") }.save().unwrap();
        assert_eq!(loaded(Checkpoint::best("val_loss"), &saved), best);
        assert_eq!(loaded(Checkpoint::best("val_accuracy"), &saved), [0.0; 0]);
    }
    // As it was saved before there could be several, and before the metric was.
    for best in [None, Some(0.5), Some(f64::NEG_INFINITY)] {
        let expected = Vec::from_iter(best);
        let older = CallbackState::of("Checkpoint", &("val_loss", best)).unwrap();
        assert_eq!(loaded(Checkpoint::best("val_loss"), &older), expected);
        assert_eq!(loaded(Checkpoint::best("val_accuracy"), &older), [0.0; 0]);
        let older = CallbackState::of("Checkpoint", &best).unwrap();
        assert_eq!(loaded(Checkpoint::best("val_loss"), &older), expected);
    }
    assert_eq!(Checkpoint::last().keep(2).save().unwrap(), CallbackState::empty());
}

#[test]
fn it_needs_a_store_and_its_metric() {
    let mut stack = Stack::new();
    stack.push(Checkpoint::best("val_loss"));
    assert!(matches!(
        stack.plan(&["val_loss".into()], false),
        Err(CallbackError::NeedsStore { .. })
    ));
    assert!(matches!(
        stack.plan(&["train_loss".into()], true),
        Err(CallbackError::UnknownMetric { .. })
    ));
    assert!(stack.plan(&["val_loss".into()], true).is_ok());
}

fn step_labels(fake: &Fake) -> Vec<&str> {
    fake.seen.step_requests.iter().map(|request| request.label.as_str()).collect()
}

/// What a run keeps, as its writer does it, after each of these requests. Every step is applied,
/// and an epoch has three.
#[derive(Default)]
struct Run(Vec<CheckpointKey>);

impl Run {
    fn write(&mut self, request: &CheckpointRequest, step: u64, epoch: u64) {
        // Its own is not written yet.
        for released in &request.releases {
            let at = self.0.iter().position(|key| key == released);
            self.0.remove(at.unwrap_or_else(|| panic!("{released:?} is not of this run")));
        }
        let metric = request.metric.as_ref().map(|metric| metric.name.clone());
        self.0.push(CheckpointKey { label: request.label.clone(), step, epoch, metric });
    }

    fn labels(&self) -> Vec<&str> {
        self.0.iter().map(|key| key.label.as_str()).collect()
    }
}

/// What a fit keeps that has these values of `val_loss`, after each epoch.
fn kept(checkpoint: Checkpoint, losses: &[f64]) -> Vec<Vec<String>> {
    let mut fake = Fake::with(checkpoint);
    let values = losses.to_vec();
    fake.metrics = Box::new(move |epoch| vec![("val_loss", values[epoch as usize])]);
    fake.fit(losses.len() as u64);
    let (mut run, mut kept) = (Run::default(), Vec::new());
    for (epoch, requests) in (1..).zip(&fake.seen.requests) {
        requests.iter().for_each(|request| run.write(request, 3 * epoch, epoch));
        kept.push(run.labels().into_iter().map(str::to_owned).collect());
    }
    kept
}

#[test]
fn what_a_policy_no_longer_keeps_is_released() {
    let kept = |checkpoint: Checkpoint| {
        let losses = &[4.0, 3.0, 5.0, 3.0, 2.0, 6.0];
        let after = kept(checkpoint, losses);
        after.iter().map(|labels| labels.join(" ")).collect::<Vec<_>>()
    };
    assert_eq!(kept(Checkpoint::last()), ["last"; 6]);
    assert_eq!(kept(Checkpoint::last().keep(2))[..3], ["last", "last last", "last last"]);
    assert_eq!(kept(Checkpoint::best("val_loss")), ["best"; 6]);
    assert_eq!(
        kept(Checkpoint::best("val_loss").keep(2)),
        [
            "best-epoch-0001",
            "best-epoch-0001 best-epoch-0002",
            "best-epoch-0001 best-epoch-0002",
            "best-epoch-0002 best-epoch-0004",
            // Of the two equal ones the older stays.
            "best-epoch-0002 best-epoch-0005",
            "best-epoch-0002 best-epoch-0005",
        ]
    );
    assert_eq!(
        kept(Checkpoint::best("val_loss").maximize().keep(2))[5],
        "best-epoch-0003 best-epoch-0006"
    );
    assert_eq!(
        kept(Checkpoint::every_epochs(2))[5],
        "epoch-0002 epoch-0004 epoch-0006",
        "all, if nobody says otherwise"
    );
    assert_eq!(
        kept(Checkpoint::every_epochs(1).keep(2))[1..4],
        ["epoch-0001 epoch-0002", "epoch-0002 epoch-0003", "epoch-0003 epoch-0004"]
    );
}

/// Whatever the values are, the best are kept, and of equal ones those that came first.
#[test]
fn the_best_are_those_that_sorting_finds() {
    const VALUES: [f64; 4] = [1.0, 2.0, 3.0, f64::NAN];
    for code in 0..4_usize.pow(6) {
        let losses: Vec<f64> = (0..6).map(|at| VALUES[code / 4_usize.pow(at) % 4]).collect();
        for k in 1..=3 {
            let mut best: Vec<usize> = (0..6).filter(|at| losses[*at].is_finite()).collect();
            best.sort_by(|a, b| losses[*a].total_cmp(&losses[*b]));
            best.truncate(k);
            best.sort_unstable();
            let label = |at: &usize| match k {
                1 => "best".to_owned(),
                _ => format!("best-epoch-{:04}", at + 1),
            };
            let expected: Vec<String> = best.iter().map(label).collect();
            let kept = kept(Checkpoint::best("val_loss").keep(k as u64), &losses);
            assert_eq!(kept[5], expected, "{k} of {losses:?}");
        }
    }
}

/// The steps behind which a run keeps a checkpoint when it is over.
fn kept_steps(fake: &Fake) -> Vec<u64> {
    let mut run = Run::default();
    for request in &fake.seen.step_requests {
        let step: u64 = request.label.strip_prefix("step-").unwrap().parse().unwrap();
        run.write(request, step, (step - 1) / 3);
    }
    run.0.iter().map(|key| key.step).collect()
}

#[test]
fn of_steps_the_newest_are_kept() {
    for (checkpoint, expected) in [
        (Checkpoint::every_steps(2), vec![2, 4, 6, 8, 10, 12]),
        (Checkpoint::every_steps(2).keep(2), vec![10, 12]),
        (Checkpoint::every_steps(5).keep(9), vec![5, 10]),
    ] {
        let mut fake = Fake::with(checkpoint);
        fake.fit(4);
        assert_eq!(kept_steps(&fake), expected);
    }
    // Asked less often, it still knows which it has.
    let mut fake = Fake::with(every(3, Checkpoint::every_steps(1).keep(1)));
    fake.fit(4);
    assert_eq!(step_labels(&fake).len(), 4);
    assert_eq!(kept_steps(&fake), [10]);
}

/// A fit whose every step takes a minute.
fn by_the_minute(checkpoint: Checkpoint, hands: &Hands) -> Fake {
    let mut fake = Fake::with(checkpoint.clock(hands.clock()));
    let hands = hands.clone();
    fake.loss = Box::new(move |_| {
        hands.pass(60_000);
        1.0
    });
    fake
}

#[test]
fn minutes_go_by_the_clock() {
    let hands = Hands::default();
    hands.pass(1_000_000); // the clock does not begin at 0
    let mut fake = by_the_minute(Checkpoint::every_minutes(2.5), &hands);
    fake.fit(3);
    // What is over the limit does not count for the next.
    assert_eq!(step_labels(&fake), ["step-000003", "step-000006", "step-000009"]);
    hands.pass(3_600_000); // nobody trains
    fake.fit(1);
    assert_eq!(step_labels(&fake).last(), Some(&"step-000012"), "each fit begins anew");

    let mut fake = by_the_minute(Checkpoint::every_minutes(2).keep(2), &hands);
    fake.fit(3);
    assert_eq!(step_labels(&fake).len(), 4);
    assert_eq!(kept_steps(&fake), [6, 8]);

    // A step that was not applied waits for the next that is.
    let mut stack = Stack::new();
    stack.push(crate::NanGuard::new().skip_up_to(9));
    stack.push(Checkpoint::every_minutes(2).clock(hands.clock()));
    let mut fake = Fake::new(stack);
    fake.loss = Box::new({
        let hands = hands.clone();
        move |step| {
            hands.pass(60_000);
            if step == 2 { f32::NAN } else { 1.0 }
        }
    });
    fake.fit(1);
    assert_eq!(step_labels(&fake), ["step-000002"]);
    assert_eq!(fake.seen.applied, [true, false, true]);

    let mut fake = by_the_minute(Checkpoint::every_minutes(1), &hands);
    assert_eq!(fake.fit_start(1), Ok(None));
    hands.turn_back();
    assert_eq!(fake.epoch(), Ok(None));
    assert_eq!(step_labels(&fake), [""; 0], "a clock that goes back asks for nothing");
}

#[test]
fn the_system_clock_is_the_default() {
    let mut fake = Fake::with(Checkpoint::every_minutes(0.002 / 60.0).keep(1));
    fake.loss = Box::new(|_| {
        std::thread::sleep(Duration::from_millis(3));
        1.0
    });
    fake.fit(1);
    assert_eq!(step_labels(&fake).len(), 3);
}

/// A fit that goes on with another, or comes behind it, releases nothing of that one's run.
#[test]
fn a_run_releases_what_is_its_own() {
    let policies: [fn() -> Checkpoint; 5] = [
        Checkpoint::last,
        || Checkpoint::best("val_loss"),
        || Checkpoint::best("val_loss").keep(2),
        || Checkpoint::every_epochs(1).keep(2),
        || Checkpoint::every_steps(1).keep(2),
    ];
    let falling = |policy: fn() -> Checkpoint| {
        let mut fake = Fake::with(policy());
        fake.metrics = Box::new(|epoch| vec![("val_loss", 1.0 / (1 + epoch) as f64)]);
        fake
    };
    for policy in policies {
        let mut first = falling(policy);
        first.fit(3);
        let states = first.stack.save().unwrap();

        let mut resumed = falling(policy);
        resumed.counters = first.counters;
        assert_eq!(resumed.resume(&states), Ok(None));
        let mut behind = first;
        behind.seen = crate::fake::Seen::default();
        assert_eq!(behind.fit_start(3), Ok(None));
        for mut fake in [resumed, behind] {
            for _ in 0..3 {
                assert_eq!(fake.epoch(), Ok(None));
            }
            let seen = &fake.seen;
            let (mut run, mut released) = (Run::default(), 0);
            let steps = (10..).map(|step| (step, (step - 1) / 3)).zip(&seen.step_requests);
            let epochs = (4..).map(|epoch| (3 * epoch, epoch)).zip(seen.requests.iter().flatten());
            for ((step, epoch), request) in steps.chain(epochs) {
                released += request.releases.len();
                run.write(request, step, epoch); // which says so if it is not its own
            }
            assert!(released > 0, "{:?}", policy());
            let limit = policy().limit().unwrap_or_default();
            assert_eq!(run.0.len() as u64, limit, "{:?}", policy());
        }
    }
}

/// One that keeps fewer or more than the one before goes by the best of what that one had.
#[test]
fn how_many_are_kept_may_change_when_a_fit_goes_on() {
    let go_on = |then: u64, now: u64, losses: [f64; 3]| {
        let mut first = Fake::with(Checkpoint::best("val_loss").keep(then));
        first.metrics = Box::new(|epoch| vec![("val_loss", [1.0, 2.0, 3.0][epoch as usize])]);
        first.fit(3);
        let mut second = Fake::with(Checkpoint::best("val_loss").keep(now));
        second.counters = first.counters;
        second.metrics = Box::new(move |epoch| vec![("val_loss", losses[epoch as usize % 3])]);
        assert_eq!(second.resume(&first.stack.save().unwrap()), Ok(None));
        for _ in 0..3 {
            assert_eq!(second.epoch(), Ok(None));
        }
        second.seen.requests.iter().map(|requests| !requests.is_empty()).collect::<Vec<_>>()
    };
    assert_eq!(go_on(3, 1, [2.5, 0.5, 0.75]), [false, true, false]);
    assert_eq!(go_on(1, 2, [2.5, 0.5, 1.0]), [true, true, false]);
    assert_eq!(go_on(3, 3, [3.0, 2.5, 2.5]), [false, true, false]);
}

#[test]
fn its_record_says_how_many_it_keeps() {
    let json =
        |checkpoint: Checkpoint| serde_json::to_string(&checkpoint.recipe().unwrap()).unwrap();
    let usual = r#"{"callback":"Checkpoint","when":"last"}"#;
    assert_eq!(json(Checkpoint::last()), usual);
    let minutes = r#"{"callback":"Checkpoint","when":{"every_minutes":10.0},"keep":2}"#;
    assert_eq!(json(Checkpoint::every_minutes(10).keep(2)), minutes);
    let hands = Hands::default();
    assert_eq!(json(Checkpoint::every_minutes(10).keep(2).clock(hands.clock())), minutes);
    // Also as older runs have it.
    for record in [usual, minutes] {
        let read: CallbackRecipe = serde_json::from_str(record).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), record);
    }
}

#[test]
fn a_fit_that_follows_goes_by_the_best_so_far() {
    let mut fake = Fake::with(Checkpoint::best("val_loss"));
    let losses = [2.0, 1.0, 1.5, 0.5];
    fake.metrics = Box::new(move |epoch| vec![("val_loss", losses[epoch as usize])]);
    fake.fit(2);
    fake.fit(2);
    let asked: Vec<bool> = fake.seen.requests.iter().map(|epoch| !epoch.is_empty()).collect();
    assert_eq!(asked, [true, true, false, true]);
}
