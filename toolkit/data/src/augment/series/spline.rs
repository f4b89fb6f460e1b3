//! Smooth curves through given values.

/// `len` values of the cubic spline through `knots` values at equal distances, the first and the last
/// at the ends. The third derivative is continuous at the second knot and the last but one
/// ("not-a-knot"), as in scipy's `CubicSpline`. There are at least 4 knots.
pub(in crate::augment) fn curve(knots: &[f64], len: usize) -> Vec<f64> {
    let last = knots.len() - 1;
    let second = second_derivatives(knots);
    let step = if len > 1 { last as f64 / (len - 1) as f64 } else { 0.0 };
    let at = |i: usize| {
        let x = i as f64 * step;
        let left = (x.floor() as usize).min(last - 1);
        let (b, a) = (x - left as f64, 1.0 - (x - left as f64));
        a * knots[left]
            + b * knots[left + 1]
            + ((a.powi(3) - a) * second[left] + (b.powi(3) - b) * second[left + 1]) / 6.0
    };
    (0..len).map(at).collect()
}

/// The spline's second derivatives m at the knots, for a distance of 1: between the ends
/// m[i−1] + 4·m[i] + m[i+1] = 6·(y[i−1] − 2·y[i] + y[i+1]). A continuous third derivative makes
/// m[0] = 2·m[1] − m[2], so that 6·m[1] is all that is left in the first line, and likewise in the
/// last.
fn second_derivatives(y: &[f64]) -> Vec<f64> {
    let n = y.len();
    let mut m = vec![0.0; n];
    let right = |i: usize| 6.0 * (y[i - 1] - 2.0 * y[i] + y[i + 1]);
    m[1] = right(1) / 6.0;
    m[n - 2] = right(n - 2) / 6.0;
    // Thomas's algorithm on the lines between, whose neighbours are known at both ends.
    let mut upper = vec![0.0; n];
    for i in 2..n - 2 {
        let pivot = 4.0 - upper[i - 1];
        let known = if i == n - 3 { m[n - 2] } else { 0.0 };
        m[i] = (right(i) - known - m[i - 1]) / pivot;
        upper[i] = if i == n - 3 { 0.0 } else { 1.0 / pivot };
    }
    for i in (2..n.saturating_sub(3)).rev() {
        m[i] -= upper[i] * m[i + 1];
    }
    m[0] = 2.0 * m[1] - m[2];
    m[n - 1] = 2.0 * m[n - 2] - m[n - 3];
    m
}
