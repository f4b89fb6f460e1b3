//! What the tests share of formats whose files say what their columns hold.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::odd_tables::values;
use crate::DataError;
use crate::table::Table;

/// Every file that `pandas.json` in this folder has, so many, is read as pandas reads it.
pub(super) fn held_to_pandas(
    folder: &Path,
    read: impl Fn(&str) -> Result<Table, DataError>,
    count: usize,
) {
    let text = std::fs::read_to_string(folder.join("pandas.json")).unwrap();
    let fixture: Value = serde_json::from_str(&text).unwrap();
    let files = fixture["files"].as_object().unwrap();
    assert_eq!(files.len(), count);
    for (name, expected) in files {
        let table = read(name).unwrap();
        assert_eq!(Value::from(table.columns()), expected["names"], "{name}");
        for (column, (data, expected)) in
            table.data().iter().zip(expected["columns"].as_array().unwrap()).enumerate()
        {
            // As in other tables, spaces around a text are none of it.
            let trimmed = |value: &Value| match value {
                Value::String(text) => Value::from(text.trim()),
                other => other.clone(),
            };
            let expected: Vec<Value> = expected.as_array().unwrap().iter().map(trimmed).collect();
            assert_eq!(values(data), expected, "{name} {}", table.columns()[column]);
        }
    }
}

/// The error of a file, which is called FILE in it.
pub(super) fn refused_by(path: &Path, read: fn(PathBuf) -> Result<Table, DataError>) -> String {
    let error = read(path.to_owned()).unwrap_err().to_string();
    error.replace(&path.display().to_string(), "FILE")
}

/// A file with these bytes.
pub(super) fn write(folder: &tempfile::TempDir, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join("file");
    std::fs::write(&path, bytes).unwrap();
    path
}
