use serde::{Deserialize, Serialize};

use super::{half_cosine, line};
use crate::CallbackError;
use crate::schedule::curve::{Curve, MomentumRange, Place, Shape, check, positive};

/// The options of [`LrSchedule::one_cycle`](crate::LrSchedule::one_cycle), named and set as in
/// `torch.optim.lr_scheduler.OneCycleLR`.
///
/// ```
/// use trainbook_callbacks::LrSchedule;
/// use trainbook_callbacks::schedule::{Anneal, OneCycle};
///
/// let schedule = LrSchedule::of(OneCycle::to(3e-3).pct_start(0.2).anneal(Anneal::Linear));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OneCycle {
    max_lr: f64,
    // What is left at its default is left out of records, as it was before there were options.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pct_start: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    div_factor: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    final_div_factor: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    anneal: Option<Anneal>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    three_phase: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    momentum: Option<MomentumRange>,
}

/// The way from one rate to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Anneal {
    /// A half cosine. The default.
    #[default]
    Cosine,
    /// A line.
    Linear,
}

impl OneCycle {
    /// Up to `max_lr` and down again.
    pub fn to(max_lr: f64) -> Self {
        Self {
            max_lr,
            pct_start: None,
            div_factor: None,
            final_div_factor: None,
            anneal: None,
            three_phase: false,
            momentum: None,
        }
    }

    /// The share of the updates that go up, from 0 to 1 (in three phases to 0.5). Default: 0.3.
    #[must_use]
    pub fn pct_start(mut self, share: f64) -> Self {
        self.pct_start = Some(share);
        self
    }

    /// The first rate is `max_lr / factor`. Default: 25.
    #[must_use]
    pub fn div_factor(mut self, factor: f64) -> Self {
        self.div_factor = Some(factor);
        self
    }

    /// The last rate is the first divided by `factor`. Default: 10,000.
    #[must_use]
    pub fn final_div_factor(mut self, factor: f64) -> Self {
        self.final_div_factor = Some(factor);
        self
    }

    /// Along what the rate goes up and down. Default: a half cosine.
    #[must_use]
    pub fn anneal(mut self, anneal: Anneal) -> Self {
        self.anneal = Some(anneal);
        self
    }

    /// Down to the first rate in as many updates as went up, and in the rest to the last. Default:
    /// two phases, down to the last rate at once.
    #[must_use]
    pub fn three_phase(mut self) -> Self {
        self.three_phase = true;
        self
    }

    /// Takes the momentum from `max` down to `base` while the rate goes up, and back to `max` while it
    /// goes down, along the same curve. It is μ of SGD and RMSprop, and β₁ of Adam, AdamW, RAdam and
    /// Lion; other optimisers are refused. PyTorch does so unless it is told not to, between 0.85 and
    /// 0.95. Default here: the optimiser's momentum stays, so that a schedule changes the rate alone.
    #[must_use]
    pub fn cycle_momentum(mut self, base: f64, max: f64) -> Self {
        self.momentum = Some(MomentumRange { base, max });
        self
    }

    /// What is `start` at first, `peak` at the peak, `start` again at the end of the second phase of
    /// three, and `last` at the end.
    ///
    /// The peak is at step `pct_start total − 1`, which need not be whole, and may be before 0.
    fn at(&self, at: &Place, start: f64, peak: f64, last: f64) -> f64 {
        let (step, total) = (at.step as f64, at.total as f64);
        let (top, end) = (self.share() * total - 1.0, total - 1.0);
        let back = 2.0 * self.share() * total - 2.0;
        // From a step to a step, from a value to a value.
        let (from, to, first, goal) = match step {
            _ if step <= top => (0.0, top, start, peak),
            _ if !self.three_phase => (top, end, peak, last),
            _ if step <= back => (top, back, peak, start),
            _ => (back, end, start, last),
        };
        // PyTorch divides by zero where a phase has no length; here it is at its end.
        let part = if to > from { (step - from) / (to - from) } else { 1.0 };
        match self.anneal.unwrap_or_default() {
            Anneal::Cosine => half_cosine(first, goal, part),
            Anneal::Linear => line(first, goal, part),
        }
    }

    fn share(&self) -> f64 {
        self.pct_start.unwrap_or(0.3)
    }
}

impl From<OneCycle> for Curve {
    fn from(curve: OneCycle) -> Self {
        Self::OneCycle(curve)
    }
}

impl Shape for OneCycle {
    fn name(&self) -> &'static str {
        "one_cycle"
    }

    fn lr(&self) -> f64 {
        self.max_lr
    }

    fn check(&self) -> Result<(), CallbackError> {
        positive("max_lr", self.max_lr)?;
        let share = self.share();
        if self.three_phase {
            let expected = "between 0 and 0.5 in three phases";
            check((0.0..=0.5).contains(&share), "pct_start", share, expected)?;
        } else {
            check((0.0..=1.0).contains(&share), "pct_start", share, "between 0 and 1")?;
        }
        positive("div_factor", self.div_factor.unwrap_or(1.0))?;
        positive("final_div_factor", self.final_div_factor.unwrap_or(1.0))?;
        self.momentum.map_or(Ok(()), MomentumRange::check)
    }

    fn rate_at(&self, at: &Place) -> f64 {
        let first = self.max_lr / self.div_factor.unwrap_or(25.0);
        let last = first / self.final_div_factor.unwrap_or(1e4);
        self.at(at, first, self.max_lr, last)
    }

    fn momentum_at(&self, at: &Place) -> Option<f64> {
        self.momentum.map(|MomentumRange { base, max }| self.at(at, max, base, max))
    }
}
