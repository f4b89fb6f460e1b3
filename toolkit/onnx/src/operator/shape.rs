//! The shape of an operator's output.
//!
//! Every rule keeps the first dimension, the batch, as it is: no operator that passes can make one
//! row's result depend on another row.

use super::scale::scaled;
use super::{Operand, Operator};
use crate::value::{Dim, Element, Value};

impl Operator {
    /// # Errors
    /// The reason, if the inputs do not fit the operator.
    pub fn output_shape(&self, inputs: &[Operand]) -> Result<Vec<Dim>, String> {
        self.shape(inputs).ok_or_else(|| {
            let shown: Vec<_> = inputs.iter().map(|input| Value::shown(input.shape)).collect();
            format!("{self:?} does not fit inputs of the shapes {}", shown.join(", "))
        })
    }

    fn shape(&self, inputs: &[Operand]) -> Option<Vec<Dim>> {
        let [first, others @ ..] = inputs else { return None };
        // Indices come second, except that Gather's first may be the constant.
        let second_of_integers = matches!(self, Self::Reshape | Self::Gather { .. });
        let elements = inputs.iter().enumerate().all(|(i, input)| {
            let integers = second_of_integers && i == 1;
            input.element == if integers { Element::I64 } else { Element::F32 }
        });
        if !elements {
            return None;
        }
        let x = first.shape;
        let same = || Some(x.to_vec());
        // Only a weight may come first without a batch.
        match self {
            Self::Gather { axis } => return gather(first, others, *axis),
            Self::Transpose { perm } if x.len() == 2 && fixed(x) && others.is_empty() => {
                return (*perm == [1, 0]).then(|| vec![x[1].clone(), x[0].clone()]);
            }
            _ => {}
        }
        if !Value::is_batched(x) {
            return None;
        }
        match self {
            Self::Gemm { trans_b } => gemm(x, others, *trans_b),
            Self::MatMul => matmul(x, others),
            Self::Binary(_) => match others {
                [y] if y.shape == x || broadcasts(y.shape, x) => same(),
                _ => None,
            },
            Self::PRelu => match others {
                [slope] if broadcasts(slope.shape, x) => same(),
                _ => None,
            },
            Self::Unary(_) if others.is_empty() => same(),
            Self::Softmax | Self::LogSoftmax if others.is_empty() && x.len() >= 2 => same(),
            Self::BatchNormalization { .. } => {
                let channels = x.get(1)?;
                (others.len() == 4 && others.iter().all(|other| is_row(other, channels)))
                    .then(same)?
            }
            Self::LayerNormalization { .. } => {
                let width = x.last().filter(|_| x.len() >= 2)?;
                (others.len() == 2 && others.iter().all(|other| is_row(other, width))).then(same)?
            }
            Self::Reduce { axes, keep, .. } if others.is_empty() => {
                let ascending = axes.windows(2).all(|pair| pair[0] < pair[1]);
                if !ascending || *axes.first()? == 0 || *axes.last()? >= x.len() {
                    return None;
                }
                let dims =
                    x.iter().enumerate().filter_map(|(i, dim)| match (axes.contains(&i), keep) {
                        (false, _) => Some(dim.clone()),
                        (true, true) => Some(Dim::Fixed(1)),
                        (true, false) => None,
                    });
                Some(dims.collect())
            }
            Self::ArgMax if others.is_empty() && x.len() >= 2 => Some(x[..x.len() - 1].to_vec()),
            Self::Transpose { perm } if others.is_empty() => {
                let mut sorted = perm.clone();
                sorted.sort_unstable();
                let permutes = sorted.iter().copied().eq(0..x.len()) && perm.first() == Some(&0);
                permutes.then(|| perm.iter().map(|&axis| x[axis].clone()).collect())
            }
            Self::Reshape => match others {
                [shape] => reshape(x, shape.integers),
                _ => None,
            },
            Self::Resize => match others {
                [scales] => resize(x, scales.floats),
                _ => None,
            },
            _ => None,
        }
    }
}

fn fixed(shape: &[Dim]) -> bool {
    shape.iter().all(|dim| dim.size().is_some())
}

/// Whether `y`, the same for every row of the batch, broadcasts to `x`.
fn broadcasts(y: &[Dim], x: &[Dim]) -> bool {
    fixed(y)
        && y.len() < x.len()
        && y.iter().rev().zip(x.iter().rev()).all(|(y, x)| y == x || *y == Dim::Fixed(1))
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
    let fits = !leading.is_empty() && inner == y_inner && same_batches;
    fits.then(|| leading.iter().chain([columns]).cloned().collect())
}

/// 0 copies a dimension. The batch and every other dimension whose size is not known must be
/// copied, in its place.
fn reshape(x: &[Dim], shape: &[i64]) -> Option<Vec<Dim>> {
    if shape.first() != Some(&0) {
        return None;
    }
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
    (product(x)? == product(&output)? && names(x) == names(&output)).then_some(output)
}

/// Rows of a constant by indices that flow, or entries of a value by constant indices.
fn gather(data: &Operand, others: &[Operand], axis: usize) -> Option<Vec<Dim>> {
    let [indices] = others else { return None };
    let (shape, picked) = (data.shape, indices.shape);
    if axis == 0 && fixed(shape) && !shape.is_empty() && Value::is_batched(picked) {
        return Some(picked.iter().chain(&shape[1..]).cloned().collect());
    }
    let size = shape.get(axis).filter(|_| axis > 0 && Value::is_batched(shape))?.size()?;
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
