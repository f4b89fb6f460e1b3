//! Losses of batches, and what several come to.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use trainbook_callbacks::{Reading, Wait};

use crate::NnError;

/// The loss of one batch.
#[derive(Clone, Debug)]
pub struct BatchLoss {
    /// Its mean, as f32.
    pub mean: Reading,
    /// By what the mean was divided: how much the batch counts beside others.
    pub weight: f64,
}

impl BatchLoss {
    /// Its mean, now: waits for the task that computes it, where that is late.
    ///
    /// # Errors
    /// The device failed.
    pub fn now<W: Wait + ?Sized>(&self, task: &W) -> Result<f32, NnError> {
        if self.mean.get().is_none() {
            task.wait().map_err(|e| NnError::device("read a loss", &e.to_string()))?;
        }
        Ok(self.mean.get().map_or(f32::NAN, |mean| mean as f32))
    }
}

/// How much has gone into the gradients since they were cleared.
#[derive(Clone, Copy, Debug, Default)]
pub struct Gathered(f64);

impl Gathered {
    /// Whether there is nothing.
    pub fn is_empty(self) -> bool {
        self.0 == 0.0
    }

    /// Adds a batch of this weight, and returns the share that it has in everything.
    pub fn add(&mut self, weight: f64) -> f64 {
        let before = self.0;
        self.0 += weight;
        if before > 0.0 { weight / self.0 } else { 1.0 }
    }
}

/// The mean loss over several batches, each of which counts by its weight.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(from = "Known", into = "Known")]
pub struct MeanLoss {
    known: Known,
    /// Batches whose loss is not known yet, and those behind them.
    late: VecDeque<BatchLoss>,
}

impl From<Known> for MeanLoss {
    fn from(known: Known) -> Self {
        Self { known, late: VecDeque::new() }
    }
}

impl From<MeanLoss> for Known {
    fn from(mean: MeanLoss) -> Self {
        mean.all_known()
    }
}

/// The mean over batches whose losses are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Known {
    /// Of the first batch, while there is no other: a sum that is divided again has other bits.
    only: Option<Only>,
    sum: f64,
    weight: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Only {
    mean: f32,
    weight: f64,
}

impl Known {
    fn add(&mut self, mean: f64, weight: f64) {
        let mean = mean as f32;
        self.only = if self.weight == 0.0 { Some(Only { mean, weight }) } else { None };
        // A batch in which nothing counts has no mean.
        if weight > 0.0 {
            self.sum += f64::from(mean) * weight;
            self.weight += weight;
        }
    }

    fn mean(&self) -> f64 {
        self.only.map_or(self.sum / self.weight, |only| f64::from(only.mean))
    }
}

impl MeanLoss {
    /// Adds a batch.
    pub fn add(&mut self, loss: BatchLoss) {
        self.take_up();
        match loss.mean.get() {
            Some(mean) if self.late.is_empty() => self.known.add(mean, loss.weight),
            _ => self.late.push_back(loss),
        }
    }

    /// Adds what is known by now, in order.
    fn take_up(&mut self) {
        while let Some(mean) = self.late.front().and_then(|late| late.mean.get())
            && let Some(late) = self.late.pop_front()
        {
            self.known.add(mean, late.weight);
        }
    }

    /// The mean over all batches for whoever has waited for the device; NaN where nothing counts, or
    /// one is not known even so.
    pub fn settled(self) -> f64 {
        self.all_known().mean()
    }

    fn all_known(self) -> Known {
        let mut known = self.known;
        for late in self.late {
            known.add(late.mean.get().unwrap_or(f64::NAN), late.weight);
        }
        known
    }

    /// The mean over all batches, as soon as it is known; NaN where nothing counts.
    pub fn mean(&self) -> Reading {
        match self.late.front() {
            None => return self.known.mean().into(),
            Some(only) if self.late.len() == 1 && self.known.weight == 0.0 => {
                return only.mean.clone();
            }
            Some(_) => {}
        }
        let known = self.known;
        let weights: Vec<f64> = self.late.iter().map(|late| late.weight).collect();
        let late = self.late.iter().map(|late| late.mean.clone()).collect();
        Reading::of(late, move |means| {
            let mut known = known;
            means.iter().zip(&weights).for_each(|(mean, weight)| known.add(*mean, *weight));
            known.mean()
        })
    }

    /// How much all batches count.
    pub fn weight(&self) -> f64 {
        let late = self.late.iter().map(|late| late.weight);
        self.known.weight + late.filter(|weight| *weight > 0.0).sum::<f64>()
    }
}

#[cfg(test)]
mod tests {
    use trainbook_callbacks::Tell;

    use super::*;

    const BATCHES: [(f32, f64); 5] = [(0.1, 3.0), (0.7, 0.0), (0.3, 32.0), (2.5, 7.0), (0.9, 1.0)];

    /// These batches, with the losses that are told later.
    fn mean(late: impl Fn(usize) -> bool) -> (MeanLoss, Vec<(f64, Tell)>) {
        let (mut sum, mut tells) = (MeanLoss::default(), Vec::new());
        for (at, (mean, weight)) in BATCHES.into_iter().enumerate() {
            let mut reading = mean.into();
            if late(at) {
                let (promised, tell) = Reading::late();
                tells.push((f64::from(mean), tell));
                reading = promised;
            }
            sum.add(BatchLoss { mean: reading, weight });
        }
        (sum, tells)
    }

    #[test]
    fn when_losses_are_known_changes_no_bit_of_their_mean() {
        let (at_once, _) = mean(|_| false);
        let expected = at_once.mean().get().unwrap();
        for late in 1..32_usize {
            let (sum, tells) = mean(|at| late >> at & 1 == 1);
            let reading = sum.mean();
            assert_eq!((reading.get(), sum.weight()), (None, 43.0));
            // From the last to the first: order does not matter.
            tells.into_iter().rev().for_each(|(mean, tell)| tell.tell(mean));
            assert_eq!(reading.get().map(f64::to_bits), Some(expected.to_bits()), "{late:b}");
            assert_eq!(sum.clone().settled().to_bits(), expected.to_bits());
            assert_eq!(sum.all_known(), at_once.known);
        }
    }

    #[test]
    fn the_mean_of_one_batch_has_its_bits() {
        let (reading, tell) = Reading::late();
        let mut sum = MeanLoss::default();
        sum.add(BatchLoss { mean: reading, weight: 3.0 });
        let mean = sum.mean();
        tell.tell(f64::from(0.1_f32));
        assert_eq!(mean.get(), Some(f64::from(0.1_f32)));
        assert_eq!(sum.settled(), f64::from(0.1_f32));
    }

    #[test]
    fn what_nobody_told_is_nan() {
        let (sum, _tells) = mean(|at| at == 3);
        assert!(sum.settled().is_nan());
    }

    #[test]
    fn it_is_stored_as_ever() {
        let json = serde_json::to_string(&mean(|_| false).0).unwrap();
        assert_eq!(json, r#"{"only":null,"sum":28.300000362098217,"weight":43.0}"#);
        let one = r#"{"only":{"mean":0.5,"weight":2.0},"sum":1.0,"weight":2.0}"#;
        let read: MeanLoss = serde_json::from_str(one).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), one);
    }
}
