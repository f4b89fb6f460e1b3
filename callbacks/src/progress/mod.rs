//! What a person sees while a fit runs.

mod bar;
mod rhythm;
mod table;

use std::io::Write;
use std::time::{Duration, Instant};

use trainbook_store::{Metric, Name};

use crate::{
    Callback, CallbackError, Counters, Effects, EpochEnd, EpochStart, FitEnd, FitStart, Flow,
    Horizon, MetricLog, Phase, Reply, StepEnd, Validated,
};
use bar::Bar;
use table::Table;

/// The clock is read once in this many steps, unless steps are so slow that it costs nothing.
const STRIDE: u32 = 16;
const SLOW_STEP: Duration = Duration::from_millis(10);

/// Shows a table with a row per epoch: its number (from 1, over the trainer's life), the trainer's
/// metrics, the last learning rate and the seconds it took; and at the end why the fit ended. What
/// callbacks warn of stands between, each in a line of its own.
///
/// Up to 40 epochs have a row each. Of a longer fit, the first ten do, then rows thin out: every 10th
/// up to the hundredth, every 100th up to the thousandth and so on, until they are as far apart as 30
/// rows of the whole fit. An epoch that ends after a silence has one too, and the last.
///
/// On a terminal a bar under the table shows the epoch that runs. Elsewhere (a notebook, a file, a
/// pipe) only whole lines are written, and an epoch that takes long writes one when nothing was
/// shown for 10 seconds, or for a quarter of the fit's time until then where that is more. So a fit of
/// any length writes about 60 lines at most.
///
/// Nothing that goes wrong with the output stops the training.
pub struct Progress {
    output: Output,
    clock: Box<dyn Fn() -> Duration + Send>,
    table: Table,
    fit: Fit,
    epoch: Epoch,
}

/// The fit that runs.
#[derive(Debug, Default)]
struct Fit {
    first_epoch: u64,
    began: Duration,
    /// When something was last shown.
    shown: Duration,
    /// The newest epoch's row, if it was left out.
    left_out: Option<String>,
}

impl Fit {
    /// Whether it is time for a sign of life.
    fn is_silent(&self, now: Duration) -> bool {
        now.saturating_sub(self.shown) >= rhythm::silence(now.saturating_sub(self.began))
    }
}

enum Output {
    Lines(Box<dyn Write + Send>),
    Terminal(Bar),
}

impl Output {
    fn line(&mut self, line: &str) {
        match self {
            // One call for the whole line, so that lines of two writers do not mix. A closed pipe
            // must not end the training.
            Self::Lines(writer) => {
                let _ =
                    writer.write_all(format!("{line}\n").as_bytes()).and_then(|()| writer.flush());
            }
            Self::Terminal(bar) => bar.line(line),
        }
    }
}

/// The epoch that runs.
#[derive(Clone, Copy, Debug, Default)]
struct Epoch {
    number: u64,
    batches: u64,
    batches_before: u64,
    learning_rate: Option<f64>,
    began: Duration,
    checked: Duration,
    /// Steps from one reading of the clock to the next.
    stride: u32,
    steps_until_check: u32,
}

impl Progress {
    /// A bar when standard error is a terminal, else whole lines on standard output.
    pub fn auto() -> Self {
        Bar::on_stderr().map_or_else(
            || Self::to(Box::new(std::io::stdout())),
            |bar| Self::of(Output::Terminal(bar)),
        )
    }

    /// Whole lines into `writer`.
    pub fn to(writer: Box<dyn Write + Send>) -> Self {
        Self::of(Output::Lines(writer))
    }

    fn of(output: Output) -> Self {
        let start = Instant::now();
        let clock = Box::new(move || start.elapsed());
        let (table, fit, epoch) = Default::default();
        Self { output, clock, table, fit, epoch }
    }

    /// Begins an epoch of which so many batches have been before.
    fn begin(&mut self, counters: Counters, horizon: Horizon, batches: u64) {
        let now = (self.clock)();
        self.epoch = Epoch {
            number: counters.epoch + 1,
            batches: horizon.batches_per_epoch,
            batches_before: counters.batches_seen.saturating_sub(batches),
            learning_rate: None,
            began: now,
            checked: now,
            stride: 1,
            steps_until_check: 0,
        };
        if let Output::Terminal(bar) = &mut self.output {
            bar.epoch(self.epoch.number, self.epoch.batches);
        }
    }

