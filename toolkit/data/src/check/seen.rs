//! What a look is handed: the data, what all rows have said, and a sample of each part.

use super::duplicates::Duplicates;
use super::probe;
use super::sample::Sample;
use super::summary::{self, Counts};
use crate::report::DataReport;
use crate::{DataError, Dataset, Part};

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
