//! Bytes → graph, for files that this crate wrote.
//!
//! A check is worth nothing if the file holds something that the checker does not see but ONNX
//! Runtime obeys. So a file is accepted only if encoding what was read gives the same bytes again.

use std::collections::BTreeMap;
use std::path::Path;

use prost::Message as _;
use prost::bytes::Buf;

use super::encode::{self, FILE_SHA256, GRAPH_SHA256, IR_VERSION, OPSET};
use super::graph::{Attribute, Dim, Graph, Integers, Node, Value, Weight};
use super::operator::Operator;
use super::proto::{
    ATTRIBUTE_FLOAT, ATTRIBUTE_INT, ATTRIBUTE_INTS, ATTRIBUTE_STRING, AttributeProto, GraphProto,
    ModelProto, NodeProto, OperatorSetIdProto, TENSOR_BOOL, TENSOR_FLOAT, TENSOR_INT64,
    TensorProto, ValueInfoProto,
};
use super::structure;
use super::value::Element;
use crate::Error;

/// Why such a file is not checked as one of another tool.
const HELD: &str = "and a file that names it or has its hash is held to that";

/// A file that could be read.
pub(super) struct Opened {
    pub graph: Graph,
    pub metadata: BTreeMap<String, String>,
    /// How it is told that it was changed after the export; `None` if it was not.
    pub changed: Option<String>,
}

impl Graph {
    /// Reads the bytes of a file that [`to_bytes`](Self::to_bytes) wrote: the graph and the
    /// metadata. `path` is for messages.
    ///
    /// # Errors
    /// [`Error::OnnxFile`] if the bytes are anything else.
    pub fn from_bytes(
        path: &Path,
        bytes: &[u8],
    ) -> Result<(Self, BTreeMap<String, String>), Error> {
        model(bytes).map_err(|reason| Error::OnnxFile { path: path.into(), reason })
    }
}

/// # Errors
/// The reason, in one line.
pub(super) fn model(bytes: &[u8]) -> Result<(Graph, BTreeMap<String, String>), String> {
    let Opened { graph, metadata, changed } = open(&parse(bytes)?, bytes)?;
    changed.map_or(Ok((graph, metadata)), Err)
}

/// The messages of a file of any tool.
///
/// # Errors
/// The reason, in one line.
pub(super) fn parse(bytes: impl Buf) -> Result<ModelProto, String> {
    if !bytes.has_remaining() {
        return Err("it is empty".into());
    }
    let model = ModelProto::decode(bytes)
        .map_err(|e| format!("it is not an ONNX model, or damaged: {e}"))?;
    if model.graph.is_none() {
        return Err("it is not an ONNX model, or damaged: it has no graph".into());
    }
    Ok(model)
}

/// Reads the messages of a file with these bytes even if it was changed after the export, as long as
/// it still is one that this crate might have written.
///
/// # Errors
/// The reason, in one line.
pub(super) fn open(model: &ModelProto, bytes: &[u8]) -> Result<Opened, String> {
    let Some(proto) = &model.graph else {
        return Err("it is not an ONNX model, or damaged: it has no graph".into());
    };
    if model.ir_version != IR_VERSION {
        return Err(format!(
            "its IR version is {}; trainbook writes {IR_VERSION}, {HELD}",
            model.ir_version
        ));
    }
    if model.opset_import != [OperatorSetIdProto { domain: String::new(), version: OPSET }] {
        let found: Vec<_> = model.opset_import.iter().map(OperatorSetIdProto::shown).collect();
        return Err(format!(
            "its operator sets are {}; trainbook writes opset {OPSET} alone, {HELD}",
            found.join(", ")
        ));
    }
    let graph = graph(proto)?;
    let changed = changed(model, proto);
    if let Err(reason) = structure::verify(&graph) {
        // Of a file that was changed, that is the first thing to say.
        return Err(match changed {
            Ok(Some(changed)) => format!("{changed}; {reason}"),
            _ => reason,
        });
    }
    if !model.functions.is_empty()
        || model.encode_to_vec() != bytes
        || encode::graph_bytes(&graph) != proto.encode_to_vec()
    {
        return Err(format!("it holds something that trainbook does not write, {HELD}"));
    }
    let changed = changed?;
    let metadata = model.metadata_props.iter();
    let metadata = metadata.map(|entry| (entry.key.clone(), entry.value.clone())).collect();
    Ok(Opened { graph, metadata, changed })
}

