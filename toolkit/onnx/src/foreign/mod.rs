//! Bytes → graph, for files of any tool.
//!
//! ```text
//! bytes ── proto ──▶ ModelProto ── lower ──▶ Graph, as if trainbook had written it: opset 17
//!   │                    │
//!   │      constant: numbers, in the file or beside it
//!   ▼
//! ONNX Runtime runs the bytes as they are
//! ```
//!
//! A file is checked if every operator in it, as the opset of the file defines it, has a form that
//! the f64 evaluation knows. What the evaluation cannot see (functions, sparse tensors, branches)
//! is refused; what has no effect on the numbers (names, documentation, stated shapes between
//! nodes) is passed over, and the numbers are compared.

mod constant;
mod fold;
mod job;
mod known;
mod lower;
mod operators;
mod recurrent;
mod reshape;
mod window;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use prost::Message as _;
use prost::bytes::Bytes;

use super::element;
use super::encode::{GRAPH_SHA256, PRODUCER, value_proto};
use super::graph::{Graph, Value};
use super::inputs::{LONGEST, MOST_ROWS};
use super::proto::{
    DimensionProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TENSOR_FLOAT,
    TENSOR_INT64, ValueInfoProto, is_onnx,
};
use super::structure;
use super::value::{BATCH, Dim, Element, MAX_WIDTH, MEMORY, SEQUENCE};
use known::Known;
use lower::Lowering;

/// The versions of ONNX's file format that are read.
const IR_VERSIONS: std::ops::RangeInclusive<i64> = 3..=11;
/// The versions of ONNX's operators that are evaluated.
const OPSETS: std::ops::RangeInclusive<i64> = 13..=21;
/// Protobuf messages, and so models with everything in one file, end here.
pub(crate) const MOST_BYTES: usize = (1 << 31) - 1;

/// A file of another tool.
pub(super) struct Foreign {
    /// What it computes.
    pub graph: Graph,
    /// What is run: the file, or the file with what is beside it put in.
    pub bytes: Bytes,
    pub metadata: BTreeMap<String, String>,
    pub opset: i64,
    pub ir_version: i64,
    /// The tool that wrote it, with its version; empty if the file does not say.
    pub producer: String,
    /// How many rows it takes, if it fixes that.
    pub batch: Option<usize>,
    /// What it takes and returns, in its own names.
    pub signature: String,
    /// What to know of the check.
    pub notes: Vec<String>,
    /// How many floats it stores.
    pub parameters: usize,
    /// The values between nodes that the file has, by their names.
    pub values: BTreeSet<String>,
}

/// Whether a file says that this crate wrote it, in which case it is held to that.
pub(super) fn is_ours(model: &ModelProto) -> bool {
    model.producer_name == PRODUCER
        || model.metadata_props.iter().any(|entry| entry.key == GRAPH_SHA256)
}

