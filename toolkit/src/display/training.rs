//! How a fit in the background shows itself.

use std::collections::BTreeMap;
use std::fmt::Write;

use trainbook_store::{Aggregate, Name, Past};

use super::Bundle;
use super::axis::number;
use super::run::{FIRST, MOST_METRICS, MOST_WARNINGS, counted, curves, rounded};
use crate::trainer::TrainingStatus;

impl std::fmt::Display for TrainingStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(text(self).trim_end())
    }
}

trainbook_core::shown_as_text!(TrainingStatus);

/// Where it is, its newest metrics, and its first warnings, a line each.
fn text(status: &TrainingStatus) -> String {
    // An error may have several lines.
    let state = status.state.to_string().replace(char::is_control, " ");
    let mut lines = match &status.run {
        Some(run) => format!("run {run} {state}"),
        None => format!("a fit that is not recorded, {state}"),
    };
    let TrainingStatus { epoch, epochs, step, .. } = status;
    let epochs = counted(*epochs, "epoch");
    let (step, seconds) = (counted(*step, "step"), rounded(status.seconds));
    let _ = writeln!(lines, " · {epoch} of {epochs}, {step} · {seconds} s");
    let known = FIRST.iter().filter_map(|name| status.metrics.iter().find(|m| m.name == *name));
    let others = status.metrics.iter().filter(|m| !FIRST.contains(&m.name.as_str()));
    let metrics: Vec<String> = known
        .chain(others)
        .take(MOST_METRICS)
        .map(|metric| format!("{} {}", metric.name, number(metric.value)))
        .collect();
    if !metrics.is_empty() {
        let _ = writeln!(lines, "{}", metrics.join("  "));
    }
    for text in status.warnings.iter().take(MOST_WARNINGS) {
        let _ = writeln!(lines, "warning: {}", text.replace(char::is_control, " "));
    }
    let more = status.warnings.len().saturating_sub(MOST_WARNINGS) as u64 + status.more_warnings;
    if more > 0 {
        let _ = writeln!(lines, "and {}", counted(more, "more warning"));
    }
    lines
}

/// The curves of a fit that no store has, over its status.
pub fn plot(status: &TrainingStatus, series: &BTreeMap<Name, Vec<(u64, f64)>>) -> Bundle {
    let metrics: BTreeMap<Name, Aggregate> = series
        .iter()
        .filter_map(|(name, points)| Some((name.clone(), Aggregate::of(points)?)))
        .collect();
    let chart = curves(String::new(), series, &metrics, &Past::default());
    let text = text(status);
    if chart.columns.is_empty() { Bundle::from_text(&text) } else { super::chart(&chart, &text) }
}
