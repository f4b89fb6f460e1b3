//! Layers beside each other.

use dfdx::shapes::Axis;
use dfdx::tensor_ops::{TryAdd, TryConcatAlong};
use serde::{Deserialize, Serialize};
use trainbook_onnx::{Attribute, Value};

use super::{AnyLayer, Fault, Layer, Misfit, Sequential};
use crate::host::{HostLayer, HostPass, HostTensor, Mark, rows, threads};
use crate::on_dfdx::{Backend, Flow, Pass, Real, apart};
use crate::onnx_form::OnnxPass;
use crate::plan::Plan;
use crate::sample::Sample;

/// Branches that all take the layer's input, and whose outputs are added or put behind each other
/// (as in Szegedy et al. 2015, arXiv:1409.4842). The parts are called 0, 1, … or by their names.
///
/// ```
/// use trainbook_nn::layer::{Combine, Identity, Linear, Parallel};
/// use trainbook_nn::{Network, Sample};
///
/// let both = Parallel::new(Combine::Concat).with(Linear::new(8)).with(Identity);
/// let planned = Network::from(both).plan(&Sample::numbers([3]))?;
/// assert_eq!(planned.root.output, Sample::numbers([8 + 3]));
/// # Ok::<(), trainbook_nn::NnError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parallel {
    branches: Vec<AnyLayer>,
    /// What is made of the branches' outputs. Default "add".
    #[serde(default)]
    pub combine: Combine,
    /// Along which dimension of a sample outputs are put behind each other; from the last with −1,
    /// −2, …. Default 0: channels, or features where there is nothing else. Says nothing to "add".
    #[serde(default)]
    pub dim: isize,
}

/// What is made of the outputs of branches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Combine {
    /// Their sum, element by element, in order.
    #[default]
    Add,
    /// One behind the other.
    Concat,
}

impl Parallel {
    /// No branches yet.
    pub fn new(combine: Combine) -> Self {
        Self { branches: Vec::new(), combine, dim: 0 }
    }

    /// Adds a branch.
    #[must_use]
    pub fn with(mut self, branch: impl Into<AnyLayer>) -> Self {
        self.branches.push(branch.into());
        self
    }

    /// Adds a branch under a name.
    #[must_use]
    pub fn named(self, name: impl Into<String>, branch: impl Into<AnyLayer>) -> Self {
        self.with(branch.into().named(name))
    }

    /// The same along this dimension of a sample; from the last with −1, −2, ….
    #[must_use]
    pub fn dim(mut self, dim: isize) -> Self {
        self.dim = dim;
        self
    }

    /// Which dimension of samples of this rank `dim` is.
    fn axis(&self, rank: usize) -> Option<usize> {
        let axis =
            if self.dim < 0 { rank.checked_add_signed(self.dim)? } else { self.dim as usize };
        (axis < rank).then_some(axis)
    }

    /// For each branch, given what samples it gives: how many numbers in a row are its own.
    fn runs<'a>(&self, outputs: impl Iterator<Item = &'a Sample>) -> Vec<usize> {
        outputs
            .map(|output| match self.combine {
                Combine::Add => output.size(),
                Combine::Concat => {
                    let axis = self.axis(output.shape.len()).unwrap_or(0);
                    output.shape[axis..].iter().product()
                }
            })
            .collect()
    }
}

impl Sequential {
    /// Appends branches whose outputs are added.
    #[must_use]
    pub fn sum_of<L: Into<AnyLayer>>(self, branches: impl IntoIterator<Item = L>) -> Self {
        self.with(branches.into_iter().fold(Parallel::new(Combine::Add), Parallel::with))
    }

    /// Appends branches whose outputs are put behind each other, along the first dimension.
    #[must_use]
    pub fn concat_of<L: Into<AnyLayer>>(self, branches: impl IntoIterator<Item = L>) -> Self {
        self.with(branches.into_iter().fold(Parallel::new(Combine::Concat), Parallel::with))
    }
}

impl Layer for Parallel {
    const KIND: &'static str = "Parallel";

