//! The law of saved states, for every callback there is: `save`, `load` into a fresh one, `save`
//! gives the same bytes; and a fit that goes on from there is the fit that was never interrupted.

#![allow(clippy::unwrap_used)] // clippy excuses only the test functions themselves

mod support;

use support::{Fake, Seen};
use trainbook_callbacks::schedule::{
    Anneal, Cyclic, Decay, Mode, OneCycle, StableDecay, ThresholdMode,
};
use trainbook_callbacks::{
    Budget, Callback, CallbackRecipe, Checkpoint, Clip, EarlyStopping, FixSeed, GradientMonitor,
    LrSchedule, NanGuard, Progress, Recorder, ReduceOnPlateau, Stack, WeightAverage, every,
};

type Make = fn() -> Box<dyn Callback>;

/// Every public callback, in every kind that it has.
const CALLBACKS: &[(&str, Make)] = &[
    ("FixSeed", || Box::new(FixSeed::new(7))),
    ("LrSchedule constant", || Box::new(LrSchedule::constant(0.1))),
    ("LrSchedule one_cycle", || Box::new(LrSchedule::one_cycle(0.1).warmup(3))),
    ("LrSchedule cosine", || Box::new(LrSchedule::cosine(0.1).min_lr(0.01))),
    ("LrSchedule step", || Box::new(LrSchedule::step(0.1, 2, 0.5))),
    ("LrSchedule one_cycle with options", || {
        let curve = OneCycle::to(0.1).pct_start(0.25).div_factor(10.0).final_div_factor(100.0);
        Box::new(LrSchedule::of(curve.anneal(Anneal::Linear).three_phase()))
    }),
    ("LrSchedule multi_step", || Box::new(LrSchedule::multi_step(0.1, [2, 4], 0.5))),
    ("LrSchedule exponential", || Box::new(LrSchedule::exponential(0.1, 0.5))),
    ("LrSchedule linear", || Box::new(LrSchedule::linear(0.1).min_lr(0.01))),
    ("LrSchedule polynomial", || Box::new(LrSchedule::polynomial(0.1, 2.0).min_lr(0.01))),
    ("LrSchedule restarts", || Box::new(LrSchedule::cosine_with_restarts(0.1, 1, 2).min_lr(0.01))),
    ("LrSchedule cyclic", || Box::new(LrSchedule::cyclic(0.01, 0.1, 4))),
    ("LrSchedule cyclic with options", || {
        let curve = Cyclic::between(0.01, 0.1).up(3).down(5).mode(Mode::ExpRange { gamma: 0.9 });
        Box::new(LrSchedule::of(curve))
    }),
    ("LrSchedule inverse_sqrt", || Box::new(LrSchedule::inverse_sqrt(0.1, 4))),
    ("LrSchedule warmup_stable_decay", || Box::new(LrSchedule::warmup_stable_decay(0.1, 4))),
    ("LrSchedule stable_decay with options", || {
        let curve = StableDecay::at(0.1).decay_share(0.5).decay(Decay::OneMinusSqrt);
        Box::new(LrSchedule::of(curve).min_lr(0.01))
    }),
    ("ReduceOnPlateau", || {
        Box::new(ReduceOnPlateau::on("val_loss").patience(1).factor(0.5).cooldown(1).warmup(8))
    }),
    ("ReduceOnPlateau up", || {
        let plateau = ReduceOnPlateau::on("val_loss").maximize().patience(0).factor(0.5);
        Box::new(plateau.threshold(0.3).threshold_mode(ThresholdMode::Absolute).min_lr(0.1))
    }),
    // A limit on time has a test of its own, with a clock of its own, in `budget_tests.rs`.
    ("Budget", || Box::new(Budget::steps(20).or_epochs(7).or_stop_file("no such file"))),
    ("Clip global_norm", || Box::new(Clip::global_norm(2.0))),
    ("Clip value", || Box::new(Clip::value(2.0))),
    ("GradientMonitor", || Box::new(every(2, GradientMonitor::new()))),
    ("NanGuard", || Box::new(NanGuard::new())),
    ("NanGuard skip", || Box::new(NanGuard::new().skip_up_to(3))),
    ("EarlyStopping", || Box::new(EarlyStopping::on("val_loss").patience(4))),
    ("EarlyStopping restore", || {
        Box::new(EarlyStopping::on("val_loss").patience(4).restore_best())
    }),
    ("EarlyStopping up", || {
        Box::new(EarlyStopping::on("val_loss").maximize().min_delta(0.1).patience(6).restore_best())
    }),
    ("Checkpoint best", || Box::new(Checkpoint::best("val_loss"))),
    ("Checkpoint last", || Box::new(Checkpoint::last())),
    ("Checkpoint steps", || Box::new(Checkpoint::every_steps(5))),
    // The minutes by the clock have a test of their own in `checkpoint_tests.rs`.
    ("Checkpoint minutes", || Box::new(Checkpoint::every_minutes(1000))),
    ("Checkpoint best keep", || Box::new(Checkpoint::best("val_loss").keep(3))),
    ("Checkpoint last keep", || Box::new(Checkpoint::last().keep(2))),
    ("Checkpoint steps keep", || Box::new(Checkpoint::every_steps(2).keep(2))),
    ("Checkpoint every", || Box::new(Checkpoint::every_epochs(2))),
    ("WeightAverage ema", || Box::new(WeightAverage::ema(0.8).every(2))),
    ("WeightAverage swa", || Box::new(WeightAverage::swa(2))),
    ("Recorder", || Box::new(Recorder::new())),
    ("Progress", || Box::new(Progress::to(Box::new(std::io::sink())))),
    ("a vector", || {
        Box::new(vec![
            Box::new(Clip::global_norm(2.0)) as Box<dyn Callback>,
            Box::new(Checkpoint::best("val_loss")),
        ])
    }),
    ("an option", || Box::new(Some(EarlyStopping::on("val_loss")))),
];

