//! From a network as data to an ONNX graph.

use std::ops::Range;

use trainbook_onnx::{Attribute, BATCH, Dim, Graph, GraphBuilder, INPUT, OnnxError, Value, Values};

use crate::NnError;
use crate::misfit::Fault;
use crate::parameters::Slot;
use crate::plan::{Node, Planned};
use crate::sample::{Kind, PaddingIndex};

/// What a layer has at hand while it states its ONNX form.
pub struct OnnxPass<'a> {
    graph: &'a mut GraphBuilder,
    node: &'a Node,
    slots: &'a [Slot],
    values: &'a [f32],
    /// The indices that the network begins with.
    tokens: Option<String>,
}

impl<'a> OnnxPass<'a> {
    pub(crate) fn new(
        graph: &'a mut GraphBuilder,
        node: &'a Node,
        slots: &'a [Slot],
        values: &'a [f32],
    ) -> Self {
        Self { graph, node, slots, values, tokens: None }
    }

    /// Adds this pass's layer.
    pub(crate) fn run(&mut self, x: &Value) -> Result<Value, Fault> {
        let node = self.node;
        if self.tokens.is_none() && node.input.kind == Kind::Indices {
            self.tokens = Some(x.name.clone());
        }
        node.layer.layer().onnx(self, x).map_err(|fault| fault.at(node.layer.kind(), &node.path))
    }

    /// Where the layer is.
    pub fn layer(&self) -> &'a Node {
        self.node
    }

    /// The shape of the layer's tensor of this number.
    pub fn shape(&self, number: usize) -> &'a [usize] {
        self.node.slots.get(number).map_or(&[], |&slot| &self.slots[slot].shape)
    }

    /// The values of the layer's tensor of this number, row-major.
    pub fn values(&self, number: usize) -> &'a [f32] {
        self.node.slots.get(number).map_or(&[], |&slot| &self.values[self.slots[slot].range()])
    }

    /// Stores the layer's tensor of this number as it is, and returns its name in the graph.
    ///
    /// # Errors
    /// It is stored already.
    pub fn parameter(&mut self, number: usize, name: &str) -> Result<String, Fault> {
        Ok(self.graph.weight(
            &self.node.path,
            name,
            self.shape(number),
            self.values(number).to_vec(),
        )?)
    }

    /// Stores a tensor under the name `name` within the layer, and returns its name in the graph.
    ///
    /// # Errors
    /// The name is taken, or the values do not fill the shape.
    pub fn weight(
        &mut self,
        name: &str,
        shape: &[usize],
        values: Vec<f32>,
    ) -> Result<String, Fault> {
        Ok(self.graph.weight(&self.node.path, name, shape, values)?)
    }

    /// Stores a row of integers, such as a shape or indices.
    ///
    /// # Errors
    /// The name is taken.
    pub fn integers(&mut self, name: &str, values: Vec<i64>) -> Result<String, Fault> {
        Ok(self.graph.integers(&self.node.path, name, values)?)
    }

    /// Adds an ONNX operator (opset 17) and returns its output.
    ///
    /// # Errors
    /// An input does not exist, or the operator does not fit its inputs.
    pub fn node(
        &mut self,
        op: &str,
        inputs: &[&str],
        attributes: &[(&str, Attribute)],
    ) -> Result<Value, Fault> {
        Ok(self.graph.node(&self.node.path, op, inputs, attributes)?)
    }

    /// For each position of each sample, [batch, sequence], `at_padding` where it is padding and
    /// `elsewhere` where it is not, looked up under `name`; `None` where nothing says what is
    /// padding ([`Sample::padding`](crate::Sample::padding)).
    ///
    /// # Errors
    /// The name is taken; the network does not begin with indices.
    pub fn padding(
        &mut self,
        name: &str,
        at_padding: f32,
        elsewhere: f32,
    ) -> Result<Option<Value>, Fault> {
        let Some(padding) = self.node.input.padding else { return Ok(None) };
        let PaddingIndex { index, num_embeddings, first, .. } = padding;
        let length = self.node.input.shape.first().copied().unwrap_or(0);
        let Some(tokens) = self.tokens.clone() else {
            return Err(Fault::new("its positions are not those of the network's indices"));
        };
        let mut table = vec![elsewhere; num_embeddings];
        table[index] = at_padding;
        let table = self.weight(name, &[num_embeddings], table)?;
        let axis = [("axis", Attribute::Int(0))];
        let looked_up = self.node("Gather", &[&table, &tokens], &axis)?;
        self.slice(&format!("{name}_left"), &looked_up, 1, first..first + length).map(Some)
    }

    /// Adds these entries of the dimension `axis` of `x`, the batch being dimension 0; nothing where
    /// they are all. What says where they are is stored under `name`.
    ///
    /// # Errors
    /// The name is taken.
    pub fn slice(
        &mut self,
        name: &str,
        x: &Value,
        axis: usize,
        entries: Range<usize>,
    ) -> Result<Value, Fault> {
        if x.shape.get(axis).and_then(Dim::size) == Some(entries.len()) {
            return Ok(x.clone());
        }
        let mut number = |what: &str, value: usize| {
            self.integers(&format!("{name}.{what}"), vec![i64::try_from(value)?])
        };
        let begin = number("begin", entries.start)?;
        let end = number("end", entries.end)?;
        let axis = number("axis", axis)?;
        self.node("Slice", &[&x.name, &begin, &end, &axis], &[])
    }

    /// Adds the layer's part of this number, in the order in which it declared them.
    ///
    /// # Errors
    /// Those of the part; there is no such part.
    pub fn part(&mut self, number: usize, x: &Value) -> Result<Value, Fault> {
        let node = self
            .node
            .children
            .get(number)
            .ok_or_else(|| Fault::new(format!("it has no part {number}")))?;
        let tokens = self.tokens.clone();
        OnnxPass { graph: self.graph, node, slots: self.slots, values: self.values, tokens }.run(x)
    }
}

