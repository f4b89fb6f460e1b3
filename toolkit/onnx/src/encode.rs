//! Graph → bytes.

use std::collections::BTreeMap;

use prost::Message as _;
use sha2::{Digest as _, Sha256};

use super::graph::{Attribute, Dim, Graph, Integers, Node, Value, Weight};
use super::proto::{
    ATTRIBUTE_FLOAT, ATTRIBUTE_INT, ATTRIBUTE_INTS, ATTRIBUTE_STRING, AttributeProto,
    DimensionProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, StringStringEntryProto,
    TENSOR_BOOL, TENSOR_FLOAT, TENSOR_INT64, TensorProto, TensorShapeProto, TensorTypeProto,
    TypeProto, ValueInfoProto,
};
use super::value::Element;

/// ONNX's file format version. With opset 17 every ONNX Runtime since 1.12 loads the file.
pub const IR_VERSION: i64 = 8;
/// The version of the operators. 17 is the first with LayerNormalization.
pub const OPSET: i64 = 17;
/// The metadata entry that holds [`Graph::sha256`], so that a damaged file can be told from an
/// intact one.
pub const GRAPH_SHA256: &str = "trainbook.graph_sha256";
/// The metadata entry with which a file ends: the SHA-256 of everything before it, so that metadata
/// that was changed can be told, too.
pub const FILE_SHA256: &str = "trainbook.sha256";
/// What the export alone writes into the metadata.
pub(super) const RESERVED: [&str; 2] = [GRAPH_SHA256, FILE_SHA256];
/// Who wrote the file.
pub(super) const PRODUCER: &str = "trainbook";

impl Graph {
    /// SHA-256, in hexadecimal, of the graph's bytes in the file: structure and weights, without
    /// metadata.
    pub fn sha256(&self) -> String {
        sha256(&graph_bytes(self))
    }

    /// The bytes of an ONNX file with these metadata entries and one that is added:
    /// [`GRAPH_SHA256`](super::GRAPH_SHA256).
    pub fn to_bytes(&self, metadata: &BTreeMap<String, String>) -> Vec<u8> {
        model_bytes(self, metadata)
    }
}

pub(super) fn model_bytes(graph: &Graph, metadata: &BTreeMap<String, String>) -> Vec<u8> {
    let proto = graph_proto(graph);
    let hash = (GRAPH_SHA256.to_owned(), sha256(&proto.encode_to_vec()));
    let others = metadata.iter().filter(|(key, _)| !RESERVED.contains(&key.as_str()));
    sealed(&model(proto, others.chain([(&hash.0, &hash.1)])))
}

/// The model with the hash of its bytes as its last entry. Messages that follow each other are one
/// message, by protobuf's rules.
fn sealed(model: &ModelProto) -> Vec<u8> {
    let mut bytes = model.encode_to_vec();
    let entry = StringStringEntryProto { key: FILE_SHA256.into(), value: sha256(&bytes) };
    bytes.extend(
        ModelProto { metadata_props: vec![entry], ..ModelProto::default() }.encode_to_vec(),
    );
    bytes
}

/// The hash that the file's last entry should state; `None` if the last entry is another.
pub(super) fn expected_seal(model: &ModelProto) -> Option<String> {
    let mut model = model.clone();
    model.metadata_props.pop_if(|entry| entry.key == FILE_SHA256)?;
    Some(sha256(&model.encode_to_vec()))
}

/// The graph with every [value between nodes](Graph::values_between) as a further output, to look
/// inside a computation.
pub(super) fn model_bytes_with_all_outputs(graph: &Graph) -> Vec<u8> {
    let mut proto = graph_proto(graph);
    proto.output = graph.values_between().map(value_proto).collect();
    proto.value_info.clear();
    model(proto, std::iter::empty()).encode_to_vec()
}

pub(super) fn graph_bytes(graph: &Graph) -> Vec<u8> {
    graph_proto(graph).encode_to_vec()
}

pub(super) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn model<'a>(
    graph: GraphProto,
    metadata: impl Iterator<Item = (&'a String, &'a String)>,
) -> ModelProto {
    ModelProto {
        ir_version: IR_VERSION,
        producer_name: PRODUCER.into(),
        producer_version: env!("CARGO_PKG_VERSION").into(),
        graph: Some(graph),
        opset_import: vec![OperatorSetIdProto { domain: String::new(), version: OPSET }],
        metadata_props: metadata
            .map(|(key, value)| StringStringEntryProto { key: key.clone(), value: value.clone() })
            .collect(),
        ..ModelProto::default()
    }
}

