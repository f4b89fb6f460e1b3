//! Tensors of any tool's file: raw or typed numbers, in the file or beside it.

use std::collections::BTreeSet;
use std::path::Path;

use super::known::{Constant, Numbers};
use crate::element;
use crate::external::{self, MOST_BYTES};
use crate::proto::{GraphProto, TENSOR_BOOL, TENSOR_FLOAT, TENSOR_INT64, TensorProto};
use crate::value::Value;

pub(super) const UINT8: i32 = 2;
pub(super) const INT8: i32 = 3;
pub(super) const UINT16: i32 = 4;
pub(super) const INT16: i32 = 5;
pub(super) const INT32: i32 = 6;
pub(super) const FLOAT16: i32 = 10;
pub(super) const DOUBLE: i32 = 11;
pub(super) const UINT32: i32 = 12;
pub(super) const BFLOAT16: i32 = 16;

/// Whether the numbers of a type are floats; `None` for a type whose numbers are not read.
pub(super) fn is_float(element: i32) -> Option<bool> {
    match element {
        TENSOR_FLOAT | DOUBLE | FLOAT16 | BFLOAT16 => Some(true),
        TENSOR_INT64 | INT32 | INT16 | INT8 | UINT32 | UINT16 | UINT8 | TENSOR_BOOL => Some(false),
        _ => None,
    }
}

/// How the numbers of a tensor lie.
struct Layout {
    shape: Vec<usize>,
    is_float: bool,
    /// How many there are.
    count: usize,
    /// How many bytes they take.
    bytes: usize,
}

/// # Errors
/// The reason, if they are not of a type that can be read, or there are more than can be.
fn layout(tensor: &TensorProto) -> Result<Layout, String> {
    let (name, element) = (&tensor.name, tensor.data_type);
    let sizes = tensor.dims.iter().map(|&size| usize::try_from(size).ok());
    let shape = sizes
        .collect::<Option<Vec<_>>>()
        .ok_or_else(|| format!("the tensor {name:?} has a negative size"))?;
    let (Some(is_float), Some(bits)) = (is_float(element), element::bits(element)) else {
        return Err(format!(
            "the tensor {name:?} holds {}, which cannot be evaluated",
            element::described(element)
        ));
    };
    let width = usize::try_from(bits / 8).map_err(|e| e.to_string())?;
    let count = shape.iter().try_fold(1_usize, |count, size| count.checked_mul(*size));
    let bytes = count.and_then(|count| count.checked_mul(width));
    let (Some(count), Some(bytes)) = (count, bytes) else {
        return Err(format!(
            "the tensor {name:?} of shape {} has more numbers than a file can hold",
            Value::sizes(&shape)
        ));
    };
    if tensor.segment.is_some() {
        return Err(format!("the tensor {name:?} is a segment of another, which cannot be read"));
    }
    Ok(Layout { shape, is_float, count, bytes })
}

/// Puts the numbers that the initializers keep in other files of `folder` into the model. Gives back
/// the names of those files.
///
/// # Errors
/// The reason, if they cannot be read, or are more than one file can hold.
pub(super) fn put_in(graph: &mut GraphProto, folder: &Path) -> Result<BTreeSet<String>, String> {
    let mut files = BTreeSet::new();
    let mut left = MOST_BYTES;
    for tensor in graph.initializer.iter_mut().filter(|tensor| tensor.is_external()) {
        let Layout { count, bytes, .. } = layout(tensor)?;
        if !tensor.raw_data.is_empty() || Typed::of(tensor).len() > 0 {
            let name = &tensor.name;
            return Err(format!("the tensor {name:?} has data both in this file and in another"));
        }
        let data = external::read(tensor, folder, bytes)?;
        // Many may name the same bytes, and all become numbers of some size.
        let taken = bytes.max(count.saturating_mul(size_of::<f32>()));
        left = left.checked_sub(taken).ok_or_else(too_many)?;
        files.insert(tensor.external("location").unwrap_or_default().to_owned());
        tensor.raw_data = data.into();
        tensor.external_data.clear();
        tensor.data_location = None;
    }
    Ok(files)
}

/// How it is told that a model with the files beside it is too large.
pub(super) fn too_many() -> String {
    format!("with the files beside it, it has more than {MOST_BYTES} bytes")
}

/// The numbers of a tensor, which are in the file.
///
/// # Errors
/// The reason, if they are elsewhere, do not fill its shape, or are not of a type that can be read.
pub(super) fn constant(tensor: &TensorProto) -> Result<Constant, String> {
    let (name, element) = (&tensor.name, tensor.data_type);
    let Layout { shape, is_float, count, bytes } = layout(tensor)?;
    let typed = Typed::of(tensor);
    if tensor.is_external() {
        return Err(format!(
            "the tensor {name:?} of a Constant keeps its data in another file, which only initializers may"
        ));
    }
    if !tensor.raw_data.is_empty() && typed.len() > 0 {
        return Err(format!("the tensor {name:?} has both raw data and typed data"));
    }
    if typed.len() > 0 {
        let numbers = typed.numbers(element).filter(|_| typed.len() == count).ok_or_else(|| {
            format!(
                "the tensor {name:?} of shape {} and {} has {} numbers in {}",
                Value::sizes(&shape),
                element::described(element),
                typed.len(),
                typed.field()
            )
        })?;
        return Ok(Constant { element, shape, numbers });
    }
    if tensor.raw_data.len() != bytes {
        return Err(format!(
            "the tensor {name:?} of shape {} has {} bytes of data; it must have {bytes}",
            Value::sizes(&shape),
            tensor.raw_data.len()
        ));
    }
    Ok(Constant { element, shape, numbers: raw(element, is_float, &tensor.raw_data) })
}

