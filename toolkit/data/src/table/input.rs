//! The bytes and the text of a file, whatever it is wrapped in.

use std::io::{Error as IoError, ErrorKind, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use ruzstd::decoding::StreamingDecoder;

use crate::DataError;

/// The first bytes of every gzip file (RFC 1952, 2.3.1).
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
/// The first bytes of every Zstandard frame (RFC 8878, 3.1.1).
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// The first bytes of every Parquet file.
const PARQUET_MAGIC: [u8; 4] = *b"PAR1";
/// The first bytes of every Arrow file, which Feather calls its version 2. Without the zeros, which
/// fill up eight bytes, they could be the name of a column in a CSV file.
const ARROW_MAGIC: [u8; 8] = *b"ARROW1\0\0";
/// The first bytes of every Arrow stream since 2019, that begins its first message.
pub(super) const ARROW_CONTINUATION: [u8; 4] = [0xff; 4];
/// The first bytes of Feather's version 1, which is not Arrow's format.
const FEATHER_MAGIC: [u8; 5] = *b"FEA1\0";
/// The byte order marks of UTF-16.
const UTF16_MARKS: [[u8; 2]; 2] = [[0xff, 0xfe], [0xfe, 0xff]];

/// Reads a text in UTF-8, also compressed with gzip or Zstandard (recognised by content, not by
/// name); `what` is the kind of file that is wanted.
pub(crate) fn read_text(path: &Path, what: &str) -> Result<String, DataError> {
    text_of(path, read_bytes(path, what)?)
}

/// The text in a file's bytes.
pub(super) fn text_of(path: &Path, bytes: Vec<u8>) -> Result<String, DataError> {
    let refuse = |reason| {
        let source = IoError::new(ErrorKind::InvalidData, reason);
        Err(DataError::Read { path: path.to_owned(), source })
    };
    if let Some(format) = Format::of(&bytes) {
        return refuse(format.how_to_read());
    }
    if UTF16_MARKS.iter().any(|mark| bytes.starts_with(mark)) {
        return refuse("it is UTF-16 text; save it as CSV in UTF-8");
    }
    String::from_utf8(bytes).map_err(|e| {
        let start = &e.as_bytes()[..e.utf8_error().valid_up_to()];
        let line = 1 + start.iter().filter(|&&byte| byte == b'\n').count();
        let reason = "it is neither gzip nor UTF-8 text; save it as CSV in UTF-8".to_owned();
        DataError::File { path: path.to_owned(), place: format!("line {line}"), reason }
    })
}

/// A format that is no text, and known by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Parquet,
    Arrow,
    /// Of which nothing is read.
    OldFeather,
}

impl Format {
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        let begins = |magic: &[u8]| bytes.starts_with(magic);
        if begins(&PARQUET_MAGIC) {
            Some(Self::Parquet)
        } else if begins(&ARROW_MAGIC) || begins(&ARROW_CONTINUATION) {
            Some(Self::Arrow)
        } else if begins(&FEATHER_MAGIC) {
            Some(Self::OldFeather)
        } else {
            None
        }
    }

    /// What a message calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Parquet => "Parquet",
            Self::Arrow => "Arrow",
            Self::OldFeather => "Feather",
        }
    }

    /// What to do with a file that was taken for another.
    pub(super) fn how_to_read(self) -> &'static str {
        match self {
            Self::Parquet => "it is a Parquet file; read it by Dataset::parquet",
            Self::Arrow => "it is an Arrow file; read it by Dataset::arrow",
            Self::OldFeather => {
                "it is a Feather file of version 1; write it again as version 2, and read it by \
                 Dataset::arrow"
            }
        }
    }
}

/// Reads a file's bytes, unpacked if they are compressed with gzip or Zstandard; `what` is the kind
/// of file that is wanted.
pub(crate) fn read_bytes(path: &Path, what: &str) -> Result<Vec<u8>, DataError> {
    let refuse = |kind, reason: String| DataError::Read {
        path: path.to_owned(),
        source: IoError::new(kind, reason),
    };
    if path.is_dir() {
        return Err(refuse(
            ErrorKind::IsADirectory,
            format!("it is a folder; name a {what} in it"),
        ));
    }
    let bytes = std::fs::read(path).map_err(|source| match source.kind() {
        ErrorKind::NotFound => {
            let here = std::env::current_dir().unwrap_or_default();
            let hint = format!(
                "there is no such file; correct the path (the current folder is {})",
                here.display()
            );
            refuse(ErrorKind::NotFound, hint)
        }
        _ => DataError::Read { path: path.to_owned(), source },
    })?;
    let damaged = |what: &str, source: IoError| {
        let what = match source.kind() {
            ErrorKind::UnexpectedEof => format!("its {what} data ends too early"),
            _ => format!("its {what} data is damaged ({source})"),
        };
        refuse(source.kind(), format!("{what}; fetch the file again"))
    };
    if bytes.starts_with(&GZIP_MAGIC) {
        let mut plain = Vec::new();
        MultiGzDecoder::new(&bytes[..])
            .read_to_end(&mut plain)
            .map_err(|source| damaged("gzip", source))?;
        Ok(plain)
    } else if bytes.starts_with(&ZSTD_MAGIC) {
        unzstd(&bytes).map_err(|source| damaged("Zstandard", source))
    } else {
        Ok(bytes)
    }
}

/// All frames of a Zstandard file, one after the other.
fn unzstd(mut rest: &[u8]) -> Result<Vec<u8>, IoError> {
    let mut plain = Vec::new();
    while !rest.is_empty() {
        let mut frame = StreamingDecoder::new(&mut rest)
            .map_err(|e| IoError::new(ErrorKind::InvalidData, e.to_string()))?;
        frame.read_to_end(&mut plain)?;
    }
    Ok(plain)
}
