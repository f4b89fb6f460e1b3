//! What a look is handed: the data, what all rows have said, and a sample of each part.

use super::duplicates::Duplicates;
use super::probe;
use super::summary::{self, Counts};
use crate::report::DataReport;
use crate::{Batch, DataError, Dataset, Part, Targets};
use trainbook_core::random::{Seed, Stream};

/// A sample has at most so many rows.
const SAMPLE: usize = 4096;
/// A sample has at most so many numbers, but [`LEAST`] rows where there are as many.
const NUMBERS: usize = 1 << 22;
const LEAST: usize = 256;

/// What a look is handed.
pub(super) struct Seen<'a> {
    pub data: &'a Dataset,
    /// All but its findings.
    pub report: DataReport,
    pub duplicates: Duplicates,
    /// What all rows have said, feature by feature.
    pub counts: Counts,
    /// In the order of [`Part::ALL`].
    pub samples: [Sample; 3],
    /// The features that are numbers of categories, ascending.
    categories: Vec<usize>,
}

impl<'a> Seen<'a> {
    pub fn new(data: &'a Dataset) -> Result<Self, DataError> {
        let mut report = DataReport {
            fingerprint: data.fingerprint()?.hash,
            deterministic: summary::pass(data)? == summary::pass(data)?,
            ..DataReport::begin(data)
        };
        if let Some(tokens) = data.tokens() {
            report.classes = summary::characters(tokens);
            let (duplicates, counts) = (Duplicates::default(), Counts::default());
            let (samples, categories) = Default::default();
            return Ok(Self { data, report, duplicates, counts, samples, categories });
        }
        let samples = [
            Sample::new(data, Part::Train)?,
            Sample::new(data, Part::Validation)?,
            Sample::new(data, Part::Test)?,
        ];
        let (features, counts) = summary::summarize(data, &samples[0])?;
        report.features = features;
        report.classes = summary::classes(data);
        let rows = || report.classes.iter().map(|class| class.rows as f64);
        report.imbalance = (!report.classes.is_empty())
            .then(|| rows().fold(0.0, f64::max) / rows().fold(f64::INFINITY, f64::min));
        let duplicates = Duplicates::new(data)?;
        report.duplicates = duplicates.count();
        report.shared = duplicates.shared(data);
        report.probe = probe::of_classes(data, &report.features)?;
        report.value_probe = probe::of_values(data, &report.features, &samples);
        let categories = data.category_features().into_iter().map(|(feature, _)| feature).collect();
        Ok(Self { data, report, duplicates, counts, samples, categories })
    }

    pub fn sample(&self, part: Part) -> &Sample {
        &self.samples[part as usize]
    }

    /// The name of a feature.
    pub fn name(&self, feature: usize) -> &str {
        &self.data.feature_names()[feature]
    }

    /// Whether a feature is the number of a category, which says which and not how much.
    pub fn is_category(&self, feature: usize) -> bool {
        self.categories.binary_search(&feature).is_ok()
    }

    /// Whether a row is a list of features, and no image or series.
    pub fn is_tabular(&self) -> bool {
        self.data.shape().len() == 1 && self.data.width() > 0
    }

    /// Whether a row is an image: channels × height × width.
    pub fn is_images(&self) -> bool {
        self.data.shape().len() == 3
    }
}

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
    fn new(data: &Dataset, part: Part) -> Result<Self, DataError> {
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
