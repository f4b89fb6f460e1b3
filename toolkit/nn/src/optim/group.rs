//! Tensors that are trained differently from the others.

use serde::{Deserialize, Serialize};

use trainbook_callbacks::UpdateSettings;

use super::{Rule, Step};
use crate::NnError;
use crate::parameters::{Layout, Slot};
use crate::plan::Planned;

/// Tensors that are trained differently from the others: at another rate, with another weight decay,
/// or not at all. A tensor belongs to the first group whose pattern fits its name.
///
/// ```
/// use trainbook_nn::optim::ParameterGroup;
///
/// let head = ParameterGroup::new("6.*").rate(10.0); // ten times the learning rate
/// let rest = ParameterGroup::new("*").frozen();
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParameterGroup {
    /// A tensor's name, such as `0.weight`; a layer's, such as `0` or `encoder`, for all tensors in
    /// it; or a pattern in which `*` stands for any characters, such as `*.bias`.
    pub tensors: String,
    /// Times what the learning rate is. Default 1.
    #[serde(default = "one")]
    pub rate: f64,
    /// The strength of weight decay for each of these tensors, biases and scales of norms included.
    /// Default: the optimiser's, which spares those.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight_decay: Option<f64>,
    /// Whether they keep the values that they have, and count in no gradient norm. Running
    /// statistics of a frozen normalisation go on following the batches, as in PyTorch. Default:
    /// not.
    #[serde(default)]
    pub frozen: bool,
    /// As `frozen`, until the trainer has applied so many updates; from then on they are trained, with
    /// the optimiser's moments at their beginning, as in PyTorch a parameter that is handed to the
    /// optimiser then. Default: not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frozen_until: Option<u64>,
}

fn one() -> f64 {
    1.0
}

impl ParameterGroup {
    /// The tensors that a pattern fits, trained as all others until an option is set.
    pub fn new(tensors: impl Into<String>) -> Self {
        Self {
            tensors: tensors.into(),
            rate: 1.0,
            weight_decay: None,
            frozen: false,
            frozen_until: None,
        }
    }

    /// The same with a factor on the learning rate; 0 stops it, and decay with it.
    #[must_use]
    pub fn rate(mut self, factor: f64) -> Self {
        self.rate = factor;
        self
    }

    /// The same with a weight decay of its own, for every tensor of the group.
    #[must_use]
    pub fn weight_decay(mut self, weight_decay: f64) -> Self {
        self.weight_decay = Some(weight_decay);
        self
    }

    /// The same, not trained.
    #[must_use]
    pub fn frozen(mut self) -> Self {
        self.frozen = true;
        self
    }

    /// The same, not trained before the trainer has applied this many updates, over all its fits.
    #[must_use]
    pub fn frozen_until(mut self, update: u64) -> Self {
        self.frozen_until = Some(update);
        self
    }

    fn has(&self, slot: &Slot) -> bool {
        let inside = slot.name.strip_prefix(self.tensors.as_str());
        inside.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            || fits(&self.tensors, &slot.name)
    }
}

/// Whether a name is the pattern, in which `*` stands for any characters.
fn fits(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else {
        return false;
    };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// How one trained tensor is treated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Treatment {
    /// Times what the learning rate is.
    pub rate: f64,
    /// The strength of weight decay.
    pub decay: f64,
    /// How many updates are applied before it is one of those that are; `u64::MAX` for never.
    pub thaws: u64,
    /// The number of its group, if it is in one.
    pub group: Option<usize>,
}

impl Treatment {
    /// Whether it keeps its values in the update behind so many.
    pub fn is_frozen(&self, updates: u64) -> bool {
        updates < self.thaws
    }

    /// How it is updated, as number `update` of all.
    pub fn step(&self, settings: &UpdateSettings, groups: &[ParameterGroup], update: u64) -> Step {
        let group = self.group.map(|number| groups[number].tensors.as_str());
        Step {
            rate: settings.rate_of(group) * self.rate,
            update: update - self.thaws.min(update),
            momentum: settings.momentum,
            decay: self.decay,
        }
    }
}

