//! Rows in files on disk, for more than fits into memory.
//!
//! A folder holds
//!
//! | file | what it is |
//! |---|---|
//! | `shards.json` | the [`Header`]: what a row looks like, and every other file with its length and BLAKE3 hash |
//! | `rows-00000.bin`, … | rows of features, all of one size, without anything before, between or behind them |
//! | `targets.bin` | a `u32` for each class or an `f32` for each value, row after row |
//! | `groups.bin`, `times.bin`, `weights.bin` | `u32`, `f64`, `f32` for each row, where rows have such marks |
//!
//! Numbers are little-endian. A feature is an `f32`, or a byte to be divided by a number where that
//! loses nothing, as with pixels. Features are read by position when a batch asks for them; targets
//! and marks are kept in memory.
//!
//! A folder is written under the name with `.partial` behind it, synced and then renamed: one that
//! has its name is whole.

mod header;
mod write;

use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};

use super::Source;
use crate::from_memory::numbered;
use crate::recipe::absolute;
use crate::{Batch, DataError, Dataset, Origin, RowMarks, Targets};

use header::{HEADER, Header, Stored, damaged, unreadable};

/// So many files are kept open; those behind them are opened whenever they are read.
const KEPT_OPEN: usize = 128;

impl Dataset {
    /// Writes all rows into a new folder, `rows_per_shard` of them in a file: as they stand in the
    /// source, before normalisation, whatever part they are in. [`Dataset::shards`] reads them from
    /// there. A few thousand rows in a file are usual. A folder left over by a writer that was
    /// killed, `<folder>.partial`, is replaced.
    ///
    /// # Errors
    /// `rows_per_shard` is 0, the folder exists, rows are windows of a text, a row cannot be read
    /// or a file not be written. Then there is no folder.
    pub fn write_shards(
        &self,
        folder: impl AsRef<Path>,
        rows_per_shard: usize,
    ) -> Result<(), DataError> {
        write::write(self, folder.as_ref(), rows_per_shard)
    }

    /// A data set of the rows in a folder that [`Dataset::write_shards`] has written. Features stay
    /// on disk until a batch asks for them; batches and fingerprint are those of the same rows before
    /// any split, normalisation or scaling.
    ///
    /// # Errors
    /// The folder is not whole, a file is missing or has another length, or targets are damaged.
    /// Damaged features are found by [`Dataset::verify_shards`].
    pub fn shards(folder: impl AsRef<Path>) -> Result<Self, DataError> {
        Self::from_source(Shards::open(folder.as_ref())?)
    }

    /// Reads all shards of a folder and compares them with the hashes from when they were written.
    ///
    /// # Errors
    /// As [`Dataset::shards`]; or a file holds other bytes than were written.
    pub fn verify_shards(folder: impl AsRef<Path>) -> Result<(), DataError> {
        let folder = folder.as_ref();
        Shards::open(folder)?.header.shards.iter().try_for_each(|shard| shard.verify(folder))
    }
}

/// Rows in a folder.
pub(super) struct Shards {
    folder: PathBuf,
    name: String,
    header: Header,
    feature_names: Vec<String>,
    targets: Targets,
    marks: RowMarks,
    /// The first ones of the shards.
    open: Vec<File>,
}

impl Shards {
    fn open(folder: &Path) -> Result<Self, DataError> {
        let mut header = Header::read(folder)?;
        let width = header.check(folder)?;
        let open = header.shards.iter().take(KEPT_OPEN).map(|shard| shard.open(folder));
        let open = open.collect::<Result<_, _>>()?;
        header.shards.iter().skip(KEPT_OPEN).try_for_each(|shard| shard.open(folder).map(drop))?;
        let feature_names = match header.feature_names.take() {
            Some(names) => names,
            None => numbered(width),
        };
        let targets = match header.class_names {
            Some(_) => Targets::Classes(header.targets.words(folder, u32::from_le_bytes)?),
            None => Targets::Values(header.targets.words(folder, f32::from_le_bytes)?),
        };
        let marks = RowMarks {
            groups: words(folder, header.groups.as_ref(), u32::from_le_bytes)?,
            times: words(folder, header.times.as_ref(), f64::from_le_bytes)?,
            weights: words(folder, header.weights.as_ref(), f32::from_le_bytes)?,
        };
        let shards = Self {
            name: folder.display().to_string(),
            folder: absolute(folder),
            header,
            feature_names,
            targets,
            marks,
            open,
        };
        shards.check(width)?;
        Ok(shards)
    }