    fn plan(&self, plan: &mut Plan<'_>, input: &Sample) -> Result<Sample, Misfit> {
        let mut all: Option<Sample> = None;
        for (i, branch) in self.branches.iter().enumerate() {
            let output = plan.branch(&i.to_string(), branch, input)?;
            output.as_numbers("branches that give numbers")?;
            all = Some(match all {
                None => output,
                Some(all) => self.joined(all, &output, i)?,
            });
        }
        let all = all.ok_or_else(|| Misfit::new("it takes at least one branch, and has none"))?;
        if self.combine == Combine::Concat && self.axis(all.shape.len()).is_none() {
            return Err(Misfit::new(format!(
                "its dim must be one of the {} dimensions of a sample of shape {all}, not {}",
                all.shape.len(),
                self.dim
            )));
        }
        if self.combine == Combine::Add {
            plan.flops(all.size() * (self.branches.len() - 1));
        }
        Ok(all)
    }

    fn forward<E: Real, D: Backend<E>>(
        &self,
        pass: &mut Pass<'_, E, D>,
        x: Flow<E, D>,
    ) -> Result<Flow<E, D>, Fault> {
        let runs = self.runs(pass.node().children.iter().map(|child| &child.output));
        let shape: Vec<usize> =
            std::iter::once(x.batch()).chain(pass.node().output.shape.iter().copied()).collect();
        let forks = (1..self.branches.len()).map(|_| x.fork()).collect::<Vec<_>>();
        let mut all: Option<(Flow<E, D>, usize)> = None;
        for (i, x) in std::iter::once(x).chain(forks).enumerate() {
            let y = pass.part(i, x)?;
            all = Some(match all {
                None => (y, runs[i]),
                Some((all, run)) => {
                    let y = apart(&all, y)?;
                    match self.combine {
                        Combine::Add => (all.map(|all| Ok(all.try_add(y.flat())?))?, run),
                        Combine::Concat => {
                            let rows = all.shape().iter().product::<usize>() / run.max(1);
                            let all = all.view((rows, run))?;
                            let y = y.view((rows, runs[i]))?;
                            let all = (all, y).try_concat_along(Axis::<1>)?;
                            (Flow::of(all)?, run + runs[i])
                        }
                    }
                }
            });
        }
        let (all, _) = all.ok_or_else(|| Fault::new("it has no branches"))?;
        Flow::shaped(all.flat(), shape)
    }

    fn host(&self) -> Option<&dyn HostLayer> {
        Some(self)
    }

    fn onnx(&self, pass: &mut OnnxPass<'_>, x: &Value) -> Result<Value, Fault> {
        let outputs =
            (0..self.branches.len()).map(|i| pass.part(i, x)).collect::<Result<Vec<_>, _>>()?;
        let (first, rest) =
            outputs.split_first().ok_or_else(|| Fault::new("it has no branches"))?;
        if rest.is_empty() {
            return Ok(first.clone());
        }
        match self.combine {
            Combine::Add => rest.iter().try_fold(first.clone(), |sum, other| {
                pass.node("Add", &[&sum.name, &other.name], &[])
            }),
            Combine::Concat => {
                let names: Vec<&str> = outputs.iter().map(|output| output.name.as_str()).collect();
                let axis = self.axis(first.shape.len() - 1).unwrap_or(0) + 1;
                pass.node("Concat", &names, &[("axis", Attribute::Int(i64::try_from(axis)?))])
            }
        }
    }

    fn note(&self) -> String {
        match (self.combine, self.dim) {
            (Combine::Add, _) => "add".to_owned(),
            (Combine::Concat, 0) => "concat".to_owned(),
            (Combine::Concat, dim) => format!("concat, dim {dim}"),
        }
    }

    fn text(&self) -> String {
        let branches: Vec<String> = self.branches.iter().map(ToString::to_string).collect();
        format!("Parallel {}({})", Layer::note(self), branches.join(" | "))
    }
}

