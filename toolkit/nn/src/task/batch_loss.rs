//! Losses of batches, and what several come to.

use serde::{Deserialize, Serialize};

/// The loss of one batch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BatchLoss {
    /// Its mean.
    pub mean: f32,
    /// By what the mean was divided: how much the batch counts beside others.
    pub weight: f64,
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MeanLoss {
    /// Of the first batch, while there is no other: a sum that is divided again has other bits.
    only: Option<BatchLoss>,
    sum: f64,
    weight: f64,
}

impl MeanLoss {
    /// Adds a batch.
    pub fn add(&mut self, loss: BatchLoss) {
        self.only = if self.weight == 0.0 { Some(loss) } else { None };
        // A batch in which nothing counts has no mean.
        if loss.weight > 0.0 {
            self.sum += f64::from(loss.mean) * loss.weight;
            self.weight += loss.weight;
        }
    }

    /// The mean over all batches; NaN where nothing counts.
    pub fn mean(&self) -> f64 {
        self.only.map_or(self.sum / self.weight, |only| f64::from(only.mean))
    }

    /// How much all batches count.
    pub fn weight(&self) -> f64 {
        self.weight
    }
}
