//! What a stack promises, checked with callbacks that listen.

use super::*;
use crate::fake::Fake;
use crate::seam::listener::{Heard, Listener, lines, listener, metrics, stack_of, tell};
use crate::{Phase, Setup, after, every, when};

#[test]
fn the_order_is_by_phase_and_then_by_insertion() {
    let heard = Heard::default();
    let phases = [
        ("f", Phase::Show),
        ("c", Phase::Observe),
        ("a", Phase::Configure),
        ("d", Phase::Observe),
        ("b", Phase::Change),
        ("e", Phase::Save),
    ];
    let mut stack = stack_of(
        phases.map(|(name, phase)| listener(name, &heard).effects(Effects::in_phase(phase))),
    );
    tell(&mut stack).unwrap();
    assert_eq!(
        lines(&heard),
        ["a: setup", "b: setup", "c: setup", "d: setup", "e: setup", "f: setup"]
    );
    let plan = stack.plan(&[], false).unwrap();
    assert_eq!(format!("{plan:?}"), plan.to_string());
    let planned: Vec<_> =
        plan.callbacks().iter().map(|c| format!("{} {}", c.name, c.phase)).collect();
    assert_eq!(planned, ["a configure", "b change", "c observe", "d observe", "e save", "f show"]);
}

#[test]
fn the_moments_of_a_fit_come_as_the_loop_is_drawn() {
    let heard = Heard::default();
    let mut fake = Fake::with(listener("", &heard)).batches(2);
    fake.fit(1);
    #[rustfmt::skip]
    let drawn = [
        "fit_start", "epoch_start",
        "batch_start 1", "raw 1", "change 1", "final 1", "update 1", "step_end 1",
        "batch_start 2", "raw 2", "change 2", "final 2", "update 2", "step_end 2",
        "validation_start", "epoch_end", "validation_end", "fit_end",
    ];
    assert_eq!(lines(&heard), drawn);
}

#[test]
fn everyone_sees_the_moment_after_one_stopped_or_failed() {
    let heard = Heard::default();
    let mut stack = stack_of([
        listener("stops", &heard).answer(|_| Ok(Flow::stop("enough"))),
        listener("fails", &heard).answer(|_| Err(CallbackError::custom("broken"))),
        listener("fails later", &heard).answer(|_| Err(CallbackError::custom("broken too"))),
        listener("sees", &heard),
    ]);
    let error = tell(&mut stack).unwrap_err();
    assert_eq!(error.to_string(), "run callback fails: broken");
    assert_eq!(
        lines(&heard),
        ["stops: setup", "fails: setup", "fails later: setup", "sees: setup"]
    );
}

#[test]
fn everyone_sees_the_moment_after_one_panicked() {
    let heard = Heard::default();
    let members = || {
        [
            listener("sees first", &heard),
            listener("panics", &heard).answer(|_| panic!("broken")),
            listener("fails", &heard).answer(|_| Err(CallbackError::custom("broken too"))),
            listener("panics later", &heard).answer(|_| panic!("broken thrice")),
            listener("sees", &heard),
        ]
    };
    for mut stack in [stack_of(members()), stack_of([Vec::from(members())])] {
        let error = tell(&mut stack).unwrap_err().to_string();
        assert_eq!(error, "go on: callback `panics` panicked in setup: broken");
        assert_eq!(lines(&heard), ["sees first: setup", "fails: setup", "sees: setup"]); // who panics writes nothing down
    }
}

