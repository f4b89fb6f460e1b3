//! Rows that occur more than once.

use std::cmp::Ordering;

use super::report::SharedRows;
use super::{Dataset, Part};

/// Groups of rows with equal features, two or more in each.
pub(super) struct Duplicates(Vec<Vec<usize>>);

impl Duplicates {
    pub(super) fn new(data: &Dataset) -> Self {
        let mut rows: Vec<usize> = (0..data.len()).collect();
        // Values are finite, so they are always comparable.
        rows.sort_by(|&a, &b| {
            data.features(a).partial_cmp(data.features(b)).unwrap_or(Ordering::Equal)
        });
        let groups = rows.chunk_by(|&a, &b| data.features(a) == data.features(b));
        Self(groups.filter(|group| group.len() > 1).map(<[usize]>::to_vec).collect())
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
