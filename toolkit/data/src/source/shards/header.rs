//! What a folder of shards holds, and the files it names.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::DataError;

/// The header's file.
pub(super) const HEADER: &str = "shards.json";
/// Raised whenever older readers would read something else than was written.
pub(super) const FORMAT: u32 = 1;

/// What a folder holds. Names are part of the format.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Header {
    pub format: u32,
    pub rows: usize,
    pub rows_per_shard: usize,
    /// What the input of a row looks like.
    pub shape: Vec<usize>,
    pub element: Element,
    /// "0", "1", … where there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feature_names: Option<Vec<String>>,
    /// Absent where targets are real numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class_names: Option<Vec<String>>,
    pub targets_per_row: usize,
    pub targets: Stored,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<Stored>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<Stored>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<Stored>,
    pub shards: Vec<Stored>,
}

impl Header {
    pub(super) fn read(folder: &Path) -> Result<Self, DataError> {
        /// The fields that every format has.
        #[derive(Deserialize)]
        struct Any {
            format: u32,
        }
        let path = folder.join(HEADER);
        let text = std::fs::read_to_string(&path).map_err(|source| unreadable(&path, source))?;
        let no_header = |error: serde_json::Error| {
            let place = format!("line {}, column {}", error.line(), error.column());
            damaged(&path, &place, format!("it is no header of shards: {error}"))
        };
        let Any { format } = serde_json::from_str(&text).map_err(no_header)?;
        if format != FORMAT {
            return Err(damaged(
                &path,
                "field \"format\"",
                format!("it is {format}, and this version reads {FORMAT}; write the shards again"),
            ));
        }
        serde_json::from_str(&text).map_err(no_header)
    }

    /// How many features a row has, if shards are as long as the rows in them.
    pub(super) fn check(&self, folder: &Path) -> Result<usize, DataError> {
        let Self { rows, rows_per_shard: per_shard, shape, .. } = self;
        let size = |count: usize, each: &usize| count.checked_mul(*each);
        let width = shape.iter().try_fold(1, size).filter(|&width| width > 0);
        let row = width.and_then(|width| width.checked_mul(self.element.bytes()));
        let fits = |row: usize| {
            let bytes = |rows: usize| rows.checked_mul(row).map(|bytes| bytes as u64);
            let mut left = *rows;
            let shards = self.shards.iter().all(|shard| {
                let here = left.min(*per_shard);
                left -= here;
                here > 0 && bytes(here) == Some(shard.bytes)
            });
            *rows > 0 && shards && left == 0
        };
        match (width, row.is_some_and(fits)) {
            (Some(width), true) => Ok(width),
            _ => Err(damaged(
                &folder.join(HEADER),
                "as a whole",
                format!(
                    "{rows} rows of the shape {shape:?}, {per_shard} in a file, do not make the \
                     {} files that it names; write the shards again",
                    self.shards.len()
                ),
            )),
        }
    }
}

/// How a feature is stored.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Element {
    F32,
    /// The feature is a byte divided by that.
    U8 {
        divisor: f32,
    },
}

impl Element {
    /// Bytes are tried with these divisors: pixels from 0 to 255 and from 0 to 1.
    pub(super) const BYTES: [Self; 2] = [Self::U8 { divisor: 1.0 }, Self::U8 { divisor: 255.0 }];

    /// The size of a feature, in bytes.
    pub(super) fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::U8 { .. } => 1,
        }
    }

    /// The features in `bytes`; as many as there are in `out`.
    pub(super) fn decode(self, bytes: &[u8], out: &mut [f32]) {
        match self {
            Self::F32 => out.iter_mut().zip(bytes.as_chunks().0).for_each(|(x, &word)| {
                *x = f32::from_le_bytes(word);
            }),
            // Dividing takes longer than all else here.
            Self::U8 { divisor: 1.0 } => out.iter_mut().zip(bytes).for_each(|(x, &byte)| {
                *x = f32::from(byte);
            }),
            Self::U8 { divisor } => out.iter_mut().zip(bytes).for_each(|(x, &byte)| {
                *x = f32::from(byte) / divisor;
            }),
        }
    }

    /// Whether features are finite whatever bytes there are.
    pub(super) fn is_always_finite(self) -> bool {
        match self {
            Self::F32 => false,
            Self::U8 { divisor } => (0.0 / divisor).is_finite() && (255.0 / divisor).is_finite(),
        }
    }

    /// Appends the features; they must be [held](Self::holds).
    pub(super) fn encode(self, features: &[f32], bytes: &mut Vec<u8>) {
        match self {
            Self::F32 => bytes.extend(features.iter().flat_map(|x| x.to_le_bytes())),
            Self::U8 { divisor } => {
                bytes.extend(features.iter().map(|x| (x * divisor).round() as u8))
            }
        }
    }

    /// Whether these features come back bit for bit.
    pub(super) fn holds(self, features: &[f32]) -> bool {
        match self {
            Self::F32 => true,
            Self::U8 { divisor } => features.iter().all(|x| {
                let back = f32::from((x * divisor).round() as u8) / divisor;
                back.to_bits() == x.to_bits()
            }),
        }
    }
}

/// A file of the folder.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Stored {
    pub file: String,
    pub bytes: u64,
    /// BLAKE3 over all of it, in hexadecimal digits.
    pub hash: String,
}

impl Stored {
    /// The file, if it is as long as it should be.
    pub(super) fn open(&self, folder: &Path) -> Result<File, DataError> {
        let path = folder.join(&self.file);
        let file = File::open(&path).map_err(|source| unreadable(&path, source))?;
        let found = file.metadata().map_err(|source| unreadable(&path, source))?.len();
        if found != self.bytes {
            return Err(damaged(
                &path,
                "to its end",
                format!(
                    "it has {found} bytes and must have {}; write the shards again",
                    self.bytes
                ),
            ));
        }
        Ok(file)
    }

    pub(super) fn verify(&self, folder: &Path) -> Result<(), DataError> {
        let mut hasher = blake3::Hasher::new();
        let read = hasher.update_reader(self.open(folder)?);
        read.map_err(|source| unreadable(&folder.join(&self.file), source))?;
        self.compare(folder, &hasher)
    }

    fn compare(&self, folder: &Path, hasher: &blake3::Hasher) -> Result<(), DataError> {
        if hasher.finalize().to_hex().as_str() == self.hash {
            return Ok(());
        }
        let reason = "it does not hold what was written into it; write the shards again".to_owned();
        Err(damaged(&folder.join(&self.file), "as a whole", reason))
    }

    /// All words of the file, whose hash must be right.
    pub(super) fn words<T, const N: usize>(
        &self,
        folder: &Path,
        word: impl Fn([u8; N]) -> T,
    ) -> Result<Vec<T>, DataError> {
        let mut bytes = Vec::new();
        let read = self.open(folder)?.read_to_end(&mut bytes);
        read.map_err(|source| unreadable(&folder.join(&self.file), source))?;
        let mut hasher = blake3::Hasher::new();
        hasher.update(&bytes);
        self.compare(folder, &hasher)?;
        Ok(bytes.as_chunks().0.iter().map(|&bytes| word(bytes)).collect())
    }
}

pub(super) fn unreadable(path: &Path, source: std::io::Error) -> DataError {
    DataError::Read { path: path.to_owned(), source }
}

pub(super) fn damaged(path: &Path, place: &str, reason: String) -> DataError {
    DataError::File { path: path.to_owned(), place: place.to_owned(), reason }
}
