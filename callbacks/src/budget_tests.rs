use std::cell::RefCell;
use std::path::Path;
use std::time::Duration;

use super::Budget;
use crate::clock::Hands;
use crate::fake::{Fake, setup_error};
use crate::{
    Callback, CallbackRecipe, Counters, Flow, Horizon, MetricLog, Reply, StepEnd, StopKind, every,
};

/// A trainer whose every step takes so long.
fn timed(budget: Budget, hands: &Hands, millis_per_step: u64) -> Fake {
    let mut fake = Fake::with(budget.clock(hands.clock()));
    let hands = hands.clone();
    fake.loss = Box::new(move |_| {
        hands.pass(millis_per_step);
        1.0
    });
    fake
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn ended(fake: &Fake) -> (StopKind, String, String, u64) {
    assert_eq!(fake.seen.error, None);
    let reason = fake.seen.reason.clone().unwrap();
    (reason.kind, reason.by, reason.detail, fake.counters.epoch)
}

fn expected(kind: StopKind, detail: &str, epochs: u64) -> (StopKind, String, String, u64) {
    let by = if kind == StopKind::Completed { "" } else { "Budget" };
    (kind, by.to_owned(), detail.to_owned(), epochs)
}

/// What a step's end is answered, by itself.
fn step_end(budget: &mut Budget, updates_attempted: u64) -> Reply {
    let counters = Counters { updates_attempted, ..Counters::default() };
    let horizon = Horizon {
        epochs: 9,
        batches_per_epoch: 9,
        updates_per_epoch: 9,
        first_update: 0,
        limit: None,
    };
    let (log, requests) = (MetricLog::default(), RefCell::default());
    budget.step_end(&StepEnd::new(counters, horizon, 0.1, true, &[], &log, 1.0, &requests))
}

#[test]
fn a_fit_ends_at_the_first_limit() {
    let table = [
        // Three steps an epoch, one second each; the epochs that are finished.
        (Budget::steps(7), StopKind::Budget, "7 steps done of 7", 2),
        (Budget::steps(6), StopKind::Budget, "6 steps done of 6", 1),
        (Budget::steps(1), StopKind::Budget, "1 step done of 1", 0),
        (Budget::steps(100), StopKind::Completed, "", 5),
        (Budget::epochs(2), StopKind::Budget, "2 epochs done of 2", 2),
        (Budget::epochs(1).or_steps(4), StopKind::Budget, "1 epoch done of 1", 1),
        (Budget::epochs(2).or_steps(4), StopKind::Budget, "4 steps done of 4", 1),
        (Budget::wall_time(seconds(4)), StopKind::Budget, "4.0 s spent of 4.0 s", 1),
        (
            Budget::wall_time(Duration::from_millis(3500)).or_epochs(3),
            StopKind::Budget,
            "4.0 s spent of 3.5 s",
            1,
        ),
        (Budget::wall_time(seconds(60)), StopKind::Completed, "", 5),
    ];
    for (budget, kind, detail, epochs) in table {
        let mut fake = timed(budget.clone(), &Hands::default(), 1000);
        fake.fit(5);
        assert_eq!(ended(&fake), expected(kind, detail, epochs), "{budget:?}");
    }
}

#[test]
fn the_fit_ends_behind_the_step_that_reaches_a_limit() {
    let mut budget = Budget::steps(3);
    let mut stops = |step| matches!(step_end(&mut budget, step).unwrap(), Flow::Stop(_));
    assert_eq!([1, 2, 3, 4].map(&mut stops), [false, false, true, true]);
}

#[test]
fn skipped_updates_are_steps() {
    let mut stack = crate::Stack::new();
    stack.push(crate::NanGuard::new().skip_up_to(9));
    stack.push(Budget::steps(4));
    let mut fake = Fake::new(stack);
    fake.loss = Box::new(|step| if step < 3 { f32::NAN } else { 1.0 });
    fake.fit(5);
    assert_eq!(ended(&fake), expected(StopKind::Budget, "4 steps done of 4", 1));
}

#[test]
fn what_is_used_up_trains_nothing() {
    for budget in [Budget::steps(3), Budget::epochs(1)] {
        let mut fake = timed(budget, &Hands::default(), 1000);
        fake.fit(4);
        let first = ended(&fake);
        assert_eq!((first.0, fake.counters.updates_attempted), (StopKind::Budget, 3));
        fake.fit(4);
        assert_eq!((ended(&fake), fake.counters.updates_attempted), (first, 3));
    }
}

#[test]
fn time_counts_in_one_fit() {
    let hands = Hands::default();
    hands.pass(1_000_000); // the clock does not begin at 0
    let mut fake = timed(Budget::wall_time(seconds(4)), &hands, 1000);
    fake.fit(1);
    assert_eq!(ended(&fake).0, StopKind::Completed);
    hands.pass(3_600_000); // nobody trains
    fake.fit(9);
    assert_eq!(ended(&fake), expected(StopKind::Budget, "4.0 s spent of 4.0 s", 2));
    fake.fit(9);
    assert_eq!(ended(&fake), expected(StopKind::Budget, "4.0 s spent of 4.0 s", 3));
}

#[test]
fn a_clock_that_goes_back_stops_nothing() {
    let hands = Hands::default();
    hands.pass(5000);
    let mut fake = timed(Budget::wall_time(seconds(4)), &hands, 1000);
    assert_eq!(fake.fit_start(9), Ok(None));
    hands.turn_back();
    assert_eq!(fake.epoch(), Ok(None));
}

#[test]
fn a_stop_file_ends_the_fit_and_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stop");
    let why = format!("the stop file {} exists", path.display());
    let stopped = |fake: &Fake, epochs| {
        assert_eq!(ended(fake), expected(StopKind::Requested, &why, epochs));
        assert!(path.exists());
    };
    let mut fake = timed(Budget::stop_file(&path), &Hands::default(), 1000);
    fake.fit(1);
    assert_eq!(ended(&fake).0, StopKind::Completed);
    let file = path.clone();
    fake.metrics = Box::new(move |epoch| {
        if epoch == 2 {
            std::fs::write(&file, "").unwrap();
        }
        vec![("train_loss", 1.0)]
    });
    fake.fit(9); // written at the end of the third epoch, seen at the fourth's first step
    stopped(&fake, 3);
    fake.fit(9);
    stopped(&fake, 3);
}

