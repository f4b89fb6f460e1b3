//! The small parts of a run.

use std::fmt;

use jiff::Timestamp;

use crate::amount::count;
use crate::cleanup::{Garbage, GarbageKind, PlannedRun};
use crate::compare::{ComparedField, ComparedMetric, ComparedRun};
use crate::diff::{Difference, Divergence, Group};
use crate::event::{
    CallbackCost, Counters, DataFingerprint, EndState, Metric, Parent, PlannedCallback, RunEnd,
};
use crate::object_id::ObjectId;
use crate::pull::{LeftObject, LeftOut, MissingParent};
use crate::run_id::RunId;
use crate::summary::{Aggregate, RunState};
use crate::text::{duration, line, rounded, short};
use crate::value::Value;

/// How many characters of a text are shown.
pub(super) const WIDEST: usize = 80;

/// How many digits of a number are shown.
const DIGITS: usize = 6;

pub(super) fn number(value: f64) -> String {
    rounded(value, DIGITS)
}

/// To the second.
pub(super) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// The first digits, which tell objects apart.
pub(super) fn object(id: &ObjectId) -> String {
    format!("{}…", id.to_string().get(..12).unwrap_or_default())
}

/// `1 step`, `2 steps`.
pub(super) fn counted(number: u64, noun: &str) -> String {
    count(usize::try_from(number).unwrap_or(usize::MAX), noun)
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", line(&self.name), number(self.value))
    }
}

impl fmt::Display for Parent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = if self.resumed { "resumed" } else { "continued" };
        write!(f, "{}, {how} behind step {}", self.run, self.step)
    }
}

impl fmt::Display for DataFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", short(&self.source, WIDEST), counted(self.rows, "row"))?;
        match self.hash.chars().count() {
            0 => Ok(()),
            _ => write!(f, ", hash {}", short(&self.hash, 13)),
        }
    }
}

impl fmt::Display for PlannedCallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&line(&self.name))?;
        if !self.phase.is_empty() {
            write!(f, " ({})", line(&self.phase))?;
        }
        for (what, names) in [("reads", &self.reads), ("writes", &self.writes)] {
            if !names.is_empty() {
                write!(f, "; {what} {}", line(&names.join(", ")))?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for CallbackCost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CallbackCost { callback, moment, calls, seconds } = self;
        let calls = counted(*calls, "call");
        write!(f, "{} at {}: {calls}, {}", line(callback), line(moment), duration(*seconds))
    }
}

impl fmt::Display for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", counted(self.steps, "step"), counted(self.epochs, "epoch"))
    }
}

impl fmt::Display for RunState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        self.reason().map_or(Ok(()), |why| write!(f, ": {}", short(why, WIDEST)))
    }
}

impl fmt::Display for EndState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        RunState::from(self.clone()).fmt(f)
    }
}

impl fmt::Display for RunEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} after {}", self.state, self.counters)
    }
}

impl fmt::Display for Aggregate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Aggregate { count, nan_count, first: _, last, min, max, mean, argmin, argmax } = self;
        let [last, min, max, mean] = [*last, *min, *max, *mean].map(number);
        write!(
            f,
            "last {last}, min {min} at step {argmin}, max {max} at step {argmax}, mean {mean}; {}",
            counted(*count, "point")
        )?;
        if *nan_count > 0 {
            write!(f, ", {nan_count} of them NaN")?;
        }
        Ok(())
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

fn value(value: Option<&Value>) -> String {
    value.map_or("absent".to_owned(), |value| short(&value.to_string(), WIDEST))
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Difference { path, group, a, b } = self;
        write!(f, "{} ({group}): {} and {}", line(path), value(a.as_ref()), value(b.as_ref()))
    }
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Divergence { metric, step, a, b } = self;
        // Every digit: they may differ in the last.
        let [a, b] = [a, b].map(|value| value.map(Value::Float));
        let (a, b) = (value(a.as_ref()), value(b.as_ref()));
        write!(f, "{} from step {step} on: {a} and {b}", line(metric))
    }
}

impl fmt::Display for ComparedRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}  {}", self.id, self.state)?;
        self.name.as_deref().map_or(Ok(()), |name| write!(f, "  {}", short(name, WIDEST)))
    }
}

impl fmt::Display for ComparedField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", line(&self.path), self.group)?;
        self.values.iter().try_for_each(|(id, of)| write!(f, "\n  {id}  {}", value(Some(of))))
    }
}

impl fmt::Display for ComparedMetric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&line(&self.metric))?;
        match self.spread {
            Some(spread) => write!(f, ", spread {}", rounded(spread, 3))?,
            None => f.write_str(", in one run alone")?,
        }
        self.values.iter().try_for_each(|(id, whole)| write!(f, "\n  {id}  {whole}"))
    }
}

impl fmt::Display for PlannedRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.goes { "delete" } else { "keep" };
        let size = crate::amount::size(self.bytes);
        write!(f, "{what} {}, {size}: {}", self.run.id, line(&self.why))
    }
}

impl fmt::Display for Garbage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, size) = (self.path.display().to_string(), crate::amount::size(self.bytes));
        write!(f, "{}, {size}: {}", self.kind, line(&path))
    }
}

impl fmt::Display for GarbageKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.noun())
    }
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        left_out(f, &self.run, None, &self.why)
    }
}

impl fmt::Display for LeftObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        left_out(f, &self.run, Some((&self.what, &self.object)), &self.why)
    }
}

fn left_out(
    f: &mut fmt::Formatter<'_>,
    run: &RunId,
    of_it: Option<(&str, &ObjectId)>,
    why: &str,
) -> fmt::Result {
    match of_it {
        None => write!(f, "left out {run}: {}", line(why)),
        Some((what, id)) => {
            write!(f, "left out {} of {run} (object {}): {}", line(what), object(id), line(why))
        }
    }
}

impl fmt::Display for MissingParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let MissingParent { run, parent } = self;
        write!(f, "{run} went on with {parent}, which is in neither store or was left out")
    }
}
