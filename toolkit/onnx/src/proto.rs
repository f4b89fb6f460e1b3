//! ONNX's protobuf messages, as far as this crate reads and writes them.
//!
//! Field numbers are those of `onnx.proto` (proto2; repeated integers of shapes and attributes are
//! not packed there, but are read either way). Numbers of tensors are slices of the file's bytes,
//! not copies. Reading drops every field that is not listed here: [`decode`](super::decode)
//! compares the bytes of our own files with what it would have written, and
//! [`foreign`](super::foreign) refuses what is listed but cannot be evaluated.

use prost::bytes::Bytes;

/// A whole file.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ModelProto {
    #[prost(int64, tag = "1")]
    pub ir_version: i64,
    #[prost(string, tag = "2")]
    pub producer_name: String,
    #[prost(string, tag = "3")]
    pub producer_version: String,
    #[prost(message, optional, tag = "7")]
    pub graph: Option<GraphProto>,
    #[prost(message, repeated, tag = "8")]
    pub opset_import: Vec<OperatorSetIdProto>,
    #[prost(message, repeated, tag = "14")]
    pub metadata_props: Vec<StringStringEntryProto>,
    /// Operators that the file defines itself.
    #[prost(message, repeated, tag = "25")]
    pub functions: Vec<Nothing>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct OperatorSetIdProto {
    #[prost(string, tag = "1")]
    pub domain: String,
    #[prost(int64, tag = "2")]
    pub version: i64,
}

impl OperatorSetIdProto {
    /// Whether these are ONNX's own operators.
    pub fn is_onnx(&self) -> bool {
        is_onnx(&self.domain)
    }

    /// For messages: "ai.onnx.ml 3".
    pub fn shown(&self) -> String {
        let domain = if self.is_onnx() { DOMAIN } else { &self.domain };
        format!("{domain} {}", self.version)
    }
}

/// ONNX's own domain, which files may leave empty.
pub(super) const DOMAIN: &str = "ai.onnx";

