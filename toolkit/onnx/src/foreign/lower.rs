//! Translates nodes of any opset from 13 to 21 into those that this crate evaluates, which are of
//! opset 17: where a form changed and the meaning did not, into the other form; where opset 17 has
//! no such operator, into several.

use super::constant;
use super::fold;
use super::job::Job;
use super::known::{Known, Numbers};
use super::lowering::Lowering;
use super::operators;
use crate::attribute::Attribute;
use crate::element;
use crate::proto::{NodeProto, TENSOR_BOOL, TENSOR_FLOAT, TENSOR_INT64};
use crate::value::Element;

/// Translates the node of this number in the file.
///
/// # Errors
/// The reason, which names the node.
pub(super) fn node(lowering: &mut Lowering, number: usize, node: &NodeProto) -> Result<(), String> {
    let shown = match node.name.as_str() {
        "" => format!("node {number} ({})", node.op_type),
        name => format!("node {name:?} ({})", node.op_type),
    };
    let at_node = |reason: String| format!("{shown}: {reason}");
    let name = match node.name.as_str() {
        "" => format!("{} {number}", node.op_type),
        name => name.to_owned(),
    };
    let mut job = Job::new(node, name).map_err(at_node)?;
    for input in node.input.iter().filter(|name| !name.is_empty()) {
        if lowering.known(input).is_none() {
            return Err(at_node(format!("nothing before it is named {input:?}")));
        }
    }
    if node.output.first().is_none_or(String::is_empty) {
        return Err(at_node("its first output has no name".into()));
    }
    lower(lowering, &mut job).map_err(at_node)
}

fn lower(lowering: &mut Lowering, job: &mut Job<'_>) -> Result<(), String> {
    let folded = match job.op() {
        "Constant" => Some(fold::held(job)?),
        "Shape" => {
            let sizes = fold::sizes_of_known(lowering.given(job, 0)?);
            Some(fold::shape(job, lowering.opset, sizes)?)
        }
        "ConstantOfShape" => Some(constant_of_shape(lowering, job)?),
        "Identity" => {
            job.done(1)?;
            Some(lowering.given(job, 0)?.clone())
        }
        "Dropout" => Some(dropout(lowering, job)?),
        "Cast" => return cast(lowering, job),
        _ => {
            let inputs = job.node.input.iter();
            let inputs: Vec<Option<&Known>> = inputs.map(|name| lowering.known(name)).collect();
            fold::fold(job, &inputs, lowering.batch)?
        }
    };
    match folded {
        Some(known) => lowering.bind(job, known),
        None => operators::lower(lowering, job),
    }
}

fn dropout(lowering: &Lowering, job: &mut Job) -> Result<Known, String> {
    job.ignore(&["seed"]);
    job.done(3)?;
    if job.input(2).is_some() && lowering.integers(job, 2, "training mode")? != Some(vec![0]) {
        return Err("it is in training mode".into());
    }
    Ok(lowering.given(job, 0)?.clone())
}

fn constant_of_shape(lowering: &Lowering, job: &mut Job) -> Result<Known, String> {
    let (mut element, mut number) = (TENSOR_FLOAT, 0.0);
    if let Some(tensor) = job.other("value").and_then(|proto| proto.t.as_ref()) {
        let value = constant::constant(tensor)?;
        element = value.element;
        #[allow(clippy::cast_precision_loss, reason = "exact up to 2^53, and checked")]
        let found = match value.numbers {
            Numbers::Floats(numbers) if numbers.len() == 1 => numbers[0],
            Numbers::Integers(numbers)
                if numbers.len() == 1 && numbers[0].unsigned_abs() < 1 << 53 =>
            {
                numbers[0] as f64
            }
            _ => return Err("its value must be one number".into()),
        };
        number = found;
    }
    job.done(1)?;
    let sizes = lowering.given(job, 0)?.sizes();
    let sizes = sizes.filter(|sizes| !sizes.alone);
    fold::filled(element, number, &sizes.ok_or("its shape must be a row of integers")?)
}

fn cast(lowering: &mut Lowering, job: &mut Job) -> Result<(), String> {
    let to = i32::try_from(job.int("to", None)?).map_err(|e| e.to_string())?;
    // They are for 8-bit floats.
    job.ignore(&["saturate", "round_mode"]);
    job.done(1)?;
    let known = lowering.given(job, 0)?.clone();
    let Known::Flow(value) = &known else {
        let cast = fold::cast(&known, to)?;
        return lowering.bind(job, cast);
    };
    match (value.element, to) {
        (Element::F32, TENSOR_FLOAT)
        | (Element::I64, TENSOR_INT64)
        | (Element::Bool, TENSOR_BOOL) => lowering.bind(job, known),
        (Element::F32, TENSOR_BOOL) => {
            let to = [("to", Attribute::Int(i64::from(TENSOR_BOOL)))];
            lowering.give(job, "Cast", vec![value.name.clone()], to)
        }
        (Element::Bool, TENSOR_FLOAT) => {
            let (one, zero) = (lowering.number(job, 1.0)?, lowering.number(job, 0.0)?);
            lowering.give(job, "Where", vec![value.name.clone(), one, zero], [])
        }
        _ => Err(format!(
            "it makes {} of {}, which cannot be evaluated",
            element::described(to),
            value.element.described()
        )),
    }
}