const EPOCHS: u64 = 8;

/// A fit with a bit of everything: large gradients, a few NaNs, a loss that falls and rises.
fn fake(make: Make) -> Fake {
    let mut fake = Fake::with(make());
    fake.gradients = Box::new(|step| match step {
        // Two in a row around the end of the third epoch.
        9 | 10 | 17 => vec![vec![f32::NAN], vec![1.0, 0.0]],
        _ => vec![vec![step as f32 % 5.0], vec![0.0, -1.0]],
    });
    fake.metrics = Box::new(|epoch| {
        vec![
            ("train_loss", 1.0),
            ("val_loss", [3.0, 2.5, 2.0, 2.25, 1.5, 1.75, 1.75, 1.75][epoch as usize]),
        ]
    });
    fake
}

/// What is seen of a fit from here on.
fn rest(fake: &mut Fake, done: u64) -> (Seen, f32, Vec<Vec<u8>>) {
    fake.seen = Seen::default();
    let mut end = Ok(None);
    for _ in done..EPOCHS {
        if matches!(end, Ok(None)) {
            end = fake.epoch();
        }
    }
    fake.fit_end(end);
    let states =
        fake.stack.save().unwrap().into_iter().map(|s| s.state.as_bytes().to_vec()).collect();
    (std::mem::take(&mut fake.seen), fake.weights.0, states)
}

