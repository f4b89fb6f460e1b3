//! The shape of an operator's output.
//!
//! Every rule keeps the batch, which need not be the first dimension between nodes, in one piece:
//! no operator that passes can make one row's result depend on another row.

use super::cut::{self, broadcast};
use super::scale::scaled;
use super::{Binary, Operand, Operator, window};
use crate::value::{BATCH, Dim, Element, Value};

impl Operator {
    /// What its outputs are, `count` of them.
    ///
    /// # Errors
    /// The reason, if the inputs do not fit the operator, or it does not give so many outputs.
    pub fn outputs(
        &self,
        inputs: &[Operand],
        count: usize,
    ) -> Result<Vec<(Element, Vec<Dim>)>, String> {
        let shapes = self.shapes(inputs, count).ok_or_else(|| {
            let shown: Vec<_> = inputs
                .iter()
                .map(|input| match input.is_given() {
                    true => format!("{}{}", Value::shown(input.shape), input.element.suffix()),
                    false => "(none)".to_owned(),
                })
                .collect();
            format!("{} does not fit inputs of the shapes {}", self.name(), shown.join(", "))
        })?;
        if count == 0 || count > shapes.len() {
            return Err(format!("{} has {} outputs, not {count}", self.name(), shapes.len()));
        }
        let element = match inputs {
            [first, ..] if self.moves() => first.element,
            _ => self.output_element(),
        };
        Ok(shapes.into_iter().take(count).map(|shape| (element, shape)).collect())
    }

    /// All that it can give.
    fn shapes(&self, inputs: &[Operand], count: usize) -> Option<Vec<Vec<Dim>>> {
        let [first, others @ ..] = inputs else { return None };
        let fits = |(i, input): (usize, &Operand)| {
            input.element == self.input_element(i) || i == 0 && self.moves()
        };
        if !inputs.iter().enumerate().all(fits) {
            return None;
        }
        // What is computed of weights alone is a weight.
        let of_weights = match self {
            Self::Transpose { .. } | Self::Cast | Self::Unary(_) => true,
            Self::Binary(_) => others.iter().all(|other| fixed(other.shape)),
            _ => false,
        };
        if of_weights && fixed(first.shape) {
            return self.shape(first, others).map(|shape| vec![shape]);
        }
        // Only these may have a constant first.
        let any_first =
            matches!(self, Self::Gather { .. } | Self::Binary(_) | Self::Compare(_) | Self::Where);
        if !any_first {
            batch_axis(first.shape)?;
        }
        let shapes = match self {
            Self::Split { axis } => cut::split(first.shape, others, *axis, count)?,
            Self::Recurrent(recurrent) => recurrent.shapes(first.shape, others)?,
            _ => vec![self.shape(first, others)?],
        };
        shapes.iter().all(|shape| batch_axis(shape).is_some()).then_some(shapes)
    }

