//! Whether a network can learn a few rows by heart: the playbook's second question when training
//! does not work. `reach.rs` says how far the loss can fall at all, `culprit.rs` what keeps it from
//! falling.

mod culprit;
mod reach;

use std::fmt;

use serde::Serialize;
use trainbook_callbacks::Snapshot;

use super::heed;
use crate::Error;
use crate::data::{Batch, Numbers};
use crate::display::chart::{Axis, Chart, Panel, Style};
use crate::display::{self, Bundle};
use crate::nn::HostTensor;
use crate::task::{Model, Probe, Recipe};
use crate::trainer::{Interrupt, Trainer};
use reach::least;

pub use culprit::Culprit;
pub use reach::GradientFault;

const NAME: &str = "overfit a few rows";
/// Of the way from the loss of outputs that know nothing to the least there can be, so much may be
/// left.
const NEAR: f64 = 0.02;
/// Updates between two looks at the network's predictions.
const LOOK: u64 = 10;

/// How [`Trainer::overfit_check`] goes about it. A number of rows is one, with the other options at
/// their defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OverfitCheck {
    rows: usize,
    steps: u64,
}

/// What came of [`Trainer::overfit_check`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OverfitReport {
    /// Their numbers in the data set.
    pub rows: Vec<usize>,
    /// Whether the network learned them by heart.
    pub passed: bool,
    /// Updates that it took, or that were tried.
    pub steps: u64,
    /// The learning rate, which was constant.
    pub learning_rate: f64,
    /// The loss of outputs that know nothing: ln C for C classes, for values that of their mean.
    pub baseline: f64,
    /// The least loss that any outputs have on these rows, found by changing outputs in place of
    /// weights. 0 for most losses; above it with label smoothing, for example.
    pub least: f64,
    /// What the loss had to reach: 2 % of the way from `least` to `baseline` may be left.
    pub target: f64,
    /// The loss of the network's predictions at the end, with dropout and the like switched off.
    pub loss: f64,
    /// The loss of each update in training, as (updates before it, loss).
    pub curve: Vec<(u64, f64)>,
    /// What is likely to be wrong, the likeliest first. Empty if it passed.
    pub culprits: Vec<Culprit>,
}

impl OverfitCheck {
    /// On so many rows.
    pub fn rows(rows: usize) -> Self {
        Self { rows, steps: 1000 }
    }

    /// With so many updates at most. Default: 1000.
    #[must_use]
    pub fn steps(mut self, steps: u64) -> Self {
        self.steps = steps;
        self
    }
}

impl From<usize> for OverfitCheck {
    fn from(rows: usize) -> Self {
        Self::rows(rows)
    }
}

impl Trainer {
    /// Trains a copy on a few rows (10 are usual) until it knows them by heart: until the loss of
    /// its predictions has come 98 % of the way from that of outputs that know nothing to the least
    /// there can be. A network that cannot do that is broken, or its data or its loss are; the
    /// report says what is likeliest, and shows it where it can: culprits are found by repeating
    /// the check with one thing changed.
    ///
    /// The copy begins with the trainer's weights and without moments. All rows are one batch,
    /// neither augmented nor mixed, drawn from the training part, of each class as many where the
    /// classes are known. Callbacks take no part; the learning rate is the trainer's, or the highest
    /// of its schedule. A check that passes costs as many updates as it says, and a search for the
    /// least loss on the outputs; one that fails trains up to a dozen times. Ctrl-C ends it. The
    /// trainer is unchanged, which is asserted by hash.
    ///
    /// # Errors
    /// The rows' targets are all the same, so that there is nothing to learn; the network or its
    /// loss cannot be computed at all.
    pub fn overfit_check(&self, check: impl Into<OverfitCheck>) -> Result<OverfitReport, Error> {
        let check = check.into();
        for (setting, value) in [("rows", check.rows as u64), ("steps", check.steps)] {
            if value == 0 {
                let (value, expected) = ("0".to_owned(), "at least 1".to_owned());
                return Err(Error::Setting { setting, value, expected });
            }
        }
        let before = self.state_hash()?;
        let report = self.overfit(check)?;
        self.is_still(before, NAME)?;
        Ok(report)
    }

    fn overfit(&self, check: OverfitCheck) -> Result<OverfitReport, Error> {
        let batch = self.few_rows(check.rows, "overfit_check")?;
        let state = self.task.state()?;
        let probe = Probe::of(&self.recipe, &state, &batch)?;
        let mut shape = vec![batch.len()];
        shape.extend(&self.task.model().planned().root.output.shape);
        let free = least(&self.recipe.loss, &shape, &batch, reach::All)?;
        let bench = Bench {
            trainer: self,
            weights: state.weights,
            learning_rate: self.highest_rate(),
            target: free.least + NEAR * (probe.baseline - free.least),
            steps: check.steps,
            shape,
            probe,
            free,
            batch,
        };
        // Losses of one's own may have no minimum, or no meaning of "knows nothing".
        let is_flat = bench.probe.baseline - bench.free.least <= 1e-6 * bench.free.least.abs();
        if is_flat && bench.free.fault.is_none() {
            let reason =
                "the targets of the rows are all the same, or the loss does not depend on \
                          the outputs, so there is nothing to learn; take more rows"
                    .to_owned();
            return Err(Error::Diagnostic { diagnostic: NAME, reason });
        }
        let attempt = bench.attempt(&self.recipe, Some(&bench.weights), bench.learning_rate)?;
        // By a wrong gradient nothing is learned, however little was asked.
        let passed = attempt.passed && bench.free.fault.is_none();
        let culprits = if passed { Vec::new() } else { bench.culprits(&attempt)? };
        Ok(OverfitReport {
            rows: bench.batch.samples.clone(),
            passed,
            steps: attempt.steps,
            learning_rate: bench.learning_rate,
            baseline: bench.probe.baseline,
            least: bench.free.least,
            target: bench.target,
            loss: attempt.loss,
            curve: attempt.curve,
            culprits,
        })
    }
}

