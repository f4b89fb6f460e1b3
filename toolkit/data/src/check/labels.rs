//! Labels with which no neighbour agrees.

use trainbook_core::simd::squared_distance;

use super::Seen;
use super::neighbours::{most_rows, nearest, places, scales, standardized};
use crate::report::{Finding, Severity};
use crate::{DataError, Part};

/// So many neighbours are asked.
const NEIGHBOURS: usize = 10;
/// So many of them must agree on another class, and none on the label.
const AGREE: usize = 9;
/// The label's class mean must be farther away than that of the neighbours' class by this factor.
const MARGIN: f32 = 1.2;

pub(super) fn look(seen: &Seen<'_>) -> Result<Vec<Finding>, DataError> {
    let sample = seen.sample(Part::Train);
    let (Some(labels), Some(classes)) = (sample.labels(), seen.data.classes()) else {
        return Ok(Vec::new());
    };
    if classes < 2 || sample.len() <= 2 * NEIGHBOURS || sample.width == 0 {
        return Ok(Vec::new());
    }
    let places = places(sample, most_rows(sample.width));
    let rows = standardized(sample, &places, &scales(sample, &seen.report.features));
    let labels: Vec<usize> = places.iter().map(|&at| labels[at] as usize).collect();
    let (means, counts) = class_means(&rows, &labels, classes, sample.width);
    let (mut expected, mut candidates) = (0.0, Vec::new());
    for (at, row) in rows.chunks_exact(sample.width).enumerate() {
        let mut votes = vec![0_usize; classes];
        let near = nearest(row, &rows, NEIGHBOURS, Some(at));
        near.iter().for_each(|&other| votes[labels[other]] += 1);
        let Some(class) = votes.iter().position(|&votes| votes >= AGREE) else { continue };
        let distance = |class: usize| {
            squared_distance(row, &means[class * sample.width..][..sample.width]).sqrt()
        };
        expected += 1.0 - counts[class] as f64 / labels.len() as f64;
        let label = labels[at];
        if votes[label] == 0 && distance(label) > MARGIN * distance(class) {
            candidates.push((distance(label) / distance(class).max(f32::MIN_POSITIVE), at, class));
        }
    }
    candidates.sort_by(|a, b| b.0.total_cmp(&a.0));
    let Some(&(margin, at, class)) = candidates.first() else { return Ok(Vec::new()) };
    let names = seen.data.class_names();
    let text = format!(
        "{} of {} rows have a label with which no neighbour agrees ({expected:.0} if labels were \
         chance); row {} is called {:?}, and its neighbours are {:?}",
        candidates.len(),
        places.len(),
        sample.rows[places[at]],
        names[labels[at]],
        names[class]
    );
    Ok(vec![
        Finding::new(Severity::Note, text)
            .evidence("rows", candidates.len() as f64)
            .evidence("expected_by_chance", expected)
            .evidence("margin", f64::from(margin))
            .rows(candidates.iter().map(|(_, at, _)| sample.rows[places[*at]]))
            .cure("a look at these rows, and the right label where it is wrong"),
    ])
}

/// The mean of each class's rows, and how many there are.
fn class_means(
    rows: &[f32],
    labels: &[usize],
    classes: usize,
    width: usize,
) -> (Vec<f32>, Vec<usize>) {
    let (mut means, mut counts) = (vec![0.0_f32; classes * width], vec![0_usize; classes]);
    for (row, &label) in rows.chunks_exact(width).zip(labels) {
        counts[label] += 1;
        let share = 1.0 / counts[label] as f32;
        let mean = &mut means[label * width..][..width];
        mean.iter_mut().zip(row).for_each(|(mean, x)| *mean += (x - *mean) * share);
    }
    (means, counts)
}
