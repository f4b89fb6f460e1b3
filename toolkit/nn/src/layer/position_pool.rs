//! One row for all positions of a sequence.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};
use trainbook_onnx::{Attribute, Value};

use super::{Fault, Layer, Misfit, Sequential as Layers};
use crate::host::{HostLayer, HostPass, HostTensor, threads};
use crate::on_dfdx::{Backend, Flow, Pass, Real, Taped, look_up};
use crate::onnx_form::OnnxPass;
use crate::plan::Plan;
use crate::sample::Sample;

/// The mean of each feature over the positions: `[sequence, features]` becomes `[features]`.
/// Positions that are padding ([`Embedding::padding_index`](super::Embedding::padding_index)) are
/// passed over; where all are, the mean is 0. As Keras's `GlobalAveragePooling1D`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PositionAvgPool;

/// The largest of each feature over the positions: `[sequence, features]` becomes `[features]`.
/// Positions that are padding ([`Embedding::padding_index`](super::Embedding::padding_index)) are
/// passed over; where all are, it is 0. Where several are the largest, the first gets the gradient.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PositionMaxPool;

impl Layers {
    /// Appends a [`PositionAvgPool`].
    #[must_use]
    pub fn position_avg_pool(self) -> Self {
        self.with(PositionAvgPool)
    }

    /// Appends a [`PositionMaxPool`].
    #[must_use]
    pub fn position_max_pool(self) -> Self {
        self.with(PositionMaxPool)
    }
}

const TAKES: &str = "[sequence, features]";

/// Below every number that a network computes with: what stands in the place of padding where the
/// largest is looked for.
const LOW: f64 = -1e30;

/// Which positions of the sequences count.
struct Positions {
    batch: usize,
    length: usize,
    features: usize,
    padding: Option<Vec<bool>>,
}

impl Positions {
    fn of(shape: &[usize], padding: Option<Vec<bool>>) -> Result<Self, Fault> {
        match *shape {
            [batch, length, features] => Ok(Self { batch, length, features, padding }),
            _ => Err(Fault::new(format!("it takes {TAKES}"))),
        }
    }

    fn cube(&self) -> (usize, usize, usize) {
        (self.batch, self.length, self.features)
    }

    /// Of one sample, those that are not padding.
    fn kept(&self, sample: usize) -> impl Iterator<Item = usize> + '_ {
        let is_padding = move |at: usize| match &self.padding {
            Some(padding) => padding[sample * self.length + at],
            None => false,
        };
        (0..self.length).filter(move |&at| !is_padding(at))
    }

    /// Of one sample, the rows of the positions that are not padding.
    fn rows<'a>(&'a self, numbers: &'a [f32], sample: usize) -> impl Iterator<Item = &'a [f32]> {
        let begin = sample * self.length;
        self.kept(sample).map(move |at| &numbers[(begin + at) * self.features..][..self.features])
    }
}

/// What is made of the positions. What each of the layers must say.
trait Fold: Sync {
    const KIND: &'static str;

    /// `into` holds what is made of the rows that are kept; there is at least one.
    fn fold<'a>(rows: impl Iterator<Item = &'a [f32]>, into: &mut [f32]);

    /// From a row of the input, the output and the number of rows: of `gradient`, that in the
    /// output, the row's part. Rows come in order, and may take from `gradient` what the next ones
    /// must not get.
    fn back(x: &[f32], y: &[f32], gradient: &mut [f32], count: usize, into: &mut [f32]);

    fn on_dfdx<E: Real, D: Backend<E>>(
        x: Taped<(usize, usize, usize), E, D>,
        positions: &Positions,
    ) -> Result<Taped<(usize, usize), E, D>, Fault>;

    fn in_onnx(pass: &mut OnnxPass<'_>, x: &Value) -> Result<Value, Fault>;
}

/// Batch × positions × features.
type Cube<E, D> = Tensor<(usize, usize, usize), E, D>;

/// A number for each position, for all features.
fn of_positions<E: Real, D: Backend<E>>(
    device: &D,
    positions: &Positions,
    padding: &[bool],
    [at_padding, elsewhere]: [f64; 2],
) -> Result<Cube<E, D>, Fault> {
    let of = |&is: &bool| E::of(if is { at_padding } else { elsewhere });
    let values = padding.iter().map(of).collect::<Vec<E>>();
    let values = device.try_tensor_from_vec(values, (positions.batch, positions.length))?;
    Ok(values.try_broadcast_like::<_, Axis<2>>(&positions.cube())?)
}

