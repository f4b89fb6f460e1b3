//! MNIST's files.

use std::path::Path;

use crate::from_memory::{count_classes, numbered};
use crate::recipe::absolute;
use crate::source::Memory;
use crate::table::read_bytes;
use crate::{DataError, Dataset, Origin, Targets};

impl Dataset {
    /// Reads images and their labels from two files in the format of [MNIST], of bytes, also
    /// compressed (recognised by content, not by name). Rows are `[1, height, width]`, of numbers from 0 to 255.
    ///
    /// [MNIST]: http://yann.lecun.com/exdb/mnist/
    ///
    /// # Errors
    /// A file cannot be read, is not of that format, is shorter or longer than it says, they have
    /// different numbers of rows or none, or labels are not counted from 0 without gaps.
    pub fn idx(images: impl AsRef<Path>, labels: impl AsRef<Path>) -> Result<Self, DataError> {
        let (path, labels_path) = (images.as_ref(), labels.as_ref());
        let ([rows, height, width], pixels) = read::<3>(path)?;
        let ([labels_rows], labels) = read::<1>(labels_path)?;
        let wrong = |path: &Path, place: &str, reason: String| {
            Err(DataError::File { path: path.to_owned(), place: place.to_owned(), reason })
        };
        if rows != labels_rows {
            let reason = format!(
                "it has {labels_rows} labels, and {} has {rows} images; give the two files that \
                 belong together",
                path.display()
            );
            return wrong(labels_path, "as labels", reason);
        }
        if rows == 0 || height == 0 || width == 0 {
            let reason = format!("it has {rows} images of {height} × {width}; none may be 0");
            return wrong(path, "as images", reason);
        }
        let labels: Vec<u32> = labels.into_iter().map(u32::from).collect();
        let classes = match count_classes(&labels) {
            Ok(classes) => classes,
            Err(gap) => {
                let reason = format!("it is {}{gap}", labels[gap.row]);
                return wrong(labels_path, &format!("label {}", gap.row), reason);
            }
        };
        Self::from_source(Memory {
            origin: Origin::Idx { images: absolute(path), labels: absolute(labels_path) },
            name: path.display().to_string(),
            shape: vec![1, height, width],
            feature_names: numbered(height * width),
            features: pixels.into_iter().map(f32::from).collect(),
            targets: Targets::Classes(labels),
            targets_per_row: 1,
            class_names: Some(numbered(classes)),
            marks: None,
            places: Vec::new(),
        })
    }
}

/// The sizes and the bytes of a file: two zeros, 8 for bytes, the number of dimensions, the size of
/// each in 4 bytes, the largest first, and the values.
fn read<const DIMS: usize>(path: &Path) -> Result<([usize; DIMS], Vec<u8>), DataError> {
    let wrong = |place: &str, reason: String| {
        Err(DataError::File { path: path.to_owned(), place: place.to_owned(), reason })
    };
    let mut bytes = read_bytes(path, "IDX file")?;
    let header = 4 + 4 * DIMS;
    let magic = [0, 0, 8, DIMS as u8];
    if bytes.len() < header || bytes[..4] != magic {
        let reason = format!(
            "it begins with {:?} and has {} bytes; IDX files of bytes in {DIMS} dimensions begin \
             with {magic:?} and have at least {header}",
            &bytes[..bytes.len().min(4)],
            bytes.len()
        );
        return wrong("at its beginning", reason);
    }
    let sizes: [usize; DIMS] = std::array::from_fn(|dim| {
        bytes[4 + 4 * dim..][..4].iter().fold(0, |size, &byte| size << 8 | usize::from(byte))
    });
    let expected = sizes.iter().try_fold(1_usize, |all, &size| all.checked_mul(size));
    if expected.and_then(|expected| expected.checked_add(header)) != Some(bytes.len()) {
        let reason = format!(
            "it has {} bytes behind its beginning, and says that it holds {sizes:?}; fetch it again",
            bytes.len() - header
        );
        return wrong("at its end", reason);
    }
    bytes.drain(..header);
    Ok((sizes, bytes))
}
