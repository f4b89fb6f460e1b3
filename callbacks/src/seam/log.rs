//! What callbacks log.

use std::cell::RefCell;

use trainbook_store::{Metric, Name};

/// Metrics logged by callbacks, and warnings; read by the recorder at the end of the step or epoch,
/// then emptied.
#[derive(Debug, Default)]
pub struct MetricLog {
    metrics: RefCell<Vec<Metric>>,
    warnings: RefCell<Vec<String>>,
}

impl MetricLog {
    /// Adds a value.
    pub fn push(&self, name: impl Into<Name>, value: f64) {
        self.metrics.borrow_mut().push(Metric { name: name.into(), value });
    }

    /// Everything logged so far.
    pub fn read<R>(&self, look: impl FnOnce(&[Metric]) -> R) -> R {
        look(&self.metrics.borrow())
    }

    /// Warns: shown where the fit's progress is, and recorded with the run.
    pub fn warn(&self, text: impl Into<String>) {
        self.warnings.borrow_mut().push(text.into());
    }

    /// Every warning so far.
    pub fn read_warnings<R>(&self, look: impl FnOnce(&[String]) -> R) -> R {
        look(&self.warnings.borrow())
    }

    /// Adds what another has logged.
    pub fn extend(&self, metrics: impl IntoIterator<Item = Metric>) {
        self.metrics.borrow_mut().extend(metrics);
    }

    /// Empties the log and keeps its memory.
    pub fn clear(&self) {
        self.metrics.borrow_mut().clear();
        self.warnings.borrow_mut().clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_logged_stays_until_the_log_is_emptied() {
        let log = MetricLog::default();
        log.push("a", 1.0);
        log.extend([Metric { name: "b".into(), value: 2.0 }]);
        log.warn("look");
        let names = || log.read(|all| all.iter().map(|m| m.name.to_string()).collect::<Vec<_>>());
        assert_eq!(names(), ["a", "b"]);
        log.clear();
        assert_eq!(names(), [""; 0]);
        assert_eq!(log.read_warnings(<[_]>::len), 0);
    }
}