/// Whole little-endian numbers of a type that [`is_float`] knows.
fn raw(element: i32, is_float: bool, data: &[u8]) -> Numbers {
    fn each<const N: usize, T>(data: &[u8], number: impl Fn([u8; N]) -> T) -> Vec<T> {
        data.as_chunks::<N>().0.iter().map(|bytes| number(*bytes)).collect()
    }
    if is_float {
        return Numbers::Floats(match element {
            TENSOR_FLOAT => each(data, |bytes| f64::from(f32::from_le_bytes(bytes))),
            DOUBLE => each(data, f64::from_le_bytes),
            FLOAT16 => each(data, |bytes| half(u16::from_le_bytes(bytes))),
            _ => each(data, |bytes| brain(u16::from_le_bytes(bytes))),
        });
    }
    Numbers::Integers(match element {
        TENSOR_INT64 => each(data, i64::from_le_bytes),
        INT32 => each(data, |bytes| i64::from(i32::from_le_bytes(bytes))),
        UINT32 => each(data, |bytes| i64::from(u32::from_le_bytes(bytes))),
        INT16 => each(data, |bytes| i64::from(i16::from_le_bytes(bytes))),
        UINT16 => each(data, |bytes| i64::from(u16::from_le_bytes(bytes))),
        INT8 => each(data, |bytes| i64::from(i8::from_le_bytes(bytes))),
        _ => each(data, |[byte]| i64::from(byte)),
    })
}

/// IEEE 754 binary16.
fn half(bits: u16) -> f64 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023));
    sign * match exponent {
        0 => fraction * 2.0_f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1024.0 + fraction) * 2.0_f64.powi(exponent - 25),
    }
}

/// bfloat16: the upper half of an f32.
fn brain(bits: u16) -> f64 {
    f64::from(f32::from_bits(u32::from(bits) << 16))
}

/// The fields for numbers that are not raw.
struct Typed<'a>(&'a TensorProto);

impl<'a> Typed<'a> {
    fn of(tensor: &'a TensorProto) -> Self {
        Self(tensor)
    }

    /// The fields with their names and lengths.
    fn lens(&self) -> [(&'static str, usize); 6] {
        let Self(tensor) = self;
        [
            ("float_data", tensor.float_data.len()),
            ("int32_data", tensor.int32_data.len()),
            ("int64_data", tensor.int64_data.len()),
            ("double_data", tensor.double_data.len()),
            ("uint64_data", tensor.uint64_data.len()),
            ("string_data", tensor.string_data.len()),
        ]
    }

    fn len(&self) -> usize {
        self.lens().iter().fold(0, |sum, (_, len)| sum.saturating_add(*len))
    }

    fn field(&self) -> &'static str {
        self.lens().iter().find(|(_, len)| *len > 0).map_or("no field", |(field, _)| field)
    }

    /// `None` if the type's numbers belong into another field, or do not fit the type.
    fn numbers(&self, element: i32) -> Option<Numbers> {
        let Self(tensor) = self;
        let bits = || tensor.int32_data.iter().map(|&bits| u16::try_from(bits).ok());
        let within = |least: i64, most: i64| {
            let numbers = tensor.int32_data.iter().map(|&number| i64::from(number));
            numbers.map(|number| (least..=most).contains(&number).then_some(number)).collect()
        };
        let integers = |numbers: Option<Vec<i64>>| numbers.map(Numbers::Integers);
        match (element, self.field()) {
            (TENSOR_FLOAT, "float_data") => {
                Some(Numbers::Floats(tensor.float_data.iter().map(|&x| f64::from(x)).collect()))
            }
            (DOUBLE, "double_data") => Some(Numbers::Floats(tensor.double_data.clone())),
            (FLOAT16, "int32_data") => {
                bits().map(|bits| bits.map(half)).collect::<Option<_>>().map(Numbers::Floats)
            }
            (BFLOAT16, "int32_data") => {
                bits().map(|bits| bits.map(brain)).collect::<Option<_>>().map(Numbers::Floats)
            }
            (TENSOR_INT64, "int64_data") => Some(Numbers::Integers(tensor.int64_data.clone())),
            (INT32, "int32_data") => integers(within(i64::from(i32::MIN), i64::from(i32::MAX))),
            (INT16, "int32_data") => integers(within(i64::from(i16::MIN), i64::from(i16::MAX))),
            (INT8, "int32_data") => integers(within(i64::from(i8::MIN), i64::from(i8::MAX))),
            (UINT16, "int32_data") => integers(within(0, i64::from(u16::MAX))),
            (UINT8, "int32_data") => integers(within(0, i64::from(u8::MAX))),
            (TENSOR_BOOL, "int32_data") => integers(within(0, 1)),
            (UINT32, "uint64_data") => integers(
                tensor
                    .uint64_data
                    .iter()
                    .map(|&number| u32::try_from(number).ok().map(i64::from))
                    .collect(),
            ),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{brain, half};

    /// The examples of IEEE 754-2008's binary16, and bfloat16 by its definition.
    #[test]
    fn short_floats_are_what_their_bits_say() {
        let halves = [
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x3555, 0.333_251_953_125),
            (0x7bff, 65504.0),
            (0x0001, 5.960_464_477_539_063e-8),
            (0x0400, 6.103_515_625e-5),
            (0x7c00, f64::INFINITY),
        ];
        for (bits, number) in halves {
            assert_eq!(half(bits), number, "{bits:#x}");
        }
        assert!(half(0x7e00).is_nan());
        assert_eq!((brain(0x3f80), brain(0xc049)), (1.0, -3.140_625));
    }
}
