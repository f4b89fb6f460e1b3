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
mod inputs;
mod job;
mod known;
mod lower;
mod lowering;
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
use super::external::MOST_BYTES;
use super::graph::{Graph, Value};
use super::inputs::{LONGEST, MOST_ROWS};
use super::proto::{
    GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TENSOR_FLOAT, TENSOR_INT64,
    ValueInfoProto, is_onnx,
};
use super::structure;
use super::value::{BATCH, Dim, Element};
use inputs::{Free, Stated, shown, tensor};
use known::Known;
use lowering::Lowering;

/// The versions of ONNX's file format that are read.
const IR_VERSIONS: std::ops::RangeInclusive<i64> = 3..=11;
/// The versions of ONNX's operators that are evaluated.
const OPSETS: std::ops::RangeInclusive<i64> = 13..=21;

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
pub(super) fn open(
    mut model: ModelProto,
    mut bytes: Bytes,
    folder: &Path,
) -> Result<Foreign, String> {
    let opset = opset(&model)?;
    let no_graph = || "it is not an ONNX model, or damaged: it has no graph".to_owned();
    let proto = model.graph.as_ref().ok_or_else(no_graph)?;
    refuse_unseen(&model, proto)?;
    refuse_unknown(&proto.node, opset)?;
    let files = constant::put_in(model.graph.as_mut().ok_or_else(no_graph)?, folder)?;
    if !files.is_empty() {
        // What was read is what is run.
        bytes = model.encode_to_vec().into();
        if bytes.len() > MOST_BYTES {
            return Err(constant::too_many());
        }
    }

    let proto = model.graph.as_ref().ok_or_else(no_graph)?;
    let mut notes = Vec::new();
    let constants: BTreeSet<&str> =
        proto.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
    let names = names(proto, &constants)?;
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
    for tensor in &proto.initializer {
        lowering.constant(&tensor.name, constant::constant(tensor)?);
    }
    for input in &free.inputs {
        structure::size(input)?;
        lowering.input(input.clone());
    }
    for (number, node) in (1..).zip(&proto.node) {
        lower::node(&mut lowering, number, node)?;
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
    if !files.is_empty() {
        let files: Vec<String> = files.into_iter().collect();
        notes.push(format!("it keeps numbers in {}", files.join(", ")));
    }
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
fn names(proto: &GraphProto, constants: &BTreeSet<&str>) -> Result<BTreeSet<String>, String> {
    let mut names = BTreeSet::new();
    let inputs = proto.input.iter().map(|input| input.name.as_str());
    let given = inputs
        // Old files list their weights here too.
        .filter(|name| !constants.contains(name))
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
