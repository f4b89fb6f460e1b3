//! A graph that grows node by node, and what is known of its values.

use std::collections::{BTreeMap, BTreeSet};

use super::fold;
use super::job::Job;
use super::known::{Constant, Known, Numbers, Size, Sizes};
use crate::attribute::Attribute;
use crate::builder::GraphBuilder;
use crate::element;
use crate::graph::Value;
use crate::proto::{TENSOR_BOOL, TENSOR_FLOAT};
use crate::value::{Dim, Element};

/// A graph that grows node by node.
pub(super) struct Lowering {
    /// The version of ONNX's operators in the file.
    pub opset: i64,
    /// The number of rows, if the file fixes it.
    pub batch: Option<usize>,
    pub builder: GraphBuilder,
    known: BTreeMap<String, Known>,
    /// Every value's name in the file, and what was made up.
    names: BTreeSet<String>,
    /// What constants are called in the graph.
    stored: BTreeMap<String, String>,
}

impl Lowering {
    /// `names` are those of all values of the file.
    pub fn new(opset: i64, batch: Option<usize>, names: BTreeSet<String>) -> Self {
        let (builder, known, stored) = Default::default();
        Self { opset, batch, builder, known, names, stored }
    }

    pub fn input(&mut self, value: Value) {
        self.builder.input(&value);
        self.known.insert(value.name.clone(), Known::Flow(value));
    }

    pub fn constant(&mut self, name: &str, constant: Constant) {
        self.known.insert(name.to_owned(), Known::Constant(constant));
    }

    pub fn known(&self, name: &str) -> Option<&Known> {
        self.known.get(name)
    }

    /// A name that nothing has.
    pub fn fresh(&mut self, base: &str) -> String {
        let mut name = base.to_owned();
        let mut uses = 1;
        while !self.names.insert(name.clone()) {
            uses += 1;
            name = format!("{base} {uses}");
        }
        name
    }

    /// Gives the node's only output what is known already.
    pub fn bind(&mut self, job: &Job, known: Known) -> Result<(), String> {
        if job.node.output.iter().skip(1).any(|name| !name.is_empty()) {
            return Err("only its first output can be evaluated".into());
        }
        self.known.insert(job.node.output[0].clone(), known);
        Ok(())
    }

    /// What an input is.
    ///
    /// # Errors
    /// The reason, if it is not given.
    pub fn given(&self, job: &Job, place: usize) -> Result<&Known, String> {
        job.input(place)
            .and_then(|name| self.known.get(name))
            .ok_or_else(|| format!("its input {place} is left out"))
    }

    /// A constant row of integers, or one alone; `None` if the input is not given.
    ///
    /// # Errors
    /// The reason, if it depends on the graph's inputs.
    pub fn integers(
        &self,
        job: &Job,
        place: usize,
        what: &str,
    ) -> Result<Option<Vec<i64>>, String> {
        if job.input(place).is_none() {
            return Ok(None);
        }
        let integers = self.given(job, place)?.integers();
        integers.map(Some).ok_or_else(|| {
            format!("its {what} depend on what the graph is given; they can be evaluated only if they are constant")
        })
    }

    /// The value of an input; a constant becomes a weight.
    ///
    /// # Errors
    /// The reason, if it is not given or cannot be in a graph.
    pub fn value(&mut self, job: &Job, place: usize) -> Result<Value, String> {
        if let Known::Flow(value) = self.given(job, place)? {
            return Ok(value.clone());
        }
        let name = self.operand(job, place)?;
        let shape =
            fold::sizes_of_known(self.given(job, place)?).into_iter().map(|size| match size {
                Size::Fixed(size) => Dim::Fixed(usize::try_from(size).unwrap_or_default()),
                Size::Free(name) => Dim::Named(name),
            });
        Ok(Value { name, element: Element::F32, shape: shape.collect() })
    }

    /// The name in the graph of an input.
    ///
    /// # Errors
    /// The reason, if it is not given or cannot be in a graph.
    pub fn operand(&mut self, job: &Job, place: usize) -> Result<String, String> {
        let input = job.input(place).unwrap_or_default();
        if let Some(stored) = self.stored.get(input) {
            return Ok(stored.clone());
        }
        let known = self.given(job, place)?.clone();
        match known {
            Known::Flow(value) => Ok(value.name),
            Known::Constant(constant) => self.store(input, constant),
            Known::Sizes(sizes) => match sizes.fixed() {
                Some(row) => self.row(input, row),
                None => {
                    Err(format!("its input {input:?} holds a size that is chosen at every run"))
                }
            },
            Known::Filled { .. } => Err(format!(
                "its input {input:?} has a shape that is chosen at every run, and nothing of the graph's input in it"
            )),
        }
    }

    /// The same as floats: Pow takes integers for exponents.
    pub fn float_operand(&mut self, job: &Job, place: usize) -> Result<String, String> {
        let known = self.given(job, place)?;
        match known {
            Known::Constant(Constant { numbers: Numbers::Integers(_), .. }) | Known::Sizes(_) => {
                match fold::cast(known, TENSOR_FLOAT)? {
                    Known::Constant(constant) => {
                        let name = self.fresh(&format!("{} as floats", job.node.input[place]));
                        self.store(&name, constant)
                    }
                    _ => self.operand(job, place),
                }
            }
            _ => self.operand(job, place),
        }
    }

