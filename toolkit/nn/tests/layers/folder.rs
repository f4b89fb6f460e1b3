//! The folder that Python checks afterwards: a model and recorded inputs and outputs for each
//! layer, in ONNX's own layout (`NAME/model.onnx`, `NAME/test_data_set_0/input_0.pb`,
//! `output_0.pb`).

use std::fs;
use std::path::{Path, PathBuf};

use prost::Message as _;
use trainbook_onnx::{Array, Numbers};

/// Starts empty, so that nothing is left of an older run.
pub struct Folder(PathBuf);

#[derive(Clone, PartialEq, prost::Message)]
struct TensorProto {
    #[prost(int64, repeated, packed = "false", tag = "1")]
    dims: Vec<i64>,
    #[prost(int32, tag = "2")]
    data_type: i32,
    #[prost(string, tag = "8")]
    name: String,
    #[prost(bytes = "vec", tag = "9")]
    raw_data: Vec<u8>,
}

impl Folder {
    pub fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        if path.exists() {
            fs::remove_dir_all(&path).unwrap();
        }
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// The folder of one model, created.
    pub fn model(&self, name: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir(&path).unwrap();
        path
    }

    /// Says that the folder is whole: Python refuses one without, or with another number of models.
    pub fn finish(&self, models: usize) {
        fs::write(self.0.join("models.txt"), format!("{models}\n")).unwrap();
    }
}

/// Records what the trainer made of some inputs.
pub fn record(model: &Path, number: usize, inputs: &[(&str, &Array)], outputs: &[(&str, &Array)]) {
    let folder = model.join(format!("test_data_set_{number}"));
    fs::create_dir(&folder).unwrap();
    for (kind, arrays) in [("input", inputs), ("output", outputs)] {
        for (i, (name, array)) in arrays.iter().enumerate() {
            let (data_type, raw_data) = match &array.numbers {
                Numbers::F32(numbers) => {
                    (1, numbers.iter().flat_map(|x| x.to_le_bytes()).collect())
                }
                Numbers::I64(numbers) => {
                    (7, numbers.iter().flat_map(|x| x.to_le_bytes()).collect())
                }
            };
            let dims = array.shape.iter().map(|&size| i64::try_from(size).unwrap()).collect();
            let tensor = TensorProto { dims, data_type, name: (*name).to_owned(), raw_data };
            fs::write(folder.join(format!("{kind}_{i}.pb")), tensor.encode_to_vec()).unwrap();
        }
    }
}
