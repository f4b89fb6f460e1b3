//! Rows mixed with each other: a regularisation of whole batches.

use serde::{Deserialize, Serialize};
use trainbook_core::array::Numbers;
use trainbook_core::batch::{Batch, Mixed, Targets};
use trainbook_core::random::{Draws, Stream};

use super::DataError;

/// How the rows of a training batch are mixed, each with another one of the batch. With λ drawn from
/// Beta(α, α) for each batch, the loss is λ times that of a row's own target and 1 − λ times that of
/// the other's. Validation sees rows as they are.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "mix", rename_all = "snake_case", deny_unknown_fields)]
pub enum Mix {
    /// `λ·x + (1 − λ)·x'` of two rows of numbers (Zhang et al. 2018, arXiv:1710.09412).
    Mixup {
        /// α. The paper takes 0.1 to 0.4 on ImageNet and 1 on CIFAR.
        alpha: f64,
    },
    /// A rectangle of the other image in place of one's own, of 1 − λ of its area around a uniform
    /// centre, cut off at the border; λ is then what is left of one's own (Yun et al. 2019,
    /// arXiv:1905.04899). In a series, a stretch.
    CutMix {
        /// α. The paper takes 1.
        alpha: f64,
    },
}

impl Mix {
    /// Mixup with this α.
    pub fn mixup(alpha: f64) -> Self {
        Self::Mixup { alpha }
    }

    /// CutMix with this α.
    pub fn cutmix(alpha: f64) -> Self {
        Self::CutMix { alpha }
    }

    fn alpha(self) -> f64 {
        match self {
            Self::Mixup { alpha } | Self::CutMix { alpha } => alpha,
        }
    }

    /// Whether rows of this shape can be mixed so.
    ///
    /// # Errors
    /// α is not a finite number above 0, rows are indices, or there is nothing to cut from.
    pub fn check(self, shape: &[usize], indices: bool) -> Result<(), DataError> {
        let alpha = self.alpha();
        if !(alpha.is_finite() && alpha > 0.0) {
            return Err(DataError::Setting {
                setting: "α of the mix",
                value: alpha.to_string(),
                expected: "a finite number above 0".to_owned(),
            });
        }
        let refuse = |reason: &str| {
            Err(DataError::Refused { action: "mix rows of", reason: reason.to_owned() })
        };
        if indices {
            return refuse("a row is made of indices, such as characters, which have no mean");
        }
        if matches!(self, Self::CutMix { .. }) && shape.len() < 2 {
            return refuse(
                "CutMix cuts from images or series; say what a row is by `.image(…)` or \
                 `.series(…)`, or use Mix::mixup",
            );
        }
        Ok(())
    }

    /// Mixes a batch, by what the stream draws at `(batch_number, 0)`.
    pub fn apply(self, batch: &mut Batch, stream: &Stream, batch_number: u64) {
        let rows = batch.len();
        let (shape, Numbers::F32(numbers)) = (&batch.input.shape, &mut batch.input.numbers) else {
            return;
        };
        let len = numbers.len() / rows.max(1);
        let mut draws = stream.at(batch_number, 0);
        let own = beta(&mut draws, self.alpha());
        let mut partners: Vec<usize> = (0..rows).collect();
        draws.shuffle(&mut partners);
        let originals = numbers.clone();
        let pairs = numbers
            .chunks_exact_mut(len.max(1))
            .zip(partners.iter().map(|&partner| &originals[partner * len..][..len]));
        let share = match self {
            Self::Mixup { .. } => {
                let share = own as f32;
                pairs.for_each(|(row, other)| {
                    let both = row.iter_mut().zip(other);
                    both.for_each(|(x, y)| *x = share * *x + (1.0 - share) * *y);
                });
                share
            }
            Self::CutMix { .. } => {
                // [N, C, L] is cut as an image of height 1.
                let width = shape.last().copied().unwrap_or(1);
                let height = if shape.len() > 3 { shape[shape.len() - 2] } else { 1 };
                let side = if height > 1 { (1.0 - own).sqrt() } else { 1.0 - own };
                let (top, bottom) = if height > 1 { cut(&mut draws, height, side) } else { (0, 1) };
                let (left, right) = cut(&mut draws, width, side);
                pairs.for_each(|(row, other)| {
                    let lines = row.chunks_exact_mut(width).zip(other.chunks_exact(width));
                    for (at, (line, other)) in lines.enumerate() {
                        if (top..bottom).contains(&(at % height)) {
                            line[left..right].copy_from_slice(&other[left..right]);
                        }
                    }
                });
                let area = (bottom - top) * (right - left);
                1.0 - area as f32 / (height * width) as f32
            }
        };
        let per_row = batch.targets.len() / rows.max(1);
        let mut targets = Targets::default();
        targets.gather(&batch.targets, &partners, per_row);
        batch.mixed = Some(Mixed { targets, share });
    }
}

/// A stretch of `share` of `len` around a uniform centre, cut off at both ends.
fn cut(draws: &mut Draws, len: usize, share: f64) -> (usize, usize) {
    let half = (len as f64 * share / 2.0) as usize;
    let centre = draws.below(len as u64) as usize;
    (centre.saturating_sub(half), (centre + half).min(len))
}