/// Whether the domain is ONNX's own.
pub(super) fn is_onnx(domain: &str) -> bool {
    domain.is_empty() || domain == DOMAIN
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct StringStringEntryProto {
    #[prost(string, tag = "1")]
    pub key: String,
    #[prost(string, tag = "2")]
    pub value: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct GraphProto {
    #[prost(message, repeated, tag = "1")]
    pub node: Vec<NodeProto>,
    #[prost(string, tag = "2")]
    pub name: String,
    #[prost(message, repeated, tag = "5")]
    pub initializer: Vec<TensorProto>,
    #[prost(message, repeated, tag = "11")]
    pub input: Vec<ValueInfoProto>,
    #[prost(message, repeated, tag = "12")]
    pub output: Vec<ValueInfoProto>,
    #[prost(message, repeated, tag = "13")]
    pub value_info: Vec<ValueInfoProto>,
    #[prost(message, repeated, tag = "15")]
    pub sparse_initializer: Vec<SparseTensorProto>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct NodeProto {
    #[prost(string, repeated, tag = "1")]
    pub input: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    pub output: Vec<String>,
    #[prost(string, tag = "3")]
    pub name: String,
    #[prost(string, tag = "4")]
    pub op_type: String,
    #[prost(message, repeated, tag = "5")]
    pub attribute: Vec<AttributeProto>,
    #[prost(string, tag = "7")]
    pub domain: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct AttributeProto {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(float, optional, tag = "2")]
    pub f: Option<f32>,
    #[prost(int64, optional, tag = "3")]
    pub i: Option<i64>,
    #[prost(bytes = "bytes", optional, tag = "4")]
    pub s: Option<Bytes>,
    #[prost(message, optional, tag = "5")]
    pub t: Option<TensorProto>,
    /// The body of a loop, or a branch.
    #[prost(message, optional, boxed, tag = "6")]
    pub g: Option<Box<GraphProto>>,
    #[prost(float, repeated, packed = "false", tag = "7")]
    pub floats: Vec<f32>,
    #[prost(int64, repeated, packed = "false", tag = "8")]
    pub ints: Vec<i64>,
    #[prost(bytes = "bytes", repeated, tag = "9")]
    pub strings: Vec<Bytes>,
    #[prost(message, repeated, tag = "11")]
    pub graphs: Vec<GraphProto>,
    /// [`ATTRIBUTE_FLOAT`], [`ATTRIBUTE_INT`], …
    #[prost(int32, tag = "20")]
    pub r#type: i32,
    /// Within a function, the name of the function's attribute.
    #[prost(string, tag = "21")]
    pub ref_attr_name: String,
}

pub(super) const ATTRIBUTE_FLOAT: i32 = 1;
pub(super) const ATTRIBUTE_INT: i32 = 2;
pub(super) const ATTRIBUTE_STRING: i32 = 3;
pub(super) const ATTRIBUTE_TENSOR: i32 = 4;
pub(super) const ATTRIBUTE_FLOATS: i32 = 6;
pub(super) const ATTRIBUTE_INTS: i32 = 7;
pub(super) const ATTRIBUTE_STRINGS: i32 = 8;

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct TensorProto {
    #[prost(int64, repeated, packed = "false", tag = "1")]
    pub dims: Vec<i64>,
    /// [`TENSOR_FLOAT`], [`TENSOR_INT64`], …
    #[prost(int32, tag = "2")]
    pub data_type: i32,
    /// A part of a larger tensor: nobody writes that.
    #[prost(message, optional, tag = "3")]
    pub segment: Option<Nothing>,
    #[prost(float, repeated, tag = "4")]
    pub float_data: Vec<f32>,
    /// Of every type with at most 32 bits but float.
    #[prost(int32, repeated, tag = "5")]
    pub int32_data: Vec<i32>,
    #[prost(bytes = "bytes", repeated, tag = "6")]
    pub string_data: Vec<Bytes>,
    #[prost(int64, repeated, tag = "7")]
    pub int64_data: Vec<i64>,
    #[prost(string, tag = "8")]
    pub name: String,
    /// Row-major little-endian elements.
    #[prost(bytes = "bytes", tag = "9")]
    pub raw_data: Bytes,
    #[prost(double, repeated, tag = "10")]
    pub double_data: Vec<f64>,
    #[prost(uint64, repeated, tag = "11")]
    pub uint64_data: Vec<u64>,
    #[prost(message, repeated, tag = "13")]
    pub external_data: Vec<StringStringEntryProto>,
    /// [`EXTERNAL`], or in the file.
    #[prost(int32, optional, tag = "14")]
    pub data_location: Option<i32>,
}

impl TensorProto {
    /// Whether its numbers are in another file.
    pub fn is_external(&self) -> bool {
        self.data_location.is_some_and(|location| location != 0) || !self.external_data.is_empty()
    }

    /// What a key of [`external_data`](Self::external_data) is set to.
    pub fn external(&self, key: &str) -> Option<&str> {
        let entry = self.external_data.iter().find(|entry| entry.key == key);
        entry.map(|entry| entry.value.as_str())
    }
}

pub(super) const TENSOR_FLOAT: i32 = 1;
pub(super) const TENSOR_INT64: i32 = 7;
pub(super) const TENSOR_BOOL: i32 = 9;

/// The numbers that are not 0, named as the whole, and their places.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct SparseTensorProto {
    #[prost(message, optional, tag = "1")]
    pub values: Option<TensorProto>,
    #[prost(message, optional, tag = "2")]
    pub indices: Option<TensorProto>,
    #[prost(int64, repeated, packed = "false", tag = "3")]
    pub dims: Vec<i64>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ValueInfoProto {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(message, optional, tag = "2")]
    pub r#type: Option<TypeProto>,
}

/// Only one of them is there.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct TypeProto {
    #[prost(message, optional, tag = "1")]
    pub tensor_type: Option<TensorTypeProto>,
    #[prost(message, optional, tag = "4")]
    pub sequence: Option<Nothing>,
    #[prost(message, optional, tag = "5")]
    pub map: Option<Nothing>,
    #[prost(message, optional, tag = "8")]
    pub sparse_tensor: Option<TensorTypeProto>,
    #[prost(message, optional, tag = "9")]
    pub optional: Option<Nothing>,
}

/// A message whose presence is all that counts.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Nothing {}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct TensorTypeProto {
    #[prost(int32, tag = "1")]
    pub elem_type: i32,
    #[prost(message, optional, tag = "2")]
    pub shape: Option<TensorShapeProto>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct TensorShapeProto {
    #[prost(message, repeated, tag = "1")]
    pub dim: Vec<DimensionProto>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct DimensionProto {
    #[prost(int64, optional, tag = "1")]
    pub dim_value: Option<i64>,
    #[prost(string, optional, tag = "2")]
    pub dim_param: Option<String>,
}
