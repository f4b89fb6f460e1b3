//! Which callbacks go together, for every pair of those there are: two that write the same thing are
//! refused before the first step, in whatever order they come and however they are wrapped.

#![allow(clippy::unwrap_used, clippy::panic)] // clippy excuses only the test functions themselves

#[path = "support/shipped.rs"]
mod shipped;
mod support;

use std::collections::BTreeSet;

use shipped::{CALLBACKS, Make};
use trainbook_callbacks::{
    Callback, CallbackError, Phase, Resource, Stack, after, every, on_step_end, when,
};
use trainbook_store::Name;

/// What the trainer itself measures.
const PRODUCED: [Name; 2] = [Name::new_static("train_loss"), Name::new_static("val_loss")];

/// What has one writer, and who of [`CALLBACKS`] is one: by the beginnings of their names. Written by
/// hand, so that no pair is accepted because somebody forgot to declare something.
const WRITERS: &[(&str, &[&str])] = &[
    ("seed", &["FixSeed", "on_setup"]),
    (
        "learning rate",
        &["LrSchedule", "ReduceOnPlateau", "on_batch_start", "-LrSchedule for a group"],
    ),
    ("learning rate of encoder", &["LrSchedule for a group"]),
    ("metric learning_rate/encoder", &["LrSchedule for a group"]),
    ("momentum", &["LrSchedule one_cycle with momentum", "LrSchedule cyclic with momentum"]),
    ("metric momentum", &["LrSchedule one_cycle with momentum", "LrSchedule cyclic with momentum"]),
    ("metrics activation_mean/…", &["ActivationMonitor"]),
    ("metrics activation_std/…", &["ActivationMonitor"]),
    ("metrics flat_share/…", &["ActivationMonitor"]),
    ("metrics dead_units/…", &["ActivationMonitor"]),
    (
        "gradients",
        &[
            "Clip",
            "a vector",
            "after in an epoch",
            "when",
            "on_change_gradients",
            "-when of epochs",
        ],
    ),
    ("metric clipped", &["Clip", "a vector", "after in an epoch", "when", "-when of epochs"]),
    ("metric clipped_share", &["Clip", "a vector", "after in an epoch", "when", "-when of epochs"]),
    ("weights", &["EarlyStopping restore", "EarlyStopping up", "on_fit_end"]),
    ("judged weights", &["WeightAverage", "after", "-after in an epoch"]),
    ("metric gradient_norm", &["GradientMonitor"]),
    ("metrics gradient_norm/…", &["GradientMonitor"]),
    ("metrics gradient_max/…", &["GradientMonitor"]),
    ("metrics gradient_zero_share/…", &["GradientMonitor"]),
    ("metrics gradient_nans/…", &["GradientMonitor"]),
    ("metrics gradient_infs/…", &["GradientMonitor"]),
    ("metric final_gradient_norm", &["GradientMonitor with options"]),
    ("metrics final_gradient_norm/…", &["GradientMonitor with options"]),
    ("metrics final_gradient_max/…", &["GradientMonitor with options"]),
    ("metrics final_gradient_zero_share/…", &["GradientMonitor with options"]),
    ("metrics final_gradient_nans/…", &["GradientMonitor with options"]),
    ("metrics final_gradient_infs/…", &["GradientMonitor with options"]),
    ("metrics update_ratio/…", &["GradientMonitor with options", "GradientMonitor ratios"]),
    ("metric loss_scale", &["LossScaleMonitor"]),
    ("metric overflowed_steps", &["LossScaleMonitor"]),
    ("metrics prediction/…", &["PredictionLog"]),
    ("metrics probability/…", &["PredictionLog"]),
    ("metric skipped_updates", &["NanGuard skip"]),
    ("metric begun", &["on_epoch_start"]),
    ("metrics largest/…", &["on_final_gradients"]),
    ("metric sum", &["on_after_update"]),
    ("metric gap", &["on_epoch_end"]),
    ("metric twice", &["on_validated"]),
];

/// Whether this one of [`CALLBACKS`] is in the table's line.
fn is_one(name: &str, begins: &[&str]) -> bool {
    let out = |begin: &&str| begin.strip_prefix('-').is_some_and(|begin| name.starts_with(begin));
    begins.iter().any(|begin| name.starts_with(begin)) && !begins.iter().any(out)
}

