//! Operators that work on each number alone.

use super::margined::{FOUR_U, Margined, Number};
use crate::operator::Unary;

pub(super) fn unary(unary: Unary, x: &Margined) -> Margined {
    Margined::new(x.shape.clone(), x.numbers().map(|number| apply_unary(unary, number)))
}

pub(super) fn apply_unary(unary: Unary, (x, dx): Number) -> Number {
    let f = |x: f64| match unary {
        Unary::Identity => x,
        Unary::Relu => x.max(0.0),
        Unary::LeakyRelu { alpha } => x.max(0.0) + f64::from(alpha) * x.min(0.0),
        Unary::Sigmoid => 1.0 / (1.0 + (-x).exp()),
        Unary::Tanh => x.tanh(),
        Unary::Erf => erf(x),
        Unary::Exp => x.exp(),
        Unary::Log => x.ln(),
        Unary::Sqrt => x.sqrt(),
        Unary::Abs => x.abs(),
        Unary::Sin => x.sin(),
        Unary::Cos => x.cos(),
        Unary::Elu { alpha } => x.max(0.0) + f64::from(alpha) * x.min(0.0).exp_m1(),
        Unary::Selu { alpha, gamma } => {
            f64::from(gamma) * (x.max(0.0) + f64::from(alpha) * x.min(0.0).exp_m1())
        }
        Unary::Softplus => x.max(0.0) + (-x.abs()).exp().ln_1p(),
        // ONNX defines it by HardSigmoid, whose slope is a number of f32.
        Unary::HardSwish => x * (f64::from(1.0_f32 / 6.0) * x + 0.5).clamp(0.0, 1.0),
        Unary::HardSigmoid { alpha, beta } => {
            (f64::from(alpha) * x + f64::from(beta)).clamp(0.0, 1.0)
        }
        Unary::Neg => -x,
        Unary::Reciprocal => 1.0 / x,
        // f64's own has no 0.
        Unary::Sign if x == 0.0 => 0.0,
        Unary::Sign => x.signum(),
    };
    let y = f(x);
    let both_ends = |low: f64| (f(x + dx) - y).abs().max((f(low) - y).abs());
    let through = match unary {
        // Neither is monotone, but no two of their values differ by more than their arguments.
        Unary::Abs => dx,
        Unary::Sin | Unary::Cos => dx.min(2.0),
        // Their domains end at 0: there the logarithm has no bound.
        Unary::Log | Unary::Sqrt if x >= 0.0 => both_ends((x - dx).max(0.0)),
        Unary::Reciprocal if dx >= x.abs() => f64::INFINITY,
        // Lowest there, and what is inside the margin may be lower than at both ends.
        Unary::HardSwish if (x + 1.5).abs() <= dx => both_ends(x - dx).max((f(-1.5) - y).abs()),
        // A negative slope turns at 0.
        Unary::LeakyRelu { .. } | Unary::Elu { .. } | Unary::Selu { .. } if x.abs() <= dx => {
            both_ends(x - dx).max(y.abs())
        }
        _ => both_ends(x - dx),
    };
    let own = match unary {
        Unary::Identity | Unary::Abs | Unary::Neg | Unary::Sign => 0.0,
        Unary::Relu | Unary::LeakyRelu { .. } | Unary::Sqrt | Unary::Reciprocal => FOUR_U * y.abs(),
        // Below 0, 1 is subtracted from what is rounded before.
        Unary::Elu { alpha } if x - dx < 0.0 => FOUR_U * f64::from(alpha).abs().max(y.abs()),
        Unary::Selu { alpha, gamma } if x - dx < 0.0 => {
            FOUR_U * (f64::from(alpha) * f64::from(gamma)).abs().max(y.abs())
        }
        Unary::Elu { .. } | Unary::Selu { .. } => FOUR_U * y.abs(),
        Unary::Softplus => FOUR_U * y.abs().max(1.0),
        // The factor is at most 1, and rounded relative to the larger of two summands.
        Unary::HardSwish => FOUR_U * x.abs(),
        Unary::HardSigmoid { alpha, beta } => {
            FOUR_U
                * (f64::from(alpha) * x)
                    .abs()
                    .max(f64::from(beta).abs())
                    .min(1.0 + f64::from(beta).abs())
        }
        Unary::Exp => FOUR_U * y + f64::from(f32::MIN_POSITIVE),
        // Fast f32 versions are accurate relative to the function's range, not near its zeros.
        Unary::Log => FOUR_U * y.abs().max(1.0),
        Unary::Sigmoid | Unary::Erf | Unary::Sin | Unary::Cos => FOUR_U,
        // ONNX Runtime 1.32 was seen at 4.53 u near 9, where it goes above 1.
        Unary::Tanh => 1.25 * FOUR_U,
    };
    (y, through + own)
}

