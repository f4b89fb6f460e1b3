//! Means of a few numbers, and how sure they are.

use serde::Serialize;
use statrs::distribution::{ContinuousCDF, StudentsT};

/// How many standard errors an interval of 95 % reaches to each side, of so many numbers; NaN of one.
pub(crate) fn student(count: f64) -> f64 {
    StudentsT::new(0.0, 1.0, count - 1.0).map_or(f64::NAN, |t| t.inverse_cdf(0.975))
}

/// The mean of a few numbers with its interval of 95 %.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct MeanInterval {
    /// The mean.
    pub mean: f64,
    /// The standard deviation (divisor n − 1); NaN of one number.
    pub std: f64,
    /// Half the width of the interval, by Student's distribution; NaN of one number.
    pub half: f64,
}

impl MeanInterval {
    /// Of numbers that were drawn independently.
    pub fn of(values: &[f64]) -> Self {
        Self::sharing(values, 0.0)
    }

    /// Of numbers that share most of what they are computed from: `s² (1/n + share)` in place of
    /// `s²/n` (Nadeau and Bengio, Machine Learning 52, 2003).
    pub fn sharing(values: &[f64], share: f64) -> Self {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let squares = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>();
        let std = if n > 1.0 { (squares / (n - 1.0)).sqrt() } else { f64::NAN };
        Self { mean, std, half: student(n) * std * (1.0 / n + share).sqrt() }
    }

    /// From and to.
    pub fn bounds(&self) -> (f64, f64) {
        (self.mean - self.half, self.mean + self.half)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_students() {
        // mean 0.85, s = 0.1118034; t(4, 0.975) = 2.7764451 (scipy.stats.t.ppf)
        let values = [0.9, 0.8, 1.0, 0.7, 0.85];
        for (share, factor) in [(0.0, 0.2_f64), (0.25, 0.45)] {
            let interval = MeanInterval::sharing(&values, share);
            let half = 2.776_445_105_2 * 0.111_803_398_9 * factor.sqrt();
            assert!((interval.mean - 0.85).abs() < 1e-12);
            assert!((interval.std - 0.111_803_398_9).abs() < 1e-9);
            assert!((interval.half - half).abs() < 1e-8, "{interval:?}");
        }
        assert_eq!(MeanInterval::of(&[2.0]).mean, 2.0);
        assert!(MeanInterval::of(&[2.0]).half.is_nan());
    }
}
