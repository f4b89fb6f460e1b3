//! In which circumstances a batch goes through a network.

use trainbook_core::random::{Draws, Seed, Stream, index_of};

/// In which circumstances a batch goes through a network: from this everything random in a layer is
/// drawn, so that it does not matter where a sample is in its batch, how many threads there are and
/// on which device.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// Whether it is trained; otherwise nothing is drawn.
    pub training: bool,
    /// The run's seed.
    pub seed: Seed,
    /// The number of the update that this batch goes into.
    pub update: u64,
    /// Which samples of the data set these are.
    pub samples: &'a [usize],
}

impl Context<'_> {
    /// For evaluation.
    pub const EVALUATION: Context<'static> =
        Context { training: false, seed: Seed(0), update: 0, samples: &[] };

    /// The draws of the stream `dropout` for one sample in the layer at `path`.
    pub fn draws(&self, path: &str, row: usize) -> Draws {
        let sample = self.samples.get(row).copied().unwrap_or(row) as u64;
        Stream::new(self.seed, "dropout")
            .at(self.update, index_of(path) ^ sample.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }
}
