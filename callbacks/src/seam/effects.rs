//! What a callback declares that it touches.

use serde::{Deserialize, Serialize};
use trainbook_store::Name;

/// What a callback reads and writes, and when within a moment it wants its turn.
///
/// The stack uses it to order callbacks and to refuse, before the first step, two writers of one
/// [`Resource`] and a metric that is read but that nothing produces.
///
/// Law, tested for every callback here: what a callback does it declares, and what it declares it
/// does. Whoever writes a resource may read it too.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Effects {
    /// When within each moment this callback is called.
    pub phase: Phase,
    /// What it looks at and could not work without.
    pub reads: Vec<Resource>,
    /// What it changes. [`Resource::Metric`] here means that it produces that metric at the end of
    /// epochs, [`Resource::StepMetric`] in steps.
    pub writes: Vec<Resource>,
    /// It cannot work in a run that has no store.
    pub needs_store: bool,
}

impl Effects {
    /// No reads, no writes, called in `phase`.
    pub fn in_phase(phase: Phase) -> Self {
        Self { phase, ..Self::default() }
    }

    /// Adds something that is read.
    #[must_use]
    pub fn reads(mut self, resource: Resource) -> Self {
        self.reads.push(resource);
        self
    }

    /// Adds something that is written.
    #[must_use]
    pub fn writes(mut self, resource: Resource) -> Self {
        self.writes.push(resource);
        self
    }

    /// Refuses a run without a store.
    #[must_use]
    pub fn needs_store(mut self) -> Self {
        self.needs_store = true;
        self
    }

    /// The union of both, in the earlier phase of the two.
    #[must_use]
    pub fn union(mut self, other: Effects) -> Self {
        self.phase = self.phase.min(other.phase);
        self.needs_store |= other.needs_store;
        for (into, from) in [(&mut self.reads, other.reads), (&mut self.writes, other.writes)] {
            for resource in from {
                if !into.contains(&resource) {
                    into.push(resource);
                }
            }
        }
        self
    }
}

/// Something that a callback may read or write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resource {
    /// The seed of every random stream.
    Seed,
    /// The learning rate of the coming step.
    LearningRate,
    /// The learning rate of the coming step for the parameter group that has this pattern.
    GroupLearningRate(Name),
    /// The momentum of the coming step.
    Momentum,
    /// The gradients between backward pass and update.
    Gradients,
    /// The weights: who reads them copies those that are trained or judged, who writes them decides
    /// with which the fit ends.
    Weights,
    /// The weights that are judged at the end of an epoch, in place of those that are trained. Who
    /// writes them may end the fit with them.
    JudgedWeights,
    /// Whether the fit, the epoch and the step's update go on: every [`Flow`](super::Flow) but
    /// `Continue`. Any number of callbacks may write it.
    Stop,
    /// A metric of epochs by name: one that is there at [`EpochEnd`](super::Moment::EpochEnd), and
    /// that callbacks may go by.
    Metric(Name),
    /// Every metric of epochs whose name begins with this one and a slash: `gradient_max/0.weight` is
    /// one of those under `gradient_max`. For names that are known only when the fit runs.
    MetricsUnder(Name),
    /// A metric that is logged in steps, and gone when the epoch ends.
    StepMetric(Name),
    /// Every metric of steps whose name begins with this one and a slash.
    StepMetricsUnder(Name),
}

impl Resource {
    /// A metric of epochs by name.
    pub fn metric(name: impl AsRef<str>) -> Self {
        Self::Metric(Name::new(name))
    }

    /// Every metric of epochs whose name begins with `prefix` and a slash.
    pub fn metrics_under(prefix: impl AsRef<str>) -> Self {
        Self::MetricsUnder(Name::new(prefix))
    }

    /// A metric of steps by name.
    pub fn step_metric(name: impl AsRef<str>) -> Self {
        Self::StepMetric(Name::new(name))
    }

    /// Every metric of steps whose name begins with `prefix` and a slash.
    pub fn step_metrics_under(prefix: impl AsRef<str>) -> Self {
        Self::StepMetricsUnder(Name::new(prefix))
    }

    /// Whether who writes this produces the metric `name`, in steps or at the end of epochs.
    pub fn produces(&self, name: &str) -> bool {
        match self {
            Self::Metric(metric) | Self::StepMetric(metric) => metric == name,
            Self::MetricsUnder(prefix) | Self::StepMetricsUnder(prefix) => {
                name.strip_prefix(prefix.as_str()).is_some_and(|rest| rest.starts_with('/'))
            }
            _ => false,
        }
    }

    /// Whether it is a metric, or are metrics, of steps.
    pub fn is_of_steps(&self) -> bool {
        matches!(self, Self::StepMetric(_) | Self::StepMetricsUnder(_))
    }

    /// The metric's name, or what all of their names begin with.
    fn metric_name(&self) -> Option<&Name> {
        match self {
            Self::Metric(name)
            | Self::MetricsUnder(name)
            | Self::StepMetric(name)
            | Self::StepMetricsUnder(name) => Some(name),
            _ => None,
        }
    }

    fn is_prefix(&self) -> bool {
        matches!(self, Self::MetricsUnder(_) | Self::StepMetricsUnder(_))
    }

    /// Whether two writers of these write the same thing. A metric's name is one, whether it is of
    /// steps or of epochs: its points lie on one axis.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        match (self.metric_name(), other.metric_name()) {
            (Some(mine), Some(others)) => {
                (mine == others && self.is_prefix() == other.is_prefix())
                    || (self.is_prefix() && self.produces(others))
                    || (other.is_prefix() && other.produces(mine))
            }
            _ => self == other,
        }
    }

    pub(super) fn allows_many_writers(&self) -> bool {
        matches!(self, Self::Stop)
    }
}

impl std::fmt::Display for Resource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Seed => f.write_str("seed"),
            Self::LearningRate => f.write_str("learning rate"),
            Self::GroupLearningRate(group) => write!(f, "learning rate of {group}"),
            Self::Momentum => f.write_str("momentum"),
            Self::Gradients => f.write_str("gradients"),
            Self::Weights => f.write_str("weights"),
            Self::JudgedWeights => f.write_str("judged weights"),
            Self::Stop => f.write_str("stop"),
            Self::Metric(name) | Self::StepMetric(name) => write!(f, "metric {name}"),
            Self::MetricsUnder(prefix) | Self::StepMetricsUnder(prefix) => {
                write!(f, "metrics {prefix}/…")
            }
        }
    }
}

/// The order of callbacks within one moment; equal phases keep the order of insertion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Seeds and other set-up.
    Configure,
    /// Learning rates.
    Schedule,
    /// Refusals that should come before any change, such as non-finite values.
    Guard,
    /// Changes to gradients.
    Change,
    /// Watching. The default.
    #[default]
    Observe,
    /// Decisions on what was watched, such as early stopping.
    Decide,
    /// Checkpoints: after every decision, so that they hold it.
    Save,
    /// Recording: after everything that may log.
    Record,
    /// Showing: last.
    Show,
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Configure => "configure",
            Self::Schedule => "schedule",
            Self::Guard => "guard",
            Self::Change => "change",
            Self::Observe => "observe",
            Self::Decide => "decide",
            Self::Save => "save",
            Self::Record => "record",
            Self::Show => "show",
        })
    }
}
