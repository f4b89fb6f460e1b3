//! Where two series of points part.

use serde::Serialize;

/// Where a metric differs for the first time between two runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Divergence {
    /// The metric.
    pub metric: String,
    /// The step.
    pub step: u64,
    /// The first run's value there; absent if it has no point there. NaN is `null` in JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub a: Option<f64>,
    /// The second run's value there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub b: Option<f64>,
}

/// Compares point by point, in the order of logging: step and bits must be the same.
pub(super) fn divergence(metric: &str, a: &[(u64, f64)], b: &[(u64, f64)]) -> Option<Divergence> {
    let same = a.iter().zip(b).take_while(|(a, b)| a.0 == b.0 && same_bits(a.1, b.1)).count();
    let at = |step, a, b| Some(Divergence { metric: metric.to_owned(), step, a, b });
    match (a.get(same), b.get(same)) {
        (None, None) => None,
        (Some(&(step, a)), None) => at(step, Some(a), None),
        (None, Some(&(step, b))) => at(step, None, Some(b)),
        (Some(&(step, a)), Some(&(other, b))) if step == other => at(step, Some(a), Some(b)),
        // One of them skipped a step of the other.
        (Some(&(step, a)), Some(&(other, _))) if step < other => at(step, Some(a), None),
        (Some(_), Some(&(step, b))) => at(step, None, Some(b)),
    }
}

/// Two NaN are the same.
pub(super) fn same_bits(a: f64, b: f64) -> bool {
    a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_point_that_differs_is_found() {
        let nan = f64::NAN;
        let of = |a: &[(u64, f64)], b: &[(u64, f64)]| {
            let found = divergence("loss", a, b)?;
            Some((found.step, found.a, found.b))
        };
        assert_eq!(of(&[], &[]), None);
        assert_eq!(of(&[(1, 0.5), (2, nan)], &[(1, 0.5), (2, -nan)]), None);
        assert_eq!(of(&[(1, 0.0)], &[(1, -0.0)]), Some((1, Some(0.0), Some(-0.0))));
        assert_eq!(
            of(&[(1, 0.5), (2, 0.1 + 0.2)], &[(1, 0.5), (2, 0.3)]),
            Some((2, Some(0.1 + 0.2), Some(0.3)))
        );
        assert_eq!(of(&[(1, 0.5), (3, 1.0)], &[(1, 0.5)]), Some((3, Some(1.0), None)));
        assert_eq!(of(&[], &[(1, 0.5)]), Some((1, None, Some(0.5))));
        assert_eq!(of(&[(1, 0.5), (3, 1.0)], &[(1, 0.5), (2, 2.0)]), Some((2, None, Some(2.0))));
        assert_eq!(of(&[(1, 0.5)], &[(4, 0.5)]), Some((1, Some(0.5), None)));
    }
}
