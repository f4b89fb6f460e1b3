//! Shapes that change: what a constant says of them, or what is computed of sizes.

use super::job::Job;
use super::known::{Known, Size};
use super::lowering::Lowering;
use crate::attribute::Attribute;
use crate::operator::axis;
use crate::value::{BATCH, Dim};

/// To 0 for every size that is copied, which the graph wants for the batch, and the size itself
/// for every other one.
pub(super) fn reshape(graph: &mut Lowering, job: &mut Job) -> Result<(), String> {
    let allow_zero = job.flag("allowzero", false)?;
    job.done(2)?;
    let x = graph.value(job, 0)?;
    let target = graph.sizes(job, 1, "shape")?;
    let row = resolve(&x.shape, &target.sizes, allow_zero, graph.batch).ok_or_else(|| {
        let shown: Vec<String> = target
            .sizes
            .iter()
            .map(|size| match size {
                Size::Fixed(size) => size.to_string(),
                Size::Free(name) => name.clone(),
            })
            .collect();
        format!(
            "it gives {x} the shape [{}], which joins the batch with another size, does not fit, or cannot be told before a run",
            shown.join(", ")
        )
    })?;
    let row = graph.row(&job.name, row)?;
    graph.give(job, "Reshape", vec![x.name, row], [])
}

/// What stands for the target in the graph.
fn resolve(x: &[Dim], target: &[Size], allow_zero: bool, batch: Option<usize>) -> Option<Vec<i64>> {
    let product = |dims: &[Dim]| {
        dims.iter()
            .filter_map(Dim::size)
            .try_fold(1_usize, |product, size| product.checked_mul(size))
    };
    let mut row = Vec::with_capacity(target.len());
    let (mut open, mut fixed, mut copied) = (None, 1_usize, Vec::new());
    for (i, size) in target.iter().enumerate() {
        let here = x.get(i);
        let mut copy = |here: &Dim| {
            match here {
                Dim::Fixed(size) => fixed = fixed.checked_mul(*size)?,
                Dim::Named(name) => copied.push(name.clone()),
            }
            Some(0)
        };
        row.push(match size {
            Size::Fixed(-1) if open.is_none() => {
                open = Some(i);
                -1
            }
            Size::Fixed(0) if !allow_zero => copy(here?)?,
            Size::Free(name) => copy(here.filter(|dim| **dim == Dim::Named(name.clone()))?)?,
            // The batch that the file fixes, in its place.
            Size::Fixed(size)
                if matches!(here, Some(Dim::Named(name)) if name == BATCH)
                    && batch.is_some_and(|batch| i64::try_from(batch) == Ok(*size)) =>
            {
                copy(here?)?
            }
            Size::Fixed(size) => {
                fixed = fixed.checked_mul(usize::try_from(*size).ok().filter(|&size| size > 0)?)?;
                *size
            }
        });
    }
    if let Some(open) = open {
        let names: Vec<&Dim> = x.iter().filter(|dim| dim.size().is_none()).collect();
        let left: Vec<&Dim> = names
            .into_iter()
            .filter(|dim| !copied.iter().any(|name| **dim == Dim::Named(name.clone())))
            .collect();
        let whole = product(x)?;
        row[open] = match left[..] {
            [] => i64::try_from(whole.checked_div(fixed).filter(|rest| rest * fixed == whole)?)
                .ok()?,
            // It stands for the size that is not known, if it stands in the same place.
            [name] if whole == fixed && x.get(open) == Some(name) => 0,
            _ => return None,
        };
    }
    Some(row)
}

/// A size that is not known is kept, by 1.
pub(super) fn expand(graph: &mut Lowering, job: &mut Job) -> Result<(), String> {
    job.done(2)?;
    let x = graph.value(job, 0)?;
    let target = graph.sizes(job, 1, "shape")?.sizes;
    let row = target.iter().enumerate().map(|(i, size)| {
        // Shapes are compared from the end.
        let here = (i + x.shape.len()).checked_sub(target.len()).and_then(|i| x.shape.get(i));
        match (size, here) {
            (Size::Fixed(size), Some(Dim::Named(name)))
                if name == BATCH && graph.batch.map(|batch| batch as i64) == Some(*size) =>
            {
                Some(1)
            }
            (Size::Fixed(size), _) => Some(*size),
            (Size::Free(name), Some(Dim::Named(kept))) if name == kept => Some(1),
            _ => None,
        }
    });
    let row: Option<Vec<i64>> = row.collect();
    let row = row.ok_or("it repeats to a size that is chosen at every run")?;
    let row = graph.row(&job.name, row)?;
    graph.give(job, "Expand", vec![x.name, row], [])
}