/// A number for each sample, from how many positions it has, for all features.
fn of_samples<E: Real, D: Backend<E>>(
    device: &D,
    positions: &Positions,
    of: impl Fn(usize) -> f64,
) -> Result<Tensor<(usize, usize), E, D>, Fault> {
    let counts = (0..positions.batch).map(|sample| positions.kept(sample).count());
    let values = counts.map(|count| E::of(of(count))).collect::<Vec<E>>();
    let values = device.try_tensor_from_vec(values, (positions.batch,))?;
    Ok(values.try_broadcast_like::<_, Axis<1>>(&(positions.batch, positions.features))?)
}

impl Fold for PositionAvgPool {
    const KIND: &'static str = "PositionAvgPool";

    fn fold<'a>(rows: impl Iterator<Item = &'a [f32]>, into: &mut [f32]) {
        let mut count = 0_usize;
        into.fill(0.0);
        for row in rows {
            into.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
            count += 1;
        }
        into.iter_mut().for_each(|sum| *sum /= count as f32);
    }

    fn back(_: &[f32], _: &[f32], gradient: &mut [f32], count: usize, into: &mut [f32]) {
        into.iter_mut().zip(&*gradient).for_each(|(dx, g)| *dx = g / count as f32);
    }

    fn on_dfdx<E: Real, D: Backend<E>>(
        mut x: Taped<(usize, usize, usize), E, D>,
        positions: &Positions,
    ) -> Result<Taped<(usize, usize), E, D>, Fault> {
        let device: D = x.device().clone();
        if let Some(padding) = &positions.padding {
            x = x.try_mul(of_positions(&device, positions, padding, [0.0, 1.0])?)?;
        }
        let each = of_samples(&device, positions, |count| 1.0 / count.max(1) as f64)?;
        Ok(x.try_sum::<_, Axis<1>>()?.try_mul(each)?)
    }

    fn in_onnx(pass: &mut OnnxPass<'_>, x: &Value) -> Result<Value, Fault> {
        let Some(kept) = pass.padding("kept", 0.0, 1.0)? else {
            return reduce(pass, "ReduceMean", x, 0);
        };
        let features = pass.integers("features", vec![2])?;
        let positions = pass.integers("positions", vec![1])?;
        let each = pass.node("Unsqueeze", &[&kept.name, &features], &[])?;
        let x = pass.node("Mul", &[&x.name, &each.name], &[])?;
        let keep = |keep| [("keepdims", Attribute::Int(keep))];
        let sum = pass.node("ReduceSum", &[&x.name, &positions], &keep(0))?;
        let count = pass.node("ReduceSum", &[&kept.name, &positions], &keep(1))?;
        let one = pass.weight("one", &[], vec![1.0])?;
        let count = pass.node("Max", &[&count.name, &one], &[])?;
        pass.node("Div", &[&sum.name, &count.name], &[])
    }
}

impl Fold for PositionMaxPool {
    const KIND: &'static str = "PositionMaxPool";

    fn fold<'a>(rows: impl Iterator<Item = &'a [f32]>, into: &mut [f32]) {
        into.fill(f32::NEG_INFINITY);
        for row in rows {
            for (max, x) in into.iter_mut().zip(row).filter(|(max, x)| *x > max || x.is_nan()) {
                *max = *x;
            }
        }
    }

    fn back(x: &[f32], y: &[f32], gradient: &mut [f32], _: usize, into: &mut [f32]) {
        for ((dx, g), (x, y)) in into.iter_mut().zip(gradient).zip(x.iter().zip(y)) {
            if x == y {
                *dx = std::mem::take(g);
            }
        }
    }

    fn on_dfdx<E: Real, D: Backend<E>>(
        mut x: Taped<(usize, usize, usize), E, D>,
        positions: &Positions,
    ) -> Result<Taped<(usize, usize), E, D>, Fault> {
        let device: D = x.device().clone();
        if let Some(padding) = &positions.padding {
            x = x.try_add(of_positions(&device, positions, padding, [LOW, 0.0])?)?;
        }
        // One position after the other: dfdx's own maximum over an axis gives every one of several
        // largest ones the whole gradient.
        let (batch, length, features) = positions.cube();
        let x = x.try_reshape_like(&(batch, length * features))?;
        let table = |at: usize| (at * features..(at + 1) * features).collect::<Vec<usize>>();
        let (beside, own) = (x.with_empty_tape(), x.retaped());
        let mut best = look_up(x, &own, &table(0))?;
        for at in 1..length {
            let other = look_up(beside.with_empty_tape(), &own, &table(at))?;
            let keep = best.try_ge(&other)?;
            best = keep.try_choose(best, other)?;
        }
        let any = of_samples(&device, positions, |count| count.min(1) as f64)?;
        Ok(if positions.padding.is_some() { best.try_mul(any)? } else { best })
    }

    fn in_onnx(pass: &mut OnnxPass<'_>, x: &Value) -> Result<Value, Fault> {
        let Some(low) = pass.padding("low", LOW as f32, 0.0)? else {
            return reduce(pass, "ReduceMax", x, 0);
        };
        let features = pass.integers("features", vec![2])?;
        let low = pass.node("Unsqueeze", &[&low.name, &features], &[])?;
        let x = pass.node("Add", &[&x.name, &low.name], &[])?;
        let max = reduce(pass, "ReduceMax", &x, 0)?;
        let Some(kept) = pass.padding("kept", 0.0, 1.0)? else { return Ok(max) };
        let any = reduce(pass, "ReduceMax", &kept, 1)?;
        pass.node("Mul", &[&max.name, &any.name], &[])
    }
}

