//! What a file takes, and which of its sizes are chosen at a run.

use std::collections::{BTreeMap, BTreeSet};

use crate::element;
use crate::graph::{Graph, Value};
use crate::proto::{DimensionProto, TENSOR_FLOAT, TENSOR_INT64, ValueInfoProto};
use crate::value::{BATCH, Dim, Element, MAX_WIDTH, MEMORY, SEQUENCE};

/// The sizes that are chosen at a run, which the graph calls batch, sequence and memory, and what
/// the file calls them.
pub(super) struct Free {
    /// As the graph has them.
    pub inputs: Vec<Value>,
    /// How many rows the file takes, if it says so.
    pub batch: Option<usize>,
    /// What the file calls its inputs' first sizes.
    pub batches: BTreeSet<String>,
    /// By the graph's name.
    pub names: BTreeMap<&'static str, String>,
}

impl Free {
    /// # Errors
    /// The reason, if an input is no batch of rows of floats or int64.
    pub fn of(inputs: &[&ValueInfoProto]) -> Result<Self, String> {
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
    pub fn signature(&self, graph: &Graph) -> String {
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
pub(super) enum Stated {
    Fixed(usize),
    Named(String),
    Unknown,
}

/// An input or output for messages: "x [N, 4]".
pub(super) fn shown(info: &ValueInfoProto) -> String {
    let Ok((_, Some(dims))) = tensor(info) else { return info.name.clone() };
    let dims = dims.iter().map(|dim| match dim {
        Stated::Fixed(size) => size.to_string(),
        Stated::Named(name) => name.clone(),
        Stated::Unknown => "?".to_owned(),
    });
    format!("{} [{}]", info.name, dims.collect::<Vec<_>>().join(", "))
}

/// The type of a value's numbers, and its shape if the file states it.
pub(super) fn tensor(info: &ValueInfoProto) -> Result<(i32, Option<Vec<Stated>>), String> {
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
