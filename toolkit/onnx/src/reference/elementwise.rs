//! Operators that work on each number alone, or on pairs of them.

use super::margined::{FOUR_U, Margined, Number};
use crate::operator::{Binary, Unary};

/// For each number of `shape`, where the number that is broadcast to it stands in `other`.
fn broadcast<'a>(shape: &'a [usize], other: &'a [usize]) -> impl Iterator<Item = usize> + 'a {
    let mut strides = vec![0; shape.len()];
    let mut stride = 1;
    for (i, &size) in other.iter().enumerate().rev() {
        strides[shape.len() - other.len() + i] = if size == 1 { 0 } else { stride };
        stride *= size;
    }
    (0..shape.iter().product()).map(move |at: usize| {
        let mut left = at;
        shape.iter().zip(&strides).rev().fold(0, |sum, (&size, &stride)| {
            let index = left % size;
            left /= size;
            sum + index * stride
        })
    })
}

pub(super) fn binary(binary: Binary, x: &Margined, y: &Margined) -> Margined {
    let numbers = x
        .numbers()
        .zip(broadcast(&x.shape, &y.shape))
        .map(|(x, at)| apply(binary, x, y.number(at)));
    Margined::new(x.shape.clone(), numbers)
}

fn apply(binary: Binary, (x, dx): Number, (y, dy): Number) -> Number {
    match binary {
        Binary::Add => (x + y, dx + dy + FOUR_U * x.abs().max(y.abs()).max((x + y).abs())),
        Binary::Sub => (x - y, dx + dy + FOUR_U * x.abs().max(y.abs()).max((x - y).abs())),
        Binary::Mul => (x * y, x.abs() * dy + y.abs() * dx + dx * dy + FOUR_U * (x * y).abs()),
        Binary::Div => {
            let quotient = x / y;
            // Without bound when the divisor may be 0.
            let smallest = (y.abs() - dy).max(0.0);
            let through =
                if dx == 0.0 && dy == 0.0 { 0.0 } else { (dx + quotient.abs() * dy) / smallest };
            (quotient, through + FOUR_U * quotient.abs())
        }
        Binary::Max => (x.max(y), dx.max(dy)),
        Binary::Min => (x.min(y), dx.max(dy)),
    }
}

pub(super) fn prelu(x: &Margined, slope: &Margined) -> Margined {
    let numbers = x.numbers().zip(broadcast(&x.shape, &slope.shape)).map(|((x, dx), at)| {
        let slope = slope.values[at];
        let f = |x: f64| if x < 0.0 { slope * x } else { x };
        // Within the margin x may lie on the other side of the kink, where the function turns.
        let steepest = if x.abs() <= dx {
            slope.abs().max(1.0)
        } else if x < 0.0 {
            slope.abs()
        } else {
            1.0
        };
        (f(x), steepest * dx + FOUR_U * f(x).abs())
    });
    Margined::new(x.shape.clone(), numbers)
}

pub(super) fn unary(unary: Unary, x: &Margined) -> Margined {
    Margined::new(x.shape.clone(), x.numbers().map(|number| apply_unary(unary, number)))
}

fn apply_unary(unary: Unary, (x, dx): Number) -> Number {
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
    };
    let y = f(x);
    let both_ends = |low: f64| (f(x + dx) - y).abs().max((f(low) - y).abs());
    let through = match unary {
        // Neither is monotone, but no two of their values differ by more than their arguments.
        Unary::Abs => dx,
        Unary::Sin | Unary::Cos => dx.min(2.0),
        // Their domains end at 0: there the logarithm has no bound.
        Unary::Log | Unary::Sqrt if x >= 0.0 => both_ends((x - dx).max(0.0)),
        _ => both_ends(x - dx),
    };
    let own = match unary {
        Unary::Identity | Unary::Abs => 0.0,
        Unary::Relu | Unary::LeakyRelu { .. } | Unary::Sqrt => FOUR_U * y.abs(),
        Unary::Exp => FOUR_U * y + f64::from(f32::MIN_POSITIVE),
        // Fast f32 versions are accurate relative to the function's range, not near its zeros.
        Unary::Log => FOUR_U * y.abs().max(1.0),
        Unary::Sigmoid | Unary::Tanh | Unary::Erf | Unary::Sin | Unary::Cos => FOUR_U,
    };
    (y, through + own)
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
    use super::{apply, apply_unary, broadcast, erf};
    use crate::operator::{Binary, Unary};

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

    #[test]
    fn broadcasting_repeats_along_missing_and_single_dimensions() {
        let at = |shape: &[usize], other: &[usize]| broadcast(shape, other).collect::<Vec<_>>();
        assert_eq!(at(&[2, 3], &[3]), [0, 1, 2, 0, 1, 2]);
        assert_eq!(at(&[2, 3], &[]), [0; 6]);
        assert_eq!(at(&[2, 2, 3], &[2, 1]), [0, 0, 0, 1, 1, 1, 0, 0, 0, 1, 1, 1]);
        assert_eq!(at(&[2, 3], &[2, 3]), [0, 1, 2, 3, 4, 5]);
    }

    /// A margin must cover what the function does to any argument inside the operand's own margin.
    #[test]
    fn margins_cover_every_argument_within_the_operands_margins() {
        type One = fn(f64) -> f64;
        type Two = fn(f64, f64) -> f64;
        let functions: [(Unary, One); 8] = [
            (Unary::Exp, f64::exp),
            (Unary::Log, f64::ln),
            (Unary::Sqrt, f64::sqrt),
            (Unary::Abs, f64::abs),
            (Unary::Sin, f64::sin),
            (Unary::Cos, f64::cos),
            (Unary::Tanh, f64::tanh),
            (Unary::Relu, |x| x.max(0.0)),
        ];
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
        let pairs: [(Binary, Two); 6] = [
            (Binary::Add, |x, y| x + y),
            (Binary::Sub, |x, y| x - y),
            (Binary::Mul, |x, y| x * y),
            (Binary::Div, |x, y| x / y),
            (Binary::Max, f64::max),
            (Binary::Min, f64::min),
        ];
        for (binary, f) in pairs {
            let ((x, dx), (y, dy)) = ((1.5, 0.2), (-1.4, 0.3));
            let (exact, margin) = apply(binary, (x, dx), (y, dy));
            for (i, j) in [(1.0, 1.0), (1.0, -1.0), (-1.0, 1.0), (-1.0, -1.0), (0.3, 0.0)] {
                assert!((f(x + i * dx, y + j * dy) - exact).abs() <= margin + 1e-15, "{binary:?}");
            }
        }
        assert_eq!(apply_unary(Unary::Log, (0.1, 0.2)).1, f64::INFINITY);
        assert_eq!(apply(Binary::Div, (1.0, 0.1), (0.1, 0.2)).1, f64::INFINITY);
    }
}
