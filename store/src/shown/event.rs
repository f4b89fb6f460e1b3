//! What happened in a run.

use std::fmt;

use super::parts::{WIDEST, counted, number, object, time};
use crate::event::{CallbackCost, Metric, RunEvent, TimedEvent};
use crate::tail::Update;
use crate::text::{duration, line, short};

/// How many new events an update shows.
const EVENTS: usize = 10;

impl fmt::Display for RunEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RunEvent::Checkpoint { label, step, epoch, object: id, metric } => {
                write!(f, "checkpoint {} at step {step}, epoch {epoch}", short(label, WIDEST))?;
                if let Some(metric) = metric {
                    write!(f, ", {metric}")?;
                }
                write!(f, " (object {})", object(id))
            }
            RunEvent::Released { label, object: id, metric: _ } => {
                write!(f, "checkpoint {} released (object {})", short(label, WIDEST), object(id))
            }
            RunEvent::Export { path, runtime, max_abs_diff, comparisons, .. } => {
                let (path, runtime) = (short(path, WIDEST), short(runtime, WIDEST));
                write!(f, "exported to {path}, checked in {runtime}: ")?;
                let comparisons = counted(*comparisons, "comparison");
                write!(f, "largest difference {} in {comparisons}", number(*max_abs_diff))
            }
            RunEvent::Evaluation { part, metrics } => {
                let metrics: Vec<String> = metrics.iter().map(Metric::to_string).collect();
                write!(f, "evaluated on {}: {}", short(part, WIDEST), metrics.join(", "))
            }
            RunEvent::CallbackCosts { seconds, costs } => {
                let took: f64 = costs.iter().map(|CallbackCost { seconds, .. }| seconds).sum();
                write!(f, "callbacks took {} of {}", duration(took), duration(*seconds))?;
                if *seconds > 0.0 {
                    write!(f, " ({:.1} %)", took / seconds * 100.0)?;
                }
                Ok(())
            }
            RunEvent::Note { text } => write!(f, "note: {}", line(text)),
            RunEvent::Warning { text } => write!(f, "warning: {}", line(text)),
        }
    }
}

impl fmt::Display for TimedEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}  {}", time(self.at), self.event)
    }
}

impl fmt::Display for Update {
    /// A line, and one for each of the newest events.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Update { points, events, summary, live } = self;
        let (new, happened) =
            (counted(points.len() as u64, "new point"), counted(events.len() as u64, "new event"));
        let steps = counted(summary.steps, "step");
        write!(f, "{}  {}, {steps}: {new}, {happened}", summary.id, summary.state)?;
        if !live {
            f.write_str("; there will be no more")?;
        }
        let newest = events.iter().skip(events.len().saturating_sub(EVENTS));
        newest.into_iter().try_for_each(|event| write!(f, "\n  {event}"))
    }
}
