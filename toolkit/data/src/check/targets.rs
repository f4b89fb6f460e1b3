//! Targets that are real numbers, and out of scale.

use super::Seen;
use super::statistics::moments;
use crate::report::{Finding, Severity};
use crate::{DataError, Part};

/// Targets may lie this far from 0, by mean or deviation, before a network has a long way to go.
const FAR: f64 = 3.0;
/// The same before training is likely to fail.
const VERY_FAR: f64 = 100.0;
/// A smaller deviation drowns in what a network begins with.
const TINY: f64 = 0.01;
/// A larger skewness means a few rows that outweigh all others in a squared loss. That of an
/// exponential distribution is 2.
const SKEWED: f64 = 3.0;
/// Of several targets so many are looked at.
const MOST: usize = 64;

pub(super) fn look(seen: &Seen<'_>) -> Result<Vec<Finding>, DataError> {
    let sample = seen.sample(Part::Train);
    let several = seen.data.targets_per_row();
    let mut findings = Vec::new();
    for target in 0..several.min(MOST) {
        let Some(values) = sample.values(target) else { break };
        let called = if several == 1 { "targets".to_owned() } else { format!("targets {target}") };
        findings.extend(look_at(seen, &called, &values));
        // What one target of a series says its neighbours say too.
        if !findings.is_empty() && !seen.is_tabular() {
            break;
        }
    }
    Ok(findings)
}

fn look_at(seen: &Seen<'_>, called: &str, values: &[f32]) -> Vec<Finding> {
    let (mean, std, skew) = moments(values);
    let (least, most) = values
        .iter()
        .fold((f32::INFINITY, f32::NEG_INFINITY), |(least, most), &y| (least.min(y), most.max(y)));
    let with_numbers = |severity, text: String| {
        Finding::new(severity, text)
            .evidence("mean", mean)
            .evidence("std", std)
            .evidence("skewness", skew)
            .evidence("min", f64::from(least))
            .evidence("max", f64::from(most))
    };
    if least == most {
        let text = format!("{called} are all {least}, so there is nothing to predict");
        return vec![with_numbers(Severity::Error, text)];
    }
    let mut findings = Vec::new();
    if seen.data.target_scaling().is_none() {
        let size = mean.abs().max(std);
        let severity = match () {
            () if size > VERY_FAR || std < TINY => Some(Severity::Warning),
            () if size > FAR => Some(Severity::Note),
            () => None,
        };
        let text = format!(
            "{called} have mean {mean:.4} and deviation {std:.4}, from {least} to {most}, and a \
             network begins near 0"
        );
        findings.extend(severity.map(|severity| {
            with_numbers(severity, text).cure(".scale_targets(TargetScaling::Standard)")
        }));
    }
    // Under a logarithm a long tail to the right is none.
    let shortened = seen.data.target_scaling().is_some_and(|scaling| scaling.log1p);
    if skew.abs() > SKEWED && !(shortened && skew > 0.0) {
        let largest = most.abs().max(least.abs());
        let sample = seen.sample(Part::Train);
        let rows = sample.rows.iter().zip(values).filter(|(_, y)| y.abs() == largest);
        let text = format!(
            "{called} have a heavy tail (skewness {skew:.1}, the farthest is {largest}): a few rows \
             outweigh the others in a squared loss"
        );
        let cure = match least > -1.0 && skew > 0.0 {
            true => ".scale_targets(TargetScaling::Log1p), or an absolute or Huber loss",
            false => "an absolute or Huber loss",
        };
        findings
            .push(with_numbers(Severity::Note, text).rows(rows.map(|(&row, _)| row)).cure(cure));
    }
    findings
}
