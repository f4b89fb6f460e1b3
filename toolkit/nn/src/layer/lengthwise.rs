//! Layers on lengths, by way of the same layer on images of height 1.

use super::{Fault, Layer};
use crate::host::{HostLayer, HostPass, HostTensor};
use crate::on_dfdx::{Backend, Flow, Pass, Real};

/// `[batch, channels, length]` with a height of 1.
fn raised(shape: &[usize]) -> Result<Vec<usize>, Fault> {
    match *shape {
        [batch, channels, length] => Ok(vec![batch, channels, 1, length]),
        _ => Err(Fault::new(format!("it takes [batch, channels, length], not {shape:?}"))),
    }
}

/// The same without the height.
fn lowered(mut shape: Vec<usize>) -> Vec<usize> {
    if shape.len() == 4 {
        shape.remove(2);
    }
    shape
}

/// What the layer on images computes, in dfdx's operations.
pub(super) fn on_dfdx<E: Real, D: Backend<E>>(
    layer: &impl Layer,
    pass: &mut Pass<'_, E, D>,
    x: Flow<E, D>,
) -> Result<Flow<E, D>, Fault> {
    let shape = raised(x.shape())?;
    let y = layer.forward(pass, Flow::shaped(x.flat(), shape)?)?;
    let shape = lowered(y.shape().to_vec());
    Flow::shaped(y.flat(), shape)
}

/// What the layer on images computes, in the processor's memory.
pub(super) fn forward(
    layer: &impl HostLayer,
    pass: &mut HostPass<'_>,
    x: HostTensor,
) -> Result<HostTensor, Fault> {
    let shape = raised(&x.shape)?;
    let y = layer.forward(pass, x.reshaped(shape))?;
    let shape = lowered(y.shape.clone());
    Ok(y.reshaped(shape))
}

/// The same backward.
pub(super) fn backward(
    layer: &impl HostLayer,
    pass: &mut HostPass<'_>,
    gradient: HostTensor,
) -> Result<HostTensor, Fault> {
    let shape = raised(&gradient.shape)?;
    let dx = layer.backward(pass, gradient.reshaped(shape))?;
    if dx.is_none() {
        return Ok(dx);
    }
    let shape = lowered(dx.shape.clone());
    Ok(dx.reshaped(shape))
}

#[cfg(test)]
mod tests {
    use trainbook_core::array::Array;
    use trainbook_core::batch::{Batch, Targets};
    use trainbook_core::random::Seed;

    use crate::layer::{AvgPool1d, Conv1d, MaxPool1d, Sequential};
    use crate::task::{Loss, Recipe};
    use crate::{Network, Sample};

    #[test]
    fn they_may_stand_in_front_of_everything_that_is_trained() {
        let convolution = || Sequential::new().with(Conv1d::new(2, 3));
        for network in [
            convolution(),
            Sequential::new().with(MaxPool1d::new(2)).with(Conv1d::new(2, 3)),
            Sequential::new().with(AvgPool1d::new(2)).with(Conv1d::new(2, 3)),
        ] {
            let recipe = Recipe {
                seed: Seed(1),
                ..Recipe::new(
                    Network::from(network.global_avg_pool()),
                    Sample::numbers([1, 8]),
                    Loss::cross_entropy(),
                )
            };
            let batch = Batch {
                input: Array::f32(vec![1, 1, 8], (0..8).map(|i| (i as f32).sin()).collect()),
                targets: Targets::Classes(vec![1]),
                samples: vec![0],
                weights: None,
                mixed: None,
            };
            let mut task = recipe.task().unwrap();
            let first = task.loss_of(&batch).unwrap();
            task.update(&0.01.into()).unwrap();
            assert!(task.loss_of(&batch).unwrap() < first);
        }
    }
}
