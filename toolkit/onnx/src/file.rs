//! Reads files that may be ONNX models, and says where they lie.

use std::fs;
use std::path::Path;

use crate::Error;

/// Protobuf messages, and so ONNX files without external data, end here.
const MAX_BYTES: u64 = (1 << 31) - 1;

/// The bytes of a file that may be an ONNX model.
///
/// # Errors
/// [`Error::Read`] if it cannot be read, [`Error::OnnxFile`] if it is no file or too large.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let refuse = |reason| Error::OnnxFile { path: path.into(), reason };
    let read_error = |source| Error::Read { path: path.into(), source };
    let about = fs::metadata(path).map_err(read_error)?;
    if !about.is_file() {
        return Err(refuse("it is not a file".into()));
    }
    if about.len() > MAX_BYTES {
        return Err(refuse(format!(
            "it has {} bytes; an ONNX file has at most {MAX_BYTES}",
            about.len()
        )));
    }
    fs::read(path).map_err(read_error)
}
