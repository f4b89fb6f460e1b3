//! Files of tensors that other programs read: `safetensors` in Python opens them.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{self, Write as _};
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors, View, serialize};
use trainbook_core::beside::temporary_beside;

/// Puts a file together.
#[derive(Default)]
pub(crate) struct Writer<'a> {
    tensors: Vec<(String, Tensor<'a>)>,
}

struct Tensor<'a> {
    shape: Vec<usize>,
    numbers: Numbers<'a>,
}

enum Numbers<'a> {
    Floats(&'a [f32]),
    Bytes(&'a [u8]),
}

impl View for Tensor<'_> {
    fn dtype(&self) -> Dtype {
        match self.numbers {
            Numbers::Floats(_) => Dtype::F32,
            Numbers::Bytes(_) => Dtype::U8,
        }
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        match self.numbers {
            Numbers::Floats(values) => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            Numbers::Bytes(bytes) => Cow::Borrowed(bytes),
        }
    }

    fn data_len(&self) -> usize {
        match self.numbers {
            Numbers::Floats(values) => 4 * values.len(),
            Numbers::Bytes(bytes) => bytes.len(),
        }
    }
}

impl<'a> Writer<'a> {
    /// Adds a tensor of f32, in row-major order.
    pub fn floats(&mut self, name: String, shape: Vec<usize>, values: &'a [f32]) {
        self.tensors.push((name, Tensor { shape, numbers: Numbers::Floats(values) }));
    }

    /// Adds bytes.
    pub fn bytes(&mut self, name: String, bytes: &'a [u8]) {
        let numbers = Numbers::Bytes(bytes);
        self.tensors.push((name, Tensor { shape: vec![bytes.len()], numbers }));
    }

    /// The file, with one entry of metadata: several have no order, and equal content should be
    /// equal bytes.
    pub fn finish(self, key: &str, value: &str) -> Result<Vec<u8>, String> {
        let metadata = HashMap::from([(key.to_owned(), value.to_owned())]);
        serialize(self.tensors, Some(metadata)).map_err(|e| e.to_string())
    }

    /// The same into a file, which gets its name when it is whole.
    pub fn finish_to(self, path: &Path, key: &str, value: &str) -> io::Result<()> {
        let bytes = self.finish(key, value).map_err(io::Error::other)?;
        let mut file = temporary_beside(path)?;
        file.write_all(&bytes)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|e| e.error)?;
        Ok(())
    }
}

/// Takes a file apart.
pub(crate) struct Reader<'a> {
    file: SafeTensors<'a>,
    metadata: HashMap<String, String>,
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Result<Self, String> {
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| e.to_string())?;
        let file = SafeTensors::deserialize(bytes).map_err(|e| e.to_string())?;
        Ok(Self { file, metadata: header.metadata().clone().unwrap_or_default() })
    }

    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.metadata.get(key).map(String::as_str)
    }

    /// The names of all tensors, sorted.
    pub fn names(&self) -> Vec<&str> {
        let mut names = self.file.names();
        names.sort_unstable();
        names
    }

    pub fn bytes(&self, name: &str) -> Option<&'a [u8]> {
        self.file.tensor(name).ok().filter(|tensor| tensor.dtype() == Dtype::U8).map(|t| t.data())
    }

    /// The shape and the numbers of a tensor of f32.
    pub fn floats(&self, name: &str) -> Option<(Vec<usize>, Vec<f32>)> {
        let tensor = self.file.tensor(name).ok().filter(|tensor| tensor.dtype() == Dtype::F32)?;
        let (values, _) = tensor.data().as_chunks::<4>();
        let values = values.iter().map(|value| f32::from_le_bytes(*value)).collect();
        Some((tensor.shape().to_vec(), values))
    }

    /// What kind of numbers a tensor holds, in words.
    pub fn kind(&self, name: &str) -> Option<String> {
        self.file.tensor(name).ok().map(|tensor| format!("{:?}", tensor.dtype()))
    }
}
