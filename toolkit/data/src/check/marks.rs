//! Groups in two parts, and training rows that are later than those to be predicted.

use std::collections::HashSet;

use super::Seen;
use crate::report::{Finding, Severity};
use crate::{DataError, Part};

pub(super) fn look(seen: &Seen<'_>) -> Result<Vec<Finding>, DataError> {
    let mut findings = Vec::new();
    let (data, marks) = (seen.data, seen.data.marks());
    let train = data.part(Part::Train);
    for part in [Part::Validation, Part::Test] {
        let rows = data.part(part);
        if let Some(groups) = &marks.groups {
            let known: HashSet<u32> = train.iter().map(|&row| groups[row]).collect();
            let shared = || rows.iter().copied().filter(|&row| known.contains(&groups[row]));
            let count = shared().count();
            let both = shared().map(|row| groups[row]).collect::<HashSet<_>>().len();
            if count > 0 {
                let text = format!(
                    "{both} groups are in train and in {part}, with {count} of its {} rows; \
                     results on {part} will look too good",
                    rows.len()
                );
                findings.push(
                    Finding::new(Severity::Warning, text)
                        .evidence("groups", both as f64)
                        .evidence("rows", count as f64)
                        .rows(shared())
                        .cure(".split(Split::grouped(0.8, 0.1, 0.1), seed)"),
                );
            }
        }
        if let Some(times) = &marks.times {
            let last = train.iter().map(|&row| times[row]).fold(f64::NEG_INFINITY, f64::max);
            let earlier = || rows.iter().copied().filter(|&row| times[row] < last);
            let count = earlier().count();
            if count > 0 {
                let text = format!(
                    "{count} of the {} rows of {part} are earlier than the last row of train: the \
                     future is trained on to predict the past",
                    rows.len()
                );
                findings.push(
                    Finding::new(Severity::Warning, text)
                        .evidence("rows", count as f64)
                        .evidence("last_of_train", last)
                        .rows(earlier())
                        .cure(".split(Split::in_time(0.8, 0.1, 0.1), seed)"),
                );
            }
        }
    }
    Ok(findings)
}
