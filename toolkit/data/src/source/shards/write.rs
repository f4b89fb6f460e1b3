//! Writes a folder of shards.

use std::ffi::OsString;
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::header::{Element, FORMAT, HEADER, Header, Stored};
use crate::from_memory::numbered;
use crate::recipe::absolute;
use crate::{DataError, Dataset, Targets};

pub(super) fn write(data: &Dataset, folder: &Path, rows_per_shard: usize) -> Result<(), DataError> {
    if rows_per_shard == 0 {
        return Err(DataError::Setting {
            setting: "rows_per_shard",
            value: "0".to_owned(),
            expected: "at least 1, for example 4096".to_owned(),
        });
    }
    let refuse = |reason: &str| {
        Err(DataError::Refused { action: "write shards of", reason: reason.to_owned() })
    };
    let (Some(targets), false) = (data.targets(), data.is_of_windows()) else {
        return refuse(
            "its rows are windows, which a split must not tear apart, and shards say nothing of \
             that; keep the text or the series",
        );
    };
    if data.is_fitted() {
        return refuse(
            "its features are fitted to the rows that are trained on (gaps, categories), and shards \
             would keep what other rows have shown; keep the table",
        );
    }
    if data.has_files_as_parts() {
        return refuse(
            "some of its rows are files of their own for other parts, which shards do not know; keep the table",
        );
    }
    if data.is_of_indices() {
        return refuse("its rows are indices, and shards hold numbers; keep the source");
    }
    let folder = absolute(folder);
    // A link that leads nowhere is there, too.
    if folder.symlink_metadata().is_ok() {
        let reason =
            format!("{} is there already; give another name or remove it", folder.display());
        return Err(DataError::Refused { action: "write", reason });
    }
    let mut name = OsString::from(folder.as_os_str());
    name.push(".partial");
    let partial = PathBuf::from(name);
    match std::fs::remove_dir_all(&partial) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(&partial, &error)),
        _ => {}
    }
    std::fs::create_dir_all(&partial).map_err(|error| failed(&partial, &error))?;
    let written = fill(data, targets, &partial, rows_per_shard).and_then(|()| {
        sync(&partial)?;
        std::fs::rename(&partial, &folder).map_err(|error| failed(&folder, &error))?;
        folder.parent().map_or(Ok(()), sync)
    });
    if written.is_err() {
        // The next writer removes it where this fails.
        let _ = std::fs::remove_dir_all(&partial);
    }
    written
}

fn fill(
    data: &Dataset,
    targets: &Targets,
    folder: &Path,
    rows_per_shard: usize,
) -> Result<(), DataError> {
    let rows: Vec<usize> = (0..data.len()).collect();
    let mut elements = Element::BYTES.to_vec();
    for rows in rows.chunks(ROWS_AT_ONCE) {
        if elements.is_empty() {
            break;
        }
        let raw = data.raw(rows)?;
        elements.retain(|element| element.holds(raw.floats()));
    }
    let element = elements.first().copied().unwrap_or(Element::F32);
    let mut shards = Vec::new();
    for (number, rows) in rows.chunks(rows_per_shard).enumerate() {
        let mut file = Writing::new(folder, format!("rows-{number:05}.bin"))?;
        let mut bytes = Vec::new();
        for rows in rows.chunks(ROWS_AT_ONCE) {
            bytes.clear();
            element.encode(data.raw(rows)?.floats(), &mut bytes);
            file.write(&bytes)?;
        }
        shards.push(file.finish()?);
    }
    let marks = data.marks();
    let header = Header {
        format: FORMAT,
        rows: data.len(),
        rows_per_shard,
        shape: data.shape().to_vec(),
        element,
        feature_names: (data.feature_names() != numbered(data.width()))
            .then(|| data.feature_names().to_vec()),
        class_names: data.classes().map(|_| data.class_names().to_vec()),
        targets_per_row: data.targets_per_row(),
        targets: match targets {
            Targets::Classes(classes) => words(folder, "targets", classes, |x| x.to_le_bytes()),
            Targets::Values(values) => words(folder, "targets", values, |x| x.to_le_bytes()),
        }?,
        groups: (marks.groups.as_ref())
            .map(|groups| words(folder, "groups", groups, |x| x.to_le_bytes()))
            .transpose()?,
        times: (marks.times.as_ref())
            .map(|times| words(folder, "times", times, |x| x.to_le_bytes()))
            .transpose()?,
        weights: (marks.weights.as_ref())
            .map(|weights| words(folder, "weights", weights, |x| x.to_le_bytes()))
            .transpose()?,
        shards,
    };
    let mut file = Writing::new(folder, HEADER.to_owned())?;
    let text = serde_json::to_vec_pretty(&header).map_err(|error| DataError::Refused {
        action: "write",
        reason: format!("{HEADER} cannot be made: {error}"),
    })?;
    file.write(&text)?;
    file.finish().map(drop)
}

/// Rows that are read at once; has no influence on what is written.
const ROWS_AT_ONCE: usize = 256;

fn words<T: Copy, const N: usize>(
    folder: &Path,
    what: &str,
    list: &[T],
    bytes: impl Fn(T) -> [u8; N],
) -> Result<Stored, DataError> {
    let mut file = Writing::new(folder, format!("{what}.bin"))?;
    for piece in list.chunks(1 << 16) {
        file.write(&piece.iter().flat_map(|&item| bytes(item)).collect::<Vec<u8>>())?;
    }
    file.finish()
}

/// A file that is written.
struct Writing {
    path: PathBuf,
    name: String,
    file: File,
    bytes: u64,
    hasher: blake3::Hasher,
}

impl Writing {
    fn new(folder: &Path, name: String) -> Result<Self, DataError> {
        let path = folder.join(&name);
        let file = File::create_new(&path).map_err(|error| failed(&path, &error))?;
        Ok(Self { path, name, file, bytes: 0, hasher: blake3::Hasher::new() })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), DataError> {
        self.bytes += bytes.len() as u64;
        self.hasher.update(bytes);
        self.file.write_all(bytes).map_err(|error| failed(&self.path, &error))
    }

    fn finish(self) -> Result<Stored, DataError> {
        self.file.sync_all().map_err(|error| failed(&self.path, &error))?;
        let hash = self.hasher.finalize().to_hex().to_string();
        Ok(Stored { file: self.name, bytes: self.bytes, hash })
    }
}

/// Makes new names in a folder survive a power cut. Windows cannot open a folder as a file, and
/// syncs names by itself.
fn sync(folder: &Path) -> Result<(), DataError> {
    match cfg!(unix) {
        true => File::open(folder)
            .and_then(|file| file.sync_all())
            .map_err(|error| failed(folder, &error)),
        false => Ok(()),
    }
}

fn failed(path: &Path, error: &std::io::Error) -> DataError {
    DataError::Refused { action: "write", reason: format!("{}: {error}", path.display()) }
}