#[test]
fn a_loaded_callback_goes_on_where_the_saved_one_was() {
    for (name, make) in CALLBACKS {
        for done in 0..EPOCHS {
            let mut first = fake(*make);
            let mut end = first.fit_start(EPOCHS);
            for _ in 0..done {
                if matches!(end, Ok(None)) {
                    end = first.epoch();
                }
            }
            if !matches!(end, Ok(None)) {
                continue; // it stopped before this epoch: nothing to go on with
            }

            let saved = first.stack.save().unwrap();
            let mut second = fake(*make);
            second.stack.load(&saved).unwrap();
            assert_eq!(second.stack.save().unwrap(), saved, "{name} after {done} epochs");

            (second.counters, second.horizon) = (first.counters, first.horizon);
            (second.weights, second.learning_rate) = (first.weights.clone(), first.learning_rate);
            second.resume(&saved).unwrap();
            let (mut kept, mut loaded) = (rest(&mut first, done), rest(&mut second, done));
            // It is a run of its own, which releases nothing that the first one has kept.
            for Seen { requests, step_requests, .. } in [&mut kept.0, &mut loaded.0] {
                let requests = requests.iter_mut().flatten().chain(step_requests);
                requests.for_each(|request| request.releases.clear());
            }
            assert_eq!(format!("{loaded:?}"), format!("{kept:?}"), "{name} after {done} epochs"); // as text, since NaN is not NaN
        }
    }
}

#[test]
fn every_public_callback_is_in_the_list() {
    // `lib.rs` has one `pub use module::Name;` per callback.
    let library = include_str!("../src/lib.rs");
    let public = library
        .lines()
        .filter_map(|line| line.strip_prefix("pub use ")?.strip_suffix(';')?.split_once("::"));
    let mut checked = 0;
    for (_, name) in public.filter(|(module, _)| !["seam", "recipe"].contains(module)) {
        let mut stack = Stack::new();
        CALLBACKS.iter().for_each(|(_, make)| stack.push(make()));
        assert!(stack.contains(name), "{name} is not in CALLBACKS");
        checked += 1;
    }
    assert!(checked >= 9, "only {checked} callbacks were found in lib.rs");
}

#[test]
fn a_state_of_something_else_is_refused() {
    let mut other = Stack::new();
    other.push(Checkpoint::best("val_loss"));
    let mut state = other.save().unwrap();
    state[0].name = "EarlyStopping".into();
    let mut stack = Stack::new();
    stack.push(EarlyStopping::on("val_loss"));
    let error = stack.load(&state).unwrap_err().to_string();
    assert!(error.starts_with("read the saved state of callback EarlyStopping: "), "{error}");
}

/// A callback that is made again from what a run records of it does what the first one did.
#[test]
fn every_callback_is_made_again_from_its_record() {
    for (name, make) in CALLBACKS {
        let Some(recipe) = make().recipe() else {
            assert!(["Recorder", "Progress"].contains(name), "{name} has no recipe");
            continue;
        };
        let json = serde_json::to_string(&recipe).unwrap();
        let read: CallbackRecipe = serde_json::from_str(&json).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), json, "{name}");
        let fit = |callback: Box<dyn Callback>| {
            let mut fake = fake(*make);
            fake.stack = Stack::new();
            fake.stack.push(callback);
            let begun = fake.fit_start(EPOCHS);
            assert_eq!(begun, Ok(None), "{name}");
            rest(&mut fake, 0)
        };
        let (again, first) = (read.make(), make());
        assert_eq!(again.params(), first.params(), "{name}");
        assert_eq!(again.effects(), first.effects(), "{name}");
        // NaN is not equal to itself.
        assert_eq!(format!("{:?}", fit(again)), format!("{:?}", fit(first)), "{name}");
    }
}

#[test]
fn what_a_record_cannot_hold_is_left_to_its_program() {
    assert!(EarlyStopping::on("val_loss").baseline(f64::INFINITY).recipe().is_none());
    let own = trainbook_callbacks::on_step_end(|_| Ok(trainbook_callbacks::Flow::Continue));
    assert!(own.recipe().is_none() && vec![Some(own)].recipe().is_none());
    let mut stack = Stack::new();
    stack.push(Clip::global_norm(2.0));
    stack.push(Recorder::new());
    let recorded: Vec<_> =
        stack.recorded().into_iter().map(|c| (c.name, c.recipe.is_some(), c.decides)).collect();
    assert_eq!(recorded, [("Clip".to_owned(), true, true), ("Recorder".to_owned(), false, false)]);
}