    /// The names in the graph of all inputs; of one that is not given, the empty name.
    pub fn operands(&mut self, job: &Job) -> Result<Vec<String>, String> {
        (0..job.node.input.len())
            .map(|place| match job.input(place) {
                None => Ok(String::new()),
                Some(_) => self.operand(job, place),
            })
            .collect()
    }

    fn store(&mut self, name: &str, constant: Constant) -> Result<String, String> {
        if let Some(stored) = self.stored.get(name) {
            return Ok(stored.clone());
        }
        let Constant { element, shape, numbers } = constant;
        let refused = || {
            let found = element::described(element);
            format!("{name:?} holds {found}; only float32 numbers (FLOAT) are computed with")
        };
        let stored = match (element, numbers) {
            (TENSOR_FLOAT, Numbers::Floats(numbers)) => {
                #[allow(clippy::cast_possible_truncation, reason = "they are numbers of f32")]
                let data = numbers.iter().map(|&number| number as f32).collect();
                self.weight(name, &shape, data)?
            }
            (TENSOR_BOOL, Numbers::Integers(numbers)) => {
                let as_floats = self.fresh(&format!("{name} as floats"));
                let data = numbers.iter().map(|&bit| if bit == 0 { 0.0 } else { 1.0 }).collect();
                let weight = self.weight(&as_floats, &shape, data)?;
                let to = [("to", Attribute::Int(i64::from(TENSOR_BOOL)))];
                self.emit(name, "Cast", vec![weight], to)?.name
            }
            (_, Numbers::Integers(numbers)) if shape.len() == 1 => return self.row(name, numbers),
            _ => return Err(refused()),
        };
        self.stored.insert(name.to_owned(), stored.clone());
        Ok(stored)
    }

    /// Stores a row of integers.
    pub fn row(&mut self, base: &str, row: Vec<i64>) -> Result<String, String> {
        let name = self.fresh(&format!("{base} as integers"));
        self.builder.integers("", &name, row).map_err(|error| error.to_string())
    }

    /// Stores floats.
    pub fn weight(
        &mut self,
        base: &str,
        shape: &[usize],
        data: Vec<f32>,
    ) -> Result<String, String> {
        // A constant of the file keeps its name, which is taken by nothing else in the graph.
        let name = if self.builder.has(base) || !self.names.contains(base) {
            self.fresh(base)
        } else {
            base.to_owned()
        };
        self.builder.weight("", &name, shape, data).map_err(|error| error.to_string())
    }

    /// A number that is broadcast.
    pub fn number(&mut self, job: &Job, number: f32) -> Result<String, String> {
        let name = self.fresh(&format!("{}: {number}", job.name));
        self.weight(&name, &[], vec![number])
    }

    /// A node of which the file knows nothing.
    pub fn emit<'a>(
        &mut self,
        base: &str,
        op: &str,
        inputs: Vec<String>,
        attributes: impl IntoIterator<Item = (&'a str, Attribute)>,
    ) -> Result<Value, String> {
        let name = self.fresh(&format!("{base}: {op}"));
        let attributes =
            attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let mut outputs = self.builder.node_as(name.clone(), op, inputs, attributes, vec![name])?;
        outputs.pop().ok_or_else(|| format!("{op} gives nothing"))
    }

    /// The node that gives what the file's node gives.
    pub fn give<'a>(
        &mut self,
        job: &Job,
        op: &str,
        inputs: Vec<String>,
        attributes: impl IntoIterator<Item = (&'a str, Attribute)>,
    ) -> Result<(), String> {
        let attributes =
            attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        self.give_with(job, op, inputs, attributes)
    }

    /// The same, with the attributes that the job has left.
    pub fn give_rest(&mut self, job: &mut Job, inputs: Vec<String>) -> Result<(), String> {
        job.no_others()?;
        let attributes = std::mem::take(&mut job.attributes);
        self.give_with(job, job.op(), inputs, attributes)
    }

    fn give_with(
        &mut self,
        job: &Job,
        op: &str,
        mut inputs: Vec<String>,
        attributes: BTreeMap<String, Attribute>,
    ) -> Result<(), String> {
        while inputs.len() > 1 && inputs.last().is_some_and(String::is_empty) {
            inputs.pop();
        }
        // Names at the end may be left empty, and so may those before it.
        let mut names: Vec<String> = job.node.output.clone();
        while names.last().is_some_and(String::is_empty) {
            names.pop();
        }
        for name in names.iter_mut().filter(|name| name.is_empty()) {
            *name = self.fresh(&format!("{}: no output", job.name));
        }
        let given = self.builder.node_as(job.name.clone(), op, inputs, attributes, names)?;
        for value in given {
            self.known.insert(value.name.clone(), Known::Flow(value));
        }
        Ok(())
    }

    /// A row of sizes.
    ///
    /// # Errors
    /// The reason, if it is something else.
    pub fn sizes(&self, job: &Job, place: usize, what: &str) -> Result<Sizes, String> {
        self.given(job, place)?.sizes().filter(|sizes| !sizes.alone).ok_or_else(|| {
            format!("its {what} depends on what the graph is given; it can be evaluated only if it is constant or made of sizes")
        })
    }
}
