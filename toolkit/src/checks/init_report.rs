//! How a network stands before its first step.

use std::fmt;

use serde::Serialize;

use crate::Error;
use crate::display::chart::{Axis, Chart, Panel, Style};
use crate::display::table::{Align, Table};
use crate::display::{self, Bundle};
use crate::task::{LayerProbe, Probe, WeightProbe};
use crate::trainer::Trainer;

/// What a network makes of one training batch, layer by layer, and what is wrong with it. Usually
/// asked for before the first step.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InitReport {
    probe: Probe,
    verdicts: Vec<Verdict>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub enum Verdict {
    /// The loss, or something on the way to it, is no number.
    NotFinite {
        /// The loss.
        loss: f64,
        /// The first layer whose output has NaN or an infinity.
        layer: Option<String>,
    },
    /// The loss is far above that of outputs that know nothing: the outputs begin too large.
    Loss {
        /// The loss.
        loss: f64,
        /// That of outputs that know nothing.
        baseline: f64,
    },
    /// All elements of a weight are 0: no gradient reaches what is in front of it.
    ZeroWeights {
        /// The weight.
        weight: String,
        /// Its dimensions.
        shape: Vec<usize>,
    },
    /// Units of a layer have equal weights and equal gradients: every step keeps them equal.
    IdenticalUnits {
        /// The weight.
        weight: String,
        /// The first two.
        units: (usize, usize),
        /// How many are like one in front of them.
        copies: usize,
        /// How many there are.
        of: usize,
    },
    /// The loss's gradient in a weight is 0 throughout.
    NoGradient {
        /// The weight.
        weight: String,
    },
    /// Many units of a ReLU are 0 in every row of the batch.
    Dead {
        /// The layer.
        layer: String,
        /// The share of its units.
        share: f64,
    },
    /// The layers' outputs get smaller, or larger, from the first to the last.
    Signals(Spread),
    /// The gradients in weights get smaller, or larger, from the last layer to the first.
    Gradients(Spread),
}

/// Two layers, and the deviation of something at each.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// The one with the smallest, and that.
    pub smallest: (String, f64),
    /// The one with the largest, and that.
    pub largest: (String, f64),
    /// Whether the smallest stands where the way ends: behind for outputs, in front for gradients.
    pub vanishes: bool,
}

/// A loss so many times that of outputs that know nothing is named: of classes, and of values, to
/// which outputs of the targets' own size add as much as they have.
const TOO_LARGE: [f64; 2] = [1.2, 1.5];
/// A share of dead units from which on a layer is named.
const DEAD: f64 = 0.25;
/// Deviations of outputs that are so many times apart are named.
const SIGNALS: f64 = 100.0;
/// Deviations of gradients that are so many times apart are named.
const GRADIENTS: f64 = 1000.0;

impl Trainer {
    /// Looks at every layer on the first batch that training would see, unmixed: deviations of
    /// weights, outputs and gradients, dead units, and the loss beside that of outputs that know
    /// nothing (ln C for C classes, the variance of the targets for values). Says what is wrong:
    /// weights that are 0, units that stay equal, signals or gradients that vanish or explode
    /// across depth.
    ///
    /// It runs on a copy, in the processor's memory. Before it returns it asserts that weights,
    /// moments, counters and every callback's state hash to what they did before.
    ///
    /// # Errors
    /// The network or its loss cannot be computed.
    pub fn init_report(&self) -> Result<InitReport, Error> {
        let before = self.state_hash()?;
        let probe = Probe::of(&self.recipe, &self.task.state()?, &self.first_batch()?)?;
        self.is_still(before, "look at the layers")?;
        Ok(InitReport::of(probe))
    }
}

impl InitReport {
    /// Reads a probe.
    pub fn of(probe: Probe) -> Self {
        let verdicts = verdicts(&probe);
        Self { probe, verdicts }
    }

    /// The numbers.
    pub fn probe(&self) -> &Probe {
        &self.probe
    }

    /// Every layer, in the order in which they compute.
    pub fn layers(&self) -> &[LayerProbe] {
        &self.probe.layers
    }

    /// The batch's mean loss.
    pub fn loss(&self) -> f64 {
        self.probe.loss
    }

