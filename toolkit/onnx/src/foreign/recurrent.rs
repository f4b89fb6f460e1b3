//! LSTM and GRU: attributes at their defaults, and initial states of 0.

use super::job::Job;
use super::known::{Constant, Known, Numbers};
use super::lowering::Lowering;
use crate::attribute::Attribute;

/// # Errors
/// The reason, if this form cannot be evaluated.
pub(super) fn recurrent(graph: &mut Lowering, job: &mut Job) -> Result<(), String> {
    let usual: &[&str] = match job.op() {
        "LSTM" => &["sigmoid", "tanh", "tanh"],
        _ => &["sigmoid", "tanh"],
    };
    if let Some(list) = job.other("activations") {
        let found: Vec<String> =
            list.strings.iter().map(|text| String::from_utf8_lossy(text).to_lowercase()).collect();
        // Once for each direction.
        if found.is_empty() || !found.chunks(usual.len()).all(|found| found == usual) {
            return Err(format!(
                "its activations are {}; only {} can be evaluated",
                found.join(", "),
                usual.join(", ")
            ));
        }
    }
    job.only("input_forget", &Attribute::Int(0))?;
    if job.attributes.contains_key("clip") {
        return Err("its attribute clip is not one that can be evaluated".into());
    }
    let mut inputs = Vec::with_capacity(job.node.input.len());
    for place in 0..job.node.input.len() {
        let zero = |known: &Known| match known {
            Known::Filled { number, .. } => *number == 0.0,
            Known::Constant(Constant { numbers: Numbers::Floats(numbers), .. }) => {
                numbers.iter().all(|&number| number == 0.0)
            }
            _ => false,
        };
        inputs.push(match job.input(place) {
            None => String::new(),
            Some(name) if place >= 5 && graph.known(name).is_some_and(zero) => String::new(),
            Some(_) => graph.operand(job, place)?,
        });
    }
    graph.give_rest(job, inputs)
}
