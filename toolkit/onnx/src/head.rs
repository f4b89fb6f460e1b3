//! What may stand behind a network in its file: probabilities, and the class itself.

use std::collections::BTreeMap;

use super::graph::{Attribute, Graph, Node};
use super::structure;
use super::value::{Element, Value};
use crate::Error;

/// The name of the output of a softmax head.
pub const PROBABILITIES: &str = "probabilities";
/// The name of the output with the most probable class.
pub const CLASS: &str = "class";

/// What stands behind a classifier's logits, `[batch, classes]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// Instead of the logits, their softmax: [`PROBABILITIES`], `[batch, classes]`.
    pub softmax: bool,
    /// A further output: the place of the largest logit, the first of equal ones: [`CLASS`],
    /// `[batch]` of int64.
    pub class: bool,
}

impl Graph {
    /// The graph with `head` behind its only output.
    ///
    /// # Errors
    /// [`Error::NoOnnxForm`] unless the graph has one output of floats, `[batch, classes]`, or if a
    /// name is taken.
    pub fn with_head(mut self, head: Head) -> Result<Self, Error> {
        if head == Head::default() {
            return Ok(self);
        }
        let no_form = |reason| Error::NoOnnxForm { layer: "the head".into(), reason };
        let [logits] = self.outputs.as_slice() else {
            return Err(no_form(format!(
                "it needs one output, but there are {}",
                self.outputs.len()
            )));
        };
        let logits = logits.clone();
        let Some(batch) = logits.width().and(logits.shape.first()) else {
            return Err(no_form(format!(
                "it needs an output of the shape [batch, classes], but there is {logits}"
            )));
        };
        let batch = batch.clone();
        let last = |axis| ("axis".to_owned(), Attribute::Int(axis));
        let mut outputs = Vec::new();
        if head.softmax {
            let output = Value::f32(PROBABILITIES, logits.shape.clone());
            self.nodes.push(node(
                "head.softmax",
                "Softmax",
                &logits,
                output.clone(),
                [last(-1)].into(),
            ));
            outputs.push(output);
        } else {
            outputs.push(logits.clone());
        }
        if head.class {
            let output = Value { name: CLASS.into(), element: Element::I64, shape: vec![batch] };
            let attributes = [last(-1), ("keepdims".to_owned(), Attribute::Int(0))].into();
            self.nodes.push(node("head.argmax", "ArgMax", &logits, output.clone(), attributes));
            outputs.push(output);
        }
        self.outputs = outputs;
        structure::verify(&self).map_err(no_form)?;
        Ok(self)
    }
}

fn node(
    name: &str,
    op: &str,
    input: &Value,
    output: Value,
    attributes: BTreeMap<String, Attribute>,
) -> Node {
    Node {
        name: name.into(),
        op: op.into(),
        inputs: vec![input.name.clone()],
        outputs: vec![output],
        attributes,
    }
}

impl Head {
    /// What the head makes of logits in f32, `classes` of them a row: one list for each output.
    pub fn apply(self, logits: Vec<f32>, classes: usize) -> Vec<Vec<f32>> {
        let rows = || logits.chunks_exact(classes.max(1));
        let class = self.class.then(|| rows().map(|row| largest_at(row) as f32).collect());
        let first = if self.softmax { rows().flat_map(softmax).collect() } else { logits };
        [Some(first), class].into_iter().flatten().collect()
    }
}

fn softmax(row: &[f32]) -> Vec<f32> {
    // Not `f32::max`, which would leave a NaN out.
    let top = row
        .iter()
        .copied()
        .fold(f32::NEG_INFINITY, |top, x| if x > top || x.is_nan() { x } else { top });
    let powers: Vec<f32> = row.iter().map(|x| (x - top).exp()).collect();
    let sum: f32 = powers.iter().sum();
    powers.iter().map(|power| power / sum).collect()
}

fn largest_at(row: &[f32]) -> usize {
    let larger = |best: usize, at: usize| if row[at] > row[best] { at } else { best };
    (1..row.len()).fold(0, larger)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_compute_what_they_say() {
        let logits = vec![0.0, f32::NEG_INFINITY, 1000.0, 1000.0];
        let [p, class] = &Head { softmax: true, class: true }.apply(logits.clone(), 2)[..] else {
            panic!()
        };
        assert_eq!((p[0], p[1], p[2], p[3]), (1.0, 0.0, 0.5, 0.5));
        assert_eq!(class, &[0.0, 0.0]);
        assert_eq!(
            Head { softmax: false, class: true }.apply(vec![1.0, 2.0, 3.0, 2.0], 2)[1],
            [1.0, 0.0]
        );
        assert_eq!(Head::default().apply(logits.clone(), 2), [logits]);
    }
}
