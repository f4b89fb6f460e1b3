//! A part of each sample.

use serde::{Deserialize, Serialize};
use trainbook_onnx::Value;

use super::{Autocast, Fault, Layer, Misfit, Sequential};
use crate::host::{HostLayer, HostPass, HostTensor, rows};
use crate::on_dfdx::{Backend, Flow, Pass, Real};
use crate::onnx_form::OnnxPass;
use crate::plan::Plan;
use crate::sample::Sample;

/// The entries `start..end` of one dimension of each sample, as Python's `x[:, start:end]`: the last
/// position of a sequence, some of the channels. Negative numbers count from the end.
///
/// ```
/// use trainbook_nn::layer::Slice;
/// use trainbook_nn::{Network, Sample};
///
/// let last = Network::from(Slice::new(-1, None)).plan(&Sample::numbers([20, 64]))?;
/// assert_eq!(last.root.output, Sample::numbers([1, 64]));
/// # Ok::<(), trainbook_nn::NnError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slice {
    /// The first entry that is kept. Default 0.
    #[serde(default)]
    pub start: i64,
    /// The entry behind the last that is kept. Default: all up to the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<i64>,
    /// Of which dimension of a sample. Default 0: positions of a sequence, channels of an image.
    #[serde(default)]
    pub dim: usize,
}

/// A sample as dimensions in front, the one that is cut, and those behind.
struct Sizes {
    before: usize,
    dim: usize,
    after: usize,
    start: usize,
    end: usize,
}

impl Slice {
    /// The entries from `start` up to `end`, or to the last, of the first dimension.
    pub fn new(start: i64, end: impl Into<Option<i64>>) -> Self {
        Self { start, end: end.into(), dim: 0 }
    }

    /// The same of another dimension of a sample.
    #[must_use]
    pub fn dim(mut self, dim: usize) -> Self {
        self.dim = dim;
        self
    }

    /// `None` where nothing is left or a number lies outside.
    fn sizes(&self, sample: &[usize]) -> Option<Sizes> {
        let dim = *sample.get(self.dim)?;
        let place = |at: i64| match usize::try_from(at) {
            Ok(at) => Some(at).filter(|at| *at <= dim),
            Err(_) => dim.checked_sub(usize::try_from(at.unsigned_abs()).ok()?),
        };
        let start = place(self.start)?;
        let end = self.end.map_or(Some(dim), place)?;
        let before = sample[..self.dim].iter().product();
        let after = sample[self.dim + 1..].iter().product();
        (start < end).then_some(Sizes { before, dim, after, start, end })
    }

    fn sizes_of(&self, input: &Sample) -> Result<Sizes, Fault> {
        self.sizes(&input.shape).ok_or_else(|| Fault::new("it does not fit its input"))
    }

    fn range(&self) -> String {
        let end = self.end.map(|end| end.to_string()).unwrap_or_default();
        format!("{}..{end}", self.start)
    }
}

impl Sequential {
    /// Appends a [`Slice`]: of a sequence the positions from `start` up to `end`, or to the last.
    #[must_use]
    pub fn slice(self, start: i64, end: impl Into<Option<i64>>) -> Self {
        self.with(Slice::new(start, end))
    }
}

impl Layer for Slice {
    const KIND: &'static str = "Slice";

    fn plan(&self, _: &mut Plan<'_>, input: &Sample) -> Result<Sample, Misfit> {
        input.as_numbers("[positions, …]")?;
        let Some(Sizes { start, end, .. }) = self.sizes(&input.shape) else {
            return Err(Misfit::new(format!(
                "its {} of dimension {} must be inside of the sample, and leave something of it",
                self.range(),
                self.dim
            )));
        };
        let mut shape = input.shape.clone();
        shape[self.dim] = end - start;
        let skipped = if self.dim == 0 { start } else { 0 };
        let padding = input.padding.map(|padding| padding.behind(skipped));
        Ok(Sample::numbers(shape).padded(padding))
    }

    fn forward<E: Real, D: Backend<E>>(
        &self,
        pass: &mut Pass<'_, E, D>,
        x: Flow<E, D>,
    ) -> Result<Flow<E, D>, Fault> {
        let node = pass.node();
        let Sizes { before, dim, after, start, end } = self.sizes_of(&node.input)?;
        let rows = x.batch() * before;
        let shape = std::iter::once(x.batch()).chain(node.output.shape.iter().copied()).collect();
        Flow::shaped(x.slice([rows, dim, after], start..end)?.flat(), shape)
    }

    fn host(&self) -> Option<&dyn HostLayer> {
        Some(self)
    }

    fn autocast(&self) -> Autocast {
        Autocast::Unchanged
    }

    fn onnx(&self, pass: &mut OnnxPass<'_>, x: &Value) -> Result<Value, Fault> {
        let Sizes { start, end, .. } = self.sizes_of(&pass.layer().input)?;
        pass.slice("kept", x, self.dim + 1, start..end)
    }

    fn note(&self) -> String {
        match self.dim {
            0 => self.range(),
            dim => format!("{} of dim {dim}", self.range()),
        }
    }
}

impl HostLayer for Slice {
    fn forward(&self, pass: &mut HostPass<'_>, x: HostTensor) -> Result<HostTensor, Fault> {
        let node = pass.node();
        let Sizes { dim, after, start, end, .. } = self.sizes_of(&node.input)?;
        let shape = std::iter::once(x.batch()).chain(node.output.shape.iter().copied()).collect();
        let mut y = pass.memory(x.numbers().len() / dim * (end - start));
        rows::cut(x.numbers(), dim * after, start * after..end * after, &mut y);
        pass.free(x);
        Ok(HostTensor::new(shape, y))
    }

    fn backward(&self, pass: &mut HostPass<'_>, gradient: HostTensor) -> Result<HostTensor, Fault> {
        if !pass.wants_input_gradient() {
            pass.free(gradient);
            return Ok(HostTensor::none());
        }
        let node = pass.node();
        let Sizes { before, dim, after, start, end } = self.sizes_of(&node.input)?;
        let shape =
            std::iter::once(gradient.batch()).chain(node.input.shape.iter().copied()).collect();
        let mut dx = pass.zeros(gradient.batch() * before * dim * after);
        rows::put(gradient.numbers(), &mut dx, dim * after, start * after..end * after);
        pass.free(gradient);
        Ok(HostTensor::new(shape, dx))
    }
}
