//! One seed for everything random.

use serde::{Deserialize, Serialize};

use crate::{Callback, CallbackError, CallbackRecipe, Effects, Phase, Resource, Setup};

/// Sets the seed of every random stream: initial weights, the order of the samples, dropout.
///
/// Random numbers here are counted, not drawn one after the other, so the seed is all there is to
/// save: this callback has no state.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FixSeed {
    seed: u64,
}

impl FixSeed {
    /// Any number will do; two runs with the same one are the same run.
    pub fn new(seed: u64) -> Self {
        Self { seed }
    }
}

impl Callback for FixSeed {
    fn effects(&self) -> Effects {
        Effects::in_phase(Phase::Configure).writes(Resource::Seed)
    }

    fn recipe(&self) -> Option<CallbackRecipe> {
        Some(CallbackRecipe::FixSeed(self.clone()))
    }

    fn setup(&mut self, setup: &mut Setup) -> Result<(), CallbackError> {
        setup.set_seed(self.seed);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::FixSeed;
    use crate::{Moment, Setup, Stack};

    #[test]
    fn the_seed_reaches_the_setup() {
        let mut stack = Stack::new();
        stack.push(FixSeed::new(7));
        let mut setup = Setup::default();
        stack.on(&mut Moment::Setup(&mut setup)).unwrap();
        assert_eq!(setup.seed(), Some(7));
    }

    #[test]
    fn two_seeds_are_refused() {
        let mut stack = Stack::new();
        stack.push(FixSeed::new(7));
        stack.push(FixSeed::new(8));
        let error = stack.plan(&[], true).unwrap_err().to_string();
        assert_eq!(
            error,
            "plan the callbacks: FixSeed and FixSeed both write the seed; keep one of them"
        );
    }
}