#[test]
fn the_strongest_flow_wins_and_of_stops_the_first() {
    let heard = Heard::default();
    let wishes: [fn(&str) -> Reply; 5] = [
        |_| Ok(Flow::Continue),
        |_| Ok(Flow::SkipUpdate),
        |_| Ok(Flow::EndEpoch),
        |_| Ok(Flow::stop("first")),
        |_| Ok(Flow::stop("second")),
    ];
    // Any two, in both orders: the later in this list wins, and of two stops the one that was
    // called first.
    for (i, &a) in wishes.iter().enumerate() {
        for (j, &b) in wishes.iter().enumerate() {
            let mut stack =
                stack_of([listener("a", &heard).answer(a), listener("b", &heard).answer(b)]);
            let winner = if i.min(j) >= 3 { i } else { i.max(j) };
            let (won, expected) = (tell(&mut stack).unwrap(), wishes[winner]("").unwrap());
            match (won, expected) {
                (Flow::Stop(won), Flow::Stop(expected)) => {
                    assert_eq!(won.detail, expected.detail);
                    assert_eq!(won.by, if winner == i { "a" } else { "b" });
                }
                (won, expected) => assert_eq!(won, expected),
            }
        }
    }
}

#[test]
fn two_writers_are_refused_by_name() {
    let heard = Heard::default();
    let writes =
        |name, resource| listener(name, &heard).effects(Effects::default().writes(resource));
    let refused = |a, b| {
        stack_of([writes("first", a), writes("second", b)])
            .plan(&[], false)
            .map_err(|e| e.to_string())
    };
    for (resource, shown) in [
        (Resource::Seed, "seed"),
        (Resource::LearningRate, "learning rate"),
        (Resource::Gradients, "gradients"),
        (Resource::Weights, "weights"),
        (Resource::metric("x"), "metric x"),
    ] {
        let message = format!(
            "plan the callbacks: first and second both write the {shown}; keep one of them"
        );
        assert_eq!(refused(resource.clone(), resource), Err(message));
    }
    assert!(refused(Resource::Stop, Resource::Stop).is_ok(), "any number may stop");
    assert!(refused(Resource::Weights, Resource::Gradients).is_ok());
    assert!(refused(Resource::metric("x"), Resource::metric("y")).is_ok());
}

#[test]
fn a_metric_of_the_trainer_is_not_a_callbacks_to_write() {
    let heard = Heard::default();
    let stack =
        stack_of([listener("mine", &heard)
            .effects(Effects::default().writes(Resource::metric("val_loss")))]);
    let error = stack.plan(&metrics(&["val_loss"]), false).unwrap_err().to_string();
    assert_eq!(
        error,
        "plan the callbacks: the trainer and mine both write the metric val_loss; keep one of them"
    );
    assert!(stack.plan(&metrics(&["train_loss"]), false).is_ok());
}

#[test]
fn an_unknown_metric_is_refused_with_the_nearest() {
    let heard = Heard::default();
    let reads = |metric| {
        stack_of([
            listener("stopper", &heard).effects(Effects::default().reads(Resource::metric(metric)))
        ])
    };
    let hint = |metric, known: &[&str]| match reads(metric).plan(&metrics(known), false) {
        Err(CallbackError::UnknownMetric { callback, hint, .. }) => {
            assert_eq!(callback, "stopper");
            hint
        }
        other => panic!("{other:?}"),
    };
    let known = ["train_loss", "val_loss", "val_accuracy"];
    assert_eq!(hint("val_los", &known), "did you mean \"val_loss\"?");
    assert_eq!(hint("val_acuracy", &known), "did you mean \"val_accuracy\"?");
    assert!(hint("f1", &known).starts_with("there are: "), "{}", hint("f1", &known));
    assert_eq!(
        hint("f1", &[]),
        "there are no metrics at all; a callback that logs it has to say so: a closure by \
         `.logs(\"f1\")`, a struct by `.writes(Resource::metric(\"f1\"))` in its `effects`"
    );
    assert!(reads("val_loss").plan(&metrics(&known), false).is_ok());

    // A metric that another callback writes is known, wherever that callback stands.
    let mut stack = reads("f1");
    stack.push(
        listener("scorer", &heard)
            .effects(Effects::in_phase(Phase::Show).writes(Resource::metric("f1"))),
    );
    assert!(stack.plan(&[], false).is_ok());
}

