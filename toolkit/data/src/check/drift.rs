//! Parts whose features are distributed otherwise than in training.

use super::Seen;
use super::sample::Sample;
use super::statistics::{ks_distance, ks_p_value};
use crate::report::{Finding, Severity};
use crate::{DataError, Part};
use trainbook_core::quantile::quantile;

/// How likely a finding may be by chance, all features and parts taken together (Bonferroni's
/// correction).
const CHANCE: f64 = 0.001;
/// A smaller distance is seen with many rows, but matters little.
const FAR: f64 = 0.3;
/// Medians and spreads that differ by this factor are of two units.
const UNIT: f64 = 10.0;
/// So many features are named.
const NAMED: usize = 5;

/// A feature that is distributed in another way.
struct Moved {
    name: String,
    distance: f64,
    p_value: f64,
    /// How many times the part's values are those of train, if that seems a unit.
    factor: Option<f64>,
}

pub(super) fn look(seen: &Seen<'_>) -> Result<Vec<Finding>, DataError> {
    // Windows overlap, so that their numbers are not so many as they seem.
    if !seen.is_tabular() && !seen.is_images() {
        return Ok(Vec::new());
    }
    let parts = [Part::Validation, Part::Test].map(|part| (part, seen.sample(part)));
    let tests = parts.iter().filter(|(_, sample)| sample.len() > 0).count();
    let lists: Vec<Vec<Vec<f32>>> = [seen.sample(Part::Train), parts[0].1, parts[1].1]
        .map(|sample| sorted(seen, sample))
        .into();
    let mut findings = Vec::new();
    for (at, (part, sample)) in parts.iter().enumerate() {
        if sample.len() == 0 || lists[0].is_empty() || seen.sample(Part::Train).len() == 0 {
            continue;
        }
        let limit = CHANCE / (lists[0].len() * tests) as f64;
        let mut moved: Vec<Moved> = (lists[0].iter().zip(&lists[at + 1]).enumerate())
            .filter_map(|(feature, (train, other))| {
                let distance = ks_distance(train, other);
                let p_value = ks_p_value(distance, train.len(), other.len());
                let name = match seen.is_images() {
                    true => format!("mean of channel {feature}"),
                    false => seen.name(feature).to_owned(),
                };
                let has_unit = distance >= FAR && !seen.is_category(feature);
                let factor = unit(train, other).filter(|_| has_unit);
                (p_value < limit).then_some(Moved { name, distance, p_value, factor })
            })
            .collect();
        moved.sort_by(|a, b| b.distance.total_cmp(&a.distance));
        let (units, moved): (Vec<Moved>, Vec<Moved>) =
            moved.into_iter().partition(|moved| moved.factor.is_some());
        findings.extend(units.iter().map(|feature| in_another_unit(*part, feature)));
        findings.extend(drifted(*part, &moved, seen.data.len()));
    }
    Ok(findings)
}

/// The ascending values of every feature; of images those of each channel's mean.
fn sorted(seen: &Seen<'_>, sample: &Sample) -> Vec<Vec<f32>> {
    if !seen.is_images() {
        return (0..sample.width).map(|feature| sample.sorted(feature)).collect();
    }
    let channels = seen.data.shape()[0].max(1);
    let size = (sample.width / channels).max(1);
    let mean = |row: &[f32], channel: usize| {
        let pixels = &row[channel * size..][..size];
        (pixels.iter().map(|&x| f64::from(x)).sum::<f64>() / size as f64) as f32
    };
    let list = |channel| {
        let mut list: Vec<f32> =
            (0..sample.len()).map(|at| mean(sample.row(at), channel)).collect();
        list.sort_unstable_by(f32::total_cmp);
        list
    };
    (0..channels).map(list).collect()
}

/// By what factor another sample's numbers seem to be multiplied, if by at least [`UNIT`].
fn unit(train: &[f32], other: &[f32]) -> Option<f64> {
    let quantile = |list: &[f32], share| quantile(list, share).unwrap_or(0.0);
    let spread = |list: &[f32]| quantile(list, 0.75) - quantile(list, 0.25);
    let spreads = spread(other) / spread(train);
    let (from, to) = (quantile(train, 0.5), quantile(other, 0.5));
    let apart =
        |ratio: f64| ratio.is_finite() && (ratio >= UNIT || (ratio > 0.0 && ratio <= 1.0 / UNIT));
    // A median near 0 says nothing of a unit.
    let centred = from.abs() < 0.1 * spread(train) && to.abs() < 0.1 * spread(other);
    let agree = (to / from > 1.0) == (spreads > 1.0);
    (apart(spreads) && (centred || (apart(to / from) && agree))).then_some(spreads)
}

fn in_another_unit(part: Part, moved: &Moved) -> Finding {
    let factor = moved.factor.unwrap_or(1.0);
    let times = match factor >= 1.0 {
        true => format!("{factor:.3} times"),
        false => format!("1/{:.3} of", 1.0 / factor),
    };
    let text = format!(
        "feature {:?} seems to be in another unit in {part}: median and spread are {times} those \
         of train",
        moved.name
    );
    Finding::new(Severity::Warning, text)
        .evidence("factor", factor)
        .evidence("ks_distance", moved.distance)
        .evidence("p_value", moved.p_value)
        .cure("one unit in all rows, before the split")
}

fn drifted(part: Part, moved: &[Moved], rows: usize) -> Option<Finding> {
    let worst = moved.first()?;
    let names: Vec<String> = (moved.iter().take(NAMED))
        .map(|moved| format!("{:?} (distance {:.3})", moved.name, moved.distance))
        .collect();
    let more = match moved.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let text = format!(
        "drift from train to {part}: {}{more} are distributed otherwise (Kolmogorov and Smirnov's \
         test, p {:.1e} at most {CHANCE} for all features together)",
        names.join(", "),
        worst.p_value
    );
    let severity = if worst.distance >= FAR { Severity::Warning } else { Severity::Note };
    Some(
        Finding::new(severity, text)
            .evidence("features", moved.len() as f64)
            .evidence("ks_distance", worst.distance)
            .evidence("p_value", worst.p_value)
            .evidence("rows", rows as f64)
            .cure(
                ".split(Split::random(0.8, 0.1, 0.1), seed), unless rows follow in time or groups",
            ),
    )
}
