//! What was recorded of a run since the last look, as lines.

use std::collections::BTreeMap;
use std::fmt::Write;

use trainbook_store::{CallbackCost, Name, RunEvent, Update};

use super::axis::number;
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

/// "callbacks took 1.3 % of the time: Recorder 0.8 %, Clip 0.5 %", without those below a thousandth;
/// `None` if none is left.
pub(super) fn shares(seconds: f64, costs: &[CallbackCost]) -> Option<String> {
    let mut of: Vec<(&str, f64)> = Vec::new();
    for cost in costs {
        match of.iter_mut().find(|(name, _)| *name == cost.callback) {
            Some((_, sum)) => *sum += cost.seconds,
            None => of.push((&cost.callback, cost.seconds)),
        }
    }
    let share = |of: f64| 100.0 * of / seconds.max(f64::MIN_POSITIVE);
    let all: f64 = of.iter().map(|(_, seconds)| seconds).sum();
    of.retain(|(_, seconds)| share(*seconds) >= 0.1);
    of.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    let each: Vec<String> =
        of.iter().map(|(name, seconds)| format!("{name} {:.1} %", share(*seconds))).collect();
    (!each.is_empty())
        .then(|| format!("callbacks took {:.1} % of the time: {}", share(all), each.join(", ")))
}

#[cfg(test)]
mod tests {
    use trainbook_store::{RunState, TimedEvent, Timestamp};

    use super::super::run::tests::record;
    use super::*;

    #[test]
    fn what_callbacks_took_is_told_by_callback() {
        let cost = |callback: &str, moment: &str, seconds: f64| CallbackCost {
            callback: callback.into(),
            moment: moment.into(),
            calls: 10,
            seconds,
        };
        let costs = [
            cost("Clip", "change_gradients", 0.1),
            cost("Recorder", "step_end", 0.2),
            cost("Recorder", "epoch_end", 0.1),
            cost("FixSeed", "fit_start", 1e-6),
        ];
        assert_eq!(
            shares(10.0, &costs).unwrap(),
            "callbacks took 4.0 % of the time: Recorder 3.0 %, Clip 1.0 %"
        );
        assert_eq!(shares(10.0, &costs[3..]), None);
    }

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