/// A reduction over the positions.
fn reduce(pass: &mut OnnxPass<'_>, op: &str, x: &Value, keep: i64) -> Result<Value, Fault> {
    let attributes = [("axes", Attribute::Ints(vec![1])), ("keepdims", Attribute::Int(keep))];
    pass.node(op, &[&x.name], &attributes)
}

fn forward<F: Fold>(pass: &mut HostPass<'_>, x: HostTensor) -> Result<HostTensor, Fault> {
    let positions = Positions::of(&x.shape, pass.padding()?)?;
    let (batch, length, features) = positions.cube();
    let mut y = pass.memory(batch * features);
    let numbers = x.numbers();
    threads::each_block(&mut y, features, length * features, |sample, y| {
        match positions.kept(sample).next() {
            Some(_) => F::fold(positions.rows(numbers, sample), y),
            None => y.fill(0.0),
        }
    });
    let y = HostTensor::new(vec![batch, features], y);
    pass.save(y.clone());
    pass.save(x);
    pass.save_other(positions);
    Ok(y)
}

fn backward<F: Fold>(pass: &mut HostPass<'_>, gradient: HostTensor) -> Result<HostTensor, Fault> {
    let positions: Positions = pass.saved_other()?;
    let (x, y) = (pass.saved()?, pass.saved()?);
    if !pass.wants_input_gradient() {
        [x, y, gradient].into_iter().for_each(|tensor| pass.free(tensor));
        return Ok(HostTensor::none());
    }
    let (batch, length, features) = positions.cube();
    let mut dx = pass.memory(batch * length * features);
    let (xs, ys, dy) = (x.numbers(), y.numbers(), gradient.numbers());
    threads::each_block(&mut dx, length * features, length * features, |sample, dx| {
        let count = positions.kept(sample).count();
        let y = &ys[sample * features..][..features];
        let mut dy = dy[sample * features..][..features].to_vec();
        dx.fill(0.0);
        for at in positions.kept(sample) {
            let x = &xs[(sample * length + at) * features..][..features];
            F::back(x, y, &mut dy, count, &mut dx[at * features..][..features]);
        }
    });
    let shape = x.shape.clone();
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
                let [length, features] = input.dims(TAKES)?;
                if length == 0 || features == 0 {
                    return Err(Misfit::new(format!("it takes {TAKES}, at least one of each")));
                }
                plan.flops(input.size());
                Ok(Sample::numbers([features]))
            }

            fn forward<E: Real, D: Backend<E>>(
                &self,
                pass: &mut Pass<'_, E, D>,
                x: Flow<E, D>,
            ) -> Result<Flow<E, D>, Fault> {
                let positions = Positions::of(x.shape(), pass.padding()?)?;
                Flow::of(<Self as Fold>::on_dfdx(x.view(positions.cube())?, &positions)?)
            }

            fn host(&self) -> Option<&dyn HostLayer> {
                Some(self)
            }

            fn onnx(&self, pass: &mut OnnxPass<'_>, x: &Value) -> Result<Value, Fault> {
                <Self as Fold>::in_onnx(pass, x)
            }
        }

        impl HostLayer for $layer {
            fn forward(&self, pass: &mut HostPass<'_>, x: HostTensor) -> Result<HostTensor, Fault> {
                forward::<Self>(pass, x)
            }

            fn backward(
                &self,
                pass: &mut HostPass<'_>,
                gradient: HostTensor,
            ) -> Result<HostTensor, Fault> {
                backward::<Self>(pass, gradient)
            }
        }
    )+ };
}

layers!(PositionAvgPool, PositionMaxPool);
