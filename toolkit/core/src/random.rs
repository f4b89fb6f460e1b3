//! Counter-based randomness: every draw is keyed, none depends on how many came before it.
//!
//! A [`Stream`] is named by what it is for (`weights`, `shuffle`, `split`, …). Together with the
//! seed, an epoch and an index that name keys a fresh [`Pcg64`]; so no generator state is ever
//! saved, and asking for one more draw in one place shifts nobody else's. The conversions from bits
//! to numbers are written out here, because a library's may change between releases and the bits
//! are a promise.

use rand_core::Rng;
use rand_pcg::Pcg64;
use serde::{Deserialize, Serialize};

/// The one number from which all randomness of a run follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seed(pub u64);

/// A named source of randomness under a seed.
#[derive(Clone, Copy, Debug)]
pub struct Stream {
    seed: Seed,
    name: &'static str,
}

impl Stream {
    /// The stream called `name` under `seed`.
    pub fn new(seed: Seed, name: &'static str) -> Self {
        Self { seed, name }
    }

    /// The generator for one epoch and index. Equal keys give equal generators, different keys
    /// unrelated ones: the generator's state and increment are the BLAKE3 hash of the key.
    pub fn at(&self, epoch: u64, index: u64) -> Draws {
        let mut hasher = blake3::Hasher::new();
        for part in [
            &self.seed.0.to_le_bytes()[..],
            &epoch.to_le_bytes(),
            &index.to_le_bytes(),
            self.name.as_bytes(),
        ] {
            hasher.update(part);
        }
        let hash = *hasher.finalize().as_bytes();
        let half = |at: usize| u128::from_le_bytes(std::array::from_fn(|i| hash[at + i]));
        Draws(Pcg64::new(half(0), half(16)))
    }
}

/// An index for what has a name and no number, such as a tensor: the first bytes of the name's BLAKE3
/// hash.
pub fn index_of(name: &str) -> u64 {
    let hash = *blake3::hash(name.as_bytes()).as_bytes();
    u64::from_le_bytes(std::array::from_fn(|i| hash[i]))
}

/// Draws from one keyed generator.
#[derive(Clone, Debug)]
pub struct Draws(Pcg64);

impl Draws {
    /// Uniform in `[0, 1)`, a multiple of 2⁻⁵³.
    pub fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Uniform in `[low, high)`.
    pub fn uniform(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Standard normal, by Box and Muller's transform (Ann. Math. Stat. 29, 1958).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// Uniform in `0..n`, without bias, by Lemire's method (arXiv:1805.10941). `n` must not be 0; 0
    /// gives 0.
    pub fn below(&mut self, n: u64) -> u64 {
        loop {
            let wide = u128::from(self.0.next_u64()) * u128::from(n);
            let low = wide as u64;
            if low >= n || n == 0 || low >= n.wrapping_neg() % n {
                return (wide >> 64) as u64;
            }
        }
    }

    /// Fisher and Yates's shuffle in place.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i as u64 + 1) as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_keys_give_equal_draws_and_other_keys_do_not() {
        let draw = |seed, name, epoch, index| Stream::new(Seed(seed), name).at(epoch, index).unit();
        assert_eq!(draw(7, "weights", 1, 2), draw(7, "weights", 1, 2));
        let all = [
            draw(7, "weights", 1, 2),
            draw(8, "weights", 1, 2),
            draw(7, "shuffle", 1, 2),
            draw(7, "weights", 2, 1),
        ];
        for (i, a) in all.iter().enumerate() {
            assert!(all[i + 1..].iter().all(|b| a != b), "{all:?}");
        }
    }

    #[test]
    fn draws_are_a_promise() {
        let mut draws = Stream::new(Seed(7), "weights").at(0, 0);
        let first: Vec<f64> = (0..3).map(|_| draws.unit()).collect();
        // Computed apart from this code: the key hashed with the reference BLAKE3, then PCG64 (XSL
        // RR 128/64) in Python's integers.
        assert_eq!(first, [0.2958758241385645, 0.007417465871800588, 0.14898824831494628]);
    }

    #[test]
    fn below_is_uniform_and_shuffle_is_a_permutation() {
        let mut draws = Stream::new(Seed(1), "test").at(0, 0);
        let mut counts = [0_u32; 7];
        for _ in 0..70_000 {
            counts[draws.below(7) as usize] += 1;
        }
        // chi-square with 6 degrees of freedom: 99.99 % below 27.9
        let chi: f64 = counts.iter().map(|&c| (f64::from(c) - 1e4).powi(2) / 1e4).sum();
        assert!(chi < 27.9, "{counts:?}");
        let mut items: Vec<u32> = (0..100).collect();
        draws.shuffle(&mut items);
        assert_ne!(items, (0..100).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn normal_has_the_right_moments() {
        let mut draws = Stream::new(Seed(1), "test").at(0, 1);
        let n = 100_000;
        let (mut sum, mut square) = (0.0, 0.0);
        for _ in 0..n {
            let x = draws.normal();
            sum += x;
            square += x * x;
        }
        let (mean, var) = (sum / f64::from(n), square / f64::from(n));
        assert!(mean.abs() < 0.015 && (var - 1.0).abs() < 0.02, "mean {mean}, variance {var}");
    }
}
