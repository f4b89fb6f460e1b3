//! How long callbacks take.
//!
//! The moments of a step come too often to be timed each time: reading the clock would cost more
//! than many a callback does. One of sixteen is timed, and the others are taken to have cost as much;
//! all other moments are timed each time. Which calls are timed follows from their number by the golden
//! ratio, so that what happens every so many steps is met as often as it happens. The first call, in
//! which much is done once, is not among them, but the second is, so that short fits are known too.

use std::time::{Duration, Instant};

use trainbook_store::CallbackCost;

use super::moment::{KINDS, Moment};

/// Whether a call of this number, from 1, is timed if it belongs to a step.
fn is_timed(call: u64) -> bool {
    /// 2⁶⁴ divided by the golden ratio.
    const STRIDE: u64 = 0x9E37_79B9_7F4A_7C15;
    call == 2 || call.wrapping_mul(STRIDE) >> 60 == 0
}

/// What one callback has taken at each moment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Costs([Cost; KINDS]);

#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    calls: u64,
    timed: u64,
    spent: Duration,
}

impl Cost {
    /// What all calls took, reckoned from those that were timed, of which there is one.
    fn seconds(&self) -> f64 {
        self.spent.as_secs_f64() * self.calls as f64 / self.timed as f64
    }
}

impl Costs {
    /// Calls a callback at a moment of this number, with the clock in hand if it is timed.
    pub fn around<R>(&mut self, moment: usize, per_step: bool, call: impl FnOnce() -> R) -> R {
        let cost = &mut self.0[moment];
        cost.calls += 1;
        if per_step && !is_timed(cost.calls) {
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
            seconds: cost.seconds(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_calls_cost_what_those_did_that_were_timed() {
        let cost = Cost { calls: 20, timed: 2, spent: Duration::from_millis(4) };
        assert!((cost.seconds() - 0.040).abs() < 1e-12, "{}", cost.seconds());
    }

    #[test]
    fn what_is_not_timed_is_taken_to_cost_as_much() {
        let mut costs = Costs::default();
        let slow = || std::thread::sleep(Duration::from_millis(2));
        (0..20).for_each(|_| costs.around(3, true, slow));
        (0..3).for_each(|_| costs.around(11, false, slow));
        let all: Vec<CallbackCost> = costs.of("Slow").collect();
        let [of_steps, of_epochs] = &all[..] else { panic!("{all:?}") };
        assert_eq!((of_steps.callback.as_str(), of_steps.moment.as_str()), ("Slow", "batch_start"));
        assert_eq!((of_steps.calls, of_epochs.calls), (20, 3));
        assert_eq!(of_epochs.moment, "epoch_end");
        assert!(of_steps.seconds >= 0.040 && of_epochs.seconds >= 0.006, "{all:?}");
        costs.clear();
        assert_eq!(costs.of("Slow").count(), 0);
    }

    #[test]
    fn what_happens_every_so_many_steps_is_met_as_often() {
        let timed = |calls: &mut dyn Iterator<Item = u64>| calls.filter(|c| is_timed(*c)).count();
        let of_all = timed(&mut (1..=16_000)) as f64 / 16_000.0;
        assert!((of_all * 16.0 - 1.0).abs() < 0.02, "{of_all}");
        for every in [2, 3, 10, 16, 32, 64, 100] {
            for phase in [1, 2, 5] {
                let mut calls = (0..1_000).map(|n| phase + n * every);
                let share = timed(&mut calls) as f64 / 1_000.0;
                assert!((share * 16.0 - 1.0).abs() < 0.25, "every {every} from {phase}: {share}");
            }
        }
        assert!(!is_timed(1) && is_timed(2));
    }

    #[test]
    fn one_of_sixteen_steps_is_timed() {
        let mut costs = Costs::default();
        (0..1600).for_each(|_| costs.around(3, true, || ()));
        (0..3).for_each(|_| costs.around(11, false, || ()));
        assert!((99..=101).contains(&costs.0[3].timed), "{}", costs.0[3].timed);
        assert_eq!(costs.0[11].timed, 3);
    }
}