    /// Refuses lists that do not belong to the rows.
    fn check(&self, width: usize) -> Result<(), DataError> {
        let Self { header, folder, .. } = self;
        let refuse = |reason: String| Err(damaged(&folder.join(HEADER), "as a whole", reason));
        if self.feature_names.len() != width {
            let names = self.feature_names.len();
            return refuse(format!("{names} names for {width} features"));
        }
        let marks = [
            self.marks.groups.as_ref().map(Vec::len),
            self.marks.times.as_ref().map(Vec::len),
            self.marks.weights.as_ref().map(Vec::len),
        ];
        let per_row = header.targets_per_row;
        if per_row == 0
            || header.rows.checked_mul(per_row) != Some(self.targets.len())
            || marks.iter().flatten().any(|&marks| marks != header.rows)
        {
            return refuse(format!(
                "{} rows with {per_row} targets each, {} targets in all, and marks for {:?}",
                header.rows,
                self.targets.len(),
                marks.iter().flatten().collect::<Vec<_>>()
            ));
        }
        let known = header.class_names.as_ref().map_or(0, Vec::len);
        let wrong = match &self.targets {
            Targets::Classes(classes) => classes.iter().position(|&class| class as usize >= known),
            Targets::Values(values) => values.iter().position(|value| !value.is_finite()),
        };
        match wrong {
            None => Ok(()),
            Some(at) => refuse(format!("the target of row {} is none", at / per_row)),
        }
    }

    /// Reads rows that follow each other in one shard.
    fn read_run(&self, first: usize, bytes: &mut [u8], out: &mut [f32]) -> Result<(), DataError> {
        let (shard, row) = (first / self.header.rows_per_shard, first % self.header.rows_per_shard);
        let stored = &self.header.shards[shard];
        let at = row as u64 * self.row_bytes() as u64;
        let read = match self.open.get(shard) {
            Some(file) => read_exact_at(file, bytes, at),
            None => read_exact_at(&stored.open(&self.folder)?, bytes, at),
        };
        read.map_err(|source| unreadable(&self.folder.join(&stored.file), source))?;
        self.header.element.decode(bytes, out);
        // Looking at all of them, which the processor does several at a time, is quicker than
        // looking for the first one.
        let element = self.header.element;
        if element.is_always_finite() || out.iter().fold(true, |all, x| all & x.is_finite()) {
            return Ok(());
        }
        match out.iter().position(|x| !x.is_finite()) {
            None => Ok(()),
            Some(at) => Err(damaged(
                &self.folder.join(&stored.file),
                &format!("row {}", first + at / self.feature_names.len()),
                format!("a feature is {}; write the shards again", out[at]),
            )),
        }
    }

    fn row_bytes(&self) -> usize {
        self.feature_names.len() * self.header.element.bytes()
    }
}

fn words<T, const N: usize>(
    folder: &Path,
    stored: Option<&Stored>,
    word: impl Fn([u8; N]) -> T,
) -> Result<Option<Vec<T>>, DataError> {
    stored.map(|stored| stored.words(folder, word)).transpose()
}

#[cfg(unix)]
fn read_exact_at(file: &File, bytes: &mut [u8], at: u64) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, at)
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut bytes: &mut [u8], mut at: u64) -> std::io::Result<()> {
    while !bytes.is_empty() {
        let read = std::os::windows::fs::FileExt::seek_read(file, bytes, at)?;
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        (bytes, at) = (&mut bytes[read..], at + read as u64);
    }
    Ok(())
}

impl Source for Shards {
    fn len(&self) -> usize {
        self.header.rows
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn origin(&self) -> Origin {
        Origin::Shards { path: self.folder.clone() }
    }

    fn shape(&self) -> &[usize] {
        &self.header.shape
    }

    fn feature_names(&self) -> &[String] {
        &self.feature_names
    }

    fn class_names(&self) -> Option<&[String]> {
        self.header.class_names.as_deref()
    }

    fn targets_per_row(&self) -> usize {
        self.header.targets_per_row
    }

    fn targets(&self) -> Option<&Targets> {
        Some(&self.targets)
    }

    fn marks(&self) -> Option<&RowMarks> {
        Some(&self.marks)
    }

    fn read(&self, rows: &[usize], batch: &mut Batch) -> Result<(), DataError> {
        batch.targets.gather(&self.targets, rows, self.header.targets_per_row);
        let (width, per_shard) = (self.feature_names.len(), self.header.rows_per_shard);
        let shape = std::iter::once(rows.len()).chain(self.header.shape.iter().copied());
        let mut out = batch.input.refill_f32(shape);
        let mut bytes = Vec::new();
        // Rows that lie one behind the other are read at once.
        let together = |a: &usize, b: &usize| a + 1 == *b && a / per_shard == b / per_shard;
        for run in rows.chunk_by(together) {
            let (now, later) = out.split_at_mut(run.len() * width);
            bytes.resize(run.len() * self.row_bytes(), 0);
            self.read_run(run[0], &mut bytes, now)?;
            out = later;
        }
        Ok(())
    }
}

/// Without the rows.
impl fmt::Debug for Shards {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shards")
            .field("folder", &self.folder)
            .field("rows", &self.header.rows)
            .field("shards", &self.header.shards.len())
            .finish_non_exhaustive()
    }
}
