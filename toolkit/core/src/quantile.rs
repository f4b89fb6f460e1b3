//! Quantiles.

/// The quantile of an ascending list at a share from 0 to 1, interpolated linearly, as
/// `numpy.quantile`; `None` of no numbers.
pub fn quantile<T: Copy + Into<f64>>(sorted: &[T], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let place = last as f64 * share;
    let at = |place: usize| sorted.get(place.min(last)).copied().map(Into::into);
    let (low, high): (f64, f64) = (at(place as usize)?, at(place as usize + 1)?);
    // Equal ones may be infinite.
    if low == high {
        return Some(low);
    }
    // numpy's way, so that the bits are its, too.
    Some(match place.fract() {
        share if share < 0.5 => low + (high - low) * share,
        share => high - (high - low) * (1.0 - share),
    })
}

#[cfg(test)]
mod tests {
    use super::quantile;

    #[test]
    fn quantiles_are_those_of_numpy() {
        // np.quantile([1, 2, 4, 8], [0, 0.1, 0.5, 0.975, 1])
        let sorted = [1.0, 2.0, 4.0, 8.0];
        for (share, expected) in [(0.0, 1.0), (0.1, 1.3), (0.5, 3.0), (0.975, 7.7), (1.0, 8.0)] {
            assert!((quantile(&sorted, share).unwrap() - expected).abs() < 1e-12, "{share}");
        }
        assert_eq!(quantile(&[f64::INFINITY; 3], 0.3), Some(f64::INFINITY));
        assert_eq!(quantile::<f32>(&[], 0.5), None);
    }
}
