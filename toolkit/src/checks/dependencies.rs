//! Whether a sample's outputs depend on that sample alone.

use std::fmt;

use serde::Serialize;

use crate::Error;
use crate::data::{Batch, Numbers};
use crate::task::{LayerOutput, Trace};
use crate::trainer::Trainer;

const NAME: &str = "check what outputs depend on";
/// Rows of the batch.
const ROWS: usize = 6;
/// Layers that look at a whole batch in training, as they should.
const OF_BATCHES: [&str; 1] = ["BatchNorm"];

/// What outputs depend on, as [`Trainer::dependency_check`] found it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Dependencies {
    /// Rows that were looked at, each with the others.
    pub rows: usize,
    /// Where samples of one batch come together and should not.
    pub leaks: Vec<Leak>,
    /// Layers in which they come together in training, as they should; behind them nothing could be
    /// looked at there.
    pub by_design: Vec<String>,
    /// Samples, as their numbers in the data set, whose outputs stay the same when their inputs
    /// change.
    pub deaf: Vec<usize>,
}

/// A layer in which samples of one batch come together.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Leak {
    /// Its place and kind, for example "2 (Mixer)".
    pub layer: String,
    /// The sample whose inputs were changed, as its number in the data set.
    pub from: usize,
    /// The sample whose numbers changed with it.
    pub to: usize,
    /// Whether it is so in training only, and not in evaluation.
    pub training_only: bool,
}

impl Trainer {
    /// Changes the inputs of one sample of a batch after the other and looks, layer by layer, whose
    /// numbers change with them: those of no other sample may. A reshape that mixes the batch with
    /// something else, a normalisation over the wrong dimension or a broadcast shows here, and
    /// hardly anywhere else: the network trains all the same. Forward, bit by bit, in evaluation and
    /// in training, where batch normalisation is told apart.
    ///
    /// It runs on a copy, in the processor's memory. Before it returns it asserts that the trainer
    /// is unchanged.
    ///
    /// # Errors
    /// The network cannot be computed, or the training part has a single row.
    pub fn dependency_check(&self) -> Result<Dependencies, Error> {
        let before = self.state_hash()?;
        let (weights, updates) = (self.task.snapshot()?, self.task.updates());
        let batch = self.few_rows(ROWS, "dependency_check")?;
        if batch.len() < 2 {
            let reason = "the training part has a single row, and it takes two".to_owned();
            return Err(Error::Diagnostic { diagnostic: NAME, reason });
        }
        let mut found = Dependencies {
            rows: batch.len(),
            leaks: Vec::new(),
            by_design: Vec::new(),
            deaf: Vec::new(),
        };
        let categories = self.data.category_features();
        let categories: Vec<usize> = categories.iter().map(|(feature, _)| *feature).collect();
        let mut looked = 0;
        for training in [false, true] {
            let trace = |batch: &Batch| Trace::of(&self.recipe, &weights, updates, batch, training);
            let plain = trace(&batch)?.layers;
            let mut leak = None;
            for row in 0..batch.len() {
                let Some(other) = with_another(&batch, row, &categories) else { continue };
                looked += 1;
                let changed = trace(&other)?.layers;
                let pairs = || plain.iter().zip(&changed);
                if leak.is_none() {
                    // The first layer in the order of computing.
                    leak = pairs().find_map(|(a, b)| {
                        let mut others = (0..batch.len()).filter(|&to| to != row);
                        let to = others.find(|&to| differ(a, b, to))?;
                        Some((a, batch.samples[row], batch.samples[to]))
                    });
                }
                let heard = pairs().next_back().is_none_or(|(a, b)| differ(a, b, row));
                if !training && !heard {
                    found.deaf.push(batch.samples[row]);
                }
            }
            let Some((layer, from, to)) = leak else { continue };
            let place = place(layer);
            if training && OF_BATCHES.contains(&layer.kind.as_str()) {
                found.by_design.push(place);
            } else if found.leaks.iter().all(|leak| leak.layer != place) {
                found.leaks.push(Leak { layer: place, from, to, training_only: training });
            }
        }
        self.is_still(before, NAME)?;
        if looked == 0 {
            let reason = "the rows that were drawn are all the same".to_owned();
            return Err(Error::Diagnostic { diagnostic: NAME, reason });
        }
        Ok(found)
    }
}

/// The batch with other inputs in one row; `None` where there are none that differ. Numbers of
/// categories are taken from another row.
fn with_another(batch: &Batch, row: usize, categories: &[usize]) -> Option<Batch> {
    let width = batch.input.len() / batch.len().max(1);
    let mut other = batch.clone();
    match &mut other.input.numbers {
        Numbers::F32(numbers) => {
            for feature in 0..width {
                let own = numbers[row * width + feature];
                let column = numbers.iter().skip(feature).step_by(width);
                numbers[row * width + feature] = match categories.contains(&feature) {
                    true => column.copied().find(|other| *other != own).unwrap_or(own),
                    false => own + 1.0,
                };
            }
        }
        // Indices have to be such as there are.
        Numbers::I64(indices) => {
            let own = indices[row * width..][..width].to_vec();
            let differs = indices.chunks_exact(width).find(|other| **other != own)?.to_vec();
            indices[row * width..][..width].copy_from_slice(&differs);
        }
    }
    Some(other)
}

/// Whether a layer gives other bits for a row.
fn differ(a: &LayerOutput, b: &LayerOutput, row: usize) -> bool {
    let of = |layer: &LayerOutput| -> Vec<u32> {
        let numbers = layer.output.numbers();
        let width = numbers.len() / layer.output.batch().max(1);
        let row = numbers.get(row * width..(row + 1) * width).unwrap_or_default();
        row.iter().map(|number| number.to_bits()).collect()
    };
    of(a) != of(b)
}

fn place(layer: &LayerOutput) -> String {
    match layer.path.as_str() {
        "" => format!("the network itself ({})", layer.kind),
        path => format!("{path} ({})", layer.kind),
    }
}

impl Dependencies {
    /// Whether each sample's outputs depend on its inputs, and on no other's.
    pub fn is_sound(&self) -> bool {
        self.leaks.is_empty() && self.deaf.is_empty()
    }
}

impl fmt::Display for Dependencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_sound() {
            write!(f, "each of {} samples depends on itself alone", self.rows)?;
        } else {
            write!(f, "of {} samples", self.rows)?;
        }
        for Leak { layer, from, to, training_only } in &self.leaks {
            let when = if *training_only { " in training" } else { "" };
            write!(f, "\n- {layer} mixes them{when}: what it gives for sample {to} changes with ")?;
            write!(f, "sample {from}")?;
        }
        if let [first, ..] = &self.deaf[..] {
            write!(
                f,
                "\n- the outputs of {} do not change with their inputs, sample {first} first",
                self.deaf.len()
            )?;
        }
        match &self.by_design[..] {
            [] => Ok(()),
            layers => write!(f, "\nin training {} mixes them, as it should", layers.join(", ")),
        }
    }
}

trainbook_core::shown_as_text!(Dependencies);