    /// The loss of outputs that know nothing: ln C for C classes, the variance of the batch's
    /// targets for values.
    pub fn baseline(&self) -> f64 {
        self.probe.baseline
    }

    /// What is wrong; empty if nothing is.
    pub fn verdicts(&self) -> &[Verdict] {
        &self.verdicts
    }

    fn table(&self) -> Table {
        let mut table = Table::new(&[
            ("layer", Align::Left),
            ("kind", Align::Left),
            ("weights σ", Align::Right),
            ("output μ", Align::Right),
            ("output σ", Align::Right),
            ("gradient σ", Align::Right),
            ("dead", Align::Right),
        ]);
        for layer in &self.probe.layers {
            let place =
                if layer.path.is_empty() { "(the network)".into() } else { layer.path.clone() };
            let dead = layer.dead.map_or(String::new(), |share| format!("{:.1} %", 100.0 * share));
            let (first, rest) = match layer.weights.split_first() {
                Some((first, rest)) => (Some(first), rest),
                None => (None, &[][..]),
            };
            let of = |weight: Option<&WeightProbe>, value: fn(&WeightProbe) -> f64| {
                weight.map_or(String::new(), |weight| number(value(weight)))
            };
            table.rows.push(vec![
                place,
                layer.kind.clone(),
                of(first, |w| w.std),
                number(layer.mean),
                number(layer.std),
                of(first, |w| w.gradient),
                dead,
            ]);
            // More weights stand under the first one, by their names.
            for weight in rest {
                table.rows.push(vec![
                    weight.name.clone(),
                    String::new(),
                    number(weight.std),
                    String::new(),
                    String::new(),
                    number(weight.gradient),
                ]);
            }
        }
        table
    }

    fn conclusion(&self) -> String {
        let Probe { rows, loss, baseline, .. } = &self.probe;
        let mut text =
            format!("{rows} rows: loss {loss:.4}; outputs that know nothing have {baseline:.4}\n");
        if self.verdicts.is_empty() {
            text += "nothing stands out\n";
        }
        let mut dead = Vec::new();
        for verdict in &self.verdicts {
            match verdict {
                Verdict::Dead { layer, share } => {
                    dead.push(format!("{:.1} % of {layer}", 100.0 * share));
                }
                verdict => text += &format!("- {verdict}\n"),
            }
        }
        if !dead.is_empty() {
            text += &format!("- units that are 0 in every row of the batch: {}\n", dead.join(", "));
        }
        text
    }

    /// The report as a notebook shows it.
    pub fn view(&self) -> Bundle {
        let points = |value: &dyn Fn(&LayerProbe) -> Option<f64>| -> Vec<(f64, f64)> {
            let layers = (1..).zip(&self.probe.layers);
            layers.filter_map(|(i, layer)| Some((f64::from(i), value(layer)?))).collect()
        };
        let weight = |value: fn(&WeightProbe) -> f64| {
            points(&move |layer: &LayerProbe| layer.weights.first().map(value))
        };
        let panel = Panel::new(Axis::linear("layer"), Axis::log("standard deviation"))
            .with("output", Style::Dots, points(&|layer| Some(layer.std)))
            .with("weights", Style::Dots, weight(|w| w.std))
            .with("gradient", Style::Dots, weight(|w| w.gradient));
        display::chart(&Chart::single("Before the first step", panel), &self.to_string())
    }

    /// Shows the report as the result of a notebook cell.
    pub fn evcxr_display(&self) {
        self.view().emit();
    }
}

impl fmt::Display for InitReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.table().text())?;
        f.write_str(self.conclusion().trim_end())
    }
}

/// Three digits.
fn number(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 {
        "0".to_owned()
    } else if (1e-2..1e3).contains(&size) {
        let digits = (2 - size.log10().floor() as i32).max(0) as usize;
        format!("{value:.digits$}")
    } else {
        format!("{value:.2e}")
    }
}