/// Without axes every size of 1 goes, which must be known before a run.
pub(super) fn squeeze(graph: &mut Lowering, job: &mut Job) -> Result<(), String> {
    job.done(2)?;
    let x = graph.value(job, 0)?;
    let axes = match graph.integers(job, 1, "axes")? {
        Some(axes) if axes.is_empty() => {
            return Err("its axes are empty, which runtimes understand in different ways".into());
        }
        Some(axes) => axes,
        None if x
            .shape
            .iter()
            .any(|dim| dim.size().is_none() && graph.batch.is_none_or(|batch| batch == 1)) =>
        {
            return Err(format!(
                "it has no axes, so that the shape of what it makes of {x} depends on the sizes of a run"
            ));
        }
        None => {
            (0..x.shape.len()).filter(|&i| x.shape[i] == Dim::Fixed(1)).map(|i| i as i64).collect()
        }
    };
    if axes.is_empty() {
        let known = Known::Flow(x);
        return graph.bind(job, known);
    }
    let axes = graph.row(&job.name, axes)?;
    graph.give(job, "Squeeze", vec![x.name, axes], [])
}

/// Into parts of these sizes or, from opset 18 on, so many, of which the last may be smaller.
pub(super) fn split(graph: &mut Lowering, job: &mut Job) -> Result<(), String> {
    let x = graph.value(job, 0)?;
    let along = job.int("axis", Some(0))?;
    let count = job.int("num_outputs", Some(0))?;
    job.done(2)?;
    let outputs = job.node.output.len() as i64;
    let at = axis(along, x.shape.len())
        .ok_or_else(|| job.wrong("axis", Some(&Attribute::Int(along)), "one of the input's"))?;
    let size = x.shape[at]
        .size()
        .ok_or_else(|| format!("it splits {x} along a size that is chosen at every run"))?
        as i64;
    let parts = match (graph.integers(job, 1, "sizes")?, count) {
        (Some(parts), 0) => parts,
        (None, 0) if graph.opset < 18 && size % outputs.max(1) == 0 => {
            vec![size / outputs.max(1); job.node.output.len()]
        }
        (None, 1..) if graph.opset >= 18 && count == outputs => {
            let part = size.checked_add(count - 1).map_or(size, |sum| sum / count);
            let last = size - part * (count - 1);
            let mut parts = vec![part; job.node.output.len()];
            if let Some(end) = parts.last_mut() {
                *end = last;
            }
            parts
        }
        _ => {
            return Err(format!(
                "its parts are not said as opset {} does: sizes as an input{}",
                graph.opset,
                if graph.opset >= 18 { ", or num_outputs" } else { ", or none for equal ones" }
            ));
        }
    };
    let parts = graph.row(&job.name, parts)?;
    graph.give(job, "Split", vec![x.name, parts], [("axis", Attribute::Int(at as i64))])
}

/// With a constant; from opset 18 on along some axes.
pub(super) fn pad(graph: &mut Lowering, job: &mut Job) -> Result<(), String> {
    let mode = job.text("mode", "constant")?;
    if mode != "constant" {
        return Err(job.wrong("mode", Some(&Attribute::Text(mode.clone())), "\"constant\""));
    }
    job.done(if graph.opset >= 18 { 4 } else { 3 })?;
    let x = graph.value(job, 0)?;
    let rank = x.shape.len();
    let mut pads = graph.integers(job, 1, "pads")?.ok_or("its pads are left out")?;
    if let Some(along) = graph.integers(job, 3, "axes")? {
        let places: Option<Vec<usize>> = along.iter().map(|&at| axis(at, rank)).collect();
        let places = places.filter(|places| pads.len() == 2 * places.len());
        let places = places.ok_or("its axes do not fit its pads")?;
        let mut all = vec![0; 2 * rank];
        for (i, &at) in places.iter().enumerate() {
            all[at] = pads[i];
            all[at + rank] = pads[i + places.len()];
        }
        pads = all;
    }
    if pads.iter().any(|&pad| pad < 0) {
        return Err("its pads are negative, which cannot be evaluated".into());
    }
    let mut inputs = vec![x.name, graph.row(&job.name, pads)?];
    if job.input(2).is_some() {
        inputs.push(graph.operand(job, 2)?);
    }
    graph.give(job, "Pad", inputs, [])
}
