//! What all rows say, in a few passes.

use super::sample::Sample;
use crate::fingerprint::Fold;
use crate::normalize::Moments;
use crate::report::{ClassCount, FeatureSummary};
use crate::source::Tokens;
use crate::{Batch, Batches, DataError, Dataset, Loader, Part, Targets};
use trainbook_core::random::{Seed, Stream};

/// What all rows have said beside range and spread.
#[derive(Default)]
pub(super) struct Counts {
    pub features: Vec<FeatureCounts>,
    /// The first rows whose numbers are all the same, and that number.
    pub uniform: Vec<(usize, f32)>,
    /// How many there are.
    pub uniform_rows: usize,
}

/// What all rows have said of a feature.
#[derive(Clone, Default)]
pub(super) struct FeatureCounts {
    /// The value that the sample of the training part has most often.
    pub usual: f32,
    /// How many rows of the training part have it.
    pub usual_rows: usize,
    /// How many rows of each part do not have 0.
    pub used: [usize; 3],
    /// Whether it is the row's number plus a constant.
    pub counts_up: bool,
}

/// Range, spread and counts of every feature.
pub(super) fn summarize(
    data: &Dataset,
    sample: &Sample,
) -> Result<(Vec<FeatureSummary>, Counts), DataError> {
    let log1p = &data.normalization().log1p;
    let begin = |(at, name): (usize, &String)| FeatureSummary {
        name: name.clone(),
        log1p: log1p.get(at).copied().unwrap_or(false),
        min: f32::INFINITY,
        max: f32::NEG_INFINITY,
        constant: true,
        normalized_min: f32::INFINITY,
        normalized_max: f32::NEG_INFINITY,
        mean: 0.0,
        std: 0.0,
    };
    let mut features: Vec<FeatureSummary> =
        data.feature_names().iter().enumerate().map(begin).collect();
    let per_feature = (0..features.len())
        .map(|feature| FeatureCounts {
            usual: usual(&sample.sorted(feature)),
            counts_up: true,
            ..FeatureCounts::default()
        })
        .collect();
    let mut counts = Counts { features: per_feature, ..Counts::default() };
    let all: Vec<usize> = (0..data.len()).collect();
    let mut previous: Vec<f32> = Vec::new();
    data.each(&all, |row, raw, normalized| {
        for ((feature, &raw), &x) in features.iter_mut().zip(raw).zip(normalized) {
            feature.min = feature.min.min(raw);
            feature.max = feature.max.max(raw);
            feature.normalized_min = feature.normalized_min.min(x);
            feature.normalized_max = feature.normalized_max.max(x);
        }
        for ((count, x), last) in counts.features.iter_mut().zip(raw).zip(&previous) {
            count.counts_up &= x - last == 1.0;
        }
        previous.clear();
        previous.extend_from_slice(raw);
        if raw.len() > 1 && raw.iter().all(|&x| x == raw[0]) {
            counts.uniform_rows += 1;
            if counts.uniform.len() < 10 {
                counts.uniform.push((row, raw[0]));
            }
        }
    })?;
    let train = data.part(Part::Train);
    let count = train.len().max(1) as f64;
    let mut moments = vec![Moments::default(); features.len()];
    let mut first: Option<Vec<f32>> = None;
    data.each(train, |_, raw, normalized| {
        let first = first.get_or_insert_with(|| raw.to_vec());
        for ((feature, x), first) in features.iter_mut().zip(raw).zip(first) {
            feature.constant &= x == first;
        }
        moments.iter_mut().zip(normalized).for_each(|(m, &x)| m.mean += f64::from(x) / count);
    })?;
    for part in Part::ALL {
        data.each(data.part(part), |_, raw, normalized| {
            for (feature, &x) in counts.features.iter_mut().zip(raw) {
                feature.used[part as usize] += usize::from(x != 0.0);
            }
            if part == Part::Train {
                for (feature, &x) in counts.features.iter_mut().zip(raw) {
                    feature.usual_rows += usize::from(x == feature.usual);
                }
                for (m, &x) in moments.iter_mut().zip(normalized) {
                    m.std += (f64::from(x) - m.mean).powi(2) / count;
                }
            }
        })?;
    }
    for (feature, moments) in features.iter_mut().zip(moments) {
        (feature.mean, feature.std) = (moments.mean, moments.std.sqrt());
    }
    Ok((features, counts))
}

/// The value that occurs most often, the smallest of several; 0 of none.
fn usual(sorted: &[f32]) -> f32 {
    let runs = sorted.chunk_by(|a, b| a == b);
    runs.rev().max_by_key(|run| run.len()).map_or(0.0, |run| run[0])
}

/// The number of rows of each class; none for real numbers.
pub(super) fn classes(data: &Dataset) -> Vec<ClassCount> {
    let names = data.class_names().iter();
    let mut classes: Vec<ClassCount> =
        names.map(|name| ClassCount { name: name.clone(), rows: 0 }).collect();
    if let Some(Targets::Classes(labels)) = data.targets() {
        labels.iter().for_each(|&label| classes[label as usize].rows += 1);
    }
    classes
}

/// How often each character occurs.
pub(super) fn characters(tokens: &Tokens) -> Vec<ClassCount> {
    let mut classes: Vec<ClassCount> = (tokens.vocabulary.iter())
        .map(|c| ClassCount { name: format!("{c:?}"), rows: 0 })
        .collect();
    tokens.tokens.iter().for_each(|&token| classes[token as usize].rows += 1);
    classes
}

/// One hash over everything that a shuffled pass over all parts hands out.
pub(super) fn pass(data: &Dataset) -> Result<String, DataError> {
    let mut hash = Fold::new("trainbook pass");
    let mut batch = Batch::default();
    for part in Part::ALL {
        let mut loader = Loader::new(data, part, 256, Some(Stream::new(Seed(0), "check")));
        loader.start(0);
        while loader.next(&mut batch)? {
            hash.batch(&batch);
        }
    }
    Ok(hash.finish())
}
