//! What convolutions and transposed ones have in common.

use dfdx::prelude::*;
use trainbook_onnx::Attribute;

use super::{Fault, Misfit};
use crate::host::Convolution;
use crate::on_dfdx::{Backend, Flow, Pass, Real, Taped, extended, look_up};
use crate::window::Window;

/// Whether the channels are as many as were announced, and the groups divide them.
pub(super) fn check_channels(
    channels: usize,
    in_channels: Option<usize>,
    out_channels: usize,
    groups: usize,
) -> Result<(), Misfit> {
    if let Some(expected) = in_channels.filter(|expected| *expected != channels) {
        return Err(Misfit::new(format!("it takes {expected} channels, not {channels}")));
    }
    for (name, value) in [("out_channels", out_channels), ("groups", groups)] {
        if value == 0 {
            return Err(Misfit::new(format!("its {name} must be at least 1, not 0")));
        }
    }
    if channels == 0 || !channels.is_multiple_of(groups) {
        return Err(Misfit::new(format!(
            "its groups, {groups}, do not divide the {channels} channels that it gets"
        )));
    }
    if !out_channels.is_multiple_of(groups) {
        return Err(Misfit::new(format!(
            "its groups, {groups}, do not divide its out_channels, {out_channels}"
        )));
    }
    Ok(())
}

/// The attributes of ONNX's Conv and ConvTranspose in so many dimensions, 1 or 2.
pub(super) fn attributes(
    convolution: &Convolution,
    dimensions: usize,
) -> Vec<(&'static str, Attribute)> {
    let mut attributes = window_attributes(&convolution.window, dimensions);
    attributes.push(("dilations", of_window(&convolution.window, dimensions, |s| s.dilation)));
    attributes.push(("group", Attribute::Int(convolution.groups as i64)));
    attributes
}

/// The attributes of ONNX's operators with a window, in so many dimensions, 1 or 2.
pub(super) fn window_attributes(
    window: &Window,
    dimensions: usize,
) -> Vec<(&'static str, Attribute)> {
    let spans = [window.y, window.x];
    let spans = &spans[2 - dimensions..];
    let pads = spans.iter().map(|s| s.before).chain(spans.iter().map(|s| s.after));
    vec![
        ("kernel_shape", of_window(window, dimensions, |s| s.kernel)),
        ("pads", Attribute::Ints(pads.map(|pad| pad as i64).collect())),
        ("strides", of_window(window, dimensions, |s| s.stride)),
    ]
}

/// An attribute with a number for each of the dimensions.
pub(super) fn of_window(
    window: &Window,
    dimensions: usize,
    of: impl Fn(&crate::window::Span) -> usize,
) -> Attribute {
    let spans = [window.y, window.x];
    Attribute::Ints(spans[2 - dimensions..].iter().map(|span| of(span) as i64).collect())
}

/// Batch × channels × positions.
pub(super) type Channels<E, D> = Taped<(usize, usize, usize), E, D>;

/// A convolution in dfdx's operations: what is under the window is looked up by the table (elements
/// × positions; an index as large as a plane stands for zero), and multiplied by the weight.
///
/// `weight` is groups × (channels of a group · elements) × outputs of a group.
pub(super) fn on_dfdx<E: Real, D: Backend<E>, T: Tape<E, D>>(
    pass: &Pass<'_, E, D>,
    x: Flow<E, D>,
    table: &[usize],
    elements: usize,
    weight: Tensor<(usize, usize, usize), E, D, T>,
    bias: bool,
) -> Result<Channels<E, D>, Fault>
where
    OwnedTape<E, D>: Merge<T>,
{
    let (groups, rows, outputs) = *weight.shape();
    let (batch, channels) = (x.batch(), groups * rows / elements);
    let positions = table.len() / elements;
    let plane = x.shape().iter().skip(2).product::<usize>();
    let x = x.view((batch * channels, plane))?;
    let padded = match table.contains(&plane) {
        true => extended(&x, E::of(0.0))?,
        false => x.retaped(),
    };
    let columns = look_up(x, &padded, table)?
        .try_reshape_like(&(batch, groups, rows, positions))?
        .try_permute::<_, Axes4<1, 0, 3, 2>>()?
        .try_reshape_like(&(groups, batch * positions, rows))?;
    let y = columns
        .try_matmul(weight)?
        .try_reshape_like(&(groups, batch, positions, outputs))?
        .try_permute::<_, Axes4<1, 0, 3, 2>>()?
        .try_reshape_like(&(batch, groups * outputs, positions))?;
    if !bias {
        return Ok(y);
    }
    let bias = pass.parameter(1, (groups * outputs,))?;
    let shape = *y.shape();
    Ok(y.try_add(bias.try_broadcast_like::<_, Axes2<0, 2>>(&shape)?)?)
}