/// Reads the file with these bytes that lies in `folder`.
///
/// # Errors
/// The reason, in one line.
pub(super) fn open(model: ModelProto, bytes: Bytes, folder: &Path) -> Result<Foreign, String> {
    let opset = opset(&model)?;
    let Some(proto) = &model.graph else {
        return Err("it is not an ONNX model, or damaged: it has no graph".into());
    };
    refuse_unseen(&model, proto)?;
    refuse_unknown(&proto.node, opset)?;
    let mut notes = Vec::new();

    let names = names(proto)?;
    let constants: BTreeSet<&str> =
        proto.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
    let inputs: Vec<&ValueInfoProto> =
        proto.input.iter().filter(|input| !constants.contains(input.name.as_str())).collect();
    let free = Free::of(&inputs)?;
    if let [first, .., last] = &*free.batches.iter().collect::<Vec<_>>() {
        notes.push(format!(
            "its inputs' first sizes have different names, such as {first:?} and {last:?}: it was \
             checked with as many rows for all of them"
        ));
    }
    let mut lowering = Lowering::new(opset, free.batch, names);
    let mut beside = BTreeSet::new();
    // Of the files beside it: many tensors may name the same bytes.
    let mut read = 0_usize;
    for tensor in &proto.initializer {
        lowering.constant(&tensor.name, constant::constant(tensor, Some(folder))?);
        if !tensor.is_external() {
            continue;
        }
        beside.insert(tensor.external("location").unwrap_or_default().to_owned());
        let sizes = tensor.dims.iter().map(|size| usize::try_from(*size).unwrap_or(0));
        let numbers = sizes.fold(1_usize, usize::saturating_mul);
        read = read.saturating_add(numbers.saturating_mul(size_of::<f32>()));
        if read > MOST_BYTES {
            let reason = format!("with the files beside it, it has more than {MOST_BYTES} bytes");
            return Err(reason);
        }
    }
    for input in &free.inputs {
        structure::size(input)?;
        lowering.input(input.clone());
    }
    for (number, node) in (1..).zip(&proto.node) {
        lowering.node(number, node)?;
    }
    let outputs = proto
        .output
        .iter()
        .map(|info| output(&mut lowering, info, &free))
        .collect::<Result<Vec<_>, _>>()?;
    let Lowering { builder, .. } = lowering;
    let graph = Graph {
        inputs: free.inputs.clone(),
        outputs,
        nodes: builder.nodes,
        weights: builder.weights,
        integers: builder.integers,
    };
    structure::verify(&graph)?;
    let rows = free.batch.unwrap_or(MOST_ROWS);
    let values = graph.nodes.iter().flat_map(|node| &node.outputs).chain(&graph.inputs);
    let numbers = values.map(|value| numbers(value, rows)).fold(0, usize::saturating_add);
    if numbers > MOST_NUMBERS {
        return Err(format!(
            "its values have {numbers} numbers for {rows} rows; {MOST_NUMBERS} can be evaluated"
        ));
    }
    if let Some(batch) = free.batch {
        notes.push(format!("the file fixes its batch: it was checked with {batch} rows alone"));
    }

    let replaceable: Vec<&str> = proto
        .input
        .iter()
        .map(|input| input.name.as_str())
        .filter(|name| constants.contains(name))
        .collect();
    if !replaceable.is_empty() && model.ir_version >= 4 {
        notes.push(format!(
            "whoever runs it may replace {}: it was checked with what is in the file",
            replaceable.join(", ")
        ));
    }
    let signature = free.signature(&graph);
    // Not those of the graph, which has numbers that the file does not have.
    let parameters = proto
        .initializer
        .iter()
        .filter(|tensor| element::is_parameter(tensor.data_type))
        .map(|tensor| tensor.dims.iter().product::<i64>())
        .sum::<i64>();
    let parameters = usize::try_from(parameters).unwrap_or_default();
    let values = proto.node.iter().flat_map(|node| &node.output).cloned().collect();
    let bytes = if beside.is_empty() {
        bytes
    } else {
        let files: Vec<String> = beside.into_iter().collect();
        notes.push(format!("it keeps numbers in {}", files.join(", ")));
        whole(&model, folder)?
    };
    Ok(Foreign {
        graph,
        bytes,
        opset,
        ir_version: model.ir_version,
        producer: format!("{} {}", model.producer_name, model.producer_version).trim().into(),
        batch: free.batch,
        signature,
        notes,
        parameters,
        values,
        metadata: model.metadata_props.into_iter().map(|entry| (entry.key, entry.value)).collect(),
    })
}

/// The most numbers that all values of a file may have: each is held with its margin.
const MOST_NUMBERS: usize = 1 << 27;

/// How many numbers of a value there are at most.
fn numbers(value: &Value, rows: usize) -> usize {
    let size = |dim: &Dim| match dim {
        Dim::Fixed(size) => *size,
        Dim::Named(name) if name == BATCH => rows,
        Dim::Named(_) => LONGEST,
    };
    value.shape.iter().map(size).fold(1, usize::saturating_mul)
}

/// # Errors
/// The reason, if the file is of another version.
fn opset(model: &ModelProto) -> Result<i64, String> {
    if !IR_VERSIONS.contains(&model.ir_version) {
        return Err(format!(
            "its IR version is {}; {} to {} can be checked",
            model.ir_version,
            IR_VERSIONS.start(),
            IR_VERSIONS.end()
        ));
    }
    let own: Vec<i64> =
        model.opset_import.iter().filter(|set| set.is_onnx()).map(|set| set.version).collect();
    match own[..] {
        [opset] if OPSETS.contains(&opset) => Ok(opset),
        [opset] => Err(format!(
            "its opset is {opset}; {} to {} can be checked",
            OPSETS.start(),
            OPSETS.end()
        )),
        [] => {
            let found: Vec<String> =
                model.opset_import.iter().map(OperatorSetIdProto::shown).collect();
            let found = if found.is_empty() { "none".to_owned() } else { found.join(", ") };
            Err(format!("it must name an opset of ONNX's own operators; it names {found}"))
        }
        _ => Err("it names several opsets of ONNX's own operators".into()),
    }
}

