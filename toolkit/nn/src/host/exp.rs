//! The exponential function of numbers beside each other.

/// `eˣ` for `x` of at most 88, to 2 units in the last place; 0 below −87, where f32 has no normal
/// numbers any more. NaN stays NaN.
///
/// Nothing but products and sums, so that the compiler can do several at a time, which it cannot
/// with [`f32::exp`]: `x = n ln 2 + r`, and on the small rest Cephes' polynomial (Moshier 1992).
#[inline(always)]
#[allow(clippy::excessive_precision, reason = "the coefficients are Cephes'")]
pub(crate) fn exp(x: f32) -> f32 {
    /// 1.5 · 2²³: whoever adds it has no digits left behind the point.
    const ROUND: f32 = 12_582_912.0;
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    // ln 2 in two parts, of which the first has so few digits that its product with n is exact.
    let r = x - n * 0.693_359_375;
    let r = r - n * -2.121_944_4e-4;
    let mut p = 1.987_569_15e-4_f32;
    for coefficient in [
        1.398_199_950_7e-3,
        8.333_451_907_3e-3,
        4.166_579_589_4e-2,
        1.666_666_545_9e-1,
        0.500_000_012,
    ] {
        p = p * r + coefficient;
    }
    let p = p * r * r + r + 1.0;
    // The last bits of `shifted` are n, and here become the exponent.
    let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(1.0_f32.to_bits()));
    if x < -87.0 { 0.0 } else { p * power }
}

#[cfg(test)]
mod tests {
    use super::exp;

    #[test]
    fn within_two_units_in_the_last_place() {
        let mut worst = 0.0_f64;
        for i in -870_000..=880_000 {
            let x = i as f32 / 10_000.0;
            let expected = f64::from(x).exp();
            let unit = f64::from(f32::EPSILON) * 2.0_f64.powf(expected.log2().floor());
            worst = worst.max((f64::from(exp(x)) - expected).abs() / unit);
        }
        assert!(worst <= 2.0, "{worst} units");
    }

    #[test]
    fn the_ends() {
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(-0.0), 1.0);
        assert_eq!(exp(-88.0), 0.0);
        assert_eq!(exp(f32::MIN), 0.0);
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
        assert!(exp(f32::NAN).is_nan());
    }
}
