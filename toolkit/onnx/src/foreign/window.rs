//! Convolutions and pools: padding that is said by a word, and what later opsets added.

use super::job::Job;
use super::lowering::Lowering;
use crate::attribute::Attribute;
use crate::graph::Value;
use crate::value::Dim;

/// # Errors
/// The reason, if this form cannot be evaluated.
pub(super) fn window(graph: &mut Lowering, job: &mut Job) -> Result<(), String> {
    let x = graph.value(job, 0)?;
    let weight = match job.op() {
        "Conv" | "ConvTranspose" => Some(graph.value(job, 1)?),
        _ => None,
    };
    auto_pad(job, &x, weight.as_ref())?;
    match job.op() {
        "ConvTranspose" if job.attributes.contains_key("output_shape") => {
            return Err("its attribute output_shape is not one that can be evaluated".into());
        }
        "MaxPool" => job.only("storage_order", &Attribute::Int(0))?,
        // Opset 19 added them.
        "AveragePool" => {
            if let Some(dilations) = job.ints("dilations")?
                && dilations.iter().any(|&dilation| dilation != 1)
            {
                let found = Attribute::Ints(dilations);
                return Err(job.wrong("dilations", Some(&found), "1 everywhere"));
            }
        }
        _ => {}
    }
    if job.flag("ceil_mode", false)? && !whole(job, &x) {
        return Err(job.wrong(
            "ceil_mode",
            Some(&Attribute::Int(1)),
            "0, or the windows fill the input without a rest",
        ));
    }
    let inputs = graph.operands(job)?;
    graph.give_rest(job, inputs)
}

fn sizes(job: &Job, name: &str) -> Option<Vec<usize>> {
    match job.attributes.get(name) {
        Some(Attribute::Ints(sizes)) => {
            sizes.iter().map(|&size| usize::try_from(size).ok()).collect()
        }
        _ => None,
    }
}

/// For each axis: size, from the kernel's first number to its last, and stride.
fn axes(job: &Job, x: &Value, weight: Option<&Value>) -> Option<Vec<(usize, usize, usize)>> {
    let of_weight = |weight: &Value| weight.shape.get(2..)?.iter().map(Dim::size).collect();
    let kernel: Vec<usize> = sizes(job, "kernel_shape").or_else(|| weight.and_then(of_weight))?;
    let one = vec![1; kernel.len()];
    let strides = sizes(job, "strides").unwrap_or_else(|| one.clone());
    let dilations = sizes(job, "dilations").unwrap_or(one);
    let axes = x.shape.get(2..)?;
    if [axes.len(), strides.len(), dilations.len()] != [kernel.len(); 3] || strides.contains(&0) {
        return None;
    }
    let axis = |i: usize| {
        let reach = kernel[i].checked_sub(1)?.checked_mul(dilations[i])?.checked_add(1)?;
        Some((axes[i].size()?, reach, strides[i]))
    };
    (0..kernel.len()).map(axis).collect()
}

/// Pads in the place of a word for them.
fn auto_pad(job: &mut Job, x: &Value, weight: Option<&Value>) -> Result<(), String> {
    let word = job.text("auto_pad", "NOTSET")?;
    let at_the_end = match word.as_str() {
        "NOTSET" => return Ok(()),
        "VALID" => {
            job.ignore(&["pads"]);
            return Ok(());
        }
        "SAME_UPPER" if job.op() != "ConvTranspose" => true,
        "SAME_LOWER" if job.op() != "ConvTranspose" => false,
        _ => {
            let found = Attribute::Text(word);
            return Err(job.wrong("auto_pad", Some(&found), "\"NOTSET\" or \"VALID\""));
        }
    };
    let axes = axes(job, x, weight)
        .ok_or_else(|| format!("its padding depends on sizes of {x} that are not fixed"))?;
    let total = |&(size, reach, stride): &(usize, usize, usize)| {
        let steps = size.div_ceil(stride).saturating_sub(1);
        steps.saturating_mul(stride).saturating_add(reach).saturating_sub(size)
    };
    let (mut begins, mut ends) = (Vec::new(), Vec::new());
    for total in axes.iter().map(total) {
        let (less, more) = (total / 2, total.div_ceil(2));
        let (begin, end) = if at_the_end { (less, more) } else { (more, less) };
        begins.push(begin as i64);
        ends.push(end as i64);
    }
    job.attributes.insert("pads".into(), Attribute::Ints([begins, ends].concat()));
    Ok(())
}

/// Whether rounding up gives as many places as rounding down.
fn whole(job: &Job, x: &Value) -> bool {
    let Some(axes) = axes(job, x, None) else { return false };
    let pads = sizes(job, "pads").unwrap_or_else(|| vec![0; 2 * axes.len()]);
    let fits = |(i, &(size, reach, stride)): (usize, &(usize, usize, usize))| {
        let padded = size.checked_add(*pads.get(i)?)?.checked_add(*pads.get(i + axes.len())?)?;
        Some(padded.checked_sub(reach)?.is_multiple_of(stride))
    };
    axes.iter().enumerate().all(|axis| fits(axis) == Some(true))
}
