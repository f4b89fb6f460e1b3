//! Do labels belong to their rows?

use super::report::{FeatureSummary, Probe};
use super::{DataError, Dataset, Part, Targets};
use trainbook_core::random::{Seed, Stream};

/// How often labels are shuffled.
const SHUFFLES: u64 = 20;

/// `None` for real-valued or several targets, fewer than two classes or no validation part.
pub(super) fn probe(
    data: &Dataset,
    features: &[FeatureSummary],
) -> Result<Option<Probe>, DataError> {
    let (Some(Targets::Classes(labels)), Some(classes)) = (data.targets(), data.classes()) else {
        return Ok(None);
    };
    let (train, validation) = (data.part(Part::Train), data.part(Part::Validation));
    if classes < 2 || data.targets_per_row() > 1 || validation.is_empty() {
        return Ok(None);
    }
    // A constant's deviation is rounding, and its inverse would drown all signal.
    let weight = features
        .iter()
        .map(|feature| if feature.constant { 0.0 } else { (1.0 / feature.std) as f32 })
        .collect();
    let mut rows = Rows { data, weight, train: Vec::new(), validation: Vec::new() };
    rows.train = rows.scaled(train)?;
    rows.validation = rows.scaled(validation)?;
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
    let variance =
        shuffled.iter().map(|x| (x - shuffled_mean).powi(2)).sum::<f64>() / (SHUFFLES - 1) as f64;
    Ok(Some(Probe {
        accuracy: rows.accuracy(&original, &real, classes),
        shuffled_mean,
        shuffled_std: variance.sqrt(),
    }))
}

/// Rows × width of both parts, each feature with standard deviation 1.
struct Rows<'a> {
    data: &'a Dataset,
    weight: Vec<f32>,
    train: Vec<f32>,
    validation: Vec<f32>,
}

impl Rows<'_> {
    fn scaled(&self, rows: &[usize]) -> Result<Vec<f32>, DataError> {
        let mut all = Vec::with_capacity(rows.len() * self.data.width());
        self.data.each(rows, |_, _, normalized| {
            all.extend(normalized.iter().zip(&self.weight).map(|(x, weight)| x * weight));
        })?;
        Ok(all)
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
            means[class * width..][..width]
                .iter_mut()
                .zip(row)
                .for_each(|(mean, x)| *mean += (x - *mean) * share);
        }
        let right = self.validation.chunks_exact(width).zip(validation).filter(|&(row, &label)| {
            let distance =
                |mean: &[f32]| mean.iter().zip(row).map(|(m, x)| (m - x) * (m - x)).sum::<f32>();
            let nearest = means
                .chunks_exact(width)
                .map(distance)
                .enumerate()
                .min_by(|a, b| a.1.total_cmp(&b.1));
            nearest.is_some_and(|(class, _)| class == label as usize)
        });
        right.count() as f64 / validation.len() as f64
    }
}
