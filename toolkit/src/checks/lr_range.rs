//! Learning rates that several seeds suggest.

use std::fmt;

use serde::Serialize;
use trainbook_core::quantile::quantile;

use super::LrCurve;
use super::lr_finder::NAME;
use crate::Error;
use crate::display::chart::{Axis, Chart, Panel, Style};
use crate::display::{self, Bundle};
use crate::random::Seed;

/// The curves of several seeds, and what they suggest together.
#[derive(Clone, Debug, Serialize)]
pub struct LrRange {
    curves: Vec<(Seed, LrCurve)>,
    refused: Vec<(Seed, String)>,
}

impl LrRange {
    /// Of curves that have been read, and of seeds whose curves say nothing.
    pub(super) fn of(
        curves: Vec<(Seed, LrCurve)>,
        refused: Vec<(Seed, Error)>,
    ) -> Result<Self, Error> {
        let reason = |error: Error| match error {
            Error::Diagnostic { reason, .. } => reason,
            error => error.to_string(),
        };
        let refused: Vec<_> = refused.into_iter().map(|(seed, e)| (seed, reason(e))).collect();
        match (&curves[..], refused.first()) {
            ([], Some((_, reason))) => {
                Err(Error::Diagnostic { diagnostic: NAME, reason: reason.clone() })
            }
            _ => Ok(Self { curves, refused }),
        }
    }

    /// The curve of each seed.
    pub fn curves(&self) -> &[(Seed, LrCurve)] {
        &self.curves
    }

    /// The seeds whose curves say nothing, with the reason.
    pub fn refused(&self) -> &[(Seed, String)] {
        &self.refused
    }

    /// The suggested learning rate: the median of the curves' suggestions, of an even number of them
    /// the geometric mean of the middle two.
    pub fn suggestion(&self) -> f64 {
        let logarithms: Vec<f64> = self.sorted().iter().map(|rate| rate.ln()).collect();
        quantile(&logarithms, 0.5).unwrap_or(f64::NAN).exp()
    }

    /// The least and the largest of the curves' suggestions.
    pub fn interval(&self) -> (f64, f64) {
        let all = self.sorted();
        (all[0], all[all.len() - 1])
    }

    /// There is at least one.
    fn sorted(&self) -> Vec<f64> {
        let mut all: Vec<f64> = self.curves.iter().map(|(_, curve)| curve.suggestion()).collect();
        all.sort_by(f64::total_cmp);
        all
    }

    /// The curves as a notebook shows them.
    pub fn view(&self) -> Bundle {
        let (low, high) = self.interval();
        let mut panel = Panel::new(Axis::log("learning rate"), Axis::linear("loss"));
        for (Seed(seed), curve) in &self.curves {
            let points = curve.points().iter().map(|p| (p.learning_rate, p.smoothed)).collect();
            panel = panel.with(format!("seed {seed}"), Style::Line, points);
        }
        let panel = panel.mark(low, "least").mark(high, "largest suggestion");
        display::chart(&Chart::single("Learning-rate finder", panel), &self.to_string())
    }

    /// Shows the curves as the result of a notebook cell.
    pub fn evcxr_display(&self) {
        self.view().emit();
    }
}

impl fmt::Display for LrRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (low, high) = self.interval();
        write!(
            f,
            "suggested learning rate {:.2e} (from {low:.2e} to {high:.2e} over {} seed{})",
            self.suggestion(),
            self.curves.len(),
            if self.curves.len() == 1 { "" } else { "s" }
        )?;
        for (Seed(seed), reason) in &self.refused {
            write!(f, "\nseed {seed} says nothing: {reason}")?;
        }
        let remark = self.curves.iter().find_map(|(_, curve)| curve.remark());
        remark.map_or(Ok(()), |remark| write!(f, "\n{remark}"))
    }
}