/// What every attempt has in common.
struct Bench<'a> {
    trainer: &'a Trainer,
    weights: Snapshot,
    learning_rate: f64,
    /// What the loss has to reach.
    target: f64,
    steps: u64,
    batch: Batch,
    /// That of the outputs.
    shape: Vec<usize>,
    /// The layers before the first step.
    probe: Probe,
    /// How far the loss can fall.
    free: reach::Reach,
}

/// One attempt to learn the rows.
struct Attempt {
    passed: bool,
    steps: u64,
    /// The last loss of its predictions.
    loss: f64,
    curve: Vec<(u64, f64)>,
    /// The weights that it came to.
    weights: Snapshot,
}

impl Bench<'_> {
    /// Trains this recipe from these weights, or from freshly drawn ones.
    fn attempt(
        &self,
        recipe: &Recipe,
        weights: Option<&Snapshot>,
        learning_rate: f64,
    ) -> Result<Attempt, Error> {
        let mut task = recipe.task()?;
        if let Some(weights) = weights {
            let mut state = task.state()?;
            state.weights = weights.clone();
            task.load_state(&state)?;
        }
        let interrupt = Interrupt::new();
        let mut curve = Vec::new();
        let mut loss = f64::NAN;
        for step in 0..self.steps {
            let trained = f64::from(task.loss_of(&self.batch)?);
            curve.push((step, trained));
            if !trained.is_finite() {
                break;
            }
            heed(&interrupt, NAME)?;
            match task.end_scaling() {
                Some(scale) if scale.overflowed => task.clear_gradients()?,
                _ => task.update(&learning_rate.into())?,
            }
            if (step + 1) % LOOK == 0 || step + 1 == self.steps {
                loss = self.judge(task.model())?;
                if loss <= self.target {
                    break;
                }
            }
        }
        let (passed, steps) = (loss <= self.target, curve.len() as u64);
        Ok(Attempt { passed, steps, loss, curve, weights: task.state()?.weights })
    }

    /// The loss of what a network predicts of the rows.
    fn judge(&self, model: &dyn Model) -> Result<f64, Error> {
        let outputs = model.predict(&self.batch.input)?;
        let Numbers::F32(numbers) = outputs.numbers else { return Ok(f64::NAN) };
        let outputs = HostTensor::new(outputs.shape, numbers);
        let (sum, by) = self.trainer.recipe.loss.sum(&outputs, &self.batch)?;
        Ok(sum / by)
    }
}

impl OverfitReport {
    /// The report as a notebook shows it.
    pub fn view(&self) -> Bundle {
        let points = |y: f64| {
            let last = self.curve.last().map_or(0, |(step, _)| *step);
            vec![(0.0, y), (last as f64, y)]
        };
        let positive = self.target > 0.0 && self.curve.iter().all(|(_, loss)| *loss > 0.0);
        let y = if positive { Axis::log("loss") } else { Axis::linear("loss") };
        let curve = self.curve.iter().map(|(step, loss)| (*step as f64, *loss)).collect();
        let panel = Panel::new(Axis::linear("update"), y)
            .with("in training", Style::Line, curve)
            .with("to be reached", Style::Faint, points(self.target))
            .with("knows nothing", Style::Faint, points(self.baseline));
        let title = format!("{} rows by heart", self.rows.len());
        display::chart(&Chart::single(title, panel), &self.to_string())
    }

    /// Shows the report as the result of a notebook cell.
    pub fn evcxr_display(&self) {
        self.view().emit();
    }
}

impl fmt::Display for OverfitReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rows, steps, baseline, target, loss, learning_rate, .. } = self;
        let rows = rows.len();
        if self.passed {
            return write!(
                f,
                "passed: {rows} rows are known by heart after {steps} updates at {learning_rate:e} \
                 (loss {loss:.4}; outputs that know nothing have {baseline:.4})"
            );
        }
        write!(
            f,
            "failed: after {steps} updates at {learning_rate:e} the loss on {rows} rows is \
             {loss:.4}, and was to reach {target:.4} (outputs that know nothing have {baseline:.4})"
        )?;
        match &self.culprits[..] {
            [] => write!(f, "\nnothing was found that explains it; look at the layers one by one"),
            culprits => culprits.iter().try_for_each(|culprit| write!(f, "\n- {culprit}")),
        }
    }
}