/// # Errors
/// The reason, if the file has something that would change its numbers and is not evaluated.
fn refuse_unseen(model: &ModelProto, proto: &GraphProto) -> Result<(), String> {
    if !model.functions.is_empty() {
        return Err(format!(
            "it defines {} functions of its own, which cannot be evaluated; save it with its functions inlined",
            model.functions.len()
        ));
    }
    if !proto.sparse_initializer.is_empty() {
        return Err("it has sparse tensors, which cannot be evaluated".into());
    }
    Ok(())
}

/// # Errors
/// All operators that cannot be evaluated, with how many nodes use each.
fn refuse_unknown(nodes: &[NodeProto], opset: i64) -> Result<(), String> {
    let mut unknown: BTreeMap<String, usize> = BTreeMap::new();
    for node in nodes {
        let op = &node.op_type;
        let since = operators::KNOWN.iter().find(|(known, _)| known == op).map(|(_, since)| *since);
        let told = match since {
            _ if !is_onnx(&node.domain) => format!("{op} of {}", node.domain),
            None => op.clone(),
            Some(since) if since > opset => {
                return Err(format!(
                    "it has the operator {op}, which ONNX has from opset {since} on, but its opset is {opset}"
                ));
            }
            Some(_) => continue,
        };
        *unknown.entry(told).or_default() += 1;
    }
    if unknown.is_empty() {
        return Ok(());
    }
    let listed: Vec<String> = unknown
        .iter()
        .map(|(op, count)| if *count == 1 { op.clone() } else { format!("{op} ({count} nodes)") })
        .collect();
    let plural = if listed.len() == 1 { "an operator" } else { "operators" };
    Err(format!("it has {plural} that cannot be evaluated in f64: {}", listed.join(", ")))
}

/// The names of all values.
///
/// # Errors
/// The reason, if one is given to two of them.
fn names(proto: &GraphProto) -> Result<BTreeSet<String>, String> {
    let mut names = BTreeSet::new();
    let initializers: BTreeSet<&str> =
        proto.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
    let inputs = proto.input.iter().map(|input| input.name.as_str());
    let given = inputs
        // Old files list their weights here too.
        .filter(|name| !initializers.contains(name))
        .chain(proto.initializer.iter().map(|tensor| tensor.name.as_str()));
    for name in given {
        if name.is_empty() {
            return Err("one of its inputs or tensors has no name".into());
        }
        if !names.insert(name.to_owned()) {
            return Err(format!("two tensors or values are named {name:?}"));
        }
    }
    for name in proto.node.iter().flat_map(|node| &node.output).filter(|name| !name.is_empty()) {
        if !names.insert(name.clone()) {
            return Err(format!("two tensors or values are named {name:?}"));
        }
    }
    Ok(names)
}

/// The sizes that are chosen at a run, which the graph calls batch, sequence and memory, and what
/// the file calls them.
struct Free {
    /// As the graph has them.
    inputs: Vec<Value>,
    batch: Option<usize>,
    /// What the file calls its inputs' first sizes.
    batches: BTreeSet<String>,
    /// By the graph's name.
    names: BTreeMap<&'static str, String>,
}

