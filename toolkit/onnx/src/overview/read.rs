//! Bytes → overview.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use prost::bytes::Bytes;

use super::flops;
use super::info::{NodeInfo, Overview, Size, TensorInfo};
use super::operators::is_onnx;
use super::shape::{self, Sizes};
use crate::proto::{
    DOMAIN, DimensionProto as Dim, GraphProto as Graph, NodeProto as Node, TensorProto as Tensor,
    TypeProto as Type, ValueInfoProto as ValueInfo,
};
use crate::{decode, element, encode, external};

/// # Errors
/// The reason, in one line.
pub(super) fn overview(path: &Path, bytes: Bytes) -> Result<Overview, String> {
    let (size, file_sha256) = (bytes.len() as u64, encode::sha256(&bytes));
    let model = decode::parse(bytes)?;
    let Some(graph) = model.graph else {
        return Err("it is not an ONNX model, or damaged: it has no graph".into());
    };
    if model.ir_version < 1 {
        return Err("it is not an ONNX model, or damaged: it states no IR version".into());
    }

    let mut totals = Totals { file: size, ..Totals::default() };
    let held = totals.initializers(&graph)?;
    let inputs: Vec<_> = graph
        .input
        .iter()
        .filter(|input| !held.contains_key(input.name.as_str()))
        .map(tensor_info)
        .collect();
    let outputs: Vec<_> = graph.output.iter().map(tensor_info).collect();
    let stated: HashMap<&str, TensorInfo> = graph
        .value_info
        .iter()
        .chain(&graph.output)
        .map(|info| (info.name.as_str(), tensor_info(info)))
        .collect();

    let free: BTreeSet<&str> = inputs
        .iter()
        .filter_map(|input| input.shape.as_ref())
        .flatten()
        .filter_map(named)
        .collect();
    let at_one_row = |info: &TensorInfo, unknown: Option<u64>| -> Option<Vec<u64>> {
        let size = |size: &Size| match size {
            Size::Fixed(size) => Some(*size),
            // A name that no input has stands for a size that depends on others.
            Size::Named(name) => free.contains(name.as_str()).then_some(1),
            Size::Unknown => unknown,
        };
        info.shape.as_ref()?.iter().map(size).collect()
    };
    let mut sizes: Sizes<'_> =
        held.iter().map(|(&name, (sizes, _))| (name, sizes.clone())).collect();
    sizes.extend(stated.iter().filter_map(|(&name, info)| Some((name, at_one_row(info, None)?))));
    for (info, input) in
        graph.input.iter().filter(|input| !held.contains_key(input.name.as_str())).zip(&inputs)
    {
        sizes.extend(at_one_row(input, Some(1)).map(|sizes| (info.name.as_str(), sizes)));
    }

    let counted_as_one = free.iter().map(|&name| name.to_owned()).collect();
    let mut nodes = Vec::with_capacity(graph.node.len());
    for node in &graph.node {
        let mut parameters = totals.within(node)?;
        for (i, name) in node.input.iter().enumerate() {
            if let Some((_, count)) =
                held.get(name.as_str()).filter(|_| !node.input[..i].contains(name))
            {
                parameters = plus(parameters, *count)?;
            }
        }
        shape::infer(node, &mut sizes);
        nodes.push(NodeInfo {
            name: node.name.clone(),
            operator: operator(node),
            inputs: node.input.clone(),
            outputs: node.output.clone(),
            shape: node.output.first().and_then(|name| stated.get(name.as_str())?.shape.clone()),
            parameters,
            flops: flops::flops(node, &sizes),
        });
    }
    Ok(Overview {
        path: path.into(),
        bytes: size,
        file_sha256,
        ir_version: model.ir_version,
        opsets: model
            .opset_import
            .into_iter()
            .map(|set| {
                (if set.domain.is_empty() { DOMAIN.into() } else { set.domain }, set.version)
            })
            .collect(),
        producer: format!("{} {}", model.producer_name, model.producer_version).trim().into(),
        inputs,
        outputs,
        parameters: totals.parameters,
        initializer_bytes: totals.bytes,
        external_files: totals.external_files.into_iter().collect(),
        flops: nodes.iter().filter_map(|node| node.flops).try_fold(0, plus)?,
        flops_unknown: nodes.iter().filter(|node| node.flops.is_none()).count(),
        counted_as_one,
        nodes,
        metadata: model
            .metadata_props
            .into_iter()
            .map(|entry| (entry.key, entry.value))
            .collect::<BTreeMap<_, _>>(),
    })
}

fn operator(node: &Node) -> String {
    if is_onnx(node) { node.op_type.clone() } else { format!("{}.{}", node.domain, node.op_type) }
}

fn named(size: &Size) -> Option<&str> {
    if let Size::Named(name) = size { Some(name) } else { None }
}

fn plus(sum: u64, number: u64) -> Result<u64, String> {
    sum.checked_add(number)
        .ok_or_else(|| "it is damaged: its sizes add up to more than 2^64".into())
}

