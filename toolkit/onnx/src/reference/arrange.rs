//! Numbers in another order or number: transposed, reshaped, picked, interpolated.

use super::margined::{FOUR_U, Margined};
use crate::operator::scaled;

pub(super) fn transpose(x: &Margined, perm: &[usize]) -> Margined {
    let mut strides = vec![1; x.shape.len()];
    for i in (1..x.shape.len()).rev() {
        strides[i - 1] = strides[i] * x.shape[i];
    }
    let shape: Vec<usize> = perm.iter().map(|&axis| x.shape[axis]).collect();
    let numbers = (0..x.values.len()).map(|at| {
        let mut left = at;
        let from = perm.iter().rev().fold(0, |from, &axis| {
            let index = left % x.shape[axis];
            left /= x.shape[axis];
            from + index * strides[axis]
        });
        x.number(from)
    });
    Margined::new(shape, numbers)
}

/// A size of 0 is the one that stands in the same place before.
pub(super) fn reshape(x: &Margined, shape: &[f64]) -> Margined {
    let sizes = shape
        .iter()
        .enumerate()
        .map(|(i, &size)| if size == 0.0 { x.shape[i] } else { index(size) });
    Margined { shape: sizes.collect(), ..x.clone() }
}

/// The batch, and everything else.
pub(super) fn flatten(x: &Margined) -> Margined {
    let rows = x.shape[0];
    Margined { shape: vec![rows, x.values.len() / rows.max(1)], ..x.clone() }
}

/// # Errors
/// The reason, if an index is outside.
pub(super) fn gather(data: &Margined, indices: &Margined, axis: usize) -> Result<Margined, String> {
    let (outer, size) = (data.shape[..axis].iter().product::<usize>(), data.shape[axis]);
    let inner: usize = data.shape[axis + 1..].iter().product();
    if let Some(bad) = indices.values.iter().find(|&&at| !(0.0..size as f64).contains(&at)) {
        return Err(format!("the index {bad} is not in 0 to {}", size - 1));
    }
    let numbers = (0..outer).flat_map(|block| {
        indices.values.iter().flat_map(move |&at| {
            let start = (block * size + index(at)) * inner;
            (start..start + inner).map(|from| data.number(from))
        })
    });
    let shape = [&data.shape[..axis], &indices.shape, &data.shape[axis + 1..]].concat();
    Ok(Margined::new(shape, numbers))
}

/// Linear interpolation of images, `[batch, channels, height, width]`.
///
/// # Errors
/// The reason, if the scales do not give a size.
pub(super) fn resize(x: &Margined, scales: &[f64]) -> Result<Margined, String> {
    let [batch, channels, height, width] = x.shape[..] else {
        return Err("Resize needs images".into());
    };
    #[allow(clippy::cast_possible_truncation, reason = "they are f32 in the file")]
    let size = |size, scale| {
        scaled(size, scale as f32)
            .ok_or_else(|| format!("{size} pixels cannot be scaled by {scale}"))
    };
    let (tall, wide) = (size(height, scales[2])?, size(width, scales[3])?);
    let mut numbers = Vec::with_capacity(batch * channels * tall * wide);
    for image in 0..batch * channels {
        let pixel = |y: usize, x_at: usize| x.number((image * height + y) * width + x_at);
        for i in 0..tall {
            for j in 0..wide {
                let (y, x) = (Place::of(i, height, tall), Place::of(j, width, wide));
                let (mut value, mut through, mut sizes) = (0.0, 0.0_f64, 0.0);
                for (row, by_row) in [(y.low, 1.0 - y.part), (y.high, y.part)] {
                    for (column, by_column) in [(x.low, 1.0 - x.part), (x.high, x.part)] {
                        let ((p, dp), weight) = (pixel(row, column), by_row * by_column);
                        value += weight * p;
                        sizes += (weight * p).abs();
                        through = through.max(dp);
                    }
                }
                // A place that is off by its rounding moves the value along the slope there,
                // perhaps of the next pair of pixels.
                let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
                for row in y.low.saturating_sub(1)..=(y.high + 1).min(height - 1) {
                    for column in x.low.saturating_sub(1)..=(x.high + 1).min(width - 1) {
                        (low, high) =
                            (low.min(pixel(row, column).0), high.max(pixel(row, column).0));
                    }
                }
                let moved = FOUR_U * (y.at + x.at) * (high - low);
                numbers.push((value, through + moved + FOUR_U * sizes));
            }
        }
    }
    Ok(Margined::new(vec![batch, channels, tall, wide], numbers.into_iter()))
}

/// Where an output pixel lies among the input's.
struct Place {
    at: f64,
    low: usize,
    high: usize,
    part: f64,
}

impl Place {
    fn of(output: usize, inputs: usize, outputs: usize) -> Self {
        let at = (output * (inputs - 1)) as f64 / (outputs - 1) as f64;
        let low = index(at.floor());
        Self { at, low, high: (low + 1).min(inputs - 1), part: at - at.floor() }
    }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "whole and not negative: checked before"
)]
pub(super) fn index(number: f64) -> usize {
    number as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(shape: &[usize]) -> Margined {
        Margined::exact(
            shape.to_vec(),
            (0..shape.iter().product::<usize>()).map(|i| i as f64).collect(),
        )
    }

    #[test]
    fn transposed_by_hand() {
        let turned = transpose(&counted(&[1, 2, 3]), &[0, 2, 1]);
        assert_eq!(
            (turned.shape, turned.values),
            (vec![1, 3, 2], vec![0.0, 3.0, 1.0, 4.0, 2.0, 5.0])
        );
        // [b, s, h, d] → [b, h, d, s]
        let turned = transpose(&counted(&[1, 2, 2, 2]), &[0, 2, 3, 1]);
        assert_eq!(turned.values, [0.0, 4.0, 1.0, 5.0, 2.0, 6.0, 3.0, 7.0]);
    }

    #[test]
    fn picked_by_hand() {
        let rows =
            gather(&counted(&[3, 2]), &Margined::exact(vec![1, 2], vec![2.0, 0.0]), 0).unwrap();
        assert_eq!((rows.shape, rows.values), (vec![1, 2, 2], vec![4.0, 5.0, 0.0, 1.0]));
        let columns =
            gather(&counted(&[2, 3]), &Margined::exact(vec![2], vec![1.0, 1.0]), 1).unwrap();
        assert_eq!((columns.shape, columns.values), (vec![2, 2], vec![1.0, 1.0, 4.0, 4.0]));
        assert!(gather(&counted(&[2, 3]), &Margined::exact(vec![1], vec![3.0]), 1).is_err());
        assert!(gather(&counted(&[2, 3]), &Margined::exact(vec![1], vec![-1.0]), 1).is_err());
    }

    #[test]
    fn corners_stay_in_their_places() {
        let wide = resize(&counted(&[1, 1, 1, 3]), &[1.0, 1.0, 2.0, 1.67]).unwrap();
        assert_eq!(wide.shape, [1, 1, 2, 5]);
        assert_eq!(wide.values, [0.0, 0.5, 1.0, 1.5, 2.0, 0.0, 0.5, 1.0, 1.5, 2.0]);
    }
}
