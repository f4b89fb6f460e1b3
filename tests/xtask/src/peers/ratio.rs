//! The ratio of two medians, and how sure it is.

/// Resamples that the interval is drawn from.
const RESAMPLES: usize = 2000;

/// A ratio of medians with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratio {
    pub at: f64,
    pub low: f64,
    pub high: f64,
}

impl Ratio {
    /// Of pairs that were measured one after the other: the median of the first ones by that of the
    /// second ones. The interval is a percentile bootstrap that draws pairs (Efron 1979), the same
    /// on every call.
    pub fn of(pairs: &[[f64; 2]]) -> Option<Self> {
        let at = of_medians(pairs)?;
        let mut state = 1_u64;
        let mut draw = || {
            // Knuth's linear congruential generator; its upper bits are good enough to resample.
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            pairs[(state >> 33) as usize % pairs.len()]
        };
        let mut ratios: Vec<f64> = (0..RESAMPLES)
            .filter_map(|_| of_medians(&pairs.iter().map(|_| draw()).collect::<Vec<_>>()))
            .collect();
        ratios.sort_by(f64::total_cmp);
        let quantile = |q: f64| ratios[(q * (ratios.len() - 1) as f64).round() as usize];
        Some(Self { at, low: quantile(0.025), high: quantile(0.975) })
    }
}

fn of_medians(pairs: &[[f64; 2]]) -> Option<f64> {
    let side = |i: usize| median(&pairs.iter().map(|pair| pair[i]).collect::<Vec<_>>());
    Some(side(0)? / side(1)?)
}

/// The median of numbers; `None` of none.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    let lower = sorted[(sorted.len() - 1) / 2];
    Some(f64::midpoint(lower, upper))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_of_even_and_odd_numbers() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }

    #[test]
    fn the_interval_holds_the_ratio_and_grows_with_the_noise() {
        let pairs = |noise: f64| -> Vec<[f64; 2]> {
            (0..15).map(|i| [1.5 + noise * f64::from(i % 5), 1.0]).collect()
        };
        let sure = Ratio::of(&pairs(0.0)).unwrap();
        assert_eq!(sure, Ratio { at: 1.5, low: 1.5, high: 1.5 });
        let unsure = Ratio::of(&pairs(0.1)).unwrap();
        assert_eq!(unsure.at, 1.7);
        assert!(unsure.low < 1.7 && 1.7 < unsure.high, "{unsure:?}");
        // The extremes are no medians of 15.
        assert!(1.5 < unsure.low && unsure.high < 1.9, "{unsure:?}");
        assert_eq!(Ratio::of(&[]), None);
    }
}
