//! How long callbacks take.
//!
//! The moments of a step come too often to be timed each time: reading the clock would cost more
//! than many a callback does. The first of sixteen is timed, and the others are taken to have cost as
//! much; all other moments are timed each time.

use std::time::{Duration, Instant};

use trainbook_store::CallbackCost;

use super::moment::{KINDS, Moment};

/// A call of so many is timed, if it belongs to a step.
const EVERY: u64 = 16;

/// What one callback has taken at each moment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Costs([Cost; KINDS]);

#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    calls: u64,
    timed: u64,
    spent: Duration,
}

impl Costs {
    /// Calls a callback at a moment of this number, with the clock in hand if it is timed.
    pub fn around<R>(&mut self, moment: usize, per_step: bool, call: impl FnOnce() -> R) -> R {
        let cost = &mut self.0[moment];
        cost.calls += 1;
        if per_step && cost.calls % EVERY != 1 {
            return call();
        }
        let started = Instant::now();
        let reply = call();
        cost.spent += started.elapsed();
        cost.timed += 1;
        reply
    }

    /// Begins anew.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// The moments at which the callback was called, in the order of the loop.
    pub fn of<'a>(&'a self, callback: &'a str) -> impl Iterator<Item = CallbackCost> + 'a {
        let each = self.0.iter().zip(Moment::NAMES);
        each.filter(|(cost, _)| cost.timed > 0).map(move |(cost, moment)| CallbackCost {
            callback: callback.to_owned(),
            moment: moment.to_owned(),
            calls: cost.calls,
            seconds: cost.spent.as_secs_f64() * cost.calls as f64 / cost.timed as f64,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_timed_is_taken_to_cost_as_much() {
        let mut costs = Costs::default();
        let slow = || std::thread::sleep(Duration::from_millis(2));
        // Of these the first and the seventeenth are timed.
        for call in 0..20 {
            costs.around(3, true, || {
                if call % EVERY == 0 {
                    slow()
                }
            });
        }
        (0..3).for_each(|_| costs.around(10, false, slow));
        let all: Vec<CallbackCost> = costs.of("Slow").collect();
        let [of_steps, of_epochs] = &all[..] else { panic!("{all:?}") };
        assert_eq!((of_steps.callback.as_str(), of_steps.moment.as_str()), ("Slow", "batch_start"));
        assert_eq!((of_steps.calls, of_epochs.calls), (20, 3));
        assert_eq!(of_epochs.moment, "epoch_end");
        assert!(of_steps.seconds >= 0.040, "{of_steps:?}");
        assert!((0.006..0.040).contains(&of_epochs.seconds), "{of_epochs:?}");
        costs.clear();
        assert_eq!(costs.of("Slow").count(), 0);
    }
}