/// Those of all that are not frozen behind so many updates; each has its treatment.
pub(crate) fn thawed<'a, T>(
    all: impl Iterator<Item = T> + 'a,
    treatments: &'a [Treatment],
    updates: u64,
) -> impl Iterator<Item = T> + 'a {
    let all = all.zip(treatments);
    all.filter(move |(_, treatment)| !treatment.is_frozen(updates)).map(|(of, _)| of)
}

/// How many tensors each group has, in their order: a tensor is of the first one that fits it.
pub fn tensors_of(groups: &[ParameterGroup], planned: &Planned) -> Vec<usize> {
    let mut counts = vec![0; groups.len()];
    for slot in planned.layout.trained() {
        if let Some(first) = groups.iter().position(|group| group.has(slot)) {
            counts[first] += 1;
        }
    }
    counts
}

/// How each trained tensor of the layout is treated, in their order.
///
/// # Errors
/// A group has no tensor, an option makes no sense, or nothing is left to be trained.
pub(crate) fn treatments(
    groups: &[ParameterGroup],
    rule: &dyn Rule,
    layout: &Layout,
) -> Result<Vec<Treatment>, NnError> {
    for group in groups {
        let wrong = |setting, value: f64| {
            let expected = "a finite number, at least 0".to_owned();
            Err(NnError::Setting { setting, value: value.to_string(), expected })
        };
        if !(group.rate.is_finite() && group.rate >= 0.0) {
            return wrong("the rate of a parameter group", group.rate);
        }
        if let (true, Some(update)) = (group.frozen, group.frozen_until) {
            return Err(NnError::Setting {
                setting: "a parameter group",
                value: format!("frozen, and frozen until update {update}"),
                expected: "one of both".to_owned(),
            });
        }
        if let Some(decay) = group.weight_decay.filter(|d| !(d.is_finite() && *d >= 0.0)) {
            return wrong("the weight decay of a parameter group", decay);
        }
        if !layout.trained().any(|slot| group.has(slot)) {
            let likeness = |slot: &&Slot| strsim::jaro_winkler(&slot.name, &group.tensors);
            let nearest = layout.trained().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
            return Err(NnError::Setting {
                setting: "the tensors of a parameter group",
                value: format!("{:?}", group.tensors),
                expected: match nearest {
                    Some(nearest) => format!(
                        "the name of a trained tensor or of a layer that has one, or a pattern with \
                         `*`; the nearest is {:?}",
                        nearest.name
                    ),
                    None => "left out, because this network has nothing to train".to_owned(),
                },
            });
        }
    }
    let of = |slot: &Slot| {
        let default = if slot.decays() { rule.weight_decay() } else { 0.0 };
        match groups.iter().position(|group| group.has(slot)) {
            None => Treatment { rate: 1.0, decay: default, thaws: 0, group: None },
            Some(number) => {
                let group = &groups[number];
                Treatment {
                    rate: group.rate,
                    decay: group.weight_decay.unwrap_or(default),
                    thaws: if group.frozen { u64::MAX } else { group.frozen_until.unwrap_or(0) },
                    group: Some(number),
                }
            }
        }
    };
    let all: Vec<Treatment> = layout.trained().map(of).collect();
    if !all.is_empty() && all.iter().all(|treatment| treatment.is_frozen(0)) {
        return Err(NnError::Setting {
            setting: "parameter groups",
            value: "frozen, all of them".to_owned(),
            expected: "such that something is left to be trained from the first update on"
                .to_owned(),
        });
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn patterns() {
        for (pattern, name, expected) in [
            ("0.weight", "0.weight", true),
            ("0.weight", "0.weights", false),
            ("*.bias", "encoder.0.bias", true),
            ("*.bias", "encoder.0.bias.scale", false),
            ("encoder.*.weight", "encoder.0.linear.weight", true),
            ("*", "0.weight", true),
            ("0*0", "0", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
        ] {
            assert_eq!(fits(pattern, name), expected, "{pattern} on {name}");
        }
    }
}
