//! What the numbers of a tensor are logged under.

use trainbook_store::Name;

use crate::{Effects, MetricLog, Resource, TensorInfo, TensorStats};

/// The names of one set of numbers: those over all tensors, or of one tensor, whose name stands behind
/// a slash.
#[derive(Clone, Debug)]
pub(super) struct Numbers {
    norm: Name,
    max: Name,
    zero_share: Name,
    nans: Name,
    infs: Name,
}

/// As the backward pass left them.
pub(super) const RAW: Numbers = Numbers {
    norm: Name::new_static("gradient_norm"),
    max: Name::new_static("gradient_max"),
    zero_share: Name::new_static("gradient_zero_share"),
    nans: Name::new_static("gradient_nans"),
    infs: Name::new_static("gradient_infs"),
};

/// As the optimiser sees them.
pub(super) const FINAL: Numbers = Numbers {
    norm: Name::new_static("final_gradient_norm"),
    max: Name::new_static("final_gradient_max"),
    zero_share: Name::new_static("final_gradient_zero_share"),
    nans: Name::new_static("final_gradient_nans"),
    infs: Name::new_static("final_gradient_infs"),
};

pub(super) const UPDATE_RATIO: Name = Name::new_static("update_ratio");

impl Numbers {
    /// Those of one tensor.
    fn of(&self, tensor: &TensorInfo) -> Self {
        let Self { norm, max, zero_share, nans, infs } = self;
        let [norm, max, zero_share, nans, infs] =
            [norm, max, zero_share, nans, infs].map(|prefix| under(prefix, tensor));
        Self { norm, max, zero_share, nans, infs }
    }

    /// Effects that declare them too.
    pub fn declare(self, effects: Effects) -> Effects {
        let under = [self.norm.clone(), self.max, self.zero_share, self.nans, self.infs];
        under
            .into_iter()
            .map(Resource::StepMetricsUnder)
            .fold(effects.writes(Resource::StepMetric(self.norm)), Effects::writes)
    }
}

/// The names of every tensor's metrics, made at the first step and where tensors are thawed:
/// formatting them at every step would cost more than the numbers.
#[derive(Clone, Debug, Default)]
pub(super) struct Names(Vec<Numbers>);

/// This tensor's metric under the prefix.
pub(super) fn under(prefix: &Name, tensor: &TensorInfo) -> Name {
    Name::from(format!("{prefix}/{}", tensor.name))
}

impl Names {
    /// Logs the norm over all tensors and the numbers of each.
    pub fn log(
        &mut self,
        prefixes: &Numbers,
        tensors: &[TensorInfo],
        stats: &[TensorStats],
        log: &MetricLog,
    ) {
        if self.0.len() != tensors.len() {
            self.0 = tensors.iter().map(|tensor| prefixes.of(tensor)).collect();
        }
        let square: f64 = stats.iter().map(|stats| stats.norm.powi(2)).sum();
        log.push(prefixes.norm.clone(), square.sqrt());
        for (names, stats) in self.0.iter().zip(stats) {
            log.push(names.norm.clone(), stats.norm);
            log.push(names.max.clone(), stats.max_abs.into());
            log.push(names.zero_share.clone(), stats.zeros as f64 / stats.len.max(1) as f64);
            for (name, count) in [(&names.nans, stats.nans), (&names.infs, stats.infs)] {
                if count > 0 {
                    log.push(name.clone(), count as f64);
                }
            }
        }
    }
}