#[test]
fn metrics_whose_names_the_fit_brings_are_produced_under_their_prefix() {
    let heard = Heard::default();
    let with = |effects| listener("with", &heard).effects(effects);
    let planned = |a: Effects, b: Effects| {
        stack_of([with(a), with(b)]).plan(&metrics(&["size/x"]), false).map_err(|e| e.to_string())
    };
    let under = || Effects::default().writes(Resource::metrics_under("norm"));
    let reads = |name| Effects::default().reads(Resource::metric(name));
    assert!(planned(under(), reads("norm/0.weight")).is_ok());
    for name in ["norm", "norms/0.weight", "other/norm/0"] {
        assert!(planned(under(), reads(name)).unwrap_err().contains("nothing produces"), "{name}");
    }
    let writes = |resource| Effects::default().writes(resource);
    assert!(planned(under(), writes(Resource::metric("norm"))).is_ok());
    for second in [Resource::metric("norm/0.weight"), Resource::metrics_under("norm/0")] {
        for (a, b) in [(under(), writes(second.clone())), (writes(second.clone()), under())] {
            assert!(planned(a, b).unwrap_err().contains("both write the metric"), "{second}");
        }
    }
    let error = planned(Effects::default(), writes(Resource::metrics_under("size"))).unwrap_err();
    assert!(error.contains("the trainer and with both write the metrics size/…"), "{error}");
}

#[test]
fn a_metric_of_steps_is_none_to_go_by_at_the_end_of_epochs() {
    let heard = Heard::default();
    let with = |name, effects| listener(name, &heard).effects(effects);
    let reads = |name| with("stopper", Effects::default().reads(Resource::metric(name)));
    let writes = |resource| with("logger", Effects::default().writes(resource));
    for (name, resource) in [
        ("norm", Resource::step_metric("norm")),
        ("norm/0.weight", Resource::step_metrics_under("norm")),
    ] {
        for members in [[reads(name), writes(resource.clone())], [writes(resource), reads(name)]] {
            let error = stack_of(members).plan(&metrics(&["val_loss"]), false).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!(
                    "plan the callbacks: stopper monitors {name:?} at the end of epochs, and logger \
                     logs it in steps only; log its mean, or what counts of it, at the end of every \
                     epoch under a name of its own, by `on_epoch_end(…).logs(…)`, and monitor that"
                )
            );
        }
    }
    // It is never the one that was meant.
    let error = stack_of([reads("nor"), writes(Resource::step_metric("norm"))]);
    let error = error.plan(&metrics(&["val_loss"]), false).unwrap_err().to_string();
    assert!(error.contains("which nothing produces; there are: val_loss;"), "{error}");
    // One name has one writer all the same.
    let pairs = [
        (Resource::step_metric("x"), Resource::metric("x")),
        (Resource::step_metric("x"), Resource::step_metric("x")),
        (Resource::step_metrics_under("x"), Resource::metrics_under("x")),
        (Resource::step_metrics_under("x"), Resource::metric("x/y")),
        (Resource::metrics_under("x"), Resource::step_metric("x/y")),
        (Resource::metrics_under("x"), Resource::step_metrics_under("x/y")),
    ];
    for (a, b) in pairs {
        for members in [[writes(a.clone()), writes(b.clone())], [writes(b), writes(a)]] {
            let error = stack_of(members).plan(&[], false).unwrap_err().to_string();
            assert!(error.contains("logger and logger both write the metric"), "{error}");
        }
    }
    assert!(
        stack_of([writes(Resource::step_metric("x")), writes(Resource::step_metrics_under("x"))])
            .plan(&[], false)
            .is_ok()
    );
    // The trainer's is the trainer's.
    let error = stack_of([writes(Resource::step_metric("val_loss"))]);
    let error = error.plan(&metrics(&["val_loss"]), false).unwrap_err().to_string();
    assert!(error.contains("the trainer and logger both write the metric val_loss"), "{error}");
}

