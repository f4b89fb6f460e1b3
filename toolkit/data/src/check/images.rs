//! Images of one colour, and channels in the wrong place.

use super::Seen;
use crate::DataError;
use crate::report::{Finding, Severity};

/// What images have: grey, colours, colours with transparency; and grey with transparency.
const CHANNELS: [usize; 4] = [1, 2, 3, 4];

pub(super) fn look(seen: &Seen<'_>) -> Result<Vec<Finding>, DataError> {
    let &[channels, height, width] = seen.data.shape() else { return Ok(Vec::new()) };
    let mut findings = Vec::new();
    if !CHANNELS.contains(&channels) {
        let last = CHANNELS.contains(&width);
        let hint = match last {
            true => format!(
                "; the channels seem to be last, and must be first: {width} × {channels} × {height}"
            ),
            false => String::new(),
        };
        let text = format!(
            "images of {channels} channels, {height} × {width}: they have 1 to 4 channels{hint}"
        );
        let finding = Finding::new(Severity::Warning, text).evidence("channels", channels as f64);
        findings.push(match last {
            true => finding.cure(format!(
                "numbers in the order channel, row, column, and .image({width}, {channels}, {height})"
            )),
            false => finding,
        });
    }
    let (count, rows) = (seen.counts.uniform_rows, seen.data.len());
    if count > 0 {
        let first = seen.counts.uniform.first().map_or(0.0, |(_, value)| f64::from(*value));
        let text = format!(
            "{count} of {rows} images are of one colour (the first is {first} everywhere), such as \
             all black or all white"
        );
        findings.push(
            Finding::new(Severity::Warning, text)
                .evidence("rows", count as f64)
                .evidence("first_value", first)
                .rows(seen.counts.uniform.iter().map(|(row, _)| *row)),
        );
    }
    Ok(findings)
}
