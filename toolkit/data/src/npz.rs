//! Several arrays in one file, as NumPy saves them: a zip archive with a file for each.

use std::collections::BTreeMap;
use std::io::{Cursor, Error as IoError, ErrorKind, Read};
use std::path::{Path, PathBuf};

use trainbook_core::array::Array;
use trainbook_core::nearest::nearest;
use zip::ZipArchive;

use super::table::read_bytes;
use super::{DataError, Dataset, npy};

/// Arrays by name, as `numpy.savez` and `numpy.savez_compressed` save them.
#[derive(Debug)]
pub struct NamedArrays {
    path: PathBuf,
    /// What cannot be read is told of when it is asked for.
    arrays: BTreeMap<String, Result<Array, String>>,
}

impl Dataset {
    /// Reads the arrays that `numpy.savez` or `numpy.savez_compressed` wrote, each as
    /// [`npy`](Self::npy) does, for [`from_arrays`](Self::from_arrays):
    ///
    /// ```no_run
    /// # use trainbook_data::Dataset;
    /// let mut arrays = Dataset::npz("mnist.npz")?;
    /// let (input, targets) = (arrays.take("x_train")?, arrays.take("y_train")?);
    /// let data = Dataset::from_arrays("mnist.npz", input, targets)?;
    /// # Ok::<(), trainbook_data::DataError>(())
    /// ```
    ///
    /// # Errors
    /// The file cannot be read, is no zip archive, or is damaged.
    pub fn npz(path: impl AsRef<Path>) -> Result<NamedArrays, DataError> {
        let path = path.as_ref();
        let bytes = read_bytes(path, "NumPy archive")?;
        let arrays = arrays(&bytes).map_err(|reason| DataError::Read {
            path: path.to_owned(),
            source: IoError::new(ErrorKind::InvalidData, reason),
        })?;
        Ok(NamedArrays { path: path.to_owned(), arrays })
    }
}

fn arrays(bytes: &[u8]) -> Result<BTreeMap<String, Result<Array, String>>, String> {
    if !bytes.starts_with(b"PK") {
        return Err("it is no archive of arrays; write it by numpy.savez".to_owned());
    }
    let damaged = |why: String| format!("it is damaged ({why}); fetch the file again");
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|e| damaged(e.to_string()))?;
    let mut arrays = BTreeMap::new();
    for at in 0..archive.len() {
        let mut file = archive.by_index(at).map_err(|e| damaged(e.to_string()))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(|e| damaged(e.to_string()))?;
        let name = file.name();
        let name = name.strip_suffix(".npy").unwrap_or(name).to_owned();
        arrays.insert(name, npy::parse(&bytes));
    }
    Ok(arrays)
}

impl NamedArrays {
    /// The arrays' names, sorted. Arrays without a name are "arr_0", "arr_1", … to NumPy.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.arrays.keys().map(String::as_str)
    }

    /// An array, which is then no longer here.
    ///
    /// # Errors
    /// There is no such array (the message has the nearest name), or it is none of numbers.
    pub fn take(&mut self, name: &str) -> Result<Array, DataError> {
        let found = self.arrays.remove(name).unwrap_or_else(|| {
            Err(match nearest(name, self.names()) {
                Some(nearest) => format!("there is no such array; the nearest is {nearest:?}"),
                None => "there is no such array, nor another".to_owned(),
            })
        });
        found.map_err(|reason| DataError::File {
            path: self.path.clone(),
            place: format!("array {name:?}"),
            reason,
        })
    }
}
