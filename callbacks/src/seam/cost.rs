//! How long callbacks take.
//!
//! The moments of a step come too often to be timed each time: reading the clock would cost more
//! than many a callback does. They are timed in every sixteenth step, and the others are taken to
//! have cost as much; all other moments are timed each time.

use std::time::{Duration, Instant};

use trainbook_store::CallbackCost;

use super::Moment;
use super::moment::KINDS;

/// A step of so many is timed.
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

/// Whether a moment is timed.
pub(super) fn is_timed(moment: &Moment<'_, '_>) -> bool {
    !moment.is_per_step()
        || moment.counters().is_none_or(|at| at.updates_attempted.is_multiple_of(EVERY))
}

impl Costs {
    /// Calls a callback at a moment of this number, with the clock in hand if it is timed.
    pub fn around<R>(&mut self, moment: usize, timed: bool, call: impl FnOnce() -> R) -> R {
        let cost = &mut self.0[moment];
        cost.calls += 1;
        if !timed {
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
        for step in 0..8 {
            costs.around(3, step % 4 == 0, || std::thread::sleep(Duration::from_millis(2)));
        }
        costs.around(5, false, || ());
        let all: Vec<CallbackCost> = costs.of("Slow").collect();
        // Of the second moment nothing is known.
        let [one] = &all[..] else { panic!("{all:?}") };
        assert_eq!((one.callback.as_str(), one.moment.as_str()), ("Slow", Moment::NAMES[3]));
        assert_eq!(one.calls, 8);
        // Eight times two milliseconds at least, of which two were seen.
        assert!(one.seconds >= 0.016, "{one:?}");
        costs.clear();
        assert_eq!(costs.of("Slow").count(), 0);
    }
}
