//! What an optimiser is: how many moments it keeps of each weight, and one step. **Open this file
//! first to add one.**

use rayon::prelude::*;

/// A rule by which weights are updated: pure arithmetic over flat memory.
pub trait Rule: Sync {
    /// How many numbers are kept for each weight from step to step. Whatever else a step needs
    /// follows from the options and from [`Step`], so that moments and the number of the update are
    /// all that has to be saved for training to go on bit for bit.
    fn moments(&self) -> usize;

    /// What the moment of this number begins with.
    fn begin(&self, moment: usize) -> f32 {
        let _ = moment;
        0.0
    }

    /// What has to be computed once for each step.
    fn step(&self, step: Step) -> Box<dyn Update>;

    /// The momentum that [`Step::momentum`] may replace; `None` for a rule without one, or with one
    /// that follows a course of its own. Default: `None`.
    fn momentum(&self) -> Option<f64> {
        None
    }

    /// The strength of weight decay, for tensors that decay.
    fn weight_decay(&self) -> f64;

    /// Where the playbook starts.
    fn default_learning_rate(&self) -> f64 {
        1e-3
    }
}

/// The circumstances of one step.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// The learning rate.
    pub rate: f64,
    /// The number of these weights' update, from 1.
    pub update: u64,
    /// In place of the rule's momentum, where it has [one](Rule::momentum).
    pub momentum: Option<f64>,
    /// The strength of weight decay for these weights; 0 for those that do not decay.
    pub decay: f64,
}

/// One step, ready to be applied to weights in any order and in any shares.
pub trait Update: Sync {
    /// Updates weights and moments; all slices are of the same length.
    fn apply(&self, weights: &mut [f32], gradient: &[f32], moments: &mut [&mut [f32]]);
}

/// Elements of one share.
const SHARE: usize = 1 << 14;

/// Applies one step to one tensor, on several threads where it is large. Every element is its own
/// computation, so the bits do not depend on the number of threads.
pub(crate) fn apply(
    update: &dyn Update,
    weights: &mut [f32],
    gradient: &[f32],
    moments: &mut [&mut [f32]],
) {
    if weights.len() <= 2 * SHARE {
        return update.apply(weights, gradient, moments);
    }
    let shares = weights.len().div_ceil(SHARE);
    let mut cut: Vec<Vec<&mut [f32]>> =
        (0..shares).map(|_| Vec::with_capacity(moments.len())).collect();
    for moment in moments {
        cut.iter_mut().zip(moment.chunks_mut(SHARE)).for_each(|(share, part)| share.push(part));
    }
    let shares: Vec<_> = weights.chunks_mut(SHARE).zip(gradient.chunks(SHARE)).zip(cut).collect();
    shares.into_par_iter().for_each(|((weights, gradient), mut moments)| {
        update.apply(weights, gradient, &mut moments)
    });
}
