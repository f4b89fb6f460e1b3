//! A few batches through everything, as if nothing had happened.

use std::fmt;

use crate::Error;
use crate::data::Part;
use crate::trainer::{Steps, Trainer};

/// What [`Trainer::dev_run`] went through.
#[derive(Clone, Debug, PartialEq)]
pub struct DevRun {
    /// Batches of each part, at most.
    pub batches: u64,
    /// What was gone through, with what came out, in order.
    pub passed: Vec<(String, String)>,
    /// Why the network has no ONNX form, if it has none.
    pub no_onnx_form: Option<String>,
}

impl Trainer {
    /// Takes `batches` batches of each part through everything that a fit, its evaluation and its
    /// export do, every callback included, and leaves no trace: nothing is recorded or written, and
    /// weights, moments, counters and the state of every callback are what they were before, which
    /// is asserted by hash. What a callback keeps outside of its state, such as what a closure has
    /// captured, is not brought back.
    ///
    /// # Errors
    /// Whatever would have failed in the real run; the trainer is as before all the same.
    pub fn dev_run(&mut self, batches: u64) -> Result<DevRun, Error> {
        let batches = batches.max(1);
        let before = self.state_hash()?;
        let rows = usize::try_from(batches).unwrap_or(usize::MAX);
        let rows = rows.saturating_mul(self.feed.batch_size).saturating_mul(self.accumulate);
        let all = self.data.clone();
        self.data = all.clone().first_rows(rows);
        let store = self.store.take();
        // The first rows may have no weight; whether rows can be drawn so was checked by `build`.
        let sampling = std::mem::take(&mut self.feed.sampling);
        let passed = self.on_trial(|trainer| trainer.go_through(batches));
        self.data = all;
        self.store = store;
        self.feed.sampling = sampling;
        let passed = passed?;
        self.is_still(before, "run a few batches")?;
        passed
    }

    fn go_through(&mut self, batches: u64) -> Result<DevRun, Error> {
        let run = self.fit(Steps(batches))?.uninterrupted("run a few batches")?;
        let mut passed = vec![("train".to_owned(), run.to_string())];
        for part in [Part::Validation, Part::Test] {
            if !self.data.part(part).is_empty() {
                passed.push((part.to_string(), run.evaluate(part)?.to_string()));
            }
        }
        let no_onnx_form = match run.graph() {
            Ok(_) => {
                passed.push(("ONNX form".to_owned(), "there is one".to_owned()));
                None
            }
            Err(error) => Some(error.to_string()),
        };
        Ok(DevRun { batches, passed, no_onnx_form })
    }
}

impl fmt::Display for DevRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "up to {} batches of each part, nothing kept", self.batches)?;
        for (what, outcome) in &self.passed {
            write!(f, "\n  {what}: {outcome}")?;
        }
        match &self.no_onnx_form {
            Some(why) => write!(f, "\n  ONNX form: none; it failed to {why}"),
            None => Ok(()),
        }
    }
}

trainbook_core::shown_as_text!(DevRun);
