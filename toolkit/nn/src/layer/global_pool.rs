//! One number for each channel.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};
use trainbook_onnx::{Attribute, Value};

use super::{Fault, Layer, Misfit, Sequential as Layers};
use crate::host::{HostLayer, HostPass, HostTensor, sum, threads};
use crate::on_dfdx::{Backend, Flow, Pass, Real, Taped};
use crate::onnx_form::OnnxPass;
use crate::plan::Plan;
use crate::sample::Sample;

/// The mean of each channel: `[channels, …]` becomes `[channels]` (Lin et al. 2014,
/// arXiv:1312.4400).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GlobalAvgPool;

/// The largest number of each channel: `[channels, …]` becomes `[channels]`. As dfdx's
/// `MaxPoolGlobal`: where several are the largest, each gets the gradient, and NaN is passed over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GlobalMaxPool;

/// The smallest number of each channel: `[channels, …]` becomes `[channels]`. As dfdx's
/// `MinPoolGlobal`: where several are the smallest, each gets the gradient, and NaN is passed over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GlobalMinPool;

impl Layers {
    /// Appends a [`GlobalAvgPool`].
    #[must_use]
    pub fn global_avg_pool(self) -> Self {
        self.with(GlobalAvgPool)
    }

    /// Appends a [`GlobalMaxPool`].
    #[must_use]
    pub fn global_max_pool(self) -> Self {
        self.with(GlobalMaxPool)
    }

    /// Appends a [`GlobalMinPool`].
    #[must_use]
    pub fn global_min_pool(self) -> Self {
        self.with(GlobalMinPool)
    }
}

/// From the numbers of a channel to one. What each of the layers must say.
trait Fold: Sync {
    const KIND: &'static str;
    const OPERATOR: &'static str;
    /// Whether the derivative is a function of input and output, so that both are put aside.
    const OF_VALUES: bool;

    fn fold(values: &[f32]) -> f32;

    /// The gradient in the input, from the input (empty unless [`OF_VALUES`](Self::OF_VALUES)), the
    /// output and its gradient.
    fn back(x: &[f32], y: f32, gradient: f32, into: &mut [f32]);

    fn on_dfdx<E: Real, D: Backend<E>>(
        x: Taped<(usize, usize), E, D>,
    ) -> Result<Taped<(usize,), E, D>, Fault>;
}

impl Fold for GlobalAvgPool {
    const KIND: &'static str = "GlobalAvgPool";
    const OPERATOR: &'static str = "ReduceMean";
    const OF_VALUES: bool = false;

    fn fold(values: &[f32]) -> f32 {
        sum(values) / values.len() as f32
    }

    fn back(_: &[f32], _: f32, gradient: f32, into: &mut [f32]) {
        let each = gradient / into.len() as f32;
        into.fill(each);
    }

    fn on_dfdx<E: Real, D: Backend<E>>(
        x: Taped<(usize, usize), E, D>,
    ) -> Result<Taped<(usize,), E, D>, Fault> {
        Ok(x.try_mean::<_, Axis<1>>()?)
    }
}

/// The gradient goes to all that are the one chosen.
fn to_all_equal(x: &[f32], y: f32, gradient: f32, into: &mut [f32]) {
    into.iter_mut().zip(x).for_each(|(dx, x)| *dx = if *x == y { gradient } else { 0.0 });
}

impl Fold for GlobalMaxPool {
    const KIND: &'static str = "GlobalMaxPool";
    const OPERATOR: &'static str = "ReduceMax";
    const OF_VALUES: bool = true;

    fn fold(values: &[f32]) -> f32 {
        values.iter().copied().fold(f32::NEG_INFINITY, f32::max)
    }

    fn back(x: &[f32], y: f32, gradient: f32, into: &mut [f32]) {
        to_all_equal(x, y, gradient, into);
    }

    fn on_dfdx<E: Real, D: Backend<E>>(
        x: Taped<(usize, usize), E, D>,
    ) -> Result<Taped<(usize,), E, D>, Fault> {
        Ok(x.try_max::<_, Axis<1>>()?)
    }
}

impl Fold for GlobalMinPool {
    const KIND: &'static str = "GlobalMinPool";
    const OPERATOR: &'static str = "ReduceMin";
    const OF_VALUES: bool = true;

    fn fold(values: &[f32]) -> f32 {
        values.iter().copied().fold(f32::INFINITY, f32::min)
    }

    fn back(x: &[f32], y: f32, gradient: f32, into: &mut [f32]) {
        to_all_equal(x, y, gradient, into);
    }

    fn on_dfdx<E: Real, D: Backend<E>>(
        x: Taped<(usize, usize), E, D>,
    ) -> Result<Taped<(usize,), E, D>, Fault> {
        Ok(x.try_min::<_, Axis<1>>()?)
    }
}

/// Batch · channels, and the numbers of a channel.
fn rows(shape: &[usize]) -> (usize, usize) {
    (shape.iter().take(2).product(), shape.iter().skip(2).product())
}

fn forward<F: Fold>(pass: &mut HostPass<'_>, x: HostTensor) -> HostTensor {
    let (count, len) = rows(&x.shape);
    let mut y = pass.memory(count);
    let numbers = x.numbers();
    threads::each_block(&mut y, 1, len, |row, y| {
        y.iter_mut().for_each(|y| *y = F::fold(&numbers[row * len..][..len]));
    });
    let y = HostTensor::new(x.shape.iter().take(2).copied().collect(), y);
    if F::OF_VALUES {
        pass.save(y.clone());
        pass.save(x);
    } else {
        pass.save_other(x.shape.clone());
        pass.free(x);
    }
    y
}

