//! Where a kernel stands on an image or a series: convolutions and pooling.

use super::{Operand, Operator};
use crate::value::{Dim, MAX_WIDTH, Value};

/// What the attributes say; an empty list stands for its default.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) struct Window {
    /// A convolution may take it from its weight.
    pub kernel: Vec<usize>,
    pub strides: Vec<usize>,
    pub dilations: Vec<usize>,
    /// All beginnings, then all ends: top, left, bottom, right.
    pub pads: Vec<usize>,
}

/// A kernel along one axis.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Along {
    pub kernel: usize,
    stride: usize,
    dilation: usize,
    before: usize,
    after: usize,
}

impl Window {
    /// The kernel along each of so many axes.
    pub fn along(&self, kernel: &[usize]) -> Option<Vec<Along>> {
        let axes = kernel.len();
        let fits = |list: &[usize], len| list.is_empty() || list.len() == len;
        let kernel_fits = self.kernel.is_empty() || self.kernel == kernel;
        let lists_fit = fits(&self.strides, axes) && fits(&self.dilations, axes);
        let small = [&self.strides, &self.dilations, &self.pads].into_iter().flatten();
        if !kernel_fits
            || !lists_fit
            || !fits(&self.pads, 2 * axes)
            || small.chain(kernel).any(|&size| size > MAX_WIDTH)
        {
            return None;
        }
        let at = |list: &[usize], i: usize, default| list.get(i).copied().unwrap_or(default);
        let along = |(i, &kernel)| Along {
            kernel,
            stride: at(&self.strides, i, 1),
            dilation: at(&self.dilations, i, 1),
            before: at(&self.pads, i, 0),
            after: at(&self.pads, axes + i, 0),
        };
        Some(kernel.iter().enumerate().map(along).collect())
    }
}

impl Along {
    /// From a kernel's first number to its last, both with it.
    fn reach(&self) -> usize {
        (self.kernel - 1) * self.dilation + 1
    }

    /// In how many places it stands on an axis of this size; only whole ones count.
    pub fn places(&self, size: usize) -> Option<usize> {
        let steps = (size + self.before + self.after).checked_sub(self.reach())?;
        Some(steps / self.stride + 1)
    }

    /// What the kernel's number `tap` stands on in a place; `None` for padding.
    pub fn under(&self, place: usize, tap: usize, size: usize) -> Option<usize> {
        let at = (place * self.stride + tap * self.dilation).checked_sub(self.before)?;
        (at < size).then_some(at)
    }

    /// The size from which a convolution makes this one, and `more`.
    pub fn spread(&self, size: usize, more: usize) -> Option<usize> {
        let whole = size.checked_sub(1)?.checked_mul(self.stride)? + self.reach() + more;
        whole.checked_sub(self.before + self.after).filter(|&size| size > 0)
    }

    /// Which input a transposed convolution spreads by the kernel's number `tap` to this place.
    pub fn spread_from(&self, place: usize, tap: usize, size: usize) -> Option<usize> {
        let steps = (place + self.before).checked_sub(tap * self.dilation)?;
        let at = steps / self.stride;
        (steps.is_multiple_of(self.stride) && at < size).then_some(at)
    }

    /// A size that is not known is kept, or refused.
    fn places_of(&self, size: &Dim) -> Option<Dim> {
        match size {
            Dim::Fixed(size) => self.places(*size).map(Dim::Fixed),
            Dim::Named(_) => {
                let kept = self.stride == 1 && self.before + self.after + 1 == self.reach();
                kept.then(|| size.clone())
            }
        }
    }

    /// Whether there is more than padding under the kernel in every place.
    fn is_covered(&self, size: &Dim) -> bool {
        if self.before >= self.kernel || self.after >= self.kernel {
            return false;
        }
        let Dim::Fixed(size) = *size else { return self.dilation == 1 };
        let covered = |place| (0..self.kernel).any(|tap| self.under(place, tap, size).is_some());
        self.places(size).is_some_and(|places| (0..places).all(covered))
    }
}

/// Batch, channels, and one or two axes.
fn split(x: &[Dim]) -> Option<(&Dim, usize, &[Dim])> {
    let [batch, Dim::Fixed(channels), axes @ ..] = x else { return None };
    (Value::is_batched(x) && matches!(axes.len(), 1 | 2)).then_some((batch, *channels, axes))
}

/// The shape of a convolution's or a pool's output.
pub(super) fn shape(operator: &Operator, x: &[Dim], others: &[Operand]) -> Option<Vec<Dim>> {
    let (batch, channels, axes) = split(x)?;
    let (output_channels, sizes): (usize, Vec<Dim>) = match operator {
        Operator::Conv { window, group } => {
            let (weight, bias) = weights(others, axes.len())?;
            let [outputs, inputs, kernel @ ..] = weight.as_slice() else { return None };
            let fits = inputs.checked_mul(*group)? == channels && outputs.is_multiple_of(*group);
            if !fits || !bias_fits(bias, *outputs) {
                return None;
            }
            let along = window.along(kernel)?;
            let sizes = along.iter().zip(axes).map(|(along, size)| along.places_of(size));
            (*outputs, sizes.collect::<Option<_>>()?)
        }
        Operator::ConvTranspose { window, output_padding, group } => {
            let (weight, bias) = weights(others, axes.len())?;
            let [inputs, outputs, kernel @ ..] = weight.as_slice() else { return None };
            let outputs = outputs.checked_mul(*group)?;
            let fits = *inputs == channels && inputs.is_multiple_of(*group);
            if !fits || !bias_fits(bias, outputs) {
                return None;
            }
            let along = window.along(kernel)?;
            if !output_padding.is_empty() && output_padding.len() != axes.len() {
                return None;
            }
            let sizes = along.iter().zip(axes).enumerate().map(|(i, (along, size))| {
                let more = output_padding.get(i).copied().unwrap_or(0);
                // More would be a row that no number is spread to.
                let usable = more == 0 || more < along.stride.max(along.dilation);
                along.spread(size.size().filter(|_| usable)?, more).map(Dim::Fixed)
            });
            (outputs, sizes.collect::<Option<_>>()?)
        }
        Operator::MaxPool(window) | Operator::AveragePool { window, .. } if others.is_empty() => {
            if window.kernel.len() != axes.len() {
                return None;
            }
            let along = window.along(&window.kernel)?;
            let sizes = along
                .iter()
                .zip(axes)
                .map(|(along, size)| along.places_of(size).filter(|_| along.is_covered(size)));
            (channels, sizes.collect::<Option<_>>()?)
        }
        _ => return None,
    };
    Some([batch.clone(), output_channels.into()].into_iter().chain(sizes).collect())
}

/// The sizes of a convolution's weight, and its bias.
fn weights<'a>(
    others: &'a [Operand<'a>],
    axes: usize,
) -> Option<(Vec<usize>, Option<&'a Operand<'a>>)> {
    let (weight, bias) = match others {
        [weight] => (weight, None),
        [weight, bias] => (weight, Some(bias)),
        _ => return None,
    };
    let sizes: Vec<usize> = weight.shape.iter().map(Dim::size).collect::<Option<_>>()?;
    (sizes.len() == 2 + axes && !sizes.contains(&0)).then_some((sizes, bias))
}

fn bias_fits(bias: Option<&Operand>, outputs: usize) -> bool {
    bias.is_none_or(|bias| *bias.shape == [Dim::Fixed(outputs)])
}
