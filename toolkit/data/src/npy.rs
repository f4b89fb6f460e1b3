//! Arrays as NumPy saves them.

use std::io::{Error as IoError, ErrorKind};
use std::path::Path;

use trainbook_core::array::{Array, Numbers};

use super::table::read_bytes;
use super::{DataError, Dataset};

/// The first bytes of every file
/// ([format](https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html)).
const MAGIC: &[u8; 6] = b"\x93NUMPY";

impl Dataset {
    /// Reads an array that `numpy.save` wrote, for [`from_arrays`](Self::from_arrays): floats of 16,
    /// 32 or 64 bits become `f32`, integers of 8 to 64 bits and truth values `i64`. One that is saved
    /// column by column (Fortran's order) is brought into the order of rows. A single number has the
    /// shape `[]`, and an array may have no numbers; [`from_arrays`](Self::from_arrays) takes neither.
    ///
    /// # Errors
    /// The file cannot be read, is no such array, or has other numbers, or an integer without a sign
    /// of 2⁶³ or more.
    pub fn npy(path: impl AsRef<Path>) -> Result<Array, DataError> {
        read(path.as_ref())
    }
}

fn read(path: &Path) -> Result<Array, DataError> {
    let bytes = read_bytes(path, "NumPy array")?;
    parse(&bytes).map_err(|reason| DataError::Read {
        path: path.to_owned(),
        source: IoError::new(ErrorKind::InvalidData, reason),
    })
}

/// The array in a file, or what is wrong with it.
pub(super) fn parse(bytes: &[u8]) -> Result<Array, String> {
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
    let by_columns = entry(&header, "fortran_order")?.starts_with("True");
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
    let numbers = match (by_columns, numbers) {
        (false, numbers) => numbers,
        (true, Numbers::F32(numbers)) => Numbers::F32(by_rows(&numbers, &shape)),
        (true, Numbers::I64(numbers)) => Numbers::I64(by_rows(&numbers, &shape)),
    };
    Ok(Array { shape, numbers })
}

/// Brings numbers whose first index runs fastest into the order in which the last one does.
fn by_rows<T: Copy>(numbers: &[T], shape: &[usize]) -> Vec<T> {
    let mut index = vec![0; shape.len()];
    let mut at = 0;
    let next = |_| {
        let number = numbers[at];
        // The last index that is not at its end goes on, and those behind it begin again.
        let mut stride = numbers.len();
        for (index, &size) in index.iter_mut().zip(shape).rev() {
            stride /= size;
            *index += 1;
            at += stride;
            if *index < size {
                break;
            }
            at -= stride * size;
            *index = 0;
        }
        number
    };
    (0..numbers.len()).map(next).collect()
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
        "f2" => Numbers::F32(each(data, count, big, |x| half::f16::from_le_bytes(x).to_f32())),
        "f4" => Numbers::F32(each(data, count, big, f32::from_le_bytes)),
        "f8" => Numbers::F32(each(data, count, big, |x| f64::from_le_bytes(x) as f32)),
        "i1" => Numbers::I64(each(data, count, big, |x| i64::from(i8::from_le_bytes(x)))),
        "u1" | "b1" => Numbers::I64(each(data, count, big, |x| i64::from(u8::from_le_bytes(x)))),
        "i2" => Numbers::I64(each(data, count, big, |x| i64::from(i16::from_le_bytes(x)))),
        "u2" => Numbers::I64(each(data, count, big, |x| i64::from(u16::from_le_bytes(x)))),
        "i4" => Numbers::I64(each(data, count, big, |x| i64::from(i32::from_le_bytes(x)))),
        "u4" => Numbers::I64(each(data, count, big, |x| i64::from(u32::from_le_bytes(x)))),
        "i8" => Numbers::I64(each(data, count, big, i64::from_le_bytes)),
        "u8" => {
            let numbers = each(data, count, big, u64::from_le_bytes).into_iter();
            let signed = |number: u64| {
                i64::try_from(number).map_err(|_| {
                    format!("{number} is among its numbers; they must be less than 2^63")
                })
            };
            Numbers::I64(numbers.map(signed).collect::<Result<_, _>>()?)
        }
        other => {
            return Err(format!(
                "its numbers are {other:?}; save it as floats or integers of up to 64 bits"
            ));
        }
    })
}