impl Free {
    /// # Errors
    /// The reason, if an input is no batch of rows of floats or int64.
    fn of(inputs: &[&ValueInfoProto]) -> Result<Self, String> {
        let (batches, names) = (BTreeSet::new(), BTreeMap::new());
        let mut free = Self { inputs: Vec::new(), batch: None, batches, names };
        let mut fixed = BTreeSet::new();
        let mut others: BTreeMap<String, &'static str> = BTreeMap::new();
        for info in inputs {
            let name = &info.name;
            let (element, dims) = tensor(info)?;
            let element = match element {
                TENSOR_FLOAT => Element::F32,
                TENSOR_INT64 => Element::I64,
                other => {
                    return Err(format!(
                        "its input {name:?} takes {}; only float32 numbers (FLOAT) and int64 numbers (INT64) can be checked",
                        element::described(other)
                    ));
                }
            };
            let dims = dims.ok_or_else(|| format!("its input {name:?} has no shape"))?;
            let Some((first, rest)) = dims.split_first() else {
                return Err(format!(
                    "its input {name:?} is a single number; only batches of rows can be checked"
                ));
            };
            match first {
                Stated::Fixed(size) => {
                    fixed.insert(Some(*size));
                }
                Stated::Named(text) => {
                    fixed.insert(None);
                    free.names.entry(BATCH).or_insert_with(|| text.clone());
                    free.batches.insert(text.clone());
                }
                Stated::Unknown => {
                    fixed.insert(None);
                }
            }
            let mut shape = vec![Dim::from(BATCH)];
            for (i, dim) in rest.iter().enumerate() {
                let key = match dim {
                    Stated::Fixed(size) => {
                        shape.push(Dim::Fixed(*size));
                        continue;
                    }
                    Stated::Named(text) if *dim == *first => {
                        return Err(format!(
                            "its input {name:?} has the batch {text:?} twice in its shape"
                        ));
                    }
                    Stated::Named(text) => text.clone(),
                    // Of two that have no name, nothing says that they are the same.
                    Stated::Unknown => format!("{name}[{}]", i + 1),
                };
                let taken = others.len();
                let ours = match (others.get(&key), taken) {
                    (Some(ours), _) => ours,
                    (None, 0) => SEQUENCE,
                    (None, 1) => MEMORY,
                    _ => {
                        return Err(
                            "more than three of its inputs' sizes are chosen at every run; a batch and two others can be checked"
                                .into(),
                        );
                    }
                };
                others.insert(key.clone(), ours);
                free.names.insert(ours, key);
                shape.push(ours.into());
            }
            free.inputs.push(Value { name: name.clone(), element, shape });
        }
        let sizes: Vec<Option<usize>> = fixed.into_iter().collect();
        free.batch = match sizes[..] {
            [size] => size,
            [] => {
                return Err("it takes nothing: it has no inputs beside what is stored in it".into());
            }
            _ => {
                let shown: Vec<String> =
                    inputs.iter().zip(&free.inputs).map(|(info, _)| shown(info)).collect();
                return Err(format!(
                    "its inputs begin with different sizes ({}); all of them must be batches of as many rows",
                    shown.join(", ")
                ));
            }
        };
        if free.batch == Some(0) || free.batch.is_some_and(|batch| batch > MAX_WIDTH) {
            return Err(format!("it takes batches of {} rows", free.batch.unwrap_or_default()));
        }
        Ok(free)
    }

    /// With the file's own names.
    fn signature(&self, graph: &Graph) -> String {
        let dim = |dim: &Dim| match dim {
            Dim::Named(name) if name == BATCH && self.batch.is_some() => {
                Dim::Fixed(self.batch.unwrap_or_default())
            }
            Dim::Named(name) => Dim::Named(self.names.get(name.as_str()).unwrap_or(name).clone()),
            Dim::Fixed(_) => dim.clone(),
        };
        let list = |values: &[Value]| {
            let shown = values.iter().map(|value| {
                Value { shape: value.shape.iter().map(dim).collect(), ..value.clone() }.to_string()
            });
            shown.collect::<Vec<_>>().join(", ")
        };
        format!("{} → {}", list(&graph.inputs), list(&graph.outputs))
    }
}

/// A size as a file states it.
#[derive(PartialEq)]
enum Stated {
    Fixed(usize),
    Named(String),
    Unknown,
}

/// An input or output for messages: "x [N, 4]".
fn shown(info: &ValueInfoProto) -> String {
    let Ok((_, Some(dims))) = tensor(info) else { return info.name.clone() };
    let dims = dims.iter().map(|dim| match dim {
        Stated::Fixed(size) => size.to_string(),
        Stated::Named(name) => name.clone(),
        Stated::Unknown => "?".to_owned(),
    });
    format!("{} [{}]", info.name, dims.collect::<Vec<_>>().join(", "))
}

/// The type of a value's numbers, and its shape if the file states it.
fn tensor(info: &ValueInfoProto) -> Result<(i32, Option<Vec<Stated>>), String> {
    let name = &info.name;
    let stated = info.r#type.as_ref();
    let Some(tensor) = stated.and_then(|stated| stated.tensor_type.as_ref()) else {
        return Err(format!("its input or output {name:?} is no tensor, or has no type"));
    };
    let size = |dim: &DimensionProto| match (dim.dim_value, &dim.dim_param) {
        (Some(size), _) => usize::try_from(size).map(Stated::Fixed).map_err(|_| {
            format!("its input or output {name:?} has the negative size {size} in its shape")
        }),
        (None, Some(name)) if !name.is_empty() => Ok(Stated::Named(name.clone())),
        _ => Ok(Stated::Unknown),
    };
    let shape = tensor.shape.as_ref();
    let shape = shape.map(|shape| shape.dim.iter().map(size).collect::<Result<Vec<_>, _>>());
    Ok((tensor.elem_type, shape.transpose()?))
}