#[test]
fn a_panic_is_an_error_with_the_callback_and_the_moment() {
    let heard = Heard::default();
    let mut stack = Stack::new();
    stack.push(crate::on_step_end(|step| {
        let none: [u64; 0] = [];
        Ok(Flow::stop(none[step.samples.len()].to_string()))
    }));
    stack.push(listener("sees", &heard));
    let mut fake = Fake::new(stack).batches(2);
    fake.fit(1);
    assert_eq!(
        fake.seen.error.as_deref(),
        Some(
            "go on: callback `on_step_end` panicked in step_end: index out of bounds: the len is 0 \
             but the index is 3"
        )
    );
    let heard = lines(&heard);
    assert_eq!(heard[heard.len() - 2..], ["sees: step_end 1", "sees: fit_end"]);
}

#[test]
fn a_panic_over_a_state_is_an_error_too() {
    struct Broken(bool);
    impl Callback for Broken {
        fn save(&self) -> Result<CallbackState, CallbackError> {
            assert!(self.0, "no state today");
            CallbackState::of("Broken", &1)
        }
        fn load(&mut self, _: &CallbackState) -> Result<(), CallbackError> {
            std::panic::panic_any(3)
        }
    }
    let error = stack_of([Broken(false)]).save().unwrap_err().to_string();
    assert_eq!(error, "go on: callback `Broken` panicked in save: no state today");
    let saved = stack_of([Broken(true)]).save().unwrap();
    let error = stack_of([Broken(true)]).load(&saved).unwrap_err().to_string();
    assert_eq!(error, "go on: callback `Broken` panicked in load: no message");
}

#[test]
fn a_store_is_asked_for_by_name() {
    let heard = Heard::default();
    let stack = stack_of([listener("keeper", &heard).effects(Effects::default().needs_store())]);
    let error = stack.plan(&[], false).unwrap_err().to_string();
    assert_eq!(error, "plan the callbacks: keeper needs a run store; add `.store(&store)`");
    assert!(stack.plan(&[], true).is_ok());
}

/// Everything that can be seen of a callback in a stack: its plan, what it heard, how the fit
/// ended, its state.
fn seen(
    wrap: impl FnOnce(Listener) -> Box<dyn Callback>,
) -> (Plan, Vec<String>, Option<String>, u64) {
    let heard = Heard::default();
    let effects = Effects::in_phase(Phase::Guard)
        .writes(Resource::Weights)
        .reads(Resource::metric("train_loss"));
    let inner = listener("inner", &heard).effects(effects).answer(|what| {
        Ok(if what == "step_end 2" { Flow::stop("enough") } else { Flow::Continue })
    });
    let mut fake = Fake::with(wrap(inner));
    let plan = fake.stack.plan(&metrics(&["train_loss"]), false).unwrap();
    let saved = fake.stack.save().unwrap();
    fake.fit(1);
    fake.stack.load(&saved).unwrap();
    assert_eq!(fake.stack.save().unwrap(), saved);
    (plan, lines(&heard), fake.seen.reason.map(|r| r.to_string()), fake.counters.batches_seen)
}

#[test]
fn wrapped_callbacks_behave_like_bare_ones() {
    let bare = seen(|inner| Box::new(inner));
    assert_eq!(bare.2.as_deref(), Some("requested (inner): enough"));
    assert_eq!(seen(|inner| Box::new(Some(inner))), bare);
    assert_eq!(seen(|inner| Box::new(Box::new(inner))), bare);
    assert_eq!(seen(|inner| Box::new(every(1, inner))), bare);
    assert_eq!(seen(|inner| Box::new(after(0, inner))), bare);
    assert_eq!(seen(|inner| Box::new(when(|_| true, inner))), bare);
    // A vector has a name of its own; all else is the same.
    let (plan, heard, reason, batches) = seen(|inner| Box::new(vec![inner]));
    assert_eq!((heard, reason, batches), (bare.1, bare.2, bare.3));
    assert_eq!(plan.callbacks()[0].name, "[inner]");
    assert_eq!(
        (&plan.callbacks()[0].writes, &plan.callbacks()[0].phase),
        (&bare.0.callbacks()[0].writes, &bare.0.callbacks()[0].phase)
    );
}