impl Parallel {
    /// What samples come of those of the branches before number `i` and of its own.
    fn joined(&self, mut all: Sample, output: &Sample, i: usize) -> Result<Sample, Misfit> {
        let unlike = || {
            let what = match self.combine {
                Combine::Add => "must be alike",
                Combine::Concat => "may differ in one dimension only",
            };
            Misfit::new(format!(
                "its branches before branch {i} give samples of shape {all}, that one {output}; they {what}"
            ))
        };
        if self.combine == Combine::Add {
            let padding = all.common_padding(output);
            return if all.is_like(output) { Ok(all.padded(padding)) } else { Err(unlike()) };
        }
        let rank = all.shape.len();
        let fits = |axis: usize| {
            let beside = |sample: &Sample| {
                let mut shape = sample.shape.clone();
                shape.remove(axis);
                shape
            };
            output.shape.len() == rank && beside(&all) == beside(output)
        };
        match self.axis(rank) {
            Some(axis) if fits(axis) => {
                let padding = match axis {
                    0 => all.padding_before(output),
                    _ => all.common_padding(output),
                };
                all.shape[axis] += output.shape[axis];
                Ok(all.padded(padding))
            }
            Some(_) => Err(unlike()),
            // The caller says that there is no such dimension.
            None => Ok(all),
        }
    }
}

impl HostLayer for Parallel {
    fn forward(&self, pass: &mut HostPass<'_>, x: HostTensor) -> Result<HostTensor, Fault> {
        let node = pass.node();
        let shape: Vec<usize> =
            std::iter::once(x.batch()).chain(node.output.shape.iter().copied()).collect();
        let mut outputs = Vec::with_capacity(self.branches.len());
        let mut marks: Vec<Mark> = Vec::with_capacity(self.branches.len());
        for i in 0..self.branches.len() {
            outputs.push(pass.part_forward(i, x.clone())?);
            marks.push(pass.mark());
        }
        pass.save_other(marks);
        pass.free(x);
        let runs = self.runs(node.children.iter().map(|child| &child.output));
        let width: usize = match self.combine {
            Combine::Add => runs.first().copied().unwrap_or(0),
            Combine::Concat => runs.iter().sum(),
        };
        let mut all = pass.memory(shape.iter().product());
        threads::each_block(&mut all, width, width * runs.len(), |row, into| match self.combine {
            Combine::Add => {
                for (i, output) in outputs.iter().enumerate() {
                    let from = &output.numbers()[row * width..][..width];
                    match i {
                        0 => into.copy_from_slice(from),
                        _ => into.iter_mut().zip(from).for_each(|(all, y)| *all += y),
                    }
                }
            }
            Combine::Concat => {
                let mut at = 0;
                for (output, &run) in outputs.iter().zip(&runs) {
                    into[at..at + run].copy_from_slice(&output.numbers()[row * run..][..run]);
                    at += run;
                }
            }
        });
        outputs.into_iter().for_each(|output| pass.free(output));
        Ok(HostTensor::new(shape, all))
    }

    fn backward(&self, pass: &mut HostPass<'_>, gradient: HostTensor) -> Result<HostTensor, Fault> {
        let node = pass.node();
        let marks: Vec<Mark> = pass.saved_other()?;
        let runs = self.runs(node.children.iter().map(|child| &child.output));
        let width: usize = runs.iter().sum();
        let mut sum: Option<HostTensor> = None;
        for i in (0..self.branches.len()).rev() {
            pass.rewind(marks[i]);
            let own = match self.combine {
                Combine::Add => gradient.clone(),
                Combine::Concat => {
                    let (run, before) = (runs[i], runs[..i].iter().sum::<usize>());
                    let from = gradient.numbers();
                    let mut own = pass.memory(from.len() / width.max(1) * run);
                    rows::cut(from, width, before..before + run, &mut own);
                    let sample = node.children[i].output.shape.iter().copied();
                    HostTensor::new(std::iter::once(gradient.batch()).chain(sample).collect(), own)
                }
            };
            let through = pass.part_backward(i, own)?;
            if !pass.wants_input_gradient() {
                continue;
            }
            sum = Some(match sum {
                None => through,
                Some(mut sum) => {
                    let more = through.numbers();
                    threads::each_share(sum.numbers_mut(), |at, share| {
                        share.iter_mut().zip(&more[at..]).for_each(|(sum, g)| *sum += g);
                    });
                    pass.free(through);
                    sum
                }
            });
        }
        Ok(sum.unwrap_or_else(HostTensor::none))
    }
}
