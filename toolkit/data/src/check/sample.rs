//! Some rows of a part.

use crate::{Batch, DataError, Dataset, Part, Targets};
use trainbook_core::random::{Seed, Stream};

/// A sample has at most so many rows.
const SAMPLE: usize = 4096;
/// A sample has at most so many numbers, but [`LEAST`] rows where there are as many.
const NUMBERS: usize = 1 << 22;
const LEAST: usize = 256;

/// Some rows of a part, ascending: all of a small one.
#[derive(Default)]
pub(super) struct Sample {
    pub rows: Vec<usize>,
    /// Rows × width, as they stand in the source.
    pub features: Vec<f32>,
    pub targets: Targets,
    pub width: usize,
}

impl Sample {
    pub fn new(data: &Dataset, part: Part) -> Result<Self, DataError> {
        let width = data.width();
        let most = (NUMBERS / width.max(1)).clamp(LEAST, SAMPLE);
        let rows = draw(data.part(part), most, part as u64);
        let mut batch = Batch::default();
        data.read_raw(&rows, &mut batch)?;
        Ok(Self { features: batch.input.floats().to_vec(), targets: batch.targets, rows, width })
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn row(&self, at: usize) -> &[f32] {
        &self.features[at * self.width..][..self.width]
    }

    /// The values of a feature, row after row.
    pub fn column(&self, feature: usize) -> impl Iterator<Item = f32> + '_ {
        self.features.iter().skip(feature).step_by(self.width.max(1)).copied()
    }

    /// The values of a feature, ascending.
    pub fn sorted(&self, feature: usize) -> Vec<f32> {
        let mut column: Vec<f32> = self.column(feature).collect();
        column.sort_unstable_by(f32::total_cmp);
        column
    }

    /// The class of each row, if each has one.
    pub fn labels(&self) -> Option<&[u32]> {
        match &self.targets {
            Targets::Classes(labels) if labels.len() == self.len() => Some(labels),
            _ => None,
        }
    }

    /// The values of a target, row after row; `None` for classes.
    pub fn values(&self, target: usize) -> Option<Vec<f32>> {
        match &self.targets {
            Targets::Values(values) if self.len() > 0 => {
                let per_row = values.len() / self.len();
                Some(values.iter().skip(target).step_by(per_row.max(1)).copied().collect())
            }
            _ => None,
        }
    }
}

/// At most `most` of the rows, ascending, by the stream "check".
pub(super) fn draw(rows: &[usize], most: usize, index: u64) -> Vec<usize> {
    if rows.len() <= most {
        return rows.to_vec();
    }
    let mut draws = Stream::new(Seed(0), "check").at(1, index);
    // Knuth's selection sampling (The Art of Computer Programming 2, 3.4.2, algorithm S).
    let mut left = most;
    let mut drawn = Vec::with_capacity(most);
    for (at, &row) in rows.iter().enumerate() {
        if draws.below((rows.len() - at) as u64) < left as u64 {
            drawn.push(row);
            left -= 1;
        }
    }
    drawn
}
