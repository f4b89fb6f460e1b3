//! Looks for what commonly goes wrong with data.

use trainbook_core::random::{Seed, Stream};

use super::duplicates::Duplicates;
use super::normalize::Moments;
use super::probe::probe;
use super::report::{ClassCount, DataReport, FeatureSummary, Finding, Probe, Severity, SharedRows};
use super::source::Tokens;
use super::{Batch, DataError, Dataset, Loader, Part, Targets, fingerprint::Fold};

/// The largest class may have this many times the rows of the smallest before that is a warning.
const IMBALANCE: f64 = 10.0;
/// The probe counts as weak when it gains less than this part of what lies between shuffled labels
/// and perfection.
const WEAK: f64 = 0.2;
/// A normalised feature's standard deviation over the training part may be this large before it
/// counts as unscaled.
const UNSCALED_STD: f64 = 3.0;
/// A normalised feature's values may be this far from 0 before it counts as unscaled.
const UNSCALED_VALUE: f64 = 100.0;

impl Dataset {
    /// Looks for what commonly goes wrong with data. Takes milliseconds for thousands of rows,
    /// seconds for tens of thousands of images. A row that cannot be read is a finding too, and then
    /// the only one.
    pub fn check(&self) -> DataReport {
        look(self).unwrap_or_else(|error| DataReport {
            findings: vec![Finding {
                severity: Severity::Error,
                text: format!("the rows cannot be read to the end: failed to {error}"),
            }],
            ..DataReport::begin(self)
        })
    }
}

impl DataReport {
    /// Of a data set at which nobody has looked yet.
    fn begin(data: &Dataset) -> Self {
        Self {
            source: data.source().to_owned(),
            fingerprint: String::new(),
            parts: Part::ALL.map(|part| data.part(part).len()),
            features: Vec::new(),
            classes: Vec::new(),
            imbalance: None,
            duplicates: 0,
            shared: Vec::new(),
            deterministic: false,
            probe: None,
            findings: Vec::new(),
        }
    }
}

fn look(data: &Dataset) -> Result<DataReport, DataError> {
    if let Some(tokens) = data.tokens() {
        return look_at_text(data, tokens);
    }
    let features = summarize(data)?;
    let groups = Duplicates::new(data)?;
    let classes = count(data);
    let rows = || classes.iter().map(|class| class.rows as f64);
    let imbalance = (!classes.is_empty())
        .then(|| rows().fold(0.0, f64::max) / rows().fold(f64::INFINITY, f64::min));
    let mut report = DataReport {
        fingerprint: data.fingerprint()?.hash,
        duplicates: groups.count(),
        shared: groups.shared(data),
        deterministic: pass(data)? == pass(data)?,
        probe: probe(data, &features)?,
        features,
        classes,
        imbalance,
        ..DataReport::begin(data)
    };
    report.findings = judge(&report);
    Ok(report)
}

/// Windows of a text overlap on purpose, so they are no duplicates; what is counted are characters.
fn look_at_text(data: &Dataset, tokens: &Tokens) -> Result<DataReport, DataError> {
    let mut classes: Vec<ClassCount> = (tokens.vocabulary.iter())
        .map(|c| ClassCount { name: format!("{c:?}"), rows: 0 })
        .collect();
    tokens.tokens.iter().for_each(|&token| classes[token as usize].rows += 1);
    let mut report = DataReport {
        fingerprint: data.fingerprint()?.hash,
        deterministic: pass(data)? == pass(data)?,
        classes,
        ..DataReport::begin(data)
    };
    report.findings = judge(&report);
    let (characters, vocabulary) = (tokens.tokens.len(), tokens.vocabulary.len());
    let text = format!(
        "{characters} characters, {vocabulary} different ones, in windows of {} that begin every {}",
        tokens.context(),
        tokens.stride
    );
    report.findings.push(Finding { severity: Severity::Note, text });
    Ok(report)
}