/// Between the first bound and the second, as far as they are given.
pub(super) fn clip(x: &Margined, bounds: &[&Margined]) -> Margined {
    let bound = |i: usize| bounds.get(i).and_then(|bound| bound.values.first().copied());
    let (low, high) = (bound(0), bound(1));
    // In this order: where low is above high, it is high.
    let f = |x: f64| x.max(low.unwrap_or(x)).min(high.unwrap_or(f64::INFINITY));
    let numbers = x.numbers().map(|(x, dx)| {
        let y = f(x);
        (y, (f(x + dx) - y).abs().max((f(x - dx) - y).abs()))
    });
    Margined::new(x.shape.clone(), numbers)
}

/// The series of Abramowitz and Stegun 7.1.6, all of whose terms have one sign.
fn erf(x: f64) -> f64 {
    let size = x.abs();
    if size > 6.0 {
        return x.signum();
    }
    let (mut term, mut sum, mut n) = (size, size, 0.0);
    while term > sum * f64::EPSILON {
        n += 1.0;
        term *= 2.0 * size * size / (2.0 * n + 1.0);
        sum += term;
    }
    (sum * (-size * size).exp() * std::f64::consts::FRAC_2_SQRT_PI).copysign(x)
}

#[cfg(test)]
mod tests {
    use super::{apply_unary, erf};
    use crate::operator::Unary;

    /// Abramowitz and Stegun, table 7.1, with the digits of C's `erf`.
    #[test]
    fn erf_is_the_tabulated_one() {
        let known = [
            (0.0, 0.0),
            (0.5, 0.520_499_877_813_046_5),
            (1.0, 0.842_700_792_949_714_9),
            (2.0, 0.995_322_265_018_952_7),
            (-3.0, -0.999_977_909_503_001_4),
            (1e6, 1.0),
        ];
        for (x, y) in known {
            assert!((erf(x) - y).abs() < 1e-14, "erf({x}) = {}, not {y}", erf(x));
        }
    }

    /// A margin must cover what the function does to any argument inside the operand's own margin.
    #[test]
    fn margins_cover_every_argument_within_the_operands_margins() {
        type One = fn(f64) -> f64;
        let functions: [(Unary, One); 14] = [
            (Unary::Exp, f64::exp),
            (Unary::Log, f64::ln),
            (Unary::Sqrt, f64::sqrt),
            (Unary::Abs, f64::abs),
            (Unary::Sin, f64::sin),
            (Unary::Cos, f64::cos),
            (Unary::Tanh, f64::tanh),
            (Unary::Relu, |x| x.max(0.0)),
            (Unary::Elu { alpha: -2.0 }, |x| if x > 0.0 { x } else { -2.0 * (x.exp() - 1.0) }),
            (Unary::Softplus, |x| (1.0 + x.exp()).ln()),
            (Unary::HardSwish, |x| x * (x / 6.0 + 0.5).clamp(0.0, 1.0)),
            (Unary::HardSigmoid { alpha: 0.25, beta: 0.5 }, |x| (0.25 * x + 0.5).clamp(0.0, 1.0)),
            (Unary::Neg, |x| -x),
            (Unary::Sign, |x| if x == 0.0 { 0.0 } else { x.signum() }),
        ];
        let turning = [
            (Unary::HardSwish, -1.4, 0.3),
            (Unary::Elu { alpha: -2.0 }, -0.1, 0.3),
            (Unary::Reciprocal, -1.0, 0.3),
        ];
        for (unary, x, dx) in turning {
            let (y, margin) = apply_unary(unary, (x, dx));
            for step in -100..=100 {
                let other = apply_unary(unary, (x + dx * f64::from(step) / 100.0, 0.0)).0;
                assert!((other - y).abs() <= margin + 1e-15, "{unary:?}({x} ± {dx})");
            }
        }
        for (unary, f) in functions {
            for (x, dx) in [(0.5, 0.1), (1.5, 0.4), (3.0, 0.2), (1.6, 0.3), (0.2, 0.15)] {
                let (y, margin) = apply_unary(unary, (x, dx));
                for step in -10..=10 {
                    let other = f(x + dx * f64::from(step) / 10.0);
                    assert!((other - y).abs() <= margin + 1e-15, "{unary:?}({x} ± {dx})");
                }
                assert!(
                    margin < 4.0 * dx * (1.0 + y.abs()) * 3.0,
                    "{unary:?}({x} ± {dx}) = {y} ± {margin} is too wide"
                );
            }
        }
        assert_eq!(apply_unary(Unary::Log, (0.1, 0.2)).1, f64::INFINITY);
        assert_eq!(apply_unary(Unary::Reciprocal, (0.1, 0.2)).1, f64::INFINITY);
    }
}