#[test]
fn a_stop_file_is_looked_for_four_times_a_second() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stop");
    let hands = Hands::default();
    let mut budget = Budget::stop_file(&path).clock(hands.clock());
    assert_eq!(step_end(&mut budget, 1).unwrap(), Flow::Continue);
    std::fs::write(&path, "").unwrap();
    hands.pass(249);
    assert_eq!(step_end(&mut budget, 2).unwrap(), Flow::Continue);
    hands.pass(1);
    assert!(matches!(step_end(&mut budget, 3).unwrap(), Flow::Stop(_)));
}

#[test]
fn the_system_clock_is_the_default() {
    let mut fake = Fake::with(Budget::wall_time(Duration::from_millis(2)));
    fake.loss = Box::new(|_| {
        std::thread::sleep(Duration::from_millis(1));
        1.0
    });
    fake.fit(9);
    assert_eq!((ended(&fake).0, ended(&fake).3), (StopKind::Budget, 0));
}

#[test]
fn its_record_has_the_limits_and_nothing_else() {
    let budget = Budget::steps(5).or_wall_time(Duration::from_millis(1500)).or_stop_file("stop");
    let json = serde_json::to_string(&budget.recipe().unwrap()).unwrap();
    assert_eq!(json, r#"{"callback":"Budget","steps":5,"wall_seconds":1.5,"stop_file":"stop"}"#);
    let read: CallbackRecipe = serde_json::from_str(r#"{"callback":"Budget","epochs":2}"#).unwrap();
    let mut fake = Fake::with(read.make());
    fake.fit(9);
    assert_eq!(ended(&fake), expected(StopKind::Budget, "2 epochs done of 2", 2));
}

#[cfg(unix)]
#[test]
fn a_path_that_is_no_text_is_left_to_its_program() {
    use std::os::unix::ffi::OsStrExt;
    let path = Path::new(std::ffi::OsStr::from_bytes(&[0xff]));
    assert!(Budget::stop_file(path).recipe().is_none());
}

#[test]
fn it_can_be_asked_less_often() {
    let mut fake = Fake::with(every(2, Budget::steps(2)));
    fake.fit(9);
    assert_eq!(ended(&fake), expected(StopKind::Budget, "3 steps done of 2", 0));
}

#[test]
fn senseless_limits_are_refused() {
    let table = [
        (Budget::steps(0), "steps is 0, and must be at least 1"),
        (Budget::steps(1).or_epochs(0), "epochs is 0, and must be at least 1"),
        (Budget::wall_time(Duration::ZERO), "wall_time is 0, and must be more than 0 seconds"),
    ];
    for (budget, message) in table {
        assert_eq!(setup_error(budget), format!("set up Budget: {message}"));
    }
}
