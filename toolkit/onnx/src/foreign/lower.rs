//! Translates nodes of any opset from 13 to 21 into those that this crate evaluates, which are of
//! opset 17: where a form changed and the meaning did not, into the other form; where opset 17 has
//! no such operator, into several.

use std::collections::{BTreeMap, BTreeSet};

use super::fold;
use super::job::Job;
use super::known::{Constant, Known, Numbers, Size, Sizes};
use super::operators;
use crate::attribute::Attribute;
use crate::builder::GraphBuilder;
use crate::element;
use crate::graph::Value;
use crate::proto::{NodeProto, TENSOR_BOOL, TENSOR_FLOAT, TENSOR_INT64};
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

    /// Translates the node of this number in the file.
    ///
    /// # Errors
    /// The reason, which names the node.
    pub fn node(&mut self, number: usize, node: &NodeProto) -> Result<(), String> {
        let shown = match node.name.as_str() {
            "" => format!("node {number} ({})", node.op_type),
            name => format!("node {name:?} ({})", node.op_type),
        };
        let at_node = |reason: String| format!("{shown}: {reason}");
        let name = match node.name.as_str() {
            "" => format!("{} {number}", node.op_type),
            name => name.to_owned(),
        };
        let mut job = Job::new(node, name).map_err(at_node)?;
        for input in node.input.iter().filter(|name| !name.is_empty()) {
            if !self.known.contains_key(input) {
                return Err(at_node(format!("nothing before it is named {input:?}")));
            }
        }
        if node.output.first().is_none_or(String::is_empty) {
            return Err(at_node("its first output has no name".into()));
        }
        self.lower(&mut job).map_err(at_node)
    }

    fn lower(&mut self, job: &mut Job<'_>) -> Result<(), String> {
        let folded = match job.op() {
            "Constant" => Some(fold::held(job)?),
            "Shape" => {
                let sizes = fold::sizes_of_known(self.given(job, 0)?);
                Some(fold::shape(job, self.opset, sizes)?)
            }
            "ConstantOfShape" => Some(self.constant_of_shape(job)?),
            "Identity" => {
                job.done(1)?;
                Some(self.given(job, 0)?.clone())
            }
            "Dropout" => Some(self.dropout(job)?),
            "Cast" => return self.cast(job),
            _ => {
                let inputs = job.node.input.iter();
                let inputs: Vec<Option<&Known>> = inputs.map(|name| self.known.get(name)).collect();
                fold::fold(job, &inputs, self.batch)?
            }
        };
        match folded {
            Some(known) => self.bind(job, known),
            None => operators::lower(self, job),
        }
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

    fn dropout(&mut self, job: &mut Job) -> Result<Known, String> {
        job.ignore(&["seed"]);
        job.done(3)?;
        if job.input(2).is_some() && self.integers(job, 2, "training mode")? != Some(vec![0]) {
            return Err("it is in training mode".into());
        }
        Ok(self.given(job, 0)?.clone())
    }

    fn constant_of_shape(&mut self, job: &mut Job) -> Result<Known, String> {
        let (mut element, mut number) = (TENSOR_FLOAT, 0.0);
        if let Some(tensor) = job.other("value").and_then(|proto| proto.t.as_ref()) {
            let value = super::constant::constant(tensor)?;
            element = value.element;
            #[allow(clippy::cast_precision_loss, reason = "exact up to 2^53, and checked")]
            let found = match value.numbers {
                Numbers::Floats(numbers) if numbers.len() == 1 => numbers[0],
                Numbers::Integers(numbers)
                    if numbers.len() == 1 && numbers[0].unsigned_abs() < 1 << 53 =>
                {
                    numbers[0] as f64
                }
                _ => return Err("its value must be one number".into()),
            };
            number = found;
        }
        job.done(1)?;
        let sizes = self.given(job, 0)?.sizes();
        let sizes = sizes.filter(|sizes| !sizes.alone);
        fold::filled(element, number, &sizes.ok_or("its shape must be a row of integers")?)
    }

    fn cast(&mut self, job: &mut Job) -> Result<(), String> {
        let to = i32::try_from(job.int("to", None)?).map_err(|e| e.to_string())?;
        // They are for 8-bit floats.
        job.ignore(&["saturate", "round_mode"]);
        job.done(1)?;
        let known = self.given(job, 0)?.clone();
        let Known::Flow(value) = &known else {
            let cast = fold::cast(&known, to)?;
            return self.bind(job, cast);
        };
        match (value.element, to) {
            (Element::F32, TENSOR_FLOAT)
            | (Element::I64, TENSOR_INT64)
            | (Element::Bool, TENSOR_BOOL) => self.bind(job, known),
            (Element::F32, TENSOR_BOOL) => {
                let to = [("to", Attribute::Int(i64::from(TENSOR_BOOL)))];
                self.give(job, "Cast", vec![value.name.clone()], to)
            }
            (Element::Bool, TENSOR_FLOAT) => {
                let (one, zero) = (self.number(job, 1.0)?, self.number(job, 0.0)?);
                self.give(job, "Where", vec![value.name.clone(), one, zero], [])
            }
            _ => Err(format!(
                "it makes {} of {}, which cannot be evaluated",
                element::described(to),
                value.element.described()
            )),
        }
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