/// What the graph gives under an output's name, which must be what the file states.
fn output(lowering: &mut Lowering, info: &ValueInfoProto, free: &Free) -> Result<Value, String> {
    let name = &info.name;
    let value = match lowering.known(name) {
        Some(Known::Flow(value)) => value.clone(),
        Some(_) => {
            return Err(format!("its output {name:?} does not depend on what the graph is given"));
        }
        None => return Err(format!("no node gives its output {name:?}")),
    };
    // What is another value by another name.
    let value = if value.name == *name && free.inputs.iter().all(|input| input.name != *name) {
        value
    } else if value.name == *name {
        return Err(format!("its output {name:?} is its input"));
    } else {
        let names = vec![name.clone()];
        let node = format!("Identity {name}");
        let mut made = lowering
            .builder
            .node_as(node, "Identity", vec![value.name], BTreeMap::new(), names)
            .map_err(|reason| format!("its output {name:?}: {reason}"))?;
        made.pop().ok_or_else(|| format!("no node gives its output {name:?}"))?
    };
    let (element, stated) = tensor(info)?;
    let is = match value.element {
        Element::F32 => TENSOR_FLOAT,
        Element::I64 => TENSOR_INT64,
        Element::Bool => {
            return Err(format!(
                "its output {name:?} holds bools; only float32 numbers (FLOAT) and int64 numbers (INT64) can be compared"
            ));
        }
    };
    let fits = |(dim, stated): (&Dim, &Stated)| match (dim, stated) {
        (Dim::Fixed(size), Stated::Fixed(stated)) => size == stated,
        (Dim::Named(name), Stated::Fixed(stated)) => name == BATCH && free.batch == Some(*stated),
        _ => true,
    };
    let shape_fits = stated.is_none_or(|stated| {
        stated.len() == value.shape.len() && value.shape.iter().zip(&stated).all(fits)
    });
    if element != is || !shape_fits {
        return Err(format!(
            "its output is stated as {} of {}, but its nodes give {value}",
            shown(info),
            element::described(element)
        ));
    }
    Ok(value)
}

/// The model with the numbers that lie beside it put into it, so that what was read is what is run.
fn whole(model: &ModelProto, folder: &Path) -> Result<Bytes, String> {
    let mut model = model.clone();
    let mut most = MOST_BYTES;
    for tensor in model.graph.iter_mut().flat_map(|graph| &mut graph.initializer) {
        if !tensor.is_external() {
            continue;
        }
        let sizes = tensor.dims.iter().map(|&size| usize::try_from(size).unwrap_or_default());
        let bits = element::bits(tensor.data_type).unwrap_or_default();
        let width = usize::try_from(bits / 8).unwrap_or_default();
        let bytes = sizes.fold(width, usize::saturating_mul);
        most = most.checked_sub(bytes).ok_or_else(|| {
            format!("with the files beside it, it has more than {MOST_BYTES} bytes")
        })?;
        tensor.raw_data = super::external::read(tensor, folder, bytes)?.into();
        tensor.external_data.clear();
        tensor.data_location = None;
    }
    let bytes = model.encode_to_vec();
    if bytes.len() > MOST_BYTES {
        return Err(format!("with the files beside it, it has more than {MOST_BYTES} bytes"));
    }
    Ok(bytes.into())
}

/// The bytes with further outputs. Messages that follow each other are one message, by protobuf's
/// rules.
pub(super) fn with_outputs<'a>(bytes: &[u8], values: impl Iterator<Item = &'a Value>) -> Vec<u8> {
    let output = values.map(|value| ValueInfoProto {
        // The shape is left to ONNX Runtime: the graph calls its free sizes otherwise.
        r#type: value_proto(value).r#type.map(|mut stated| {
            if let Some(tensor) = &mut stated.tensor_type {
                tensor.shape = None;
            }
            stated
        }),
        name: value.name.clone(),
    });
    let graph = GraphProto { output: output.collect(), ..GraphProto::default() };
    let more = ModelProto { graph: Some(graph), ..ModelProto::default() };
    [bytes, &more.encode_to_vec()].concat()
}
