//! Several arrays in one file, as NumPy saves them: a zip archive with a file for each.

use std::fmt::{self, Display};
use std::io::{Cursor, Error as IoError, ErrorKind, Read};
use std::path::{Path, PathBuf};

use trainbook_core::array::Array;
use trainbook_core::nearest::nearest;
use zip::ZipArchive;

use super::table::read_bytes;
use super::{DataError, Dataset, npy};

/// Arrays by name, as `numpy.savez` and `numpy.savez_compressed` save them. Each is unpacked when it
/// is taken.
pub struct NamedArrays {
    path: PathBuf,
    archive: ZipArchive<Cursor<Vec<u8>>>,
    /// Of those that were not taken, sorted.
    names: Vec<String>,
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
    /// The file cannot be read, is no zip archive, or is damaged as a whole.
    pub fn npz(path: impl AsRef<Path>) -> Result<NamedArrays, DataError> {
        let path = path.as_ref();
        let bytes = read_bytes(path, "NumPy archive")?;
        let refuse = |reason| DataError::Read {
            path: path.to_owned(),
            source: IoError::new(ErrorKind::InvalidData, reason),
        };
        if !bytes.starts_with(b"PK") {
            let reason = "it is no archive of arrays; write it by numpy.savez".to_owned();
            return Err(refuse(reason));
        }
        let archive = ZipArchive::new(Cursor::new(bytes)).map_err(|e| refuse(damaged(&e)))?;
        let names = archive.file_names().map(|name| name.strip_suffix(NPY).unwrap_or(name));
        let mut names: Vec<String> = names.map(str::to_owned).collect();
        names.sort_unstable();
        Ok(NamedArrays { path: path.to_owned(), archive, names })
    }
}

/// What stands behind an array's name.
const NPY: &str = ".npy";

fn damaged(why: &dyn Display) -> String {
    format!("it is damaged ({why}); fetch the file again")
}

impl NamedArrays {
    /// The arrays' names, sorted. Arrays without a name are "arr_0", "arr_1", … to NumPy.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// An array, which is then no longer here.
    ///
    /// # Errors
    /// There is no such array (the message has the nearest name), or it is damaged or none of
    /// numbers.
    pub fn take(&mut self, name: &str) -> Result<Array, DataError> {
        self.unpack(name).map_err(|reason| DataError::File {
            path: self.path.clone(),
            place: format!("array {name:?}"),
            reason,
        })
    }

    fn unpack(&mut self, name: &str) -> Result<Array, String> {
        let Some(at) = self.names.iter().position(|known| known == name) else {
            return Err(match nearest(name, self.names()) {
                Some(nearest) => format!("there is no such array; the nearest is {nearest:?}"),
                None => "there is no such array, nor another".to_owned(),
            });
        };
        self.names.remove(at);
        let file = format!("{name}{NPY}");
        let file = if self.archive.index_for_name(&file).is_some() { &file } else { name };
        let mut bytes = Vec::new();
        let mut file = self.archive.by_name(file).map_err(|e| damaged(&e))?;
        file.read_to_end(&mut bytes).map_err(|e| damaged(&e))?;
        npy::parse(&bytes)
    }
}

/// Without the numbers.
impl fmt::Debug for NamedArrays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NamedArrays").field("path", &self.path).field("names", &self.names).finish()
    }
}