fn graph_proto(graph: &Graph) -> GraphProto {
    let between = graph
        .nodes
        .iter()
        .flat_map(|node| &node.outputs)
        .filter(|value| !graph.outputs.contains(value));
    GraphProto {
        node: graph.nodes.iter().map(node_proto).collect(),
        // Not the run's or the file's name: the graph's bytes must not depend on them.
        name: PRODUCER.into(),
        initializer: graph
            .weights
            .iter()
            .map(weight_proto)
            .chain(graph.integers.iter().map(integers_proto))
            .collect(),
        input: graph.inputs.iter().map(value_proto).collect(),
        output: graph.outputs.iter().map(value_proto).collect(),
        value_info: between.map(value_proto).collect(),
        ..GraphProto::default()
    }
}

fn node_proto(node: &Node) -> NodeProto {
    NodeProto {
        input: node.inputs.clone(),
        output: node.outputs.iter().map(|output| output.name.clone()).collect(),
        name: node.name.clone(),
        op_type: node.op.clone(),
        attribute: node
            .attributes
            .iter()
            .map(|(name, attribute)| attribute_proto(name, attribute))
            .collect(),
        domain: String::new(),
    }
}

fn attribute_proto(name: &str, attribute: &Attribute) -> AttributeProto {
    let empty = AttributeProto { name: name.to_owned(), ..AttributeProto::default() };
    match attribute {
        Attribute::Float(value) => {
            AttributeProto { f: Some(*value), r#type: ATTRIBUTE_FLOAT, ..empty }
        }
        Attribute::Int(value) => AttributeProto { i: Some(*value), r#type: ATTRIBUTE_INT, ..empty },
        Attribute::Text(text) => AttributeProto {
            s: Some(text.clone().into_bytes().into()),
            r#type: ATTRIBUTE_STRING,
            ..empty
        },
        Attribute::Ints(values) => {
            AttributeProto { ints: values.clone(), r#type: ATTRIBUTE_INTS, ..empty }
        }
    }
}

fn integers_proto(row: &Integers) -> TensorProto {
    let bytes = row.data.iter().flat_map(|number| number.to_le_bytes()).collect();
    tensor_proto(&row.name, &[row.data.len()], Element::I64, bytes)
}

fn weight_proto(weight: &Weight) -> TensorProto {
    let bytes = weight.data.iter().flat_map(|number| number.to_le_bytes()).collect();
    tensor_proto(&weight.name, &weight.shape, Element::F32, bytes)
}

/// A tensor of little-endian numbers.
pub(super) fn tensor_proto(
    name: &str,
    shape: &[usize],
    element: Element,
    raw_data: Vec<u8>,
) -> TensorProto {
    TensorProto {
        dims: shape.iter().map(|&size| as_i64(size)).collect(),
        data_type: data_type(element),
        name: name.to_owned(),
        raw_data: raw_data.into(),
        ..TensorProto::default()
    }
}

pub(super) fn data_type(element: Element) -> i32 {
    match element {
        Element::F32 => TENSOR_FLOAT,
        Element::I64 => TENSOR_INT64,
        Element::Bool => TENSOR_BOOL,
    }
}

pub(super) fn value_proto(value: &Value) -> ValueInfoProto {
    let dim = value.shape.iter().map(|dim| match dim {
        Dim::Fixed(size) => DimensionProto { dim_value: Some(as_i64(*size)), dim_param: None },
        Dim::Named(name) => DimensionProto { dim_value: None, dim_param: Some(name.clone()) },
    });
    let elem_type = data_type(value.element);
    let tensor_type =
        TensorTypeProto { elem_type, shape: Some(TensorShapeProto { dim: dim.collect() }) };
    ValueInfoProto {
        name: value.name.clone(),
        r#type: Some(TypeProto { tensor_type: Some(tensor_type), ..TypeProto::default() }),
    }
}

/// No tensor that fits in memory has a dimension above `i64::MAX`.
fn as_i64(size: usize) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}
