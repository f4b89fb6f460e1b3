//! When closures are called.

use super::*;
use crate::fake::Fake;
use crate::seam::Stack;
use crate::seam::listener::{Heard, lines, tell};

#[test]
fn closures_are_called_at_their_moment_and_declare_what_they_are_told_to() {
    let heard = Heard::default();
    let said = |what: &'static str| {
        let heard = heard.clone();
        move || heard.lock().unwrap().push(what.to_owned())
    };
    macro_rules! push {
        ($stack:ident, $($make:ident => $answer:expr),*) => {$({
            let say = said(stringify!($make));
            $stack.push(crate::$make(move |_| { say(); $answer }));
        })*};
    }
    let mut stack = Stack::new();
    push!(stack,
        on_fit_end => Ok(()), on_validation_end => Ok(Flow::Continue),
        on_validated => Ok(Flow::Continue),
        on_epoch_end => Ok(Flow::Continue), on_validation_start => Ok(Flow::Continue),
        on_step_end => Ok(Flow::Continue), on_after_update => Ok(Flow::Continue),
        on_final_gradients => Ok(Flow::Continue), on_change_gradients => Ok(Flow::Continue),
        on_raw_gradients => Ok(Flow::Continue), on_batch_start => Ok(Flow::Continue),
        on_epoch_start => Ok(Flow::Continue), on_fit_start => Ok(Flow::Continue),
        on_setup => Ok(()));
    tell(&mut stack).unwrap();
    let plan = stack.plan(&[], false).unwrap();
    let mut fake = Fake::new(stack).batches(2);
    fake.validate_every = Some(1);
    fake.fit(1);
    #[rustfmt::skip]
    assert_eq!(lines(&heard), [
        "on_setup", "on_fit_start", "on_epoch_start", "on_batch_start", "on_raw_gradients",
        "on_change_gradients", "on_final_gradients", "on_after_update", "on_step_end",
        "on_validation_start", "on_validated", "on_validation_end", "on_batch_start",
        "on_raw_gradients", "on_change_gradients", "on_final_gradients", "on_after_update",
        "on_step_end", "on_validation_start", "on_epoch_end", "on_validation_end", "on_fit_end",
    ]);
    let declared: Vec<_> = plan.callbacks().iter().filter(|c| !c.writes.is_empty()).collect();
    let declared: Vec<_> =
        declared.iter().map(|c| format!("{} {} {}", c.name, c.phase, c.writes[0])).collect();
    assert_eq!(declared, ["on_setup configure seed", "on_change_gradients change gradients"]);

    let told = crate::on_step_end(|_| Ok(Flow::Continue))
        .logs("gap")
        .reads(Resource::Weights)
        .writes(Resource::Stop)
        .in_phase(Phase::Show)
        .named("told");
    assert_eq!(told.name(), "told");
    let effects = Effects::in_phase(Phase::Show).reads(Resource::Weights);
    assert_eq!(told.effects(), effects.writes(Resource::step_metric("gap")).writes(Resource::Stop));
}

#[test]
fn what_a_closure_logs_is_of_steps_where_it_is_called_in_steps() {
    let logs = |closure: Closure<'_>| closure.logs("x").effects().writes.pop();
    macro_rules! of {
        ($($make:ident),*) => {[$(logs(crate::$make(|_| Ok(Flow::Continue)))),*]};
    }
    let in_steps = of!(
        on_batch_start,
        on_raw_gradients,
        on_change_gradients,
        on_final_gradients,
        on_after_update,
        on_step_end
    );
    assert!(in_steps.iter().all(|r| *r == Some(Resource::step_metric("x"))), "{in_steps:?}");
    let in_epochs = of!(on_epoch_start, on_epoch_end);
    assert!(in_epochs.iter().all(|r| *r == Some(Resource::metric("x"))), "{in_epochs:?}");
    // Whatever it is called.
    let named = crate::on_step_end(|_| Ok(Flow::Continue)).named("on_epoch_end");
    assert_eq!(logs(named), Some(Resource::step_metric("x")));
}
