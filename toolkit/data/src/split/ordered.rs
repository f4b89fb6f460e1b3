//! Rows that are divided by their time, with a gap between parts.

use super::{Parts, Rows};
use crate::DataError;

/// The time of each row.
pub(super) fn times<'a>(rows: &'a Rows<'_>) -> Result<&'a [f64], DataError> {
    rows.marks.times.as_deref().ok_or_else(|| DataError::Refused {
        action: "split",
        reason: "a split in time needs the time of each row; give them with Dataset::times, or \
                 use Split::in_order"
            .to_owned(),
    })
}

/// The rows before the first cut, between the cuts and behind the second one, without those at most
/// `gap` before the next cut. A cut is the time of the first row behind it, when rows are sorted by
/// time and the parts have these sizes.
pub(super) fn divide(times: &[f64], sizes: [usize; 3], gap: f64) -> Parts {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    let cut = |place: usize| sorted.get(place).copied().unwrap_or(f64::INFINITY);
    let cuts = [cut(sizes[0]), cut(sizes[0] + sizes[1]), f64::INFINITY];
    let mut parts = Parts::default();
    for (row, &time) in times.iter().enumerate() {
        let next = cuts.iter().position(|&cut| time < cut).unwrap_or(2);
        if cuts[next] - time > gap {
            parts[next].push(row);
        }
    }
    parts
}