fn backward<F: Fold>(pass: &mut HostPass<'_>, gradient: HostTensor) -> Result<HostTensor, Fault> {
    let (x, y, shape) = if F::OF_VALUES {
        let x = pass.saved()?;
        let shape = x.shape.clone();
        (x, pass.saved()?, shape)
    } else {
        (HostTensor::none(), HostTensor::none(), pass.saved_other()?)
    };
    if !pass.wants_input_gradient() {
        [x, y, gradient].into_iter().for_each(|tensor| pass.free(tensor));
        return Ok(HostTensor::none());
    }
    let (count, len) = rows(&shape);
    let mut dx = pass.memory(count * len);
    let (xs, ys, dy) = (x.numbers(), y.numbers(), gradient.numbers());
    threads::each_block(&mut dx, len, len, |row, dx| {
        let x = xs.get(row * len..(row + 1) * len).unwrap_or_default();
        F::back(x, ys.get(row).copied().unwrap_or_default(), dy[row], dx);
    });
    pass.free(x);
    pass.free(y);
    pass.free(gradient);
    Ok(HostTensor::new(shape, dx))
}

macro_rules! layers {
    ($($layer:ident),+) => { $(
        impl Layer for $layer {
            const KIND: &'static str = <Self as Fold>::KIND;

            fn plan(&self, plan: &mut Plan<'_>, input: &Sample) -> Result<Sample, Misfit> {
                let takes = "[channels, …] with something in each channel";
                let dims = input.as_numbers(takes)?;
                if dims.len() < 2 || input.size() == 0 {
                    return Err(Misfit::new(format!("it takes {takes}")));
                }
                plan.flops(input.size());
                Ok(Sample::numbers([dims[0]]))
            }

            fn forward<E: Real, D: Backend<E>>(
                &self,
                _: &mut Pass<'_, E, D>,
                x: Flow<E, D>,
            ) -> Result<Flow<E, D>, Fault> {
                let shape = x.shape().iter().take(2).copied().collect();
                let rows = rows(x.shape());
                Flow::shaped(<Self as Fold>::on_dfdx(x.view(rows)?)?, shape)
            }

            fn host(&self) -> Option<&dyn HostLayer> {
                Some(self)
            }

            fn onnx(&self, pass: &mut OnnxPass<'_>, x: &Value) -> Result<Value, Fault> {
                let axes = (2..x.shape.len() as i64).collect();
                let attributes = [("axes", Attribute::Ints(axes)), ("keepdims", Attribute::Int(0))];
                pass.node(Self::OPERATOR, &[&x.name], &attributes)
            }
        }

        impl HostLayer for $layer {
            fn forward(&self, pass: &mut HostPass<'_>, x: HostTensor) -> Result<HostTensor, Fault> {
                Ok(forward::<Self>(pass, x))
            }

            fn backward(&self, pass: &mut HostPass<'_>, gradient: HostTensor) -> Result<HostTensor, Fault> {
                backward::<Self>(pass, gradient)
            }
        }
    )+ };
}

layers!(GlobalAvgPool, GlobalMaxPool, GlobalMinPool);

#[cfg(test)]
mod tests {
    use crate::context::Context;
    use crate::layer::{AnyLayer, GlobalMaxPool, GlobalMinPool};
    use crate::sample::Sample;
    use crate::trial::{Outcome, Trial};

    const INPUT: [f64; 8] = [1.0, 4.0, -2.0, 3.0, -1.0, -5.0, -5.0, -3.0];

    /// On two channels of four numbers, the second with two smallest.
    fn check(layer: AnyLayer, output: [f64; 2], input_gradient: [f64; 8]) {
        let trial = Trial::new(&layer, &Sample::numbers([2, 2, 2])).unwrap();
        assert_eq!(trial.planned.root.output, Sample::numbers([2]));
        let expected = Outcome {
            shape: vec![1, 2],
            output: output.to_vec(),
            input_gradient: input_gradient.to_vec(),
            ..Outcome::default()
        };
        let upstream = [10.0, 20.0];
        let evaluation = Context::EVALUATION;
        assert_eq!(trial.on_host(&INPUT, 1, evaluation, &upstream).unwrap(), expected);
        assert_eq!(trial.on_dfdx::<f32>(&INPUT, 1, evaluation, &upstream).unwrap(), expected);
        assert_eq!(trial.on_dfdx::<f64>(&INPUT, 1, evaluation, &upstream).unwrap(), expected);
        let array = trainbook_onnx::Array {
            shape: vec![1, 2, 2, 2],
            numbers: trainbook_onnx::Numbers::F32(INPUT.map(|v| v as f32).to_vec()),
        };
        let found = trial.graph().unwrap().evaluate_f64_on(&[array]).unwrap();
        assert_eq!(found, [output.to_vec()]);
    }

    #[test]
    fn the_largest_of_each_channel() {
        let gradient = [0.0, 10.0, 0.0, 0.0, 20.0, 0.0, 0.0, 0.0];
        check(AnyLayer::new(GlobalMaxPool), [4.0, -1.0], gradient);
    }

    #[test]
    fn the_smallest_of_each_channel() {
        let gradient = [0.0, 0.0, 10.0, 0.0, 0.0, 20.0, 20.0, 0.0];
        check(AnyLayer::new(GlobalMinPool), [-2.0, -5.0], gradient);
    }
}
