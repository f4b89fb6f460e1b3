//! A model with what proves it, in the layout in which ONNX keeps its own test models:
//!
//! ```text
//! digits/
//!   model.onnx
//!   test_data_set_0/input_0.pb …, output_0.pb …   what went in, and what the trainer made of it
//!   SHA256SUMS                                     of all of these, as `sha256sum --check` reads it
//! ```

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Component, Path, PathBuf};

use prost::Message as _;
use tempfile::NamedTempFile;
use trainbook_core::beside::{folder_of, take_name};

use super::array::{Array, Wire};
use super::encode::{self, sha256};
use super::golden::Golden;
use super::graph::Graph;
use super::proto::{TENSOR_FLOAT, TENSOR_INT64, TensorProto};
use super::value::{Element, Value};

/// The model's file in its folder.
pub(super) const MODEL: &str = "model.onnx";
/// The list of hashes.
pub(super) const SUMS: &str = "SHA256SUMS";
const SET: &str = "test_data_set_";

/// Moves a proved file into a folder of its own, which takes its name only when it is whole. An
/// older folder of that name is replaced if it is one like this.
pub(super) fn write(
    path: &Path,
    graph: &Graph,
    file: NamedTempFile,
    bytes: &[u8],
    golden: &Golden,
) -> io::Result<()> {
    if path.exists() && !path.join(SUMS).is_file() {
        let reason = format!("there is something else under that name, without a {SUMS}");
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, reason));
    }
    let mut builder = tempfile::Builder::new();
    builder.prefix(".trainbook-").suffix(".onnx.tmp");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777));
    let folder = builder.tempdir_in(folder_of(path))?;
    let mut sums = format!("{}  {MODEL}\n", sha256(bytes));
    file.persist(folder.path().join(MODEL)).map_err(|e| e.error)?;
    let set = format!("{SET}0");
    fs::create_dir(folder.path().join(&set))?;
    for (kind, values, arrays) in
        [("input", graph.inputs(), &golden.inputs), ("output", graph.outputs(), &golden.outputs)]
    {
        for (i, (value, array)) in values.iter().zip(arrays).enumerate() {
            let name = format!("{set}/{kind}_{i}.pb");
            let bytes =
                encode::tensor_proto(&value.name, &array.shape, array.element(), array.bytes())
                    .encode_to_vec();
            put(&folder.path().join(&name), &bytes)?;
            sums += &format!("{}  {name}\n", sha256(&bytes));
        }
    }
    put(&folder.path().join(SUMS), sums.as_bytes())?;
    File::open(folder.path().join(&set))?.sync_all()?;
    File::open(folder.path())?.sync_all()?;
    let folder = folder.keep();
    let moved = take_name(&folder, path);
    if moved.is_err() && folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    moved
}

fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// A folder whose files all have the hashes that its list states.
pub(super) struct Intact {
    /// Of every file in the list, by its path in the folder.
    files: BTreeMap<String, Vec<u8>>,
}

impl Intact {
    /// # Errors
    /// The reason, if a file is missing, cannot be read, was changed, or would lie outside the
    /// folder.
    pub fn read(folder: &Path) -> Result<Self, String> {
        let unreadable = |name: &str, e: io::Error| format!("{name} cannot be read: {e}");
        let sums = fs::read_to_string(folder.join(SUMS)).map_err(|e| unreadable(SUMS, e))?;
        let mut files = BTreeMap::new();
        for (number, line) in (1..).zip(sums.lines()) {
            let Some((hash, name)) = line.split_once("  ") else {
                return Err(format!(
                    "line {number} of {SUMS} is not a hash, two spaces and a name"
                ));
            };
            if !Path::new(name).components().all(|part| matches!(part, Component::Normal(_))) {
                return Err(format!("{name:?} in {SUMS} lies outside the folder"));
            }
            let bytes = fs::read(folder.join(name)).map_err(|e| unreadable(name, e))?;
            let found = sha256(&bytes);
            if found != hash {
                return Err(format!(
                    "{name} was changed after the export: it has the SHA-256 {found}, {SUMS} says {hash}"
                ));
            }
            files.insert(name.to_owned(), bytes);
        }
        if !files.contains_key(MODEL) {
            return Err(format!("{SUMS} does not name {MODEL}"));
        }
        Ok(Self { files })
    }

    /// What was recorded: the name of the set, and what is in it.
    ///
    /// # Errors
    /// The reason, if a tensor cannot be read or does not fit the graph.
    pub fn golden(&self, graph: &Graph) -> Result<Vec<(String, Golden)>, String> {
        let mut sets = Vec::new();
        for number in 0.. {
            let set = format!("{SET}{number}");
            if !self.files.keys().any(|name| name.starts_with(&format!("{set}/"))) {
                break;
            }
            let arrays = |kind: &str, values: &[Value]| {
                let one = |(i, _)| self.array(&format!("{set}/{kind}_{i}.pb"));
                values.iter().enumerate().map(one).collect::<Result<Vec<_>, _>>()
            };
            let (inputs, outputs) =
                (arrays("input", graph.inputs())?, arrays("output", graph.outputs())?);
            let golden = Golden { inputs, outputs };
            golden.fits(graph).map_err(|reason| format!("{set}: {reason}"))?;
            sets.push((set, golden));
        }
        Ok(sets)
    }

    fn array(&self, name: &str) -> Result<Array, String> {
        let bytes = self.files.get(name).ok_or_else(|| format!("{name} is not in {SUMS}"))?;
        let proto = TensorProto::decode(&bytes[..])
            .map_err(|e| format!("{name} is not a tensor, or damaged: {e}"))?;
        let element = match proto.data_type {
            TENSOR_FLOAT => Element::F32,
            TENSOR_INT64 => Element::I64,
            other => {
                return Err(format!(
                    "{name} has the element type {other}; it must be float (1) or int64 (7)"
                ));
            }
        };
        let shape =
            proto.dims.iter().map(|&size| usize::try_from(size).ok()).collect::<Option<Vec<_>>>();
        let array = shape.and_then(|shape| Array::from_bytes(element, shape, &proto.raw_data));
        array.ok_or_else(|| {
            format!("{name} does not hold as many numbers as its shape {:?} says", proto.dims)
        })
    }
}

/// The model's file, if the path is a folder like this or a file.
pub(super) fn model_of(path: &Path) -> PathBuf {
    if path.is_dir() { path.join(MODEL) } else { path.to_owned() }
}
