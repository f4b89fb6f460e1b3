//! By how much a run beats what is simpler.

use std::fmt;

use serde::Serialize;
use trainbook_callbacks::Direction;

use super::Baselines;
use crate::Error;
use crate::data::Part;
use crate::display::Bundle;
use crate::display::table::{Align, Table};
use crate::trainer::{Evaluation, Run};

/// A run beside the baselines of its data.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Margins(Vec<Margin>);

/// One number of a run beside that of one baseline.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Margin {
    /// The baseline.
    pub baseline: String,
    /// The metric: `val_loss`, `val_accuracy`.
    pub metric: String,
    /// The mean over the baseline's seeds.
    pub of_baseline: f64,
    /// Half the width of its interval of 95 %; NaN of one seed.
    pub half: f64,
    /// What it is for the run.
    pub of_run: f64,
    /// By how much the run is better; negative where it is worse.
    pub better_by: f64,
}

impl Run {
    /// By how much this run's network beats the baselines that its store holds of the same data and
    /// loss, of the newest call that made some, on the validation part. Empty where there are none.
    ///
    /// # Errors
    /// The run was not recorded, so that there is no store to look in; there is no validation part.
    pub fn against_baselines(&self) -> Result<Margins, Error> {
        let Some(writer) = &self.writer else {
            let reason = "the run was not recorded, so there is no store to look in; \
                          `Baselines::against` compares it with baselines at hand";
            let (diagnostic, reason) = ("compare with baselines", reason.to_owned());
            return Err(Error::Diagnostic { diagnostic, reason });
        };
        let direction = |name: &str| {
            let named = |metric: &&crate::metric::Metric| format!("val_{}", metric.name()) == name;
            let known = self.metrics.iter().find(named);
            known.map_or(Direction::Minimize, |metric| metric.measure().direction())
        };
        Baselines::stored(writer.store(), &self.data, &self.loss, direction)?.against(self)
    }
}

impl Baselines {
    /// By how much a run's network beats these, on the validation part of its data.
    ///
    /// # Errors
    /// There is no validation part.
    pub fn against(&self, run: &Run) -> Result<Margins, Error> {
        let (model, loss, metrics) = (run.model(), &run.loss, &run.metrics);
        let (data, part) = (&run.data, Part::Validation);
        let own = Evaluation::of(model, loss, metrics, data, part, |_| {})?.logged();
        let mut margins = Vec::new();
        for baseline in &self.all {
            for score in &baseline.scores {
                let Some(own) = own.iter().find(|own| own.name == score.metric.as_str()) else {
                    continue;
                };
                let (mean, half) = (score.interval.mean, score.interval.half);
                let better_by =
                    if score.is_larger_better() { own.value - mean } else { mean - own.value };
                margins.push(Margin {
                    baseline: baseline.name.clone(),
                    metric: score.metric.clone(),
                    of_baseline: mean,
                    half,
                    of_run: own.value,
                    better_by,
                });
            }
        }
        Ok(Margins(margins))
    }
}

impl Margin {
    /// Whether the run is better by more than the baseline's interval is wide to one side. One seed
    /// has none.
    pub fn is_clear(&self) -> bool {
        self.better_by > if self.half.is_nan() { 0.0 } else { self.half }
    }
}

impl Margins {
    /// Each baseline with each metric.
    pub fn all(&self) -> &[Margin] {
        &self.0
    }

    fn table(&self) -> Table {
        let mut table = Table::new(&[
            ("baseline", Align::Left),
            ("metric", Align::Left),
            ("its mean", Align::Right),
            ("95 %", Align::Left),
            ("this run", Align::Right),
            ("better by", Align::Right),
        ]);
        let mut last = "";
        for margin in &self.0 {
            let name = if margin.baseline == last { "" } else { &margin.baseline };
            last = &margin.baseline;
            table.rows.push(vec![
                name.to_owned(),
                margin.metric.clone(),
                format!("{:.4}", margin.of_baseline),
                half(margin.half),
                format!("{:.4}", margin.of_run),
                format!("{:+.4}", margin.better_by),
            ]);
        }
        table
    }

    /// As a notebook shows it.
    pub fn view(&self) -> Bundle {
        Bundle { html: self.table().html(), text: self.to_string() }
    }

    /// Shows it as the result of a notebook cell.
    pub fn evcxr_display(&self) {
        self.view().emit();
    }
}

/// "± 0.0012", or nothing of one seed.
pub(super) fn half(half: f64) -> String {
    if half.is_nan() { String::new() } else { format!("± {half:.4}") }
}

impl fmt::Display for Margins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str(
                "there are no baselines of this data and loss in the store; `trainer.baselines(…)` trains \
                 them",
            );
        }
        f.write_str(self.table().text().trim_end())?;
        let unclear: Vec<String> = self
            .0
            .iter()
            .filter(|margin| !margin.is_clear())
            .map(|margin| format!("{} in {}", margin.baseline, margin.metric))
            .collect();
        match &unclear[..] {
            [] => Ok(()),
            which => write!(f, "\nnot clearly better than {}", which.join(", ")),
        }
    }
}
