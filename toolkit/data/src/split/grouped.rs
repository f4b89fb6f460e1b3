//! Rows that are divided by groups, of which none is in two parts.

use std::collections::BTreeMap;

use trainbook_core::random::Draws;

use super::{Parts, Rows};
use crate::DataError;

/// How often every group is looked at again. A handful of times is enough in practice.
const PASSES: usize = 100;

/// The rows of each group, ascending; groups by their numbers.
pub(super) fn groups(rows: &Rows<'_>) -> Result<Vec<Vec<usize>>, DataError> {
    let Some(numbers) = &rows.marks.groups else {
        return Err(DataError::Refused {
            action: "split",
            reason: "a grouped split needs the group of each row; give them with \
                     Dataset::groups, or use Split::random"
                .to_owned(),
        });
    };
    let mut groups: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (row, &group) in numbers.iter().enumerate() {
        groups.entry(group).or_default().push(row);
    }
    Ok(groups.into_values().collect())
}

/// Draws the groups in random order, each for the part that lacks most rows, and then moves single
/// groups as long as that brings the sizes nearer to `sizes` (least squares). A part that shall have
/// rows gets a group if there are enough of them. Large groups are not dealt with first, though it
/// would come nearer still: the first part would get them all.
pub(super) fn divide(groups: &[Vec<usize>], sizes: [usize; 3], draws: &mut Draws) -> Parts {
    let mut order: Vec<usize> = (0..groups.len()).collect();
    draws.shuffle(&mut order);
    let mut lacking = sizes.map(|size| size as i128);
    let mut counts = [0_usize; 3];
    let mut part_of = vec![0; groups.len()];
    for &group in &order {
        let part = best(&lacking, &sizes);
        lacking[part] -= groups[group].len() as i128;
        counts[part] += 1;
        part_of[group] = part;
    }
    for part in (0..3).filter(|&part| sizes[part] > 0) {
        // The smallest group of a part that has several.
        let spare = order.iter().copied().filter(|&group| counts[part_of[group]] > 1);
        if let (0, Some(group)) = (counts[part], spare.min_by_key(|&group| groups[group].len())) {
            let (from, rows) = (part_of[group], groups[group].len() as i128);
            (counts[from], counts[part], part_of[group]) = (counts[from] - 1, 1, part);
            (lacking[from], lacking[part]) = (lacking[from] + rows, lacking[part] - rows);
        }
    }
    for _ in 0..PASSES {
        let mut moved = false;
        for &group in &order {
            let (from, rows) = (part_of[group], groups[group].len() as i128);
            if counts[from] == 1 {
                continue;
            }
            // (f + r)² + (t − r)² < f² + t², where f and t are what the parts lack
            let nearer = |to: usize| rows * (lacking[from] - lacking[to] + rows);
            let to = (0..3).filter(|&to| to != from && sizes[to] > 0).min_by_key(|&to| nearer(to));
            if let Some(to) = to.filter(|&to| nearer(to) < 0) {
                (counts[from], counts[to], part_of[group]) = (counts[from] - 1, counts[to] + 1, to);
                (lacking[from], lacking[to]) = (lacking[from] + rows, lacking[to] - rows);
                moved = true;
            }
        }
        if !moved {
            break;
        }
    }
    let mut parts = Parts::default();
    groups.iter().zip(part_of).for_each(|(rows, part)| parts[part].extend_from_slice(rows));
    parts
}

/// The part that lacks most rows, of those that shall have any; the first one where several do.
fn best(lacking: &[i128; 3], sizes: &[usize; 3]) -> usize {
    let asked = (0..3).filter(|&part| sizes[part] > 0);
    asked.max_by_key(|&part| (lacking[part], std::cmp::Reverse(part))).unwrap_or(0)
}
