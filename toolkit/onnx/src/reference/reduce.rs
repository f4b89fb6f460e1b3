//! One number out of many: the sum, the mean, the largest, the smallest.

use super::margined::{FOUR_U, Margined, Number};
use crate::operator::Fold;

pub(super) fn reduce(x: &Margined, fold: Fold, axes: &[usize], keep: bool) -> Margined {
    let kept: Vec<usize> = x
        .shape
        .iter()
        .enumerate()
        .map(|(i, &size)| if axes.contains(&i) { 1 } else { size })
        .collect();
    let mut groups: Vec<Vec<Number>> = vec![Vec::new(); kept.iter().product()];
    for (at, number) in x.numbers().enumerate() {
        let (mut left, mut stride, mut group) = (at, 1, 0);
        for (i, &size) in x.shape.iter().enumerate().rev() {
            if !axes.contains(&i) {
                group += left % size * stride;
                stride *= size;
            }
            left /= size;
        }
        groups[group].push(number);
    }
    let shape = if keep {
        kept
    } else {
        x.shape
            .iter()
            .enumerate()
            .filter(|(i, _)| !axes.contains(i))
            .map(|(_, &size)| size)
            .collect()
    };
    Margined::new(shape, groups.iter().map(|group| of(fold, group)))
}

pub(super) fn of(fold: Fold, group: &[Number]) -> Number {
    let widest = group.iter().fold(0.0_f64, |widest, (_, dx)| widest.max(*dx));
    let values = group.iter().map(|(x, _)| *x);
    match fold {
        Fold::Max => (values.fold(f64::NEG_INFINITY, f64::max), widest),
        Fold::Min => (values.fold(f64::INFINITY, f64::min), widest),
        Fold::Mean => mean(group, group.len()),
        Fold::Sum => {
            let (sum, through, own) = sum(group);
            (sum, through + FOUR_U * own)
        }
    }
}

/// A sum, over `count`.
pub(super) fn mean(group: &[Number], count: usize) -> Number {
    let count = count as f64;
    let (sum, through, own) = sum(group);
    (sum / count, through / count + FOUR_U * (own / count + (sum / count).abs()))
}

/// Σ, with what the margins let through, and what summing adds.
fn sum(group: &[Number]) -> (f64, f64, f64) {
    let (mut sum, mut largest, mut squares, mut through) = (0.0_f64, 0.0_f64, 0.0, 0.0);
    for (x, dx) in group {
        sum += x;
        largest = largest.max(sum.abs());
        squares += x * x;
        through += dx * dx;
    }
    (sum, through.sqrt(), (group.len() as f64).sqrt() * largest.max(squares.sqrt()))
}

/// Over the last axis, which goes.
pub(super) fn arg_max(x: &Margined) -> Margined {
    let numbers: Vec<Number> = x.numbers().collect();
    let (rest, width) = match x.shape.split_last() {
        Some((width, rest)) => (rest.to_vec(), (*width).max(1)),
        None => (Vec::new(), 1),
    };
    Margined::new(rest, numbers.chunks_exact(width).map(largest_at))
}

fn largest_at(row: &[Number]) -> Number {
    let mut best = 0;
    for (at, (x, _)) in row.iter().enumerate() {
        if *x > row[best].0 {
            best = at;
        }
    }
    let least = row[best].0 - row[best].1;
    let may_win = |at: &usize| row[*at].0 + row[*at].1 >= least;
    // Of numbers that are equal without any doubt, the first is taken by all.
    let in_doubt = |at: &usize| row[*at] != row[best] || row[best].1 > 0.0;
    let way = (0..row.len())
        .filter(may_win)
        .filter(in_doubt)
        .map(|at| at.abs_diff(best))
        .max()
        .unwrap_or(0);
    (best as f64, way as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_named_axes_go_and_the_others_stay() {
        let x = Margined::exact(vec![2, 2, 3], (0..12).map(f64::from).collect());
        let mean = reduce(&x, Fold::Mean, &[2], false);
        assert_eq!((mean.shape, mean.values), (vec![2, 2], vec![1.0, 4.0, 7.0, 10.0]));
        let max = reduce(&x, Fold::Max, &[1], true);
        assert_eq!((max.shape, max.values), (vec![2, 1, 3], vec![3.0, 4.0, 5.0, 9.0, 10.0, 11.0]));
        let min = reduce(&x, Fold::Min, &[1, 2], false);
        assert_eq!((min.shape, min.values), (vec![2], vec![0.0, 6.0]));
    }

    #[test]
    fn the_place_of_the_largest_is_as_sure_as_the_numbers_are() {
        let exact = |values: &[f64]| {
            arg_max(&Margined::exact(vec![1, values.len()], values.to_vec())).number(0)
        };
        assert_eq!(exact(&[1.0, 3.0, 2.0]), (1.0, 0.0));
        assert_eq!(exact(&[0.0, 0.0, 0.0]), (0.0, 0.0));
        let close = |margin| largest_at(&[(1.0, margin), (0.0, margin), (0.9, margin)]);
        assert_eq!(close(0.04), (0.0, 0.0));
        assert_eq!(close(0.06), (0.0, 2.0));
    }
}