    fn shape(&self, first: &Operand, others: &[Operand]) -> Option<Vec<Dim>> {
        let x = first.shape;
        let same = || Some(x.to_vec());
        match self {
            Self::Gather { axis } => gather(first, others, *axis),
            Self::Gemm { trans_b } => gemm(x, others, *trans_b),
            Self::MatMul => matmul(x, others),
            Self::Binary(Binary::Max | Binary::Min) if !others.is_empty() => {
                others.iter().try_fold(x.to_vec(), |shape, y| broadcast(&shape, y.shape))
            }
            Self::Binary(_) | Self::Compare(_) => match others {
                [y] => broadcast(x, y.shape),
                _ => None,
            },
            Self::Where => match others {
                [a, b] => broadcast(&broadcast(x, a.shape)?, b.shape),
                _ => None,
            },
            Self::PRelu => match others {
                [slope]
                    if fixed(slope.shape) && broadcast(x, slope.shape).as_deref() == Some(x) =>
                {
                    same()
                }
                _ => None,
            },
            Self::Clip => {
                let scalar =
                    |y: &Operand| !y.is_given() || (y.shape.is_empty() && y.floats.len() == 1);
                (others.len() <= 2 && others.iter().all(scalar)).then(same)?
            }
            Self::Unary(_) | Self::Cast if others.is_empty() => same(),
            Self::Softmax | Self::LogSoftmax if others.is_empty() && x.len() >= 2 => {
                (!is_batch(x.last()?)).then(same)?
            }
            Self::BatchNormalization { .. } => {
                let channels = x.get(1)?;
                (others.len() == 4 && others.iter().all(|other| is_row(other, channels)))
                    .then(same)?
            }
            Self::InstanceNormalization { .. } => {
                let channels = x.get(1)?;
                let fits = Value::is_batched(x) && x.len() >= 3 && others.len() == 2;
                (fits && others.iter().all(|other| is_row(other, channels))).then(same)?
            }
            Self::LayerNormalization { .. } => {
                let width = x.last().filter(|_| x.len() >= 2)?;
                (others.len() == 2 && others.iter().all(|other| is_row(other, width))).then(same)?
            }
            Self::Reduce { axes, keep, .. } if others.is_empty() => reduced(x, axes, *keep),
            Self::ReduceSum { keep } => reduced(x, &cut::reduced(x, others)?, *keep),
            Self::GlobalAveragePool if others.is_empty() => {
                let channels = x.get(1)?.size()?;
                let fits = Value::is_batched(x) && x.len() >= 3;
                let ones = std::iter::repeat_n(Dim::Fixed(1), x.len() - 2);
                fits.then(|| [x[0].clone(), channels.into()].into_iter().chain(ones).collect())
            }
            Self::ArgMax if others.is_empty() && x.len() >= 2 => {
                (!is_batch(x.last()?)).then(|| x[..x.len() - 1].to_vec())
            }
            Self::Transpose { perm } if others.is_empty() => {
                let mut sorted = perm.clone();
                sorted.sort_unstable();
                let permutes = sorted.iter().copied().eq(0..x.len());
                permutes.then(|| perm.iter().map(|&axis| x[axis].clone()).collect())
            }
            Self::Reshape => match others {
                [shape] => reshape(x, shape.integers),
                _ => None,
            },
            Self::Flatten if others.is_empty() => {
                let rest = x.get(1..).filter(|_| Value::is_batched(x))?;
                let len = rest.iter().try_fold(1_usize, |len, dim| len.checked_mul(dim.size()?))?;
                Some(vec![x[0].clone(), len.into()])
            }
            Self::Resize => match others {
                [scales] => resize(x, scales.floats),
                _ => None,
            },
            Self::Conv { .. }
            | Self::ConvTranspose { .. }
            | Self::MaxPool(_)
            | Self::AveragePool { .. } => window::shape(self, x, others),
            Self::Concat { axis } => cut::concat(x, others, *axis),
            Self::Slice => cut::slice(x, others),
            Self::Pad => cut::pad(x, others),
            Self::Expand => cut::expand(x, others),
            Self::Squeeze => cut::squeeze(x, others),
            Self::Unsqueeze => cut::unsqueeze(x, others),
            _ => None,
        }
    }
}

fn is_batch(dim: &Dim) -> bool {
    *dim == BATCH.into()
}

/// Where the batch stands, if it stands in one place.
fn batch_axis(shape: &[Dim]) -> Option<usize> {
    let mut places = shape.iter().enumerate().filter(|(_, dim)| is_batch(dim)).map(|(i, _)| i);
    places.next().filter(|_| places.next().is_none())
}

/// `axes` ascend.
fn reduced(x: &[Dim], axes: &[usize], keep: bool) -> Option<Vec<Dim>> {
    let ascending = axes.windows(2).all(|pair| pair[0] < pair[1]);
    if !ascending || *axes.last()? >= x.len() || axes.iter().any(|&axis| is_batch(&x[axis])) {
        return None;
    }
    let dims = x.iter().enumerate().filter_map(|(i, dim)| match (axes.contains(&i), keep) {
        (false, _) => Some(dim.clone()),
        (true, true) => Some(Dim::Fixed(1)),
        (true, false) => None,
    });
    Some(dims.collect())
}

fn fixed(shape: &[Dim]) -> bool {
    shape.iter().all(|dim| dim.size().is_some())
}

