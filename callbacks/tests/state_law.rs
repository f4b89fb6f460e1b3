//! The law of saved states, for every callback there is: `save`, `load` into a fresh one, `save`
//! gives the same bytes; and a fit that goes on from there is the fit that was never interrupted.

#![allow(clippy::unwrap_used)] // clippy excuses only the test functions themselves

#[path = "support/shipped.rs"]
mod shipped;
mod support;

use shipped::{CALLBACKS, EPOCHS, UNRECORDED, fake};
use support::{Fake, Seen};
use trainbook_callbacks::{
    Callback, CallbackRecipe, Checkpoint, Clip, EarlyStopping, Recorder, Stack,
};

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
            (second.weights, second.settings) = (first.weights.clone(), first.settings.clone());
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
fn every_recipe_and_every_curve_is_in_the_list() {
    let recorded: Vec<String> =
        CALLBACKS.iter().filter_map(|(_, make)| Some(format!("{:?}", make().recipe()?))).collect();
    let variants = |source: &'static str| {
        let lines = source.lines().map(str::trim);
        lines.filter_map(|line| line.strip_prefix("Self::")?.split_once(['(', ' ']))
    };
    let mut checked = 0;
    let recipes = variants(include_str!("../src/recipe.rs"));
    for (variant, _) in recipes.chain(variants(include_str!("../src/schedule/curve.rs"))) {
        let found = recorded.iter().any(|recipe| {
            recipe.contains(&format!("{variant}(")) || recipe.contains(&format!("{variant} {{"))
        });
        assert!(found, "{variant} is not in CALLBACKS");
        checked += 1;
    }
    assert!(checked >= 25, "only {checked} kinds of recipes and curves were found");
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
            assert!(UNRECORDED.iter().any(|no| name.starts_with(no)), "{name} has no recipe");
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
        assert_eq!((again.name(), again.params()), (first.name(), first.params()), "{name}");
        assert_eq!(serde_json::to_string(&again.recipe()).unwrap(), json, "{name}");
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
