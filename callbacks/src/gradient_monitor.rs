//! How large gradients are, tensor by tensor.

use serde::{Deserialize, Serialize};
use trainbook_store::Name;

use crate::{
    Callback, CallbackRecipe, Effects, Flow, GradientView, Phase, Reply, Resource, TensorInfo,
};

const GRADIENT_NORM: Name = Name::new_static("gradient_norm");
const GRADIENT_MAX: Name = Name::new_static("gradient_max");
const GRADIENT_ZERO_SHARE: Name = Name::new_static("gradient_zero_share");

/// Logs the size of the gradients as the backward pass left them, before clipping:
///
/// - `gradient_norm`: the Euclidean norm over all of them,
/// - `gradient_norm/<tensor>`, `gradient_max/<tensor>` (largest absolute value) and
///   `gradient_zero_share/<tensor>` (share of exact zeros) for each trainable tensor.
///
/// It looks at every element, so use it as `every(10, GradientMonitor::new())`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct GradientMonitor {
    /// The names of each tensor's metrics, made at the first step: formatting them at every step
    /// would cost more than the numbers.
    #[serde(skip)]
    names: Vec<TensorMetrics>,
}

#[derive(Clone, Debug)]
struct TensorMetrics {
    norm: Name,
    max: Name,
    zero_share: Name,
}

impl TensorMetrics {
    fn of(tensor: &TensorInfo) -> Self {
        let named = |what: Name| Name::from(format!("{what}/{}", tensor.name));
        Self {
            norm: named(GRADIENT_NORM),
            max: named(GRADIENT_MAX),
            zero_share: named(GRADIENT_ZERO_SHARE),
        }
    }
}

impl GradientMonitor {
    /// Watches every step it is shown.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Callback for GradientMonitor {
    fn effects(&self) -> Effects {
        Effects::in_phase(Phase::Observe)
            .reads(Resource::Gradients)
            .writes(Resource::Metric(GRADIENT_NORM))
            .writes(Resource::MetricsUnder(GRADIENT_NORM))
            .writes(Resource::MetricsUnder(GRADIENT_MAX))
            .writes(Resource::MetricsUnder(GRADIENT_ZERO_SHARE))
    }

    fn recipe(&self) -> Option<CallbackRecipe> {
        Some(CallbackRecipe::GradientMonitor(Self::new()))
    }

    fn raw_gradients(&mut self, step: &GradientView<'_>) -> Reply {
        if self.names.is_empty() {
            self.names = step.gradients.tensors().iter().map(TensorMetrics::of).collect();
        }
        step.log.push(GRADIENT_NORM, step.gradients.global_norm()?);
        for (names, stats) in self.names.iter().zip(step.gradients.stats()?) {
            step.log.push(names.norm.clone(), stats.norm);
            step.log.push(names.max.clone(), stats.max_abs.into());
            step.log.push(names.zero_share.clone(), stats.zeros as f64 / stats.len.max(1) as f64);
        }
        Ok(Flow::Continue)
    }
}

#[cfg(test)]
mod tests {
    use super::GradientMonitor;
    use crate::fake::Fake;
    use crate::{Clip, Stack, every};

    #[test]
    fn sizes_are_those_of_the_raw_gradients() {
        let mut stack = Stack::new();
        stack.push(Clip::global_norm(1.0));
        stack.push(GradientMonitor::new());
        let mut fake = Fake::new(stack).batches(1);
        fake.gradients = Box::new(|_| vec![vec![3.0], vec![0.0, -4.0]]);
        fake.fit(1);
        let log: Vec<_> =
            fake.seen.step_logs[0].iter().map(|m| (m.name.as_str(), m.value)).collect();
        assert_eq!(
            log,
            [
                ("gradient_norm", 5.0),
                ("gradient_norm/0.weight", 3.0),
                ("gradient_max/0.weight", 3.0),
                ("gradient_zero_share/0.weight", 0.0),
                ("gradient_norm/0.bias", 4.0),
                ("gradient_max/0.bias", 4.0),
                ("gradient_zero_share/0.bias", 0.5),
                ("clipped", 1.0),
            ]
        );
    }

    #[test]
    fn every_few_steps_costs_nothing_in_between() {
        let mut fake = Fake::with(every(3, GradientMonitor::new())).batches(7);
        fake.fit(1);
        let logged: Vec<_> = fake.seen.step_logs.iter().map(|log| !log.is_empty()).collect();
        assert_eq!(logged, [true, false, false, true, false, false, true]);
        assert_eq!(fake.seen.stats_calls, 3);
    }
}