/// Whether this is one number per entry of `dim`.
fn is_row(operand: &Operand, dim: &Dim) -> bool {
    dim.size().is_some() && operand.shape == [dim.clone()]
}

fn gemm(x: &[Dim], others: &[Operand], trans_b: bool) -> Option<Vec<Dim>> {
    let [batch, width @ Dim::Fixed(_)] = x else { return None };
    let [weight, bias @ ..] = others else { return None };
    let [rows @ Dim::Fixed(_), columns @ Dim::Fixed(_)] = weight.shape else { return None };
    let (output, input) = if trans_b { (rows, columns) } else { (columns, rows) };
    let bias_fits = match bias {
        [] => true,
        [bias] => is_row(bias, output),
        _ => false,
    };
    (input == width && bias_fits).then(|| vec![batch.clone(), output.clone()])
}

/// `[…, m, k] · [k, n]`, or `[…, m, k] · […, k, n]` with the same leading dimensions.
fn matmul(x: &[Dim], others: &[Operand]) -> Option<Vec<Dim>> {
    let ([y], [leading @ .., inner]) = (others, x) else { return None };
    let [y_leading @ .., y_inner, columns] = y.shape else { return None };
    let same_batches = if y_leading.is_empty() {
        fixed(y.shape)
    } else {
        x.len() >= 3
            && leading.len() == y.shape.len() - 1
            && leading[..leading.len() - 1] == *y_leading
    };
    let fits = !leading.is_empty() && inner == y_inner && !is_batch(inner) && same_batches;
    fits.then(|| leading.iter().chain([columns]).cloned().collect())
}

/// 0 copies a dimension. The batch and every other dimension whose size is not known must be
/// copied, in its place.
fn reshape(x: &[Dim], shape: &[i64]) -> Option<Vec<Dim>> {
    let mut output = Vec::with_capacity(shape.len());
    for (i, &size) in shape.iter().enumerate() {
        output.push(match size {
            0 => x.get(i)?.clone(),
            1.. => Dim::Fixed(usize::try_from(size).ok()?),
            _ => return None,
        });
    }
    let product = |dims: &[Dim]| {
        dims.iter()
            .filter_map(Dim::size)
            .try_fold(1_usize, |product, size| product.checked_mul(size))
    };
    let names = |dims: &[Dim]| -> Vec<(usize, Dim)> {
        dims.iter().cloned().enumerate().filter(|(_, dim)| dim.size().is_none()).collect()
    };
    // What stands before the batch stays before it.
    let before = batch_axis(x)?;
    let fits = names(x) == names(&output)
        && product(x)? == product(&output)?
        && product(&x[..before])? == product(&output[..before])?;
    fits.then_some(output)
}

/// Rows of a constant by indices that flow, or entries of a value by constant indices.
fn gather(data: &Operand, others: &[Operand], axis: usize) -> Option<Vec<Dim>> {
    let [indices] = others else { return None };
    let (shape, picked) = (data.shape, indices.shape);
    if axis == 0 && fixed(shape) && !shape.is_empty() && Value::is_batched(picked) {
        return Some(picked.iter().chain(&shape[1..]).cloned().collect());
    }
    let size = shape.get(axis)?.size()?;
    let inside = indices
        .integers
        .iter()
        .all(|&index| usize::try_from(index).is_ok_and(|index| index < size));
    if indices.integers.is_empty() || !inside || picked.len() != 1 {
        return None;
    }
    let mut output = shape.to_vec();
    output[axis] = Dim::Fixed(indices.integers.len());
    Some(output)
}

/// Scales of `[1, 1, height, width]`, none of them below 1.
fn resize(x: &[Dim], scales: &[f32]) -> Option<Vec<Dim>> {
    let (
        [batch, channels @ Dim::Fixed(_), Dim::Fixed(height), Dim::Fixed(width)],
        [one, also_one, tall, wide],
    ) = (x, scales)
    else {
        return None;
    };
    let unscaled = *one == 1.0 && *also_one == 1.0;
    let (height, width) = (scaled(*height, *tall)?, scaled(*width, *wide)?);
    unscaled.then(|| vec![batch.clone(), channels.clone(), Dim::Fixed(height), Dim::Fixed(width)])
}
