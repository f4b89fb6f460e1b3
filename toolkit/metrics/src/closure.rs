//! A metric of somebody else's, as a closure over everything.

use std::fmt;
use std::sync::Arc;

use trainbook_callbacks::Direction;
use trainbook_core::batch::{TargetKind, Targets};

use crate::{Measure, Tally};

/// A metric that looks at all outputs and targets at once.
pub(crate) struct Closure<F> {
    pub name: String,
    pub direction: Direction,
    pub takes: TargetKind,
    pub measure: Arc<F>,
}

impl<F> fmt::Debug for Closure<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Closure").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<F> Measure for Closure<F>
where
    F: Fn(&[f32], &Targets) -> f64 + Send + Sync + 'static,
{
    fn name(&self) -> String {
        self.name.clone()
    }

    fn direction(&self) -> Direction {
        self.direction
    }

    fn takes(&self) -> TargetKind {
        self.takes
    }

    fn heeds_weights(&self) -> bool {
        false
    }

    fn begin(&self, _: usize) -> Box<dyn Tally> {
        Box::new(Everything {
            measure: self.measure.clone(),
            outputs: Vec::new(),
            targets: Targets::default(),
            weighted: false,
        })
    }
}

/// Everything that was added.
struct Everything<F> {
    measure: Arc<F>,
    outputs: Vec<f32>,
    targets: Targets,
    /// Whether there were weights, which the closure cannot heed.
    weighted: bool,
}

impl<F: Fn(&[f32], &Targets) -> f64> Tally for Everything<F> {
    fn add(&mut self, outputs: &[f32], targets: &Targets, weights: Option<&[f32]>) {
        self.targets.extend(targets);
        self.outputs.extend_from_slice(outputs);
        self.weighted |= weights.is_some();
    }

    fn value(&self) -> f64 {
        if self.weighted || self.targets.is_empty() {
            return f64::NAN;
        }
        (self.measure)(&self.outputs, &self.targets)
    }
}
