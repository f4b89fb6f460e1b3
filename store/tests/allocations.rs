//! Logging a point allocates nothing once the queue has its size.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod common;

use common::{new_store, start};
use trainbook_store::{Metric, Name};

#[test]
fn logging_allocates_nothing() {
    let (_folder, store) = new_store();
    let run = start(&store, "mlp");
    // Longer than what fits into a name itself: such a name is shared, not copied.
    let long = Name::from("gradient_norm/transformer.layers.11.weight");
    let round = |first: u64| {
        for step in first..first + 1000 {
            let value = step as f64;
            run.log(step, &[Metric::new("loss", value), Metric { name: long.clone(), value }]);
        }
    };
    // Twice, because the queue and the batch that is being written change places.
    for first in [0, 1000, 2000, 3000] {
        round(first);
        run.flush().unwrap();
    }
    // The recording thread allocates in its own time; only this thread is counted.
    let counted = allocation_counter::measure(|| round(4000));
    assert_eq!(counted.count_total, 0, "{counted:?}");
    run.flush().unwrap();
    assert_eq!(store.run(run.id().as_str()).unwrap().series["loss"].len(), 5000);
}
