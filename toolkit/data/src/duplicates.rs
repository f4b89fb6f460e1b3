//! Rows that occur more than once.

use super::report::SharedRows;
use super::{DataError, Dataset, Part};

/// Groups of rows with equal features, two or more in each.
pub(super) struct Duplicates(Vec<Vec<usize>>);

impl Duplicates {
    /// Rows are compared by the hash of their features, so that they need not be in memory.
    pub(super) fn new(data: &Dataset) -> Result<Self, DataError> {
        let mut rows = Vec::with_capacity(data.len());
        let all: Vec<usize> = (0..data.len()).collect();
        let mut bytes = Vec::with_capacity(data.width() * 4);
        data.each_raw(&all, |row, features| {
            bytes.clear();
            // −0 and 0 are equal.
            features.iter().for_each(|x| bytes.extend_from_slice(&(x + 0.0).to_le_bytes()));
            rows.push((*blake3::hash(&bytes).as_bytes(), row));
        })?;
        rows.sort_unstable();
        let groups = rows.chunk_by(|a, b| a.0 == b.0).filter(|group| group.len() > 1);
        Ok(Self(groups.map(|group| group.iter().map(|(_, row)| *row).collect()).collect()))
    }

    pub(super) fn count(&self) -> usize {
        self.0.iter().map(|group| group.len() - 1).sum()
    }

    pub(super) fn shared(&self, data: &Dataset) -> Vec<SharedRows> {
        let mut part_of = vec![Part::Train; data.len()];
        for part in Part::ALL {
            data.part(part).iter().for_each(|&row| part_of[row] = part);
        }
        let pairs = [
            (Part::Validation, Part::Train),
            (Part::Test, Part::Train),
            (Part::Test, Part::Validation),
        ];
        let count =
            |group: &Vec<usize>, part| group.iter().filter(|&&row| part_of[row] == part).count();
        let leak = |&(part, also_in): &(Part, Part)| {
            let rows = self
                .0
                .iter()
                .filter(|group| count(group, also_in) > 0)
                .map(|group| count(group, part))
                .sum();
            SharedRows { part, rows, also_in }
        };
        pairs.iter().map(leak).filter(|shared| shared.rows > 0).collect()
    }
}
