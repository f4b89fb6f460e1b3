//! How updates are made: what schedules set.

use serde::{Deserialize, Serialize};
use trainbook_store::Name;

/// How updates are made. What a callback sets in one step stays until somebody sets something else.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UpdateSettings {
    /// The learning rate of all tensors that no group has another for.
    pub learning_rate: f64,
    /// In place of the optimiser's momentum: of μ in SGD and RMSprop, of β₁ in Adam, AdamW, RAdam and
    /// Lion. `None`: the optimiser's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub momentum: Option<f64>,
    /// Learning rates of parameter groups, by the pattern that each group has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub group_rates: Vec<(Name, f64)>,
}

impl From<f64> for UpdateSettings {
    fn from(learning_rate: f64) -> Self {
        Self { learning_rate, momentum: None, group_rates: Vec::new() }
    }
}

impl UpdateSettings {
    /// The learning rate of a group, which may have one of its own; its factor is not in it.
    pub fn rate_of(&self, group: Option<&str>) -> f64 {
        let own = self.group_rates.iter().find(|(name, _)| Some(name.as_str()) == group);
        own.map_or(self.learning_rate, |(_, rate)| *rate)
    }

    /// Sets the learning rate of a group.
    pub fn set_group_rate(&mut self, group: &Name, rate: f64) {
        match self.group_rates.iter_mut().find(|(name, _)| name == group) {
            Some((_, known)) => *known = rate,
            None => self.group_rates.push((group.clone(), rate)),
        }
    }
}
