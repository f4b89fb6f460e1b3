//! Do labels belong to their rows?

use serde::Serialize;

use super::report::FeatureSummary;
use super::{Dataset, Part, Targets};
use crate::random::{Seed, Stream};

/// How often labels are shuffled.
const SHUFFLES: u64 = 20;

/// A simple classifier's accuracy with the labels as they are and with shuffled ones.
///
/// The classifier assigns a row to the nearest class mean, after each feature is divided by its standard deviation. It is fitted to the
/// training part and judged on the validation part. What it learns of labels that belong to other rows is chance; so real labels must do
/// clearly better than shuffled ones (a permutation test; Good, *Permutation Tests*, 2000). It sees what is simple: labels of the next row
/// in a file whose rows have an order can pass it with a low accuracy, and a target that is hard (parity, say) can fail it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Probe {
    /// Accuracy on the validation part, 0 to 1.
    pub accuracy: f64,
    /// Mean accuracy when the training labels are shuffled (20 times, by the stream "check").
    pub shuffled_mean: f64,
    /// Standard deviation of that accuracy over the shuffles.
    pub shuffled_std: f64,
}

impl Probe {
    /// Whether the real labels do clearly better: by more than 3 standard deviations, and strictly.
    pub fn is_aligned(&self) -> bool {
        self.accuracy > self.shuffled_mean + 3.0 * self.shuffled_std
    }

    /// `None` for real-valued targets, fewer than two classes or no validation part.
    pub(super) fn new(data: &Dataset, features: &[FeatureSummary]) -> Option<Self> {
        let (Targets::Classes(labels), Some(classes)) = (data.targets(), data.classes()) else { return None };
        let (train, validation) = (data.part(Part::Train), data.part(Part::Validation));
        if classes < 2 || validation.is_empty() {
            return None;
        }
        // A constant's deviation is rounding, and its inverse would drown all signal.
        let weight =
            features.iter().map(|feature| if feature.constant { 0.0 } else { (1.0 / feature.std) as f32 }).collect();
        let mut rows = Rows { data, weight, train: Vec::new(), validation: Vec::new() };
        rows.train = rows.scaled(train);
        rows.validation = rows.scaled(validation);
        let real: Vec<u32> = validation.iter().map(|&row| labels[row]).collect();
        let original: Vec<u32> = train.iter().map(|&row| labels[row]).collect();
        let stream = Stream::new(Seed(0), "check");
        let shuffled: Vec<f64> = (0..SHUFFLES)
            .map(|index| {
                let mut labels = original.clone();
                stream.at(0, index).shuffle(&mut labels);
                rows.accuracy(&labels, &real, classes)
            })
            .collect();
        let shuffled_mean = shuffled.iter().sum::<f64>() / SHUFFLES as f64;
        let variance = shuffled.iter().map(|x| (x - shuffled_mean).powi(2)).sum::<f64>() / (SHUFFLES - 1) as f64;
        Some(Self { accuracy: rows.accuracy(&original, &real, classes), shuffled_mean, shuffled_std: variance.sqrt() })
    }
}

/// Rows × width of both parts, each feature with standard deviation 1.
struct Rows<'a> {
    data: &'a Dataset,
    weight: Vec<f32>,
    train: Vec<f32>,
    validation: Vec<f32>,
}

impl Rows<'_> {
    fn scaled(&self, rows: &[usize]) -> Vec<f32> {
        let width = self.data.width();
        let mut all = vec![0.0; rows.len() * width];
        for (out, &row) in all.chunks_exact_mut(width).zip(rows) {
            self.data.normalization().apply(self.data.features(row), out);
            out.iter_mut().zip(&self.weight).for_each(|(x, weight)| *x *= weight);
        }
        all
    }

    fn accuracy(&self, train: &[u32], validation: &[u32], classes: usize) -> f64 {
        let width = self.data.width();
        let mut means = vec![0.0_f32; classes * width];
        let mut counts = vec![0.0_f32; classes];
        for (row, &label) in self.train.chunks_exact(width).zip(train) {
            let class = label as usize;
            // A running mean does not grow out of f32's resolution as a sum would.
            counts[class] += 1.0;
            let share = 1.0 / counts[class];
            means[class * width..][..width].iter_mut().zip(row).for_each(|(mean, x)| *mean += (x - *mean) * share);
        }
        let right = self.validation.chunks_exact(width).zip(validation).filter(|&(row, &label)| {
            let distance = |mean: &[f32]| mean.iter().zip(row).map(|(m, x)| (m - x) * (m - x)).sum::<f32>();
            let nearest = means.chunks_exact(width).map(distance).enumerate().min_by(|a, b| a.1.total_cmp(&b.1));
            nearest.is_some_and(|(class, _)| class == label as usize)
        });
        right.count() as f64 / validation.len() as f64
    }
}