/// How it is told that a file was changed after the export.
///
/// # Errors
/// The reason why it cannot be told: the file is not ours.
fn changed(model: &ModelProto, proto: &GraphProto) -> Result<Option<String>, String> {
    let stated = |key: &str| {
        model.metadata_props.iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    };
    let Some(graph) = stated(GRAPH_SHA256) else {
        return Err(format!(
            "it has no metadata entry {GRAPH_SHA256}, so it was not written by trainbook as it is, {HELD}"
        ));
    };
    let actual = encode::sha256(&proto.encode_to_vec());
    let reason = if *graph != actual {
        format!("its graph has the SHA-256 {actual}, its metadata says {graph:?}")
    } else {
        match (stated(FILE_SHA256), encode::expected_seal(model)) {
            (Some(stated), Some(actual)) if *stated == actual => return Ok(None),
            (Some(stated), Some(actual)) => {
                format!(
                    "what is before its last entry has the SHA-256 {actual}, that entry says {stated:?}"
                )
            }
            _ => format!("its last metadata entry is not {FILE_SHA256}"),
        }
    };
    Ok(Some(format!("it was changed after the export: {reason}")))
}

fn graph(proto: &GraphProto) -> Result<Graph, String> {
    let values = |infos: &[ValueInfoProto]| infos.iter().map(value).collect::<Result<Vec<_>, _>>();
    let (inputs, outputs) = (values(&proto.input)?, values(&proto.output)?);
    let mut values: BTreeMap<_, _> =
        outputs.iter().map(|output| (output.name.clone(), output.clone())).collect();
    for info in &proto.value_info {
        let value = value(info)?;
        values.insert(value.name.clone(), value);
    }
    let is_integers = |tensor: &&TensorProto| tensor.data_type == TENSOR_INT64;
    Ok(Graph {
        inputs,
        outputs,
        nodes: proto.node.iter().map(|proto| node(proto, &values)).collect::<Result<_, _>>()?,
        weights: proto
            .initializer
            .iter()
            .filter(|tensor| !is_integers(tensor))
            .map(weight)
            .collect::<Result<_, _>>()?,
        integers: proto
            .initializer
            .iter()
            .filter(is_integers)
            .map(integers)
            .collect::<Result<_, _>>()?,
    })
}

fn value(info: &ValueInfoProto) -> Result<Value, String> {
    let name = &info.name;
    let tensor = info.r#type.as_ref().and_then(|t| t.tensor_type.as_ref());
    let (element, shape) = match tensor.map(|tensor| (tensor.elem_type, tensor.shape.as_ref())) {
        Some((TENSOR_FLOAT, Some(shape))) => (Element::F32, shape),
        Some((TENSOR_INT64, Some(shape))) => (Element::I64, shape),
        Some((TENSOR_BOOL, Some(shape))) => (Element::Bool, shape),
        _ => {
            return Err(format!(
                "the value {name:?} is not a tensor of floats, int64 or bool with a shape"
            ));
        }
    };
    let dims = shape.dim.iter().map(|dim| match (dim.dim_value, &dim.dim_param) {
        (Some(size), None) => usize::try_from(size).ok().map(Dim::Fixed),
        (None, Some(name)) => Some(Dim::Named(name.clone())),
        _ => None,
    });
    let shape = dims
        .collect::<Option<_>>()
        .ok_or_else(|| format!("the value {name:?} has an unknown dimension"))?;
    Ok(Value { name: name.clone(), element, shape })
}

