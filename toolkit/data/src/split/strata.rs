//! Rows that are divided at random, each stratum in the same proportions.

use trainbook_core::random::Stream;

use super::shares::share_out;
use super::{How, Parts, Rows};
use crate::{DataError, Targets};

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
    let mut sorted: Vec<f64> = values.iter().map(|&value| f64::from(value)).collect();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1);
    let quantile = |bin: usize| {
        let place = last as f64 * (bin as f64 / bins as f64);
        let (low, share) = (sorted[place as usize], place.fract());
        let high = sorted[last.min(place as usize + 1)];
        // numpy's way, so that the bits are its, too.
        match share < 0.5 {
            true => low + (high - low) * share,
            false => high - (high - low) * (1.0 - share),
        }
    };
    let edges = (1..bins).map(quantile).filter(|edge| sorted.first().is_some_and(|x| x < edge));
    let edges: Vec<f64> = edges.collect();
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