fn tensor_info(info: &ValueInfo) -> TensorInfo {
    let (element, shape) = match &info.r#type {
        Some(Type { tensor_type: Some(tensor), .. } | Type { sparse_tensor: Some(tensor), .. }) => {
            let size = |dim: &Dim| match (dim.dim_value.map(u64::try_from), &dim.dim_param) {
                (Some(Ok(size)), _) => Size::Fixed(size),
                (_, Some(name)) if !name.is_empty() => Size::Named(name.clone()),
                _ => Size::Unknown,
            };
            let shape = tensor.shape.as_ref().map(|shape| shape.dim.iter().map(size).collect());
            (element::name(tensor.elem_type), shape)
        }
        Some(Type { sequence: Some(_), .. }) => ("sequence".into(), None),
        Some(Type { map: Some(_), .. }) => ("map".into(), None),
        Some(Type { optional: Some(_), .. }) => ("optional".into(), None),
        _ => ("?".into(), None),
    };
    TensorInfo { name: info.name.clone(), element, shape }
}

/// The sizes and the parameters of the tensors that a graph holds, by name.
type Held<'a> = HashMap<&'a str, (Vec<u64>, u64)>;

#[derive(Default)]
struct Totals {
    /// The size of the file.
    file: u64,
    parameters: u64,
    bytes: u64,
    external_files: BTreeSet<String>,
}

impl Totals {
    fn initializers<'a>(&mut self, graph: &'a Graph) -> Result<Held<'a>, String> {
        let mut held = HashMap::new();
        for tensor in &graph.initializer {
            held.insert(
                tensor.name.as_str(),
                (sizes_of(&tensor.name, &tensor.dims)?, self.add(tensor)?),
            );
        }
        for sparse in &graph.sparse_initializer {
            if let Some(values) = &sparse.values {
                held.insert(
                    values.name.as_str(),
                    (sizes_of(&values.name, &sparse.dims)?, self.add(values)?),
                );
            }
            if let Some(indices) = &sparse.indices {
                self.add(indices)?;
            }
        }
        Ok(held)
    }

    /// Counts what a node holds itself, and in its branches and body; the parameters among it.
    fn within(&mut self, node: &Node) -> Result<u64, String> {
        let mut parameters = 0;
        for attribute in &node.attribute {
            match &attribute.t {
                Some(tensor) if node.op_type == "Constant" => {
                    parameters = plus(parameters, self.add(tensor)?)?
                }
                Some(tensor) => self.external(tensor).map(|_| ())?,
                None => {}
            }
            for graph in attribute.g.iter().map(AsRef::as_ref).chain(&attribute.graphs) {
                for (_, count) in self.initializers(graph)?.values() {
                    parameters = plus(parameters, *count)?;
                }
                for node in &graph.node {
                    parameters = plus(parameters, self.within(node)?)?;
                }
            }
        }
        Ok(parameters)
    }

    /// Counts a tensor; its parameters.
    fn add(&mut self, tensor: &Tensor) -> Result<u64, String> {
        let name = &tensor.name;
        let sizes = sizes_of(name, &tensor.dims)?;
        let too_large = || {
            format!("the tensor {name:?} of shape {sizes:?} has more numbers than a file can hold")
        };
        let count = shape::numbers(&sizes).ok_or_else(too_large)?;
        let bits = element::bits(tensor.data_type);
        let bytes = match bits {
            Some(bits) => count.checked_mul(bits).ok_or_else(too_large)?.div_ceil(8),
            None => tensor.string_data.iter().map(|text| text.len() as u64).sum(),
        };
        let (external, raw) = (self.external(tensor)?, tensor.raw_data.len() as u64);
        // No number takes less than two bits.
        if !external && count / 4 > self.file {
            return Err(too_large());
        }
        if !external && bits.is_some() && raw > 0 && raw != bytes {
            return Err(format!(
                "it is damaged: the tensor {name:?} of shape {sizes:?} has {raw} bytes of raw data; it must have {bytes}"
            ));
        }
        let parameters = if element::is_parameter(tensor.data_type) { count } else { 0 };
        self.parameters = plus(self.parameters, parameters)?;
        self.bytes = plus(self.bytes, bytes)?;
        Ok(parameters)
    }

    /// Whether the tensor's data is in another file.
    fn external(&mut self, tensor: &Tensor) -> Result<bool, String> {
        let external = tensor.is_external();
        if external {
            self.external_files.insert(external::location(tensor)?.into());
        }
        Ok(external)
    }
}

fn sizes_of(name: &str, dims: &[i64]) -> Result<Vec<u64>, String> {
    let sizes: Result<_, _> = dims.iter().map(|&size| u64::try_from(size)).collect();
    sizes.map_err(|_| format!("it is damaged: the tensor {name:?} has a negative size in {dims:?}"))
}
