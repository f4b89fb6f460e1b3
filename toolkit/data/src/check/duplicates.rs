//! Rows that occur more than once.

use super::Seen;
use crate::report::{Finding, Severity, SharedRows};
use crate::{DataError, Dataset, Part};

pub(super) fn look(seen: &Seen<'_>) -> Result<Vec<Finding>, DataError> {
    let mut findings = Vec::new();
    for &SharedRows { part, rows, also_in } in &seen.report.shared {
        let text = format!(
            "{rows} rows of {part} have the same features as rows of {also_in}; results on {part} \
             will look too good, remove the copies before the split"
        );
        findings.push(
            Finding::new(Severity::Warning, text)
                .evidence("rows", rows as f64)
                .rows(seen.duplicates.rows(seen.data, part, also_in))
                .cure("one row of each, or .groups(…) and Split::grouped with a group for each"),
        );
    }
    if seen.report.duplicates > 0 {
        let count = seen.report.duplicates;
        let text = format!("{count} rows have the same features as an earlier row");
        findings.push(
            Finding::new(Severity::Note, text)
                .evidence("rows", count as f64)
                .rows(seen.duplicates.later()),
        );
    }
    Ok(findings)
}

/// Groups of rows with equal features, two or more in each.
#[derive(Default)]
pub(super) struct Duplicates(Vec<Vec<usize>>);

impl Duplicates {
    /// Rows are compared by the hash of their features, so that they need not be in memory.
    pub(super) fn new(data: &Dataset) -> Result<Self, DataError> {
        let mut rows = Vec::with_capacity(data.len());
        let all: Vec<usize> = (0..data.len()).collect();
        let mut bytes = Vec::with_capacity(data.width() * 4);
        match data.is_of_indices() {
            true => data.each_raw_indices(&all, |row, indices| {
                bytes.clear();
                indices.iter().for_each(|index| bytes.extend_from_slice(&index.to_le_bytes()));
                rows.push((*blake3::hash(&bytes).as_bytes(), row));
            })?,
            false => data.each_raw(&all, |row, features| {
                bytes.clear();
                // −0 and 0 are equal.
                features.iter().for_each(|x| bytes.extend_from_slice(&(x + 0.0).to_le_bytes()));
                rows.push((*blake3::hash(&bytes).as_bytes(), row));
            })?,
        }
        rows.sort_unstable();
        let groups = rows.chunk_by(|a, b| a.0 == b.0).filter(|group| group.len() > 1);
        Ok(Self(groups.map(|group| group.iter().map(|(_, row)| *row).collect()).collect()))
    }

    /// How many rows are equal to an earlier one.
    pub(super) fn count(&self) -> usize {
        self.0.iter().map(|group| group.len() - 1).sum()
    }

    /// Rows that are equal to an earlier one, ascending.
    fn later(&self) -> Vec<usize> {
        let mut rows: Vec<usize> = self.0.iter().flat_map(|group| group[1..].to_vec()).collect();
        rows.sort_unstable();
        rows
    }

    /// Rows of a part that are equal to one of another part, ascending.
    fn rows(&self, data: &Dataset, part: Part, also_in: Part) -> Vec<usize> {
        let has = |part: Part, row: usize| data.part(part).binary_search(&row).is_ok();
        let shared = self.0.iter().filter(|group| group.iter().any(|&row| has(also_in, row)));
        let mut rows: Vec<usize> =
            shared.flatten().copied().filter(|&row| has(part, row)).collect();
        rows.sort_unstable();
        rows
    }

    /// How many rows each part shares with another.
    pub(super) fn shared(&self, data: &Dataset) -> Vec<SharedRows> {
        let pairs = [
            (Part::Validation, Part::Train),
            (Part::Test, Part::Train),
            (Part::Test, Part::Validation),
        ];
        let leak = |(part, also_in)| {
            let rows = self.rows(data, part, also_in).len();
            SharedRows { part, rows, also_in }
        };
        pairs.into_iter().map(leak).filter(|shared| shared.rows > 0).collect()
    }
}