fn node(proto: &NodeProto, values: &BTreeMap<String, Value>) -> Result<Node, String> {
    let name = &proto.name;
    if !proto.domain.is_empty() {
        return Err(format!(
            "node {name:?} uses {} of the domain {:?}, which trainbook does not write",
            proto.op_type, proto.domain
        ));
    }
    let attributes = proto
        .attribute
        .iter()
        .map(|proto| Ok((proto.name.clone(), attribute(name, proto)?)))
        .collect::<Result<_, String>>()?;
    // Before the shapes are needed, so that a file that another tool changed is told by the operator
    // that stands in the way.
    Operator::parse(&proto.op_type, &attributes)
        .map_err(|reason| format!("node {name:?}: {reason}"))?;
    let output = |output: &String| {
        let value = values.get(output).cloned();
        value.ok_or_else(|| format!("the output {output:?} of node {name:?} has no shape"))
    };
    Ok(Node {
        name: name.clone(),
        op: proto.op_type.clone(),
        inputs: proto.input.clone(),
        outputs: proto.output.iter().map(output).collect::<Result<_, _>>()?,
        attributes,
    })
}

fn attribute(node: &str, proto: &AttributeProto) -> Result<Attribute, String> {
    let wrong = || {
        format!(
            "the attribute {:?} of node {node:?} is none of a float, an integer, integers and a text",
            proto.name
        )
    };
    match (proto.r#type, proto.f, proto.i, &proto.s, proto.ints.as_slice()) {
        (ATTRIBUTE_FLOAT, Some(value), None, None, []) => Ok(Attribute::Float(value)),
        (ATTRIBUTE_INT, None, Some(value), None, []) => Ok(Attribute::Int(value)),
        (ATTRIBUTE_STRING, None, None, Some(text), []) => {
            String::from_utf8(text.to_vec()).map(Attribute::Text).map_err(|_| wrong())
        }
        (ATTRIBUTE_INTS, None, None, None, values) => Ok(Attribute::Ints(values.to_vec())),
        _ => Err(wrong()),
    }
}

fn weight(proto: &TensorProto) -> Result<Weight, String> {
    let name = &proto.name;
    if proto.data_type != TENSOR_FLOAT {
        return Err(format!(
            "the tensor {name:?} has the element type {}; it must be float (1) or int64 (7)",
            proto.data_type
        ));
    }
    let shape = filled(proto, 4)?;
    let (numbers, _) = proto.raw_data.as_chunks::<4>();
    Ok(Weight {
        name: name.clone(),
        shape,
        data: numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect(),
    })
}

fn integers(proto: &TensorProto) -> Result<Integers, String> {
    let shape = filled(proto, 8)?;
    if shape.len() != 1 {
        return Err(format!(
            "the tensor {:?} of int64 has {} dimensions; it must have one",
            proto.name,
            shape.len()
        ));
    }
    let (numbers, _) = proto.raw_data.as_chunks::<8>();
    let data = numbers.iter().map(|bytes| i64::from_le_bytes(*bytes)).collect();
    Ok(Integers { name: proto.name.clone(), data })
}

/// The shape of a tensor whose data is in the file and fills it.
fn filled(proto: &TensorProto, bytes: usize) -> Result<Vec<usize>, String> {
    let name = &proto.name;
    if proto.is_external() {
        let location = proto.external("location").unwrap_or_default();
        return Err(format!(
            "the tensor {name:?} keeps its data in another file, {location:?}; trainbook writes it into this file"
        ));
    }
    let dims = proto.dims.iter().map(|&size| usize::try_from(size).ok());
    let shape = dims
        .collect::<Option<Vec<_>>>()
        .ok_or_else(|| format!("the tensor {name:?} has a negative size"))?;
    let size = shape.iter().try_fold(bytes, |bytes, size| bytes.checked_mul(*size));
    if size != Some(proto.raw_data.len()) {
        return Err(format!(
            "the tensor {name:?} of shape {} has {} bytes of raw data",
            Value::sizes(&shape),
            proto.raw_data.len()
        ));
    }
    Ok(shape)
}
