//! What callbacks take is told by the run and recorded with it.

use std::time::Duration;

use trainbook::history::Store;
use trainbook::prelude::*;
use trainbook::store::CallbackCost;

use crate::support::{BATCHES, builder, clouds};

fn slow(milliseconds: u64) -> impl Callback {
    on_step_end(move |_| {
        std::thread::sleep(Duration::from_millis(milliseconds));
        Ok(Flow::Continue)
    })
    .named("Slow")
}

fn of<'a>(costs: &'a [CallbackCost], callback: &str, moment: &str) -> &'a CallbackCost {
    let is = |cost: &&CallbackCost| cost.callback == callback && cost.moment == moment;
    costs.iter().find(is).unwrap_or_else(|| panic!("{callback} {moment}: {costs:?}"))
}

#[test]
fn each_callback_is_counted_at_each_of_its_moments() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let data = clouds();
    let with = builder(&data, 1).with(slow(20)).with(Clip::global_norm(1.0)).store(&store);
    let mut trainer = with.build().unwrap();
    let run = trainer.fit(Epochs(13)).unwrap();
    let steps = 13 * BATCHES;
    let costs = run.callback_costs();
    let own = of(costs, "Slow", "step_end");
    // One of sixteen is timed, and the others reckoned from those.
    assert_eq!(own.calls, steps);
    assert!(own.seconds >= 0.02 * steps as f64 && own.seconds < run.seconds() * 1.2, "{own:?}");
    assert_eq!(of(costs, "Clip", "change_gradients").calls, steps);
    assert_eq!(of(costs, "Recorder", "epoch_end").calls, 13);
    assert_eq!(of(costs, "Recorder", "fit_start").calls, 1);

    let stored = store.run(run.id().unwrap().as_str()).unwrap();
    assert_eq!(stored.callback_costs().unwrap(), (run.seconds(), costs));
    let text = run.to_string();
    let warning = text.split_once("warning: ").unwrap().1;
    assert!(warning.starts_with("Slow took ") && warning.contains("most of it in step_end"));
    assert!(
        warning.ends_with("if it only watches, `every(n, …)` calls it less often"),
        "{warning}"
    );
    let text = run.view().unwrap().text;
    assert!(text.contains("callbacks took ") && text.contains("of the time: Slow "), "{text}");
    assert!(text.contains("warning: Slow took "), "{text}");
    assert_eq!(stored.load_on(&data, &Kinds::standard()).unwrap().callback_costs(), costs);

    // The next fit counts anew.
    let again = trainer.fit(Epochs(1)).unwrap();
    assert_eq!(of(again.callback_costs(), "Slow", "step_end").calls, BATCHES);
}

#[test]
fn a_short_fit_is_not_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let with = builder(&clouds(), 1).with(slow(5)).store(&store);
    let run = with.build().unwrap().fit(Epochs(1)).unwrap();
    assert!(!run.to_string().contains("warning"), "{run}");
    assert!(of(run.callback_costs(), "Slow", "step_end").seconds >= 0.005 * BATCHES as f64);
}