#[test]
fn nothing_is_a_callback_too() {
    let mut fake = Fake::with(None::<Listener>);
    fake.stack.push(Vec::<Listener>::new());
    fake.fit(2);
    assert_eq!((fake.counters.epoch, fake.seen.error), (2, None));
}

#[test]
fn members_of_a_vector_are_called_in_its_order_and_named_in_errors() {
    let heard = Heard::default();
    let change = || Effects::in_phase(Phase::Change).writes(Resource::Gradients);
    let mut stack = stack_of([vec![
        listener("one", &heard).effects(change()),
        listener("two", &heard).effects(change()).answer(|_| Err(CallbackError::custom("broken"))),
        listener("three", &heard).effects(Effects::in_phase(Phase::Configure)),
    ]]);
    assert!(stack.plan(&[], false).is_ok(), "members may write the same thing one after the other");
    assert_eq!(tell(&mut stack).unwrap_err().to_string(), "run callback two: broken");
    assert_eq!(lines(&heard), ["one: setup", "two: setup", "three: setup"]);
}

#[test]
fn a_state_goes_back_only_where_it_came_from() {
    let heard = Heard::default();
    let mut stack = stack_of([listener("a", &heard), listener("b", &heard)]);
    tell(&mut stack).unwrap();
    let saved = stack.save().unwrap();
    let error = |mut stack: Stack| stack.load(&saved).unwrap_err().to_string();
    assert_eq!(
        error(stack_of([listener("a", &heard)])),
        "read the saved state of callback stack: the callbacks are others; saved and not here: b"
    );
    assert_eq!(
        error(stack_of([listener("c", &heard), listener("a", &heard), listener("d", &heard)])),
        "read the saved state of callback stack: the callbacks are others; saved and not here: b; \
         here and not saved: c, d"
    );
    // Which order is right, the new stack says.
    let mut turned = stack_of([listener("b", &heard), listener("a", &heard)]);
    turned.load(&saved).unwrap();
    assert_eq!(turned.save().unwrap(), [saved[1].clone(), saved[0].clone()]);
    let mut same = stack_of([listener("a", &heard), listener("b", &heard)]);
    same.load(&saved).unwrap();
    assert_eq!(same.save().unwrap(), saved);

    let broken = [NamedState { name: "a".into(), state: CallbackState::of("a", &"text").unwrap() }];
    let error = stack_of([listener("a", &heard)]).load(&broken).unwrap_err().to_string();
    assert!(error.starts_with("read the saved state of callback a: "), "{error}");

    let two = vec![listener("a", &heard), listener("b", &heard)];
    let error = vec![listener("a", &heard)].load(&two.save().unwrap()).unwrap_err().to_string();
    assert_eq!(error, "read the saved state of callback [a]: 2 callbacks were saved, 1 are here");
}

#[test]
fn a_callback_with_one_method_is_enough_and_is_called_by_its_type() {
    struct Looks<T>(T);
    impl<T: Send> Callback for Looks<T> {
        fn setup(&mut self, setup: &mut Setup) -> Result<(), CallbackError> {
            setup.set_seed(3);
            Ok(())
        }
    }
    let mut stack = stack_of([Looks(std::collections::BTreeMap::<u8, String>::new())]);
    let mut setup = Setup::default();
    stack.on(&mut Moment::Setup(&mut setup)).unwrap();
    assert_eq!(setup.seed(), Some(3));
    assert!(stack.contains("Looks"), "{}", stack.plan(&[], false).unwrap());
}

