//! Products of matrices.

use super::margined::{FOUR_U, Margined, Number};

/// Σ of products, with what the margins of both sides let through, and what summing adds.
pub(super) fn dot(pairs: impl Iterator<Item = (Number, Number)>) -> (f64, f64, f64) {
    let (mut sum, mut largest, mut products, mut through, mut count) =
        (0.0_f64, 0.0_f64, 0.0, 0.0, 0.0_f64);
    for ((x, dx), (y, dy)) in pairs {
        let product = x * y;
        sum += product;
        largest = largest.max(sum.abs());
        products += product * product;
        through += (y * dx).powi(2) + (x * dy).powi(2) + (dx * dy).powi(2);
        count += 1.0;
    }
    (sum, through.sqrt(), count.sqrt() * largest.max(products.sqrt()))
}

/// `x · weight (+ bias)`, or with the weight transposed.
pub(super) fn gemm(
    x: &Margined,
    weight: &Margined,
    bias: Option<&&Margined>,
    trans_b: bool,
) -> Margined {
    let (rows, inner) = (x.shape[0], x.shape[1]);
    let outer = weight.shape[usize::from(!trans_b)];
    let (along, across) = if trans_b { (1, inner) } else { (outer, 1) };
    let numbers = (0..rows * outer).map(|at| {
        let (row, j) = (at / outer, at % outer);
        let pairs =
            (0..inner).map(|k| (x.number(row * inner + k), weight.number(k * along + j * across)));
        let (sum, through, own) = dot(pairs);
        let bias = bias.map_or(0.0, |bias| bias.values[j]);
        (sum + bias, through + FOUR_U * (own + bias.abs().max((sum + bias).abs())))
    });
    Margined::new(vec![rows, outer], numbers)
}

/// `x · y` over the last two dimensions; `y` is one matrix, or as many as `x`.
pub(super) fn matmul(x: &Margined, y: &Margined) -> Margined {
    let (leading, inner) = (&x.shape[..x.shape.len() - 1], x.shape[x.shape.len() - 1]);
    let columns = y.shape[y.shape.len() - 1];
    // How many rows of x meet the same matrix.
    let rows =
        if y.shape.len() == 2 { leading.iter().product() } else { leading[leading.len() - 1] };
    let numbers = (0..leading.iter().product::<usize>() * columns).map(|at| {
        let (row, j) = (at / columns, at % columns);
        let matrix = row / rows * inner * columns;
        let (sum, through, own) = dot(
            (0..inner).map(|k| (x.number(row * inner + k), y.number(matrix + k * columns + j)))
        );
        (sum, through + FOUR_U * own)
    });
    Margined::new(leading.iter().copied().chain([columns]).collect(), numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exact(shape: &[usize], values: &[f64]) -> Margined {
        Margined::exact(shape.to_vec(), values.to_vec())
    }

    #[test]
    fn products_by_hand() {
        let x = exact(&[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let y = exact(&[3, 2], &[1.0, 0.0, 0.0, 1.0, 2.0, -1.0]);
        assert_eq!(matmul(&x, &y).values, [7.0, -1.0, 16.0, -1.0]);
        assert_eq!(gemm(&x, &y, None, false).values, [7.0, -1.0, 16.0, -1.0]);
        let transposed = exact(&[2, 3], &[1.0, 0.0, 2.0, 0.0, 1.0, -1.0]);
        assert_eq!(
            gemm(&x, &transposed, Some(&&exact(&[2], &[1.0, 0.0])), true).values,
            [8.0, -1.0, 17.0, -1.0]
        );
        let batch = exact(&[2, 1, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let both = exact(&[2, 3, 1], &[1.0, 0.0, 0.0, 0.0, 0.0, 1.0]);
        let product = matmul(&batch, &both);
        assert_eq!((product.shape, product.values), (vec![2, 1, 1], vec![1.0, 6.0]));
    }
}