fn verdicts(probe: &Probe) -> Vec<Verdict> {
    let Probe { loss, baseline, layers, classes, .. } = probe;
    let broken = layers.iter().find(|layer| !(layer.mean.is_finite() && layer.std.is_finite()));
    if !loss.is_finite() || broken.is_some() {
        let layer = broken.map(|layer| layer.path.clone());
        return vec![Verdict::NotFinite { loss: *loss, layer }];
    }
    let mut found = Vec::new();
    if *loss > TOO_LARGE[usize::from(!classes)] * baseline {
        found.push(Verdict::Loss { loss: *loss, baseline: *baseline });
    }
    let weights = || layers.iter().flat_map(|layer| &layer.weights);
    for weight in weights() {
        let name = weight.name.clone();
        if weight.zero {
            found.push(Verdict::ZeroWeights { weight: name.clone(), shape: weight.shape.clone() });
        }
        if let Some(units) = weight.twins {
            let (copies, of) = (weight.copies, weight.shape[0]);
            found.push(Verdict::IdenticalUnits { weight: name.clone(), units, copies, of });
        }
        if weight.gradient == 0.0 {
            found.push(Verdict::NoGradient { weight: name });
        }
    }
    for layer in layers {
        if let Some(share) = layer.dead.filter(|share| *share >= DEAD) {
            found.push(Verdict::Dead { layer: layer.path.clone(), share });
        }
    }
    let signals: Vec<_> = layers
        .iter()
        .filter(|layer| !layer.weights.is_empty())
        .map(|layer| (layer.path.clone(), layer.std))
        .collect();
    found.extend(spread(&signals, SIGNALS, false).map(Verdict::Signals));
    // A table's gradient is 0 in the rows that the batch does not look up.
    let gradients: Vec<_> = weights()
        .filter(|weight| !weight.table)
        .map(|weight| (weight.name.clone(), weight.gradient))
        .collect();
    found.extend(spread(&gradients, GRADIENTS, true).map(Verdict::Gradients));
    found
}

/// The smallest and the largest that is not 0, if the one is more than `limit` times the other.
fn spread(values: &[(String, f64)], limit: f64, backward: bool) -> Option<Spread> {
    let positive = || values.iter().enumerate().filter(|(_, (_, value))| *value > 0.0);
    let (low, smallest) = positive().min_by(|(_, a), (_, b)| a.1.total_cmp(&b.1))?;
    let (high, largest) = positive().max_by(|(_, a), (_, b)| a.1.total_cmp(&b.1))?;
    (largest.1 > limit * smallest.1).then(|| Spread {
        smallest: smallest.clone(),
        largest: largest.clone(),
        vanishes: (low > high) != backward,
    })
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFinite { loss, layer: Some(layer) } => {
                write!(f, "the output of {layer} has NaN or an infinity; the loss is {loss}")
            }
            Self::NotFinite { loss, layer: None } => write!(f, "the loss is {loss}"),
            Self::Loss { loss, baseline } => write!(
                f,
                "the loss is {:.1} times that of outputs that know nothing ({loss:.4}, \
                 {baseline:.4}): the outputs begin too large, or the targets are not scaled",
                loss / baseline
            ),
            Self::ZeroWeights { weight, shape } => write!(
                f,
                "{weight} {shape:?} is 0 throughout: no gradient reaches what is in front of it"
            ),
            Self::IdenticalUnits { weight, units: (a, b), copies, of } => write!(
                f,
                "units {a} and {b} of {weight} have equal weights and equal gradients and stay \
                 equal; {copies} of {of} are like another one"
            ),
            Self::NoGradient { weight } => {
                write!(f, "the loss's gradient in {weight} is 0 throughout: it does not learn")
            }
            Self::Dead { layer, share } => write!(
                f,
                "{:.1} % of the units of {layer} are 0 in every row of the batch",
                100.0 * share
            ),
            Self::Signals(spread) => write!(
                f,
                "outputs {} across depth: {spread}",
                if spread.vanishes { "vanish" } else { "explode" }
            ),
            Self::Gradients(spread) => write!(
                f,
                "gradients {} towards the first layers: {spread}",
                if spread.vanishes { "vanish" } else { "explode" }
            ),
        }
    }
}

/// "σ from 1.2e-5 (0.weight) to 0.31 (8.weight), 2.6e4 times".
impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ((low, smallest), (high, largest)) = (&self.smallest, &self.largest);
        let times = number(largest / smallest);
        let (smallest, largest) = (number(*smallest), number(*largest));
        write!(f, "σ from {smallest} ({low}) to {largest} ({high}), {times} times")
    }
}