fn judge(report: &DataReport) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut add = |severity, text| findings.push(Finding { severity, text });
    if !report.deterministic {
        add(
            Severity::Error,
            "two passes over the data differ; preprocessing must give the same values every time"
                .to_owned(),
        );
    }
    if report.classes.len() == 1 {
        add(Severity::Error, "there is only one class; a classifier needs at least two".to_owned());
    }
    if let Some(probe) = report.probe {
        let Probe { accuracy, shuffled_mean: mean, shuffled_std: std } = probe;
        let text = format!(
            "a simple classifier reaches {accuracy:.3} with them and {mean:.3} ± {std:.3} with shuffled ones"
        );
        if !probe.is_aligned() {
            add(
                Severity::Warning,
                format!(
                    "labels may not belong to their rows: {text}; look at some rows and their labels"
                ),
            );
        } else if accuracy - mean < WEAK * (1.0 - mean) {
            add(
                Severity::Note,
                format!("labels are hard to predict, or some belong to other rows: {text}"),
            );
        }
    }
    for SharedRows { part, rows, also_in } in &report.shared {
        let text = format!("{rows} rows of {part} have the same features as rows of {also_in}");
        add(
            Severity::Warning,
            format!(
                "{text}; results on {part} will look too good, remove the copies before the split"
            ),
        );
    }
    if let Some(imbalance) = report.imbalance.filter(|&ratio| ratio > IMBALANCE) {
        let text = format!("the largest class has {imbalance:.1} times the rows of the smallest");
        add(Severity::Warning, format!("{text}; accuracy will hide how the small ones do"));
    }
    let far = |x: f32| f64::from(x.abs()) > UNSCALED_VALUE;
    let unscaled = |f: &&FeatureSummary| {
        f.std > UNSCALED_STD || far(f.normalized_min) || far(f.normalized_max)
    };
    if let Some(text) = list(report.features.iter().filter(unscaled)) {
        let limits = format!(
            "a standard deviation above {UNSCALED_STD} or values beyond ±{UNSCALED_VALUE} after normalisation"
        );
        add(
            Severity::Warning,
            format!("unscaled features: {text} ({limits}); use Normalize::standard() or divide_by"),
        );
    }
    if let Some(text) = list(report.features.iter().filter(|feature| feature.constant)) {
        add(
            Severity::Note,
            format!("constant in train, so nothing can be learnt from them: features {text}"),
        );
    }
    if report.duplicates > 0 {
        add(
            Severity::Note,
            format!("{} rows have the same features as an earlier row", report.duplicates),
        );
    }
    if report.parts[Part::Validation as usize] == 0 {
        add(
            Severity::Note,
            "there is no validation part, so whether labels belong to their rows was not checked"
                .to_owned(),
        );
    } else if report.classes.is_empty() {
        add(
            Severity::Note,
            "targets are real numbers; whether they belong to their rows was not checked"
                .to_owned(),
        );
    }
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    findings
}

/// Some names and how many more there are; `None` without any.
fn list<'a>(features: impl Iterator<Item = &'a FeatureSummary>) -> Option<String> {
    let names: Vec<String> = features.map(|feature| format!("{:?}", feature.name)).collect();
    match names.len() {
        0 => None,
        1..=8 => Some(names.join(", ")),
        count => Some(format!("{} and {} more", names[..8].join(", "), count - 8)),
    }
}

/// Range and spread of every feature, in two passes.
fn summarize(data: &Dataset) -> Result<Vec<FeatureSummary>, DataError> {
    let begin = |name: &String| FeatureSummary {
        name: name.clone(),
        min: f32::INFINITY,
        max: f32::NEG_INFINITY,
        constant: true,
        normalized_min: f32::INFINITY,
        normalized_max: f32::NEG_INFINITY,
        mean: 0.0,
        std: 0.0,
    };
    let mut features: Vec<FeatureSummary> = data.feature_names().iter().map(begin).collect();
    let all: Vec<usize> = (0..data.len()).collect();
    data.each(&all, |_, raw, normalized| {
        for ((feature, &raw), &x) in features.iter_mut().zip(raw).zip(normalized) {
            feature.min = feature.min.min(raw);
            feature.max = feature.max.max(raw);
            feature.normalized_min = feature.normalized_min.min(x);
            feature.normalized_max = feature.normalized_max.max(x);
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
    data.each(train, |_, _, normalized| {
        for (m, &x) in moments.iter_mut().zip(normalized) {
            m.std += (f64::from(x) - m.mean).powi(2) / count;
        }
    })?;
    for (feature, moments) in features.iter_mut().zip(moments) {
        (feature.mean, feature.std) = (moments.mean, moments.std.sqrt());
    }
    Ok(features)
}

fn count(data: &Dataset) -> Vec<ClassCount> {
    let names = data.class_names().iter();
    let mut classes: Vec<ClassCount> =
        names.map(|name| ClassCount { name: name.clone(), rows: 0 }).collect();
    if let Some(Targets::Classes(labels)) = data.targets() {
        labels.iter().for_each(|&label| classes[label as usize].rows += 1);
    }
    classes
}

/// One hash over everything that a shuffled pass over all parts hands out.
fn pass(data: &Dataset) -> Result<String, DataError> {
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
