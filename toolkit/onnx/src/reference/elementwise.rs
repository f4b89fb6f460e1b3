//! Operators on pairs of numbers, and choices between them, with broadcasting.

use super::margined::{FOUR_U, Margined, Number};
use crate::operator::{Binary, Compare};

/// The shape to which all of these are broadcast.
pub(super) fn common(shapes: &[&[usize]]) -> Vec<usize> {
    let rank = shapes.iter().map(|shape| shape.len()).max().unwrap_or(0);
    let size = |i: usize| {
        let sizes =
            shapes.iter().filter_map(|shape| Some(shape[i.checked_sub(rank - shape.len())?]));
        sizes.fold(1, |size, other| if size == 1 { other } else { size })
    };
    (0..rank).map(size).collect()
}

/// As large as `shape`, with what is missing or single repeated.
pub(super) fn expand(x: &Margined, shape: &[usize]) -> Margined {
    let shape = common(&[&x.shape, shape]);
    let numbers: Vec<Number> = broadcast(&shape, &x.shape).map(|at| x.number(at)).collect();
    Margined::new(shape, numbers.into_iter())
}

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

fn pairs(x: &Margined, y: &Margined, f: impl Fn(Number, Number) -> Number) -> Margined {
    let shape = common(&[&x.shape, &y.shape]);
    let numbers = broadcast(&shape, &x.shape).zip(broadcast(&shape, &y.shape));
    let numbers: Vec<Number> = numbers.map(|(i, j)| f(x.number(i), y.number(j))).collect();
    Margined::new(shape, numbers.into_iter())
}

pub(super) fn binary(binary: Binary, x: &Margined, y: &Margined) -> Margined {
    pairs(x, y, |x, y| apply(binary, x, y))
}

/// 1 for yes and 0 for no, with the margin 1 where rounding may decide.
pub(super) fn compare(compare: Compare, x: &Margined, y: &Margined) -> Margined {
    pairs(x, y, |(x, dx), (y, dy)| {
        let holds = match compare {
            Compare::Equal => x == y,
            Compare::Greater => x > y,
            Compare::GreaterOrEqual => x >= y,
            Compare::Less => x < y,
            Compare::LessOrEqual => x <= y,
        };
        let margin = dx + dy;
        let certain = margin == 0.0 || (x - y).abs() > margin;
        (f64::from(u8::from(holds)), f64::from(u8::from(!certain)))
    })
}

/// Whether a number is not 0.
pub(super) fn to_bool((x, dx): Number) -> Number {
    let certain = dx == 0.0 || x.abs() > dx;
    (f64::from(u8::from(x != 0.0)), f64::from(u8::from(!certain)))
}

/// `x` where the condition holds, else `y`; whichever is farther where that is not certain.
pub(super) fn choose(condition: &Margined, x: &Margined, y: &Margined) -> Margined {
    let shape = common(&[&condition.shape, &x.shape, &y.shape]);
    let at = |of: &Margined| broadcast(&shape, &of.shape).collect::<Vec<_>>();
    let (conditions, xs, ys) = (at(condition), at(x), at(y));
    let numbers = conditions.into_iter().zip(xs).zip(ys).map(|((at, i), j)| {
        let (holds, doubt) = condition.number(at);
        let (x, y) = (x.number(i), y.number(j));
        let ((taken, margin), (other, other_margin)) = if holds == 1.0 { (x, y) } else { (y, x) };
        if doubt == 0.0 {
            (taken, margin)
        } else {
            (taken, margin.max((taken - other).abs() + other_margin))
        }
    });
    let numbers: Vec<Number> = numbers.collect();
    Margined::new(shape, numbers.into_iter())
}

pub(super) fn apply(binary: Binary, (x, dx): Number, (y, dy): Number) -> Number {
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
        Binary::Pow => {
            let power = x.powf(y);
            // At the corners of what the operands may be, and where a power of x turns.
            let mut through = 0.0_f64;
            if dx != 0.0 || dy != 0.0 {
                let turn = if x.abs() <= dx { 0.0 } else { x };
                for base in [x - dx, turn, x + dx] {
                    for exponent in [y - dy, y, y + dy] {
                        let far = (base.powf(exponent) - power).abs();
                        // No number, such as a root of what may be below 0, is infinitely far.
                        through = if far.is_nan() { f64::INFINITY } else { through.max(far) };
                    }
                }
            }
            (power, through + FOUR_U * power.abs() + f64::from(f32::MIN_POSITIVE))
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

#[cfg(test)]
mod tests {
    use super::{apply, broadcast, common};
    use crate::operator::Binary;

    #[test]
    fn broadcasting_repeats_along_missing_and_single_dimensions() {
        let at = |shape: &[usize], other: &[usize]| broadcast(shape, other).collect::<Vec<_>>();
        assert_eq!(at(&[2, 3], &[3]), [0, 1, 2, 0, 1, 2]);
        assert_eq!(at(&[2, 3], &[]), [0; 6]);
        assert_eq!(at(&[2, 2, 3], &[2, 1]), [0, 0, 0, 1, 1, 1, 0, 0, 0, 1, 1, 1]);
        assert_eq!(at(&[2, 3], &[2, 3]), [0, 1, 2, 3, 4, 5]);
        assert_eq!(common(&[&[2, 1], &[3], &[1, 1, 1]]), [1, 2, 3]);
    }

    /// A margin must cover what the function does to any argument inside the operand's own margin.
    #[test]
    fn margins_cover_every_argument_within_the_operands_margins() {
        type Two = fn(f64, f64) -> f64;
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
        assert_eq!(apply(Binary::Div, (1.0, 0.1), (0.1, 0.2)).1, f64::INFINITY);
        for (x, y) in
            [((1.5, 0.2), (-1.4, 0.3)), ((-0.1, 0.3), (2.0, 0.0)), ((-1.5, 0.3), (3.0, 0.0))]
        {
            let (exact, margin) = apply(Binary::Pow, x, y);
            for (i, j) in [(1.0, 1.0), (1.0, -1.0), (-1.0, 1.0), (-1.0, -1.0), (0.3, 0.0)] {
                let other = (x.0 + i * x.1).powf(y.0 + j * y.1);
                assert!((other - exact).abs() <= margin, "{x:?}, {y:?}");
            }
        }
        assert_eq!(apply(Binary::Pow, (0.1, 0.2), (0.5, 0.0)).1, f64::INFINITY);
    }
}