/// What two callbacks of these names both write, by the table.
fn by_hand(a: &str, b: &str) -> BTreeSet<&'static str> {
    let both = WRITERS.iter().filter(|(_, names)| is_one(a, names) && is_one(b, names));
    both.map(|(resource, _)| *resource).collect()
}

/// The same by what the two declare.
fn declared(a: &dyn Callback, b: &dyn Callback) -> BTreeSet<String> {
    let (a, b) = (a.effects().writes, b.effects().writes);
    // A metric as its name, and the names under one as that with a slash, for one in steps and one at
    // the end of epochs are the same thing.
    let text = |resource: &Resource| match resource {
        Resource::Metric(name) | Resource::StepMetric(name) => Some(name.to_string()),
        Resource::MetricsUnder(name) | Resource::StepMetricsUnder(name) => Some(format!("{name}/")),
        _ => None,
    };
    let under = |prefix: &str, name: &str| prefix.ends_with('/') && name.starts_with(prefix);
    let same = |a: &Resource, b: &Resource| match (text(a), text(b)) {
        (Some(a), Some(b)) => a == b || under(&a, &b) || under(&b, &a),
        _ => a == b && *a != Resource::Stop,
    };
    b.iter().filter(|b| a.iter().any(|a| same(a, b))).map(Resource::to_string).collect()
}

fn stack_of(callbacks: impl IntoIterator<Item = Box<dyn Callback>>) -> Stack {
    let mut stack = Stack::new();
    callbacks.into_iter().for_each(|callback| stack.push(callback));
    stack
}

/// What is refused of these two in a stack: the resource, and their names, sorted.
fn refused(a: Box<dyn Callback>, b: Box<dyn Callback>) -> Option<(String, [String; 2])> {
    match stack_of([a, b]).plan(&PRODUCED, true) {
        Ok(plan) => {
            assert_eq!(plan.callbacks().len(), 2);
            None
        }
        Err(CallbackError::TwoWriters { resource, first, second }) => {
            let mut names = [first, second];
            names.sort();
            Some((resource, names))
        }
        Err(other) => panic!("{other}"),
    }
}

fn sorted(a: &dyn Callback, b: &dyn Callback) -> [String; 2] {
    let mut names = [a.name().into_owned(), b.name().into_owned()];
    names.sort();
    names
}

/// Every pair, one of which may be the other once more, in both orders.
fn pairs() -> impl Iterator<Item = ((&'static str, Make), (&'static str, Make))> {
    CALLBACKS.iter().flat_map(|a| CALLBACKS.iter().map(move |b| (*a, *b)))
}

#[test]
fn each_alone_is_accepted() {
    for (name, make) in CALLBACKS {
        assert!(stack_of([make()]).plan(&PRODUCED, true).is_ok(), "{name}");
    }
}

#[test]
fn a_pair_is_refused_where_both_write_the_same() {
    let (mut refusals, mut accepted) = (0, 0);
    for ((a, make_a), (b, make_b)) in pairs() {
        let expected = by_hand(a, b);
        let computed = declared(&*make_a(), &*make_b());
        let as_text: BTreeSet<String> = expected.iter().map(|r| (*r).to_owned()).collect();
        assert_eq!(computed, as_text, "{a} and {b} by what they declare, and by hand");
        match refused(make_a(), make_b()) {
            None => {
                assert!(expected.is_empty(), "{a} and {b} are accepted; both write {expected:?}");
                accepted += 1;
            }
            Some((resource, names)) => {
                assert!(expected.contains(&*resource), "{a} and {b}: {resource}");
                assert_eq!(names, sorted(&*make_a(), &*make_b()), "{a} and {b}");
                refusals += 1;
            }
        }
    }
    // A table that is empty, or one that refuses all, would be no test.
    assert!(refusals > 400 && accepted > 2000, "{refusals} refused, {accepted} accepted");
}

#[test]
fn every_line_of_the_table_has_somebody() {
    for (resource, names) in WRITERS {
        for name in *names {
            let begins = name.strip_prefix('-').unwrap_or(name);
            let known = CALLBACKS.iter().any(|(known, _)| known.starts_with(begins));
            assert!(known, "{resource}: {name}");
        }
    }
}

