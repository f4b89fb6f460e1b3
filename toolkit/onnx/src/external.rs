//! Tensors whose numbers are in a file beside the model.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use super::proto::TensorProto;

/// Protobuf messages, and so models with everything in one file, end here.
pub(crate) const MOST_BYTES: usize = (1 << 31) - 1;

/// The file of a tensor's external data, which must be in the model's folder or below, on every
/// system.
///
/// # Errors
/// The reason, if it is not.
pub(super) fn location(tensor: &TensorProto) -> Result<&str, String> {
    let location = tensor.external("location").unwrap_or_default();
    let absolute = location.starts_with(['/', '\\']) || location.contains(':');
    if location.is_empty() || absolute || location.split(['/', '\\']).any(|part| part == "..") {
        return Err(format!(
            "the tensor {:?} keeps its data in {location:?}; it must name a file in the model's folder or below",
            tensor.name
        ));
    }
    Ok(location)
}

/// The numbers of a tensor that takes so many `bytes`, from the file beside the model in `folder`.
///
/// # Errors
/// The reason, if the file is not in the folder or cannot be read, or the numbers are not in it.
pub(super) fn read(tensor: &TensorProto, folder: &Path, bytes: usize) -> Result<Vec<u8>, String> {
    let (name, location) = (&tensor.name, location(tensor)?);
    let wrong =
        |reason: String| format!("the tensor {name:?} keeps its data in {location:?}: {reason}");
    let unreadable = |e: std::io::Error| wrong(format!("failed to read it: {e}"));
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let root = folder.canonicalize().map_err(unreadable)?;
    let path = root.join(location).canonicalize().map_err(unreadable)?;
    if !path.starts_with(&root) {
        return Err(wrong("a link leads from there out of the model's folder".into()));
    }
    let about = path.metadata().map_err(unreadable)?;
    if !about.is_file() {
        return Err(wrong("it is not a file".into()));
    }
    let number = |key: &str, default: u64| match tensor.external(key) {
        None => Ok(default),
        Some(text) => text
            .parse::<u64>()
            .map_err(|_| wrong(format!("its {key} is {text:?}; it must be a whole number from 0"))),
    };
    let (offset, length) = (number("offset", 0)?, number("length", bytes as u64)?);
    if length != bytes as u64 {
        return Err(wrong(format!("its length is {length}; its shape takes {bytes} bytes")));
    }
    // Before memory is asked for what the model merely claims.
    if offset.checked_add(length).is_none_or(|end| end > about.len()) {
        let size = about.len();
        return Err(wrong(format!("{length} bytes from byte {offset} on are not in its {size}")));
    }
    if bytes > MOST_BYTES {
        return Err(wrong(format!("{bytes} bytes are more than {MOST_BYTES}")));
    }
    let mut file = File::open(&path).map_err(unreadable)?;
    file.seek(SeekFrom::Start(offset)).map_err(unreadable)?;
    let mut data = vec![0; bytes];
    file.read_exact(&mut data).map_err(unreadable)?;
    Ok(data)
}