/// What stands around a network in its graph.
#[derive(Clone, Copy, Debug, Default)]
pub struct Around<'a> {
    /// Offset and scale for each number of a sample: in front is `(input − offset) · scale`.
    pub normalization: Option<(&'a [f32], &'a [f32])>,
    /// For each number of a sample whether `ln(1 + input)` is normalised in its place, which is NaN below
    /// −1; empty where none is.
    pub log1p: &'a [bool],
    /// Offset and scale for each output of a sample: behind it is `output / scale + offset`, which undoes a
    /// scaling of the targets.
    pub unscaling: Option<(&'a [f32], &'a [f32])>,
    /// Behind that `exp(min(output, this)) − 1`, which undoes a logarithm of the targets.
    pub largest_exponent: Option<f32>,
    /// What all outputs are divided by.
    pub temperature: Option<f32>,
}

/// The graph of a network with these values: takes `input`, the samples as they are, and gives
/// `output`.
///
/// # Errors
/// A layer has no ONNX form.
pub(crate) fn graph(
    planned: &Planned,
    values: &[f32],
    output: &str,
    around: Around<'_>,
) -> Result<Graph, NnError> {
    let sample = &planned.root.input.shape;
    let shape: Vec<Dim> =
        std::iter::once(BATCH.into()).chain(sample.iter().map(|&dim| dim.into())).collect();
    let input = match planned.root.input.kind {
        Kind::Numbers => Value::f32(INPUT, shape),
        Kind::Indices => Value::i64(INPUT, shape),
    };
    let graph = Graph::build_on(&[input], &[output], |graph, given| {
        let Values::One(mut value) = given.clone() else {
            return Err(no_form("the network".to_owned(), "it takes one input"));
        };
        if let Some((offset, scale)) = around.normalization {
            let scope = "normalize";
            value = logarithms(graph, value, sample, around.log1p)?;
            let offset = graph.weight(scope, "offset", sample, offset.to_vec())?;
            let scale = graph.weight(scope, "scale", sample, scale.to_vec())?;
            value = graph.node(scope, "Sub", &[&value.name, &offset], &[])?;
            value = graph.node(scope, "Mul", &[&value.name, &scale], &[])?;
        }
        let mut pass = OnnxPass::new(graph, &planned.root, planned.layout.slots(), values);
        let mut given = pass.run(&value).map_err(|fault| {
            no_form(fault.place.unwrap_or_else(|| "the network".to_owned()), &fault.reason)
        })?;
        if let Some((offset, scale)) = around.unscaling {
            let scope = "unscale";
            let sample = &planned.root.output.shape;
            let offset = graph.weight(scope, "offset", sample, offset.to_vec())?;
            let scale = graph.weight(scope, "scale", sample, scale.to_vec())?;
            given = graph.node(scope, "Div", &[&given.name, &scale], &[])?;
            given = graph.node(scope, "Add", &[&given.name, &offset], &[])?;
        }
        if let Some(largest) = around.largest_exponent {
            let scope = "unscale";
            let largest = graph.weight(scope, "largest", &[], vec![largest])?;
            let one = graph.weight(scope, "one", &[], vec![1.0])?;
            given = graph.node(scope, "Min", &[&given.name, &largest], &[])?;
            given = graph.node(scope, "Exp", &[&given.name], &[])?;
            given = graph.node(scope, "Sub", &[&given.name, &one], &[])?;
        }
        if let Some(temperature) = around.temperature {
            let by = graph.weight("temperature", "value", &[], vec![temperature])?;
            given = graph.node("temperature", "Div", &[&given.name, &by], &[])?;
        }
        Ok(Values::One(given))
    })?;
    Ok(graph)
}

/// ln(1 + x) in the place of the numbers that are under a logarithm, and the others as they are:
/// ln(1 + m·x) + (1 − m)·x with m of 1 and 0, which rounds nothing but the logarithm.
fn logarithms(
    graph: &mut GraphBuilder,
    value: Value,
    sample: &[usize],
    log1p: &[bool],
) -> Result<Value, OnnxError> {
    let (scope, number) = ("normalize", |is: bool| if is { 1.0 } else { 0.0 });
    if !log1p.contains(&true) {
        return Ok(value);
    }
    let one = graph.weight(scope, "one", &[], vec![1.0])?;
    if log1p.iter().all(|log1p| *log1p) {
        let shifted = graph.node(scope, "Add", &[&value.name, &one], &[])?;
        return graph.node(scope, "Log", &[&shifted.name], &[]);
    }
    let under = log1p.iter().map(|log1p| number(*log1p)).collect();
    let others = log1p.iter().map(|log1p| number(!log1p)).collect();
    let under = graph.weight(scope, "log1p", sample, under)?;
    let others = graph.weight(scope, "others", sample, others)?;
    let picked = graph.node(scope, "Mul", &[&value.name, &under], &[])?;
    let shifted = graph.node(scope, "Add", &[&picked.name, &one], &[])?;
    let logarithm = graph.node(scope, "Log", &[&shifted.name], &[])?;
    let kept = graph.node(scope, "Mul", &[&value.name, &others], &[])?;
    graph.node(scope, "Add", &[&logarithm.name, &kept.name], &[])
}

fn no_form(layer: String, reason: &str) -> OnnxError {
    OnnxError::NoOnnxForm { layer, reason: reason.to_owned() }
}
