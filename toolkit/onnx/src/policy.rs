//! What trainer and engine make of inputs that are no numbers. They need not agree: dfdx's ReLU,
//! for one, makes 0 of NaN, and ONNX Runtime's passes it on. Whoever deploys a file should know.

use std::fmt;

use serde::Serialize;

use super::array::{Array, Numbers};
use super::engine::Loaded;
use super::forward::Forward;
use super::graph::Graph;
use super::mismatch::index;
use super::value::Value;
use crate::Error;

/// An input of nothing but one special number, and the first output of which trainer and engine
/// make different things.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PolicyDifference {
    /// What every float of the input is: "NaN", "inf" or "-inf".
    pub input: String,
    /// Which output: "logits[0, 3]".
    pub output: String,
    /// What the trainer computes.
    pub trainer: String,
    /// What the engine computes.
    pub runtime: String,
}

/// One for each special number on which they differ. `inputs` are usual ones, of which the integers
/// are kept.
///
/// # Errors
/// What `forward` or the engine fails with.
pub(super) fn differences(
    graph: &Graph,
    engine: &Loaded,
    forward: &Forward<'_>,
    inputs: &[Array],
) -> Result<Vec<PolicyDifference>, Error> {
    let mut differences = Vec::new();
    if inputs.iter().all(|input| matches!(input.numbers, Numbers::I64(_))) {
        return Ok(differences);
    }
    for special in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let inputs: Vec<Array> =
            inputs.iter().map(|input| filled(&input.first_rows(1), special)).collect();
        let (trainer, runtime) = (forward(&inputs)?, engine.run(&inputs)?);
        let found = graph.outputs().iter().zip(trainer.iter().zip(&runtime));
        differences.extend(
            found
                .filter_map(|(output, (trainer, runtime))| first(special, output, trainer, runtime))
                .next(),
        );
    }
    Ok(differences)
}

fn filled(input: &Array, special: f32) -> Array {
    match &input.numbers {
        Numbers::F32(numbers) => Array::f32(input.shape.clone(), vec![special; numbers.len()]),
        Numbers::I64(_) => input.clone(),
    }
}

/// The first number of which one side makes NaN or an infinity and the other something else. Finite
/// numbers are not compared: nothing says how far apart they may be.
fn first(
    special: f32,
    output: &Value,
    trainer: &[f32],
    runtime: &Array,
) -> Option<PolicyDifference> {
    let differs = |(a, b): (&f32, &f64)| {
        let a = f64::from(*a);
        (a.is_nan(), a.is_infinite(), a.is_infinite() && a > 0.0)
            != (b.is_nan(), b.is_infinite(), b.is_infinite() && *b > 0.0)
    };
    let found = runtime.widen();
    let at = trainer.iter().zip(&found).position(differs)?;
    Some(PolicyDifference {
        input: special.to_string(),
        output: format!("{}[{}]", output.name, index(at, &runtime.shape)),
        trainer: trainer[at].to_string(),
        runtime: (found[at] as f32).to_string(),
    })
}

impl PolicyDifference {
    /// Whether two inputs have the same effect.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        (&self.output, &self.trainer, &self.runtime)
            == (&other.output, &other.trainer, &other.runtime)
    }
}

impl fmt::Display for PolicyDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { input, output, trainer, runtime } = self;
        write!(
            f,
            "on inputs of {input}, {output} is {trainer} in the trainer and {runtime} in the file"
        )
    }
}
