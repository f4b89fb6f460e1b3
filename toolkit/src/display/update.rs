//! What was recorded of a run since the last look, as lines.

use std::collections::BTreeMap;
use std::fmt::Write;

use trainbook_store::{Name, RunEvent, Update};

use super::axis::number;
use super::costs::shares;
use super::run::heading;

/// One line for each step with the metrics named in `only`, or all of them if it names none; then
/// one for each event, and one that tells how the run ended, if it did.
pub fn update(update: &Update, only: &[String]) -> String {
    let mut lines = String::new();
    let mut steps: BTreeMap<u64, Vec<(&Name, f64)>> = BTreeMap::new();
    for (name, step, value) in &update.points {
        if only.is_empty() || only.iter().any(|wanted| wanted == name) {
            steps.entry(*step).or_default().push((name, *value));
        }
    }
    for (step, metrics) in steps {
        let metrics: Vec<String> =
            metrics.iter().map(|(name, value)| format!("{name} {}", number(*value))).collect();
        let _ = writeln!(lines, "step {step:>7}  {}", metrics.join("  "));
    }
    for event in update.events.iter().filter_map(|event| self::event(&event.event)) {
        let _ = writeln!(lines, "{}", event.replace(char::is_control, " "));
    }
    if !update.live {
        let _ = writeln!(lines, "{}", heading(&update.summary));
    }
    lines
}

/// What an event says; `None` where it only takes back another.
fn event(event: &RunEvent) -> Option<String> {
    Some(match event {
        RunEvent::Checkpoint { label, step, epoch, metric, .. } => {
            let metric =
                metric.as_ref().map(|metric| format!(", {} {}", metric.name, number(metric.value)));
            format!(
                "checkpoint `{label}` at step {step}, epoch {epoch}{}",
                metric.unwrap_or_default()
            )
        }
        RunEvent::Released { .. } => return None,
        RunEvent::Export { path, runtime, max_abs_diff, comparisons, second_opinion, .. } => {
            let runs =
                if *comparisons > 0 { format!(" {comparisons} times") } else { String::new() };
            let second = second_opinion.as_ref().map(|opinion| format!("; {opinion}"));
            let difference = number(*max_abs_diff);
            let second = second.unwrap_or_default();
            format!(
                "exported to {path}, checked in {runtime}{runs}: largest difference {difference}{second}"
            )
        }
        RunEvent::Evaluation { part, metrics } => {
            let metrics: Vec<String> = metrics
                .iter()
                .map(|metric| format!("{} {}", metric.name, number(metric.value)))
                .collect();
            format!("evaluated on {part}: {}", metrics.join(", "))
        }
        RunEvent::CallbackCosts { seconds, costs } => shares(*seconds, costs)?,
        RunEvent::Note { text } => format!("note: {text}"),
        RunEvent::Warning { text } => format!("warning: {text}"),
        _ => "an event that this version does not know".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use trainbook_store::{RunState, TimedEvent, Timestamp};

    use super::super::run::tests::record;
    use super::*;

    #[test]
    fn steps_events_and_the_end_are_a_line_each() {
        let summary = record(&[("loss", vec![(1, 0.5)])]).summary;
        let note = RunEvent::Note { text: "two\nlines".into() };
        let at = Timestamp::UNIX_EPOCH;
        let points =
            vec![("loss".into(), 1, 0.5), ("loss".into(), 2, f64::NAN), ("lr".into(), 1, 1e-5)];
        let mut news =
            Update { points, events: vec![TimedEvent { at, event: note }], summary, live: true };
        assert_eq!(
            update(&news, &[]),
            "step       1  loss 0.5  lr 1e-5\nstep       2  loss NaN\nnote: two lines\n"
        );
        assert_eq!(update(&news, &["lr".to_owned()]), "step       1  lr 1e-5\nnote: two lines\n");
        news.live = false;
        news.summary.state = RunState::Crashed;
        let text = update(&news, &[]);
        let last = text.lines().last().unwrap();
        assert!(last.contains(news.summary.id.as_str()) && last.contains("crashed"), "{last}");
    }
}
