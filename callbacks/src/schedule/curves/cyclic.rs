use serde::{Deserialize, Serialize};

use super::line;
use crate::CallbackError;
use crate::schedule::curve::{Curve, MomentumRange, Place, Shape, check, positive};

/// The options of [`LrSchedule::cyclic`](crate::LrSchedule::cyclic), those of
/// `torch.optim.lr_scheduler.CyclicLR`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cyclic {
    base_lr: f64,
    max_lr: f64,
    up: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    down: Option<u64>,
    mode: Mode,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    momentum: Option<MomentumRange>,
}

/// How the height of the peaks over the base changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// It stays. The default.
    #[default]
    Triangular,
    /// It halves with every cycle.
    Triangular2,
    /// It is multiplied by `gamma` with every update.
    ExpRange {
        /// By what; above 0 and at most 1.
        gamma: f64,
    },
}

impl Cyclic {
    /// From `base_lr` up to `max_lr` in 2,000 updates and down again in as many, over and over.
    pub fn between(base_lr: f64, max_lr: f64) -> Self {
        Self { base_lr, max_lr, up: 2000, down: None, mode: Mode::default(), momentum: None }
    }

    /// Updates from the base to the peak. Default: 2,000.
    #[must_use]
    pub fn up(mut self, steps: u64) -> Self {
        self.up = steps;
        self
    }

    /// Updates from the peak to the base. Default: as many as up.
    #[must_use]
    pub fn down(mut self, steps: u64) -> Self {
        self.down = Some(steps);
        self
    }

    /// How the peaks change. Default: they stay.
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// Takes the momentum from `max` to `base` and back, against the rate, as
    /// [`OneCycle::cycle_momentum`](super::OneCycle::cycle_momentum). PyTorch does so unless it is told
    /// not to, between 0.8 and 0.9. Default here: the optimiser's momentum stays.
    #[must_use]
    pub fn cycle_momentum(mut self, base: f64, max: f64) -> Self {
        self.momentum = Some(MomentumRange { base, max });
        self
    }

    /// How far over the base it is, as a share of the first peak.
    fn height(&self, at: &Place) -> f64 {
        let (up, down) = (self.up.max(1), self.down.unwrap_or(self.up).max(1));
        let length = up.saturating_add(down);
        let (cycle, step) = (at.step / length, at.step % length);
        let height =
            if step <= up { step as f64 / up as f64 } else { (length - step) as f64 / down as f64 };
        let scale = match self.mode {
            Mode::Triangular => 1.0,
            Mode::Triangular2 => 0.5_f64.powf(cycle as f64),
            Mode::ExpRange { gamma } => gamma.powf(at.step as f64),
        };
        height * scale
    }
}

impl From<Cyclic> for Curve {
    fn from(curve: Cyclic) -> Self {
        Self::Cyclic(curve)
    }
}

impl Shape for Cyclic {
    fn name(&self) -> &'static str {
        "cyclic"
    }

    fn lr(&self) -> f64 {
        self.max_lr
    }

    fn check(&self) -> Result<(), CallbackError> {
        positive("max_lr", self.max_lr)?;
        let base = self.base_lr;
        check((0.0..=self.max_lr).contains(&base), "base_lr", base, "between 0 and max_lr")?;
        check(self.up > 0, "up", self.up, "at least 1")?;
        let down = self.down.unwrap_or(self.up);
        check(down > 0, "down", down, "at least 1")?;
        match self.mode {
            Mode::ExpRange { gamma } => {
                check(gamma > 0.0 && gamma <= 1.0, "gamma", gamma, "above 0 and at most 1")?;
            }
            Mode::Triangular | Mode::Triangular2 => {}
        }
        self.momentum.map_or(Ok(()), MomentumRange::check)
    }

    fn rate_at(&self, at: &Place) -> f64 {
        line(self.base_lr, self.max_lr, self.height(at))
    }

    fn momentum_at(&self, at: &Place) -> Option<f64> {
        self.momentum.map(|MomentumRange { base, max }| line(max, base, self.height(at)))
    }
}
