//! The learning rate of a fit that has not been.

use std::fmt;

use serde::Serialize;
use trainbook_callbacks::{CallbackRecipe, LrSchedule, Resource};

use crate::display::chart::{Axis, Chart, MOST_POINTS, Panel, Style};
use crate::display::{self, Bundle};
use crate::trainer::{Length, Trainer};

/// The learning rate of a fit before it trains, and the momentum if it is cycled; a picture in a
/// notebook.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SchedulePreview {
    /// Updates of the fit, if nothing stops it or skips one.
    pub updates: u64,
    /// The learning rate of all parameters whose group has no schedule of its own.
    pub learning_rate: ScheduledRate,
    /// Those of the groups that have one, before the group's factor.
    pub groups: Vec<ScheduledRate>,
    /// The momentum, if the schedule cycles it, as (update from 0, momentum).
    pub momentum: Vec<(u64, f64)>,
    /// What else sets a rate once the fit runs, if something does.
    pub remark: Option<String>,
}

/// One learning rate over the updates of a fit.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ScheduledRate {
    /// Under what it is logged: `learning_rate`, or `learning_rate/encoder` for a group.
    pub name: String,
    /// (update from 0, learning rate), at most a thousand of them, evenly spaced, with the first and
    /// the last update among them.
    pub points: Vec<(u64, f64)>,
}

impl Trainer {
    /// The learning rate of every update that a fit of this length would make from here, as its
    /// schedules plan it, without training: `trainer.preview_schedule(Epochs(30))` as a cell's last
    /// expression is a picture. Without a schedule it is the optimiser's rate.
    pub fn preview_schedule(&self, length: impl Into<Length>) -> SchedulePreview {
        let horizon = self.horizon(length.into(), self.feed.batches_per_epoch(&self.data) as u64);
        let updates = horizon.updates();
        let callbacks = self.stack.recorded();
        let mut schedules = Vec::new();
        callbacks.iter().filter_map(|callback| callback.recipe.as_ref()).for_each(|recipe| {
            schedules_of(recipe, &mut schedules);
        });
        let of = |schedule: &LrSchedule| schedule.preview(horizon, MOST_POINTS);
        let constant = LrSchedule::constant(self.learning_rate());
        let of_all = schedules.iter().copied().find(|schedule| schedule.group().is_none());
        let learning_rate = ScheduledRate {
            name: "learning_rate".to_owned(),
            points: of(of_all.unwrap_or(&constant)),
        };
        let momentum = |schedule: &LrSchedule| {
            let updates = learning_rate.points.iter().map(|(update, _)| *update);
            updates.filter_map(|u| Some((u, schedule.momentum_at(u, horizon)?))).collect()
        };
        let momentum = of_all.map(momentum).unwrap_or_default();
        let groups = schedules.iter().filter_map(|schedule| {
            let name = format!("learning_rate/{}", schedule.group()?);
            Some(ScheduledRate { name, points: of(schedule) })
        });
        let groups = groups.collect();
        let remark = of_all.is_none().then(|| self.other_writer()).flatten();
        SchedulePreview { updates, learning_rate, groups, momentum, remark }
    }

    /// Who sets the rate without a curve that is known before, if somebody does.
    fn other_writer(&self) -> Option<String> {
        let rate = Resource::LearningRate.to_string();
        let writer =
            self.plan().callbacks().iter().find(|planned| planned.writes.contains(&rate))?;
        Some(format!("{} sets the rate once the fit runs; this is where it begins", writer.name))
    }
}

/// The schedules in a recipe.
fn schedules_of<'r>(recipe: &'r CallbackRecipe, to: &mut Vec<&'r LrSchedule>) {
    match recipe {
        CallbackRecipe::LrSchedule(schedule) => to.push(schedule),
        CallbackRecipe::All { of } => of.iter().for_each(|recipe| schedules_of(recipe, to)),
        _ => {}
    }
}

impl ScheduledRate {
    /// First, largest and last, with where the largest is first reached.
    fn summary(&self) -> Option<String> {
        let ((_, first), (_, last)) = (self.points.first()?, self.points.last()?);
        let (at, most) = self.points.iter().fold((0, f64::NEG_INFINITY), |best, &(at, rate)| {
            if rate > best.1 { (at, rate) } else { best }
        });
        Some(if self.points.iter().all(|(_, rate)| rate == first) {
            format!("{} {first:.2e} at every update", self.name)
        } else {
            format!(
                "{} {first:.2e} at first, {most:.2e} at most, from update {} on, {last:.2e} at last",
                self.name,
                at + 1
            )
        })
    }

    fn curve(&self) -> Vec<(f64, f64)> {
        curve(&self.points)
    }
}

fn curve(points: &[(u64, f64)]) -> Vec<(f64, f64)> {
    points.iter().map(|&(update, value)| ((update + 1) as f64, value)).collect()
}

impl SchedulePreview {
    /// As a notebook shows it: the rate over the updates, counted from 1, and below it the momentum.
    pub fn view(&self) -> Bundle {
        let of_all = std::iter::once(&self.learning_rate).chain(&self.groups);
        let panel = Panel::new(Axis::linear("update"), Axis::linear("learning rate"));
        let panel = of_all
            .fold(panel, |panel, rate| panel.with(rate.name.clone(), Style::Line, rate.curve()));
        let mut column = vec![panel];
        if !self.momentum.is_empty() {
            let panel = Panel::new(Axis::linear("update"), Axis::linear("momentum"));
            column[0].x = Axis::linear("");
            column.push(panel.with("momentum", Style::Line, curve(&self.momentum)));
        }
        let title = format!("Learning rate of {} updates", self.updates);
        display::chart(&Chart { title, columns: vec![column] }.aligned(), &self.to_string())
    }

    /// Shows it as the result of a notebook cell.
    pub fn evcxr_display(&self) {
        self.view().emit();
    }
}

impl fmt::Display for SchedulePreview {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} updates", self.updates)?;
        for rate in std::iter::once(&self.learning_rate).chain(&self.groups) {
            if let Some(summary) = rate.summary() {
                write!(f, "\n{summary}")?;
            }
        }
        let momentum = self.momentum.iter().map(|point| point.1);
        let ends = momentum.clone().fold(f64::INFINITY, f64::min)..=momentum.fold(0.0, f64::max);
        if !self.momentum.is_empty() {
            write!(f, "\nmomentum between {:.3} and {:.3}", ends.start(), ends.end())?;
        }
        self.remark.as_ref().map_or(Ok(()), |remark| write!(f, "\n{remark}"))
    }
}