    fn warn(&mut self, log: &MetricLog) {
        log.read_warnings(|warnings| {
            warnings.iter().for_each(|text| self.output.line(&format!("warning: {text}")));
        });
    }

    /// Reads the clock when it is time to, and shows what is due. `loss` is this step's, and asked
    /// for where it is shown.
    fn look(&mut self, batches_seen: u64, loss: impl FnOnce() -> f32) {
        let now = (self.clock)();
        let slow = now.saturating_sub(self.epoch.checked) > SLOW_STEP * self.epoch.stride;
        self.epoch.stride = if slow { 1 } else { STRIDE };
        self.epoch.steps_until_check = self.epoch.stride - 1;
        self.epoch.checked = now;
        let batch = batches_seen.saturating_sub(self.epoch.batches_before);
        match &mut self.output {
            Output::Terminal(bar) => bar.at(batch, loss()),
            Output::Lines(_) if self.fit.is_silent(now) && batch < self.epoch.batches => {
                let seconds = now.saturating_sub(self.epoch.began).as_secs_f64();
                self.fit.shown = now;
                self.output.line(&table::heartbeat(
                    self.epoch.number,
                    batch,
                    self.epoch.batches,
                    loss(),
                    seconds,
                ));
            }
            Output::Lines(_) => {}
        }
    }
}

impl Callback for Progress {
    fn effects(&self) -> Effects {
        Effects::in_phase(Phase::Show)
    }

    fn fit_start(&mut self, fit: &FitStart<'_>) -> Reply {
        self.table =
            Table::new(fit.epoch_metrics.iter().map(|metric| metric.name.clone()).collect());
        self.output.line(&self.table.header());
        let now = (self.clock)();
        let first_epoch = fit.counters.epoch;
        self.fit = Fit { first_epoch, began: now, shown: now, left_out: None };
        if let Some(batches) = fit.resumed.and_then(|resumed| resumed.batches) {
            self.begin(fit.counters, fit.horizon, batches);
        }
        Ok(Flow::Continue)
    }

    fn epoch_start(&mut self, epoch: &EpochStart<'_>) -> Reply {
        self.begin(epoch.counters, epoch.horizon, 0);
        Ok(Flow::Continue)
    }

    fn step_end(&mut self, step: &StepEnd<'_>) -> Reply {
        self.epoch.learning_rate = Some(step.learning_rate);
        match self.epoch.steps_until_check.checked_sub(1) {
            Some(left) => self.epoch.steps_until_check = left,
            None => self.look(step.counters.batches_seen, || step.loss()),
        }
        self.warn(step.log);
        Ok(Flow::Continue)
    }

    fn validated(&mut self, validated: &Validated<'_>) -> Reply {
        self.warn(validated.log);
        Ok(Flow::Continue)
    }

    fn epoch_end(&mut self, epoch: &EpochEnd<'_>) -> Reply {
        let row = self.table.row(
            self.epoch.number,
            epoch.metrics,
            self.epoch.learning_rate,
            epoch.seconds,
        );
        let now = (self.clock)();
        let number = self.epoch.number.saturating_sub(self.fit.first_epoch);
        if rhythm::shows_row(number, epoch.horizon.epochs) || self.fit.is_silent(now) {
            self.output.line(&row);
            (self.fit.shown, self.fit.left_out) = (now, None);
        } else {
            self.fit.left_out = Some(row);
        }
        self.warn(epoch.log);
        Ok(Flow::Continue)
    }

    fn fit_end(&mut self, fit: &mut FitEnd<'_>) -> Result<(), CallbackError> {
        let last = table::ending(fit.counters, fit.reason, fit.error);
        if let Output::Terminal(bar) = &mut self.output {
            bar.clear();
        }
        if let Some(row) = self.fit.left_out.take() {
            self.output.line(&row);
        }
        self.output.line(&last);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
