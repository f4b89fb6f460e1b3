//! What an interrupt of Jupyter's means.

use std::time::Duration;

/// A second interrupt within this time ends what runs.
pub const TWICE_WITHIN: Duration = Duration::from_secs(5);

/// What to do about an interrupt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// The fit has been asked to stop behind its step.
    Asked,
    /// What runs is ended.
    End,
}

/// The interrupts of a kernel so far.
#[derive(Debug, Default)]
pub struct Interrupts {
    asked: Option<Duration>,
}

impl Interrupts {
    /// What one means at `now`, the time since some fixed moment. `ask` asks the fit, and tells
    /// whether there is one.
    pub fn meaning(&mut self, now: Duration, ask: impl FnOnce() -> bool) -> Meaning {
        let again = self.asked.is_some_and(|asked| now.saturating_sub(asked) <= TWICE_WITHIN);
        if !again && ask() {
            self.asked = Some(now);
            return Meaning::Asked;
        }
        self.asked = None;
        Meaning::End
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn a_fit_is_asked_and_a_second_interrupt_soon_after_ends_it() {
        let mut interrupts = Interrupts::default();
        assert_eq!(interrupts.meaning(at(0), || true), Meaning::Asked);
        // A long step: whoever presses again after a while does not mean to lose the model.
        assert_eq!(interrupts.meaning(at(5_001), || true), Meaning::Asked);
        assert_eq!(interrupts.meaning(at(10_001), || true), Meaning::End);
        // After the end everything begins anew.
        assert_eq!(interrupts.meaning(at(10_002), || true), Meaning::Asked);
    }

    #[test]
    fn without_a_fit_the_first_ends_what_runs() {
        let mut interrupts = Interrupts::default();
        assert_eq!(interrupts.meaning(at(0), || false), Meaning::End);
        assert_eq!(interrupts.meaning(at(1), || true), Meaning::Asked);
    }
}
