//! How layers add their nodes to a graph.

use std::collections::{BTreeMap, BTreeSet};

use super::graph::{Attribute, Graph, Integers, Node, Weight};
use super::operator::{Operand, Operator};
use super::scope::join;
use super::structure;
use super::value::{Dim, Element, MAX_WIDTH, Value};
use crate::Error;

/// Collects the nodes and weights that layers add.
#[derive(Debug, Default)]
pub struct GraphBuilder {
    pub(super) nodes: Vec<Node>,
    pub(super) weights: Vec<Weight>,
    pub(super) integers: Vec<Integers>,
    /// Of every weight and value: ONNX has one name space for both.
    known: BTreeMap<String, Known>,
}

#[derive(Debug)]
enum Known {
    Value(Element, Vec<Dim>),
    /// The position in `weights`, and the shape.
    Weight(usize, Vec<Dim>),
    /// The position in `integers`, and the shape.
    Integers(usize, Vec<Dim>),
}

impl GraphBuilder {
    /// Makes a value known to the layers that follow.
    pub(super) fn input(&mut self, value: &Value) {
        self.known.insert(value.name.clone(), Known::Value(value.element, value.shape.clone()));
    }

    /// Whether a weight or value has that name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.known.contains_key(name)
    }

    /// Stores a tensor under the name `scope.name` and returns that name. `data` is row-major.
    ///
    /// # Errors
    /// [`Error::NoOnnxForm`] if the name is taken or `data` does not fill `shape`.
    pub fn weight(
        &mut self,
        scope: &str,
        name: &str,
        shape: &[usize],
        data: Vec<f32>,
    ) -> Result<String, Error> {
        let name = join(scope, name);
        self.check_new(&name, shape, data.len())?;
        let dims = shape.iter().copied().map(Dim::Fixed).collect();
        self.known.insert(name.clone(), Known::Weight(self.weights.len(), dims));
        self.weights.push(Weight { name: name.clone(), shape: shape.to_vec(), data });
        Ok(name)
    }

    /// Stores a row of integers, such as a shape or indices, under the name `scope.name` and
    /// returns that name.
    ///
    /// # Errors
    /// [`Error::NoOnnxForm`] if the name is taken.
    pub fn integers(&mut self, scope: &str, name: &str, data: Vec<i64>) -> Result<String, Error> {
        let name = join(scope, name);
        self.check_new(&name, &[data.len()], data.len())?;
        self.known.insert(
            name.clone(),
            Known::Integers(self.integers.len(), vec![Dim::Fixed(data.len())]),
        );
        self.integers.push(Integers { name: name.clone(), data });
        Ok(name)
    }

    fn check_new(&self, name: &str, shape: &[usize], len: usize) -> Result<(), Error> {
        let no_form = |reason| Error::NoOnnxForm { layer: format!("the tensor {name}"), reason };
        if len != shape.iter().product::<usize>() {
            return Err(no_form(format!(
                "{len} numbers do not fill the shape {}",
                Value::sizes(shape)
            )));
        }
        if self.has(name) {
            return Err(no_form("another tensor or value has that name".into()));
        }
        Ok(())
    }

    /// Adds an ONNX operator (opset 17) on weights and values that exist, and returns its output,
    /// the first one if it has several. The node is named after scope and operator. An input that
    /// is left out has the empty name.
    ///
    /// # Errors
    /// [`Error::NoOnnxForm`] if an input does not exist, the operator does not fit its inputs, or
    /// the f64 evaluation does not know it: what it cannot evaluate cannot be checked.
    pub fn node(
        &mut self,
        scope: &str,
        op: &str,
        inputs: &[&str],
        attributes: &[(&str, Attribute)],
    ) -> Result<Value, Error> {
        self.add(scope, op, inputs, attributes, 1).map(|(first, _)| first)
    }

    /// As [`node`](Self::node), with the first `count` outputs: the parts of Split, or an LSTM's
    /// last states behind its steps.
    ///
    /// # Errors
    /// As [`node`](Self::node), and if the operator does not have so many outputs.
    pub fn node_with_outputs(
        &mut self,
        scope: &str,
        op: &str,
        inputs: &[&str],
        attributes: &[(&str, Attribute)],
        count: usize,
    ) -> Result<Vec<Value>, Error> {
        let (first, more) = self.add(scope, op, inputs, attributes, count)?;
        Ok([vec![first], more].concat())
    }

    fn add(
        &mut self,
        scope: &str,
        op: &str,
        inputs: &[&str],
        attributes: &[(&str, Attribute)],
        count: usize,
    ) -> Result<(Value, Vec<Value>), Error> {
        let base = join(scope, &op.to_lowercase());
        let no_form = |reason| Error::NoOnnxForm { layer: format!("the node {base}"), reason };
        let attributes =
            attributes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let inputs: Vec<String> = inputs.iter().map(|&input| input.to_owned()).collect();
        let free = |base: &str| {
            let mut name = base.to_owned();
            let mut uses = 1;
            while self.has(&name) {
                uses += 1;
                name = format!("{base}_{uses}");
            }
            name
        };
        let name = free(&base);
        let names =
            (0..count).map(|i| if i == 0 { name.clone() } else { free(&format!("{name}.{i}")) });
        let names = names.collect();
        let outputs = self.node_as(name, op, inputs, attributes, names).map_err(no_form)?;
        match outputs.split_first() {
            Some((first, more)) => Ok((first.clone(), more.to_vec())),
            None => Err(no_form("it has no output".into())),
        }
    }

    /// Adds a node of this name, whose outputs have these names.
    ///
    /// # Errors
    /// The reason, if an input does not exist, a name is taken, or the operator does not fit.
    pub(super) fn node_as(
        &mut self,
        name: String,
        op: &str,
        inputs: Vec<String>,
        attributes: BTreeMap<String, Attribute>,
        names: Vec<String>,
    ) -> Result<Vec<Value>, String> {
        let operator = Operator::parse(op, &attributes)?;
        let mut operands = Vec::with_capacity(inputs.len());
        for input in operator.given(&inputs)? {
            let operand = self.operand(input);
            operands.push(operand.ok_or_else(|| format!("its input {input:?} does not exist"))?);
        }
        let found = operator.outputs(&operands, names.len())?;
        let mut outputs = Vec::with_capacity(names.len());
        for (name, (element, shape)) in names.into_iter().zip(found) {
            // Before anybody counts on it.
            if structure::row_len(&shape).is_some_and(|len| len > MAX_WIDTH) {
                return Err(format!("one row of its output has more than {MAX_WIDTH} numbers"));
            }
            if self.has(&name) {
                return Err(format!("two tensors or values are named {name:?}"));
            }
            let output = Value { name, element, shape };
            self.input(&output);
            outputs.push(output);
        }
        self.nodes.push(Node {
            name,
            op: op.to_owned(),
            inputs,
            outputs: outputs.clone(),
            attributes,
        });
        Ok(outputs)
    }

    /// The graph from `inputs` to what was `returned`, which gets these names.
    pub(super) fn finish(
        mut self,
        inputs: Vec<Value>,
        returned: Vec<Value>,
        names: &[&str],
    ) -> Result<Graph, Error> {
        if names.len() != returned.len() || inputs.is_empty() {
            return Err(Error::Setting {
                setting: if inputs.is_empty() { "inputs" } else { "output names" },
                value: if inputs.is_empty() { "none".into() } else { names.join(", ") },
                expected: if inputs.is_empty() {
                    "at least one".into()
                } else {
                    format!("{} names, because the model returns {0} tensors", returned.len())
                },
            });
        }
        let mut outputs = Vec::with_capacity(names.len());
        let mut taken = BTreeSet::new();
        for (&name, mut value) in names.iter().zip(returned) {
            // An input, or one tensor under two names, is no node's own output.
            if !taken.insert(value.name.clone())
                || inputs.iter().any(|input| input.name == value.name)
            {
                value = self.node("", "Identity", &[&value.name], &[])?;
                taken.insert(value.name.clone());
            }
            if name.is_empty()
                || self.has(name)
                || names.iter().filter(|other| **other == name).count() > 1
            {
                return Err(Error::Setting {
                    setting: "output name",
                    value: format!("{name:?}"),
                    expected: "a name that nothing else in the graph has, for example \"logits\""
                        .into(),
                });
            }
            outputs.push((value, name));
        }
        let Self { mut nodes, weights, integers, .. } = self;
        for (value, output_name) in &outputs {
            for node in &mut nodes {
                let given = node.outputs.iter_mut().map(|output| &mut output.name);
                for name in node.inputs.iter_mut().chain(given) {
                    if *name == value.name {
                        (*output_name).clone_into(name);
                    }
                }
            }
        }
        let outputs = outputs
            .into_iter()
            .map(|(value, name)| Value { name: name.to_owned(), ..value })
            .collect();
        let graph = Graph { inputs, outputs, nodes, weights, integers };
        structure::verify(&graph)
            .map_err(|reason| Error::NoOnnxForm { layer: "the model".into(), reason })?;
        Ok(graph)
    }

    fn operand(&self, name: &str) -> Option<Operand<'_>> {
        if name.is_empty() {
            return Some(Operand::ABSENT);
        }
        Some(match self.known.get(name)? {
            Known::Value(element, shape) => {
                Operand { element: *element, shape, floats: &[], integers: &[] }
            }
            Known::Weight(at, shape) => Operand {
                element: Element::F32,
                shape,
                floats: &self.weights[*at].data,
                integers: &[],
            },
            Known::Integers(at, shape) => Operand {
                element: Element::I64,
                shape,
                floats: &[],
                integers: &self.integers[*at].data,
            },
        })
    }
}