/// Each in a wrapper, and the name under which it is known there.
type Wrap = (&'static str, fn(Box<dyn Callback>) -> Box<dyn Callback>, fn(&str) -> String);

const WRAPS: &[Wrap] = &[
    ("every", |c| Box::new(every(2, c)), str::to_owned),
    ("after", |c| Box::new(after(3, c)), str::to_owned),
    ("when", |c| Box::new(when(|at| at.epoch > 1, c)), str::to_owned),
    ("an option", |c| Box::new(Some(c)), str::to_owned),
    ("a box", |c| Box::new(c), str::to_owned),
    ("a vector", |c| Box::new(vec![c]), |name| format!("[{name}]")),
    (
        "a vector among others",
        |c| {
            let other = || Box::new(on_step_end(|_| Ok(trainbook_callbacks::Flow::Continue)));
            Box::new(vec![other() as Box<dyn Callback>, c, other()])
        },
        |name| format!("[on_step_end, {name}, on_step_end]"),
    ),
    (
        "all of them",
        |c| Box::new(Some(every(2, vec![after(3, Box::new(c))]))),
        |name| format!("[{name}]"),
    ),
];

#[test]
fn wrapped_ones_are_refused_as_the_bare_ones_are() {
    let mut refusals = 0;
    for ((a, make_a), (b, make_b)) in pairs() {
        let bare = refused(make_a(), make_b());
        for (how, wrap, named) in WRAPS {
            let renamed = |first: String, second: String| {
                let mut names = [first, second];
                names.sort();
                names
            };
            let (name_a, name_b) = (make_a().name().into_owned(), make_b().name().into_owned());
            let both = refused(wrap(make_a()), wrap(make_b()));
            let names = renamed(named(&name_a), named(&name_b));
            assert_eq!(
                both.as_ref().map(|(_, n)| n),
                bare.as_ref().map(|_| &names),
                "{how} of {a}, {b}"
            );
            let one = refused(make_a(), wrap(make_b()));
            let names = renamed(name_a.clone(), named(&name_b));
            assert_eq!(
                one.as_ref().map(|(_, n)| n),
                bare.as_ref().map(|_| &names),
                "{a}, {how} of {b}"
            );
            refusals += u32::from(one.is_some()) + u32::from(both.is_some());
        }
    }
    assert!(refusals > 5000, "only {refusals} were refused");
}

#[test]
fn nothing_conflicts_with_nothing() {
    for (name, make) in CALLBACKS {
        let nothing: [Box<dyn Callback>; 2] =
            [Box::new(None::<Box<dyn Callback>>), Box::new(Vec::<Box<dyn Callback>>::new())];
        for nothing in nothing {
            assert_eq!(refused(make(), nothing), None, "{name}");
        }
    }
}

#[test]
fn what_stands_between_two_writers_does_not_hide_them() {
    // All callbacks that write nothing in the way of others, in every phase, around two writers of
    // each resource of the table.
    for (resource, names) in WRITERS {
        let writers: Vec<_> = CALLBACKS.iter().filter(|(name, _)| is_one(name, names)).collect();
        let (first, last) = (writers[0].1, writers[writers.len() - 1].1);
        let harmless = || -> Vec<Box<dyn Callback>> {
            let phases = [Phase::Configure, Phase::Change, Phase::Decide, Phase::Show];
            let listen = |phase| {
                let closure = on_step_end(|_| Ok(trainbook_callbacks::Flow::Continue));
                Box::new(closure.in_phase(phase).writes(Resource::Stop)) as Box<dyn Callback>
            };
            phases.map(listen).into()
        };
        let mut all = harmless();
        all.push(first());
        all.extend(harmless());
        assert!(stack_of(all).plan(&PRODUCED, true).is_ok());
        let mut all = harmless();
        all.push(first());
        all.extend(harmless());
        all.push(last());
        all.extend(harmless());
        let error = stack_of(all).plan(&PRODUCED, true).unwrap_err().to_string();
        let [a, b] = sorted(&*first(), &*last());
        assert!(error.contains(&a) && error.contains(&b), "{resource}: {error}");
        let shared: Vec<_> = WRITERS
            .iter()
            .filter(|(other, _)| error.contains(&format!("both write the {other};")))
            .collect();
        assert_eq!(shared.len(), 1, "{resource}: {error}");
    }
}