/// A draw from Beta(α, α), as X / (X + Y) of two gamma variates.
fn beta(draws: &mut Draws, alpha: f64) -> f64 {
    let (x, y) = (ln_gamma_variate(draws, alpha), ln_gamma_variate(draws, alpha));
    1.0 / (1.0 + (y - x).exp())
}

/// The logarithm of a draw from Gamma(α, 1): Marsaglia and Tsang 2000, "A simple method for
/// generating gamma variables", for α ≥ 1; below, Gamma(α + 1)·U^(1/α). In logarithms, because for a
/// small α the variate itself is often 0 in f64.
fn ln_gamma_variate(draws: &mut Draws, alpha: f64) -> f64 {
    if alpha < 1.0 {
        let u = 1.0 - draws.uniform(0.0, 1.0);
        return ln_gamma_variate(draws, alpha + 1.0) + u.ln() / alpha;
    }
    let d = alpha - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let x = draws.normal();
        let v = (1.0 + c * x).powi(3);
        let u = 1.0 - draws.uniform(0.0, 1.0);
        if v > 0.0 && u.ln() < 0.5 * x * x + d - d * v + d * v.ln() {
            return d.ln() + v.ln();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trainbook_core::array::Array;
    use trainbook_core::random::Seed;

    #[test]
    fn shares_have_the_moments_of_a_beta_distribution() {
        for alpha in [0.1, 0.4, 1.0, 3.0] {
            let mut draws = Stream::new(Seed(1), "beta").at(0, 0);
            let all: Vec<f64> = (0..20_000).map(|_| beta(&mut draws, alpha)).collect();
            assert!(all.iter().all(|share| (0.0..=1.0).contains(share)));
            let mean = all.iter().sum::<f64>() / all.len() as f64;
            let variance = all.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / all.len() as f64;
            let expected = 1.0 / (4.0 * (2.0 * alpha + 1.0));
            assert!((mean - 0.5).abs() < 0.01, "α {alpha}: mean {mean}");
            assert!((variance / expected - 1.0).abs() < 0.03, "α {alpha}: {variance}, {expected}");
        }
    }

    fn batch(shape: &[usize]) -> Batch {
        let len: usize = shape.iter().product();
        // Every number says to which row it belongs.
        let numbers = (0..len).map(|at| (at / (len / shape[0])) as f32).collect();
        Batch {
            input: Array::f32(shape, numbers),
            targets: Targets::Classes((0..shape[0] as u32).collect()),
            samples: (0..shape[0]).collect(),
            weights: None,
            mixed: None,
        }
    }

    fn mixed(mix: Mix, shape: &[usize], number: u64) -> (Batch, Vec<u32>, f32) {
        let mut batch = batch(shape);
        mix.apply(&mut batch, &Stream::new(Seed(7), "mix"), number);
        let Some(Mixed { targets: Targets::Classes(others), share }) = batch.mixed.clone() else {
            panic!("not mixed")
        };
        (batch, others, share)
    }

    #[test]
    fn targets_say_what_a_row_is_made_of() {
        for number in 0..20 {
            let (batch, others, share) = mixed(Mix::mixup(1.0), &[6, 4], number);
            for (row, numbers) in batch.input.floats().chunks(4).enumerate() {
                let expected = share * row as f32 + (1.0 - share) * others[row] as f32;
                assert!(numbers.iter().all(|x| (x - expected).abs() < 1e-6));
            }
            for shape in [&[6, 2, 8, 10][..], &[6, 3, 24]] {
                let (batch, others, share) = mixed(Mix::cutmix(1.0), shape, number);
                let len: usize = shape[1..].iter().product();
                for (row, numbers) in batch.input.floats().chunks(len).enumerate() {
                    let own = numbers.iter().filter(|x| **x == row as f32).count();
                    if others[row] as usize != row {
                        assert!((own as f32 / len as f32 - share).abs() < 1e-6, "{shape:?}");
                    }
                    assert!(numbers.iter().all(|x| *x == row as f32 || *x == others[row] as f32));
                }
            }
        }
    }

    #[test]
    fn draws_follow_from_seed_and_number_alone() {
        assert_eq!(mixed(Mix::mixup(0.4), &[6, 4], 3), mixed(Mix::mixup(0.4), &[6, 4], 3));
        assert_ne!(mixed(Mix::mixup(0.4), &[6, 4], 3), mixed(Mix::mixup(0.4), &[6, 4], 4));
    }

    #[test]
    fn what_cannot_be_mixed_is_refused() {
        let refused =
            |mix: Mix, shape: &[usize], indices| mix.check(shape, indices).unwrap_err().to_string();
        assert!(refused(Mix::mixup(0.0), &[4], false).contains("a finite number above 0"));
        assert!(refused(Mix::mixup(0.2), &[4], true).contains("indices"));
        assert!(refused(Mix::cutmix(1.0), &[4], false).contains("images or series"));
        assert!(Mix::cutmix(1.0).check(&[1, 4, 4], false).is_ok());
    }
}
