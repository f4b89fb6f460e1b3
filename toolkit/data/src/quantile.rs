//! Quantiles.

/// The quantile of an ascending list at a share from 0 to 1, interpolated linearly, as
/// `numpy.quantile`; `None` of no numbers.
pub(super) fn quantile(sorted: &[f32], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let place = last as f64 * share;
    let at = |place: usize| sorted.get(place.min(last)).copied().map(f64::from);
    let (low, high) = (at(place as usize)?, at(place as usize + 1)?);
    // numpy's way, so that the bits are its, too.
    Some(match place.fract() {
        share if share < 0.5 => low + (high - low) * share,
        share => high - (high - low) * (1.0 - share),
    })
}
