//! Rows that are divided at random, each stratum in the same proportions.

use trainbook_core::random::Stream;

use super::shares::share_out;
use super::{How, Parts, Rows};
use crate::{DataError, Targets};
use trainbook_core::quantile::quantile;

/// The rows of each stratum, ascending: of each class or quantile, or all rows in one.
pub(super) fn of(rows: &Rows<'_>, how: How) -> Result<Vec<Vec<usize>>, DataError> {
    let refuse = |reason| Err(DataError::Refused { action: "split", reason });
    match how {
        How::Stratified => match rows.labels() {
            Some(labels) => Ok(gather(labels.iter().map(|&label| label as usize), rows.classes)),
            None => refuse(format!(
                "a stratified split needs a class for each row, and the targets are {}; use \
                 Split::random",
                rows.kind()
            )),
        },
        How::StratifiedValues { bins } => match rows.targets {
            _ if bins < 2 => Err(DataError::Setting {
                setting: "the split's bins",
                value: bins.to_string(),
                expected: "at least 2, for example 10".to_owned(),
            }),
            Some(Targets::Values(values)) if rows.targets_per_row == 1 => {
                // More bins than rows are empty.
                let bins = bins.min(values.len().max(2));
                Ok(gather(quantile_bins(values, bins).into_iter(), Some(bins)))
            }
            _ => refuse(format!(
                "a split by quantiles needs one real number as the target of each row, and the \
                 targets are {}; use Split::stratified for classes, Split::random for others",
                rows.kind()
            )),
        },
        _ => Ok(vec![(0..rows.len).collect()]),
    }
}

fn gather(strata: impl Iterator<Item = usize>, count: Option<usize>) -> Vec<Vec<usize>> {
    let mut gathered = vec![Vec::new(); count.unwrap_or(0)];
    strata.enumerate().for_each(|(row, stratum)| gathered[stratum].push(row));
    gathered
}

/// The bin of each value, counted from 0: the number of inner quantiles that are less than it, so
/// that equal values are in one bin and a bin may be empty. Quantiles are interpolated linearly, and
/// those that are the least value cut nothing off; these are the bins of pandas's `qcut`.
pub(crate) fn quantile_bins(values: &[f32], bins: usize) -> Vec<usize> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f32::total_cmp);
    let edges = (1..bins).filter_map(|bin| quantile(&sorted, bin as f64 / bins as f64));
    let least = sorted.first().map_or(f64::NAN, |&least| f64::from(least));
    let edges: Vec<f64> = edges.filter(|&edge| least < edge).collect();
    values.iter().map(|&value| edges.partition_point(|&edge| edge < f64::from(value))).collect()
}

/// Shuffles stratum s by index s of the stream and cuts it.
pub(super) fn divide(
    mut strata: Vec<Vec<usize>>,
    fractions: [f64; 3],
    sizes: [usize; 3],
    stream: &Stream,
) -> Parts {
    let counts: Vec<usize> = strata.iter().map(Vec::len).collect();
    let mut parts = Parts::default();
    for ((index, stratum), counts) in
        strata.iter_mut().enumerate().zip(share_out(&counts, fractions, sizes))
    {
        stream.at(0, index as u64).shuffle(stratum);
        let mut rest = &stratum[..];
        for (part, count) in parts.iter_mut().zip(counts) {
            let (taken, left) = rest.split_at(count.min(rest.len()));
            part.extend_from_slice(taken);
            rest = left;
        }
    }
    parts
}
