//! Of what gates tell their callbacks.

use std::sync::{Arc, Mutex};

use super::*;
use crate::fake::Fake;
use crate::seam::Stack;
use crate::seam::listener::{Heard, lines, listener};

#[test]
fn every_passes_on_whole_steps_and_everything_else() {
    let heard = Heard::default();
    let mut fake = Fake::with(every(3, listener("", &heard))).batches(5);
    fake.fit(1);
    #[rustfmt::skip]
    let passed = [
        "fit_start", "epoch_start",
        "batch_start 1", "raw 1", "change 1", "final 1", "update 1", "step_end 1",
        "batch_start 4", "raw 4", "change 4", "final 4", "update 4", "step_end 4",
        "validation_start", "epoch_end", "validation_end", "fit_end",
    ];
    assert_eq!(lines(&heard), passed);
    let mut fake = Fake::with(every(0, listener("", &heard))).batches(2);
    fake.fit(1);
    assert_eq!(
        lines(&heard).iter().filter(|line| line.starts_with("step_end")).count(),
        2,
        "0 counts as 1"
    );
}

#[test]
fn after_keeps_still_until_so_many_steps_are_done() {
    let heard = Heard::default();
    let mut fake = Fake::with(after(3, listener("", &heard))).batches(2);
    fake.fit(3);
    #[rustfmt::skip]
    let passed = [
        "fit_start",
        // The first epoch has steps 1 and 2, and the second step 3, which is still.
        "batch_start 4", "raw 4", "change 4", "final 4", "update 4", "step_end 4",
        "validation_start", "epoch_end", "validation_end",
        "epoch_start",
        "batch_start 5", "raw 5", "change 5", "final 5", "update 5", "step_end 5",
        "batch_start 6", "raw 6", "change 6", "final 6", "update 6", "step_end 6",
        "validation_start", "epoch_end", "validation_end", "fit_end",
    ];
    assert_eq!(lines(&heard), passed);
}

#[test]
fn when_asks_once_for_what_belongs_together() {
    let heard = Heard::default();
    let asked = Arc::new(Mutex::new(0));
    let counter = asked.clone();
    let odd = move |at: crate::Counters| {
        *counter.lock().unwrap() += 1;
        at.updates_attempted % 2 == 1
    };
    let mut fake = Fake::with(when(odd, listener("", &heard))).batches(3);
    fake.fit(2);
    #[rustfmt::skip]
    let passed = [
        "fit_start",
        "batch_start 2", "raw 2", "change 2", "final 2", "update 2", "step_end 2",
        "validation_start", "epoch_end", "validation_end", "epoch_start", // after three steps
        "batch_start 4", "raw 4", "change 4", "final 4", "update 4", "step_end 4",
        "batch_start 6", "raw 6", "change 6", "final 6", "update 6", "step_end 6",
        "fit_end",
    ];
    assert_eq!(lines(&heard), passed);
    assert_eq!(*asked.lock().unwrap(), 2 * (1 + 3 + 1), "epoch starts, steps, validations");
}

#[test]
fn several_batches_of_one_step_are_not_parted() {
    let heard = Heard::default();
    // By the batches, which differ within a step.
    let mut gated = when(|at: crate::Counters| at.batches_seen == 0, listener("", &heard));
    let log = crate::MetricLog::default();
    let horizon = Fake::new(Stack::new()).horizon;
    for (batches_seen, updates_attempted) in [(0, 0), (1, 0), (2, 1)] {
        let counters = crate::Counters { batches_seen, updates_attempted, ..Default::default() };
        let mut settings = 1.0.into();
        let mut batch = crate::BatchStart::new(counters, horizon, &[], &log, &mut settings);
        gated.on(&mut Moment::BatchStart(&mut batch)).unwrap();
    }
    assert_eq!(lines(&heard), ["batch_start 1", "batch_start 2"]);
}
