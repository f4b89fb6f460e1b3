//! Arrays as NumPy saves them.

use std::io::{Error as IoError, ErrorKind};
use std::path::Path;

use trainbook_core::array::{Array, Numbers};

use super::{DataError, Dataset};

/// The first bytes of every file
/// ([format](https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html)).
const MAGIC: &[u8; 6] = b"\x93NUMPY";

impl Dataset {
    /// Reads an array that `numpy.save` wrote, for [`from_arrays`](Self::from_arrays): floats of 32
    /// or 64 bits become `f32`, integers of 8 to 64 bits and truth values `i64`.
    ///
    /// # Errors
    /// The file cannot be read, is no such array, is saved column by column, or has other numbers.
    pub fn npy(path: impl AsRef<Path>) -> Result<Array, DataError> {
        read(path.as_ref())
    }
}

fn read(path: &Path) -> Result<Array, DataError> {
    let bytes =
        std::fs::read(path).map_err(|source| DataError::Read { path: path.to_owned(), source })?;
    parse(&bytes).map_err(|reason| DataError::Read {
        path: path.to_owned(),
        source: IoError::new(ErrorKind::InvalidData, reason),
    })
}

fn parse(bytes: &[u8]) -> Result<Array, String> {
    let ends = || "it ends too early; save it again".to_owned();
    let rest = bytes
        .strip_prefix(MAGIC)
        .ok_or_else(|| "it is no NumPy array; write it by numpy.save".to_owned())?;
    let (length, rest) = match rest {
        [1, _, a, b, rest @ ..] => (usize::from(u16::from_le_bytes([*a, *b])), rest),
        [2 | 3, _, a, b, c, d, rest @ ..] => (u32::from_le_bytes([*a, *b, *c, *d]) as usize, rest),
        [version, _, ..] => {
            return Err(format!("it has version {version} of the format; 1 to 3 are read"));
        }
        _ => return Err(ends()),
    };
    let (header, data) = rest.split_at_checked(length).ok_or_else(ends)?;
    let header = String::from_utf8_lossy(header);
    if entry(&header, "fortran_order")?.starts_with("True") {
        return Err("it is saved column by column; save numpy.ascontiguousarray of it".to_owned());
    }
    let shape = entry(&header, "shape")?;
    let shape = shape.trim_start_matches('(').split(')').next().unwrap_or_default();
    let shape = shape.split(',').map(str::trim).filter(|size| !size.is_empty());
    let shape = shape.map(str::parse).collect::<Result<Vec<usize>, _>>();
    let shape = shape.map_err(|_| "its shape cannot be read; save it again".to_owned())?;
    let count = shape.iter().try_fold(1_usize, |count, &size| count.checked_mul(size));
    let count = count.ok_or_else(|| "its shape has too many entries".to_owned())?;
    let kind = entry(&header, "descr")?;
    let kind = kind.trim_matches(['\'', '"']);
    let numbers = numbers(kind, data, count)?;
    let found = match &numbers {
        Numbers::F32(numbers) => numbers.len(),
        Numbers::I64(numbers) => numbers.len(),
    };
    if found != count {
        return Err(ends());
    }
    Ok(Array { shape, numbers })
}

/// What stands behind a key of the header, a Python dictionary.
fn entry<'h>(header: &'h str, key: &str) -> Result<&'h str, String> {
    let at = header.split_once(&format!("'{key}':"));
    let (_, value) = at.ok_or_else(|| format!("its header has no {key:?}; save it again"))?;
    let value = value.trim_start();
    Ok(if value.starts_with('(') { value } else { value.split([',', '}']).next().unwrap_or(value) })
}

fn numbers(kind: &str, data: &[u8], count: usize) -> Result<Numbers, String> {
    let big = kind.starts_with('>');
    fn each<const N: usize, T>(
        data: &[u8],
        count: usize,
        big: bool,
        number: impl Fn([u8; N]) -> T,
    ) -> Vec<T> {
        let (numbers, _) = data.as_chunks::<N>();
        let numbers = numbers.iter().take(count).map(|bytes| {
            let mut bytes = *bytes;
            if big {
                bytes.reverse();
            }
            number(bytes)
        });
        numbers.collect()
    }
    let kind = kind.trim_start_matches(['<', '>', '|', '=']);
    Ok(match kind {
        "f4" => Numbers::F32(each(data, count, big, f32::from_le_bytes)),
        "f8" => Numbers::F32(each(data, count, big, |x| f64::from_le_bytes(x) as f32)),
        "i1" => Numbers::I64(each(data, count, big, |x| i64::from(i8::from_le_bytes(x)))),
        "u1" | "b1" => Numbers::I64(each(data, count, big, |x| i64::from(u8::from_le_bytes(x)))),
        "i2" => Numbers::I64(each(data, count, big, |x| i64::from(i16::from_le_bytes(x)))),
        "u2" => Numbers::I64(each(data, count, big, |x| i64::from(u16::from_le_bytes(x)))),
        "i4" => Numbers::I64(each(data, count, big, |x| i64::from(i32::from_le_bytes(x)))),
        "u4" => Numbers::I64(each(data, count, big, |x| i64::from(u32::from_le_bytes(x)))),
        "i8" => Numbers::I64(each(data, count, big, i64::from_le_bytes)),
        other => {
            return Err(format!(
                "its numbers are {other:?}; save it as float32, float64 or integers of up to 64 \
                 bits with a sign"
            ));
        }
    })
}