#[test]
fn a_stack_says_what_is_in_it() {
    let heard = Heard::default();
    let mut stack = stack_of([listener("scorer", &heard)
        .effects(Effects::default().writes(Resource::metric("f1")).writes(Resource::Weights))]);
    assert!(stack.contains("scorer") && !stack.contains("other"));
    assert!(stack.writes(&Resource::Weights) && !stack.writes(&Resource::Gradients));
    assert_eq!(stack.scheduled_groups().count(), 0);
    stack.push(crate::LrSchedule::constant(0.1).for_group("encoder"));
    let groups: Vec<_> = stack.scheduled_groups().map(|name| name.as_str()).collect();
    assert_eq!(groups, ["encoder"]);

    // What callbacks log is among what there is to go by.
    stack.push(listener("reader", &heard).effects(Effects::default().reads(Resource::metric("g"))));
    let error = stack.plan(&metrics(&["val_loss"]), false).unwrap_err().to_string();
    assert!(error.contains("there are: f1, val_loss;"), "{error}");
}

#[test]
fn what_callbacks_cost_is_counted_until_it_is_cleared() {
    let mut fake = Fake::with(vec![crate::on_fit_start(|_| Ok(Flow::Continue)).named("one")]);
    fake.fit(1);
    let costs = fake.stack.costs();
    let of = |moment: &str| costs.iter().find(|cost| cost.moment == moment).map(|cost| cost.calls);
    assert_eq!((of("fit_start"), of("epoch_end"), of("fit_end")), (Some(1), Some(1), Some(1)));
    assert!(costs.iter().all(|cost| cost.callback == "[one]"), "{costs:?}");
    fake.stack.clear_costs();
    assert_eq!(fake.stack.costs(), []);
}

#[test]
fn those_that_are_free_may_be_here_or_not() {
    let heard = Heard::default();
    let both = || stack_of([listener("a", &heard), listener("free", &heard)]);
    let (mut with, mut without) = (both(), stack_of([listener("a", &heard)]));
    tell(&mut with).unwrap();
    tell(&mut without).unwrap();
    let (all, one) = (with.save().unwrap(), without.save().unwrap());
    assert_eq!((all.len(), one.len()), (2, 1));
    assert!(stack_of([listener("a", &heard)]).load_but(&all, &["free"]).is_ok());
    assert!(both().load_but(&one, &["free"]).is_ok());
    let error = |mut stack: Stack, states: &[NamedState]| {
        stack.load_but(states, &["other"]).unwrap_err().to_string()
    };
    assert!(error(stack_of([listener("a", &heard)]), &all).ends_with("saved and not here: free"));
    assert!(error(both(), &one).ends_with("here and not saved: free"));
    // A nothing of an older checkpoint is passed over, whoever's it was.
    let nothing =
        NamedState { name: "gone".into(), state: CallbackState::of("gone", &()).unwrap() };
    let states = [all.clone(), vec![nothing]].concat();
    assert!(both().load_but(&states, &[]).is_ok());
}

#[test]
fn a_run_is_found_by_the_settings_of_members() {
    let members = vec![crate::Clip::global_norm(2.0), crate::Clip::value(3.0)];
    assert_eq!(members.params(), [("clip_norm", 2.0.into()), ("clip_value", 3.0.into())]);
}

#[test]
fn an_observer_hears_last_may_stop_and_leaves_no_trace() {
    let heard = Heard::default();
    let mut stack = stack_of([listener("inside", &heard)]);
    let stop = listener("outside", &heard).answer(|_| Ok(Flow::stop("seen enough")));
    let (plan, saved) = (stack.plan(&[], false).unwrap(), stack.save().unwrap());
    stack.observe(Some(Box::new(stop)));
    assert_eq!(stack.plan(&[], false).unwrap(), plan);
    assert_eq!(stack.save().unwrap(), saved);
    assert_eq!(stack.recorded().len(), 1);
    let Flow::Stop(reason) = tell(&mut stack).unwrap() else { unreachable!() };
    assert_eq!((reason.detail.as_str(), reason.by.as_str()), ("seen enough", ""));
    assert!(stack.costs().iter().all(|cost| cost.callback == "inside"));
    stack.observe(None);
    assert_eq!(tell(&mut stack).unwrap(), Flow::Continue);
    assert_eq!(lines(&heard), ["inside: setup", "outside: setup", "inside: setup"]);
}
