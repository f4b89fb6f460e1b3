//! The learning-rate finder: runs the trainer's network at an exponentially rising rate.

use super::{LrCurve, LrRange, heed};
use crate::Error;
use crate::data::Batch;
use crate::random::Seed;
use crate::task::{MeanLoss, Recipe, Task};
use crate::trainer::{FeedStreams, Interrupt, Trainer};

pub(super) const NAME: &str = "find a learning rate";

/// The first learning rate tried.
const LOWEST: f64 = 1e-7;
/// The last.
const HIGHEST: f64 = 10.0;
/// Batches, one per rate. Fewer where the data have fewer: the part is then gone through again.
const STEPS: usize = 200;
/// The search ends where the mean of a few losses exceeds this many times the least such mean;
/// fastai's factor.
const DIVERGED: f64 = 4.0;

impl Trainer {
    /// Finds a learning rate: 200 batches at rates rising exponentially from 1e-7 to 10, ending
    /// early where the loss diverges (Smith 2015, arXiv:1506.01186).
    ///
    /// It runs on a copy. Before it returns it asserts that weights, moments, counters and every
    /// callback's state hash to what they did before.
    ///
    /// # Errors
    /// The loss never fell clearly, so that no rate can be told from another; the message says what
    /// it did instead.
    pub fn find_lr(&self) -> Result<LrCurve, Error> {
        let before = self.state_hash()?;
        let curve = self.curve(self.copy()?, self.seed())?;
        self.is_still(before, NAME)?;
        curve.concluded()
    }

    /// The same from several seeds, the trainer's own and those that follow on it, which draw other
    /// batches, and other weights too if the trainer has not trained yet: how far its suggestions are
    /// apart says how much one of them is worth.
    ///
    /// # Errors
    /// From no seed did the loss fall clearly.
    pub fn find_lr_over(&self, seeds: u64) -> Result<LrRange, Error> {
        if seeds == 0 {
            let (value, expected) = ("0".to_owned(), "at least 1".to_owned());
            return Err(Error::Setting { setting: "seeds", value, expected });
        }
        let before = self.state_hash()?;
        // Nobody has trained or loaded anything: its weights are the seed's.
        let is_fresh = self.recipe.task()?.state()?.hash() == self.task.state()?.hash();
        let mut curves = Vec::new();
        let mut refused = Vec::new();
        for number in 0..seeds {
            let seed = Seed(self.seed().0.wrapping_add(number));
            let probe = match is_fresh {
                true => Recipe { seed, ..self.recipe.clone() }.task()?,
                false => self.copy()?,
            };
            match self.curve(probe, seed)?.concluded() {
                Ok(curve) => curves.push((seed, curve)),
                Err(error) => refused.push((seed, error)),
            }
        }
        self.is_still(before, NAME)?;
        LrRange::of(curves, refused)
    }

    /// The loss at each rate, not yet read.
    fn curve(&self, mut probe: Box<dyn Task>, seed: Seed) -> Result<LrCurve, Error> {
        let streams = FeedStreams::FINDER;
        let mut loader = self.feed.batches(&self.data, seed, streams)?;
        let mut batch = Batch::default();
        let mut curve = LrCurve::default();
        let mut epoch = 0;
        let interrupt = Interrupt::new();
        loader.start(epoch);
        for step in 0..STEPS {
            heed(&interrupt, NAME)?;
            let rate = LOWEST * (HIGHEST / LOWEST).powf(step as f64 / (STEPS - 1) as f64);
            let mut sum = MeanLoss::default();
            for part in 0..self.accumulate {
                if !loader.next(&mut batch)? {
                    epoch += 1;
                    loader.start(epoch);
                    loader.next(&mut batch)?;
                }
                if step == 0 && part == 0 {
                    curve.remark_on(&batch.targets);
                }
                let number = step * self.accumulate + part;
                self.feed.mix(&mut batch, seed, streams, number as u64);
                sum.add(probe.forward_backward(&batch)?);
            }
            // Whether to go on depends on it.
            probe.wait()?;
            let loss = sum.settled();
            if !curve.push(rate, loss, DIVERGED) {
                break;
            }
            match probe.end_scaling() {
                Some(scale) if scale.overflowed => probe.clear_gradients()?,
                _ => probe.update(&rate.into())?,
            }
        }
        Ok(curve)
    }
}
