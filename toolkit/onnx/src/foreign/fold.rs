//! What needs no run: constants, and sizes of values with what is computed of them. Exporters
//! write the target of a Reshape as Shape, Gather, Unsqueeze and Concat.

use super::constant::{self, is_float};
use super::job::Job;
use super::known::{Constant, Known, Numbers, Size, Sizes};
use crate::attribute::Attribute;
use crate::element;
use crate::operator::{axis, sliced};
use crate::proto::{ATTRIBUTE_FLOATS, TENSOR_BOOL, TENSOR_FLOAT, TENSOR_INT64};
use crate::value::{Dim, MAX_WIDTH, Value};

/// The one or more numbers that a Constant holds.
///
/// # Errors
/// The reason, if they cannot be read.
pub(super) fn held(job: &mut Job) -> Result<Known, String> {
    let floats = |numbers: &[f32], shape| Constant {
        element: TENSOR_FLOAT,
        shape,
        numbers: Numbers::Floats(numbers.iter().map(|&number| f64::from(number)).collect()),
    };
    let integers = |numbers: Vec<i64>, shape| Constant {
        element: TENSOR_INT64,
        shape,
        numbers: Numbers::Integers(numbers),
    };
    let constant = if let Some(tensor) = job.other("value").and_then(|proto| proto.t.as_ref()) {
        constant::constant(tensor)?
    } else if let Some(list) =
        job.other("value_floats").filter(|proto| proto.r#type == ATTRIBUTE_FLOATS)
    {
        floats(&list.floats, vec![list.floats.len()])
    } else if job.attributes.contains_key("value_float") {
        floats(&[job.float("value_float", 0.0)?], Vec::new())
    } else if job.attributes.contains_key("value_int") {
        integers(vec![job.int("value_int", None)?], Vec::new())
    } else if let Some(list) = job.ints("value_ints")? {
        let len = list.len();
        integers(list, vec![len])
    } else {
        return Err("it holds no numbers that can be evaluated".into());
    };
    job.done(0)?;
    Ok(Known::Constant(constant))
}

/// The sizes of a value, from `start` to `end` as opset 15 has them.
///
/// # Errors
/// The reason, if an attribute is not usable.
pub(super) fn shape(job: &mut Job, opset: i64, dims: Vec<Size>) -> Result<Known, String> {
    let (mut start, mut end) = (0, i64::MAX);
    if opset >= 15 {
        (start, end) = (job.int("start", Some(0))?, job.int("end", Some(i64::MAX))?);
    }
    job.done(1)?;
    let part = match sliced([start, end, 1], dims.len()) {
        Some((first, count)) => dims.into_iter().skip(first).take(count).collect(),
        None => Vec::new(),
    };
    Ok(Known::Sizes(Sizes::row(part)))
}

/// The sizes of a value that flows.
pub(super) fn sizes_of(value: &Value) -> Vec<Size> {
    let size = |dim: &Dim| match dim {
        #[allow(clippy::cast_possible_wrap, reason = "no size is above 2^20")]
        Dim::Fixed(size) => Size::Fixed(*size as i64),
        Dim::Named(name) => Size::Free(name.clone()),
    };
    value.shape.iter().map(size).collect()
}

/// The sizes of what does not flow.
#[allow(clippy::cast_possible_wrap, reason = "no tensor in memory has 2^63 numbers")]
pub(super) fn sizes_of_known(known: &Known) -> Vec<Size> {
    match known {
        Known::Flow(value) => sizes_of(value),
        Known::Constant(constant) => {
            constant.shape.iter().map(|&size| Size::Fixed(size as i64)).collect()
        }
        Known::Sizes(Sizes { alone: true, .. }) => Vec::new(),
        Known::Sizes(sizes) => vec![Size::Fixed(sizes.sizes.len() as i64)],
        Known::Filled { shape, .. } => shape.clone(),
    }
}

/// The most sizes in a row: a file could double it with every node.
const MOST_SIZES: usize = 1 << 16;

/// Whether it is a constant without a number.
pub(super) fn is_empty(known: &Known) -> bool {
    matches!(known, Known::Constant(constant) if constant.numbers.len() == 0)
}

/// One number in all places of a shape.
///
/// # Errors
/// The reason, if a size is negative or there are too many numbers.
pub(super) fn filled(element: i32, number: f64, sizes: &Sizes) -> Result<Known, String> {
    let Some(fixed) = sizes.fixed() else {
        return Ok(Known::Filled { number, shape: sizes.sizes.clone() });
    };
    let shape: Option<Vec<usize>> = fixed.iter().map(|&size| usize::try_from(size).ok()).collect();
    let count = shape
        .as_ref()
        .and_then(|shape| shape.iter().try_fold(1_usize, |count, size| count.checked_mul(*size)))
        .filter(|&count| count <= MAX_WIDTH);
    let (Some(shape), Some(count)) = (shape, count) else {
        return Err(format!("its output must have 0 to {MAX_WIDTH} numbers"));
    };
    #[allow(clippy::cast_possible_truncation, reason = "such integers come from integers")]
    let numbers = match is_float(element) {
        Some(false) => Numbers::Integers(vec![number as i64; count]),
        _ => Numbers::Floats(vec![number; count]),
    };
    Ok(Known::Constant(Constant { element, shape, numbers }))
}

/// The same numbers as another type.
///
/// # Errors
/// The reason, if a number is not one of that type, or the type is not read.
pub(super) fn cast(known: &Known, to: i32) -> Result<Known, String> {
    let Known::Constant(constant) = known else {
        if [TENSOR_INT64, constant::INT32].contains(&to) {
            return Ok(known.clone());
        }
        let fixed = match known {
            Known::Sizes(sizes) => sizes.fixed().map(|numbers| (sizes.alone, numbers)),
            _ => None,
        };
        let Some((alone, numbers)) = fixed else {
            return Err(format!("a size becomes {}", element::described(to)));
        };
        let shape = if alone { Vec::new() } else { vec![numbers.len()] };
        let numbers = Numbers::Integers(numbers);
        return cast(&Known::Constant(Constant { element: TENSOR_INT64, shape, numbers }), to);
    };
    let refuse = || format!("a constant becomes {}", element::described(to));
    let integers = |least: i64, most: i64| {
        let whole: Option<Vec<i64>> = match &constant.numbers {
            Numbers::Integers(numbers) => Some(numbers.clone()),
            #[allow(clippy::cast_possible_truncation, reason = "within the bounds of i64")]
            Numbers::Floats(numbers) => numbers
                .iter()
                .map(|number| (number.abs() < 9e18).then_some(number.trunc() as i64))
                .collect(),
        };
        whole
            .filter(|whole| whole.iter().all(|number| (least..=most).contains(number)))
            .map(Numbers::Integers)
            .ok_or_else(|| "a number of a constant is not one of the type it becomes".to_owned())
    };
    #[allow(clippy::cast_possible_truncation, reason = "the nearest f32 is what a cast gives")]
    #[allow(clippy::cast_precision_loss, reason = "the nearest f32 is what a cast gives")]
    let numbers = match (to, &constant.numbers) {
        (TENSOR_FLOAT, Numbers::Floats(numbers)) => {
            Numbers::Floats(numbers.iter().map(|&number| f64::from(number as f32)).collect())
        }
        (TENSOR_FLOAT, Numbers::Integers(numbers)) => {
            Numbers::Floats(numbers.iter().map(|&number| f64::from(number as f32)).collect())
        }
        (constant::DOUBLE, Numbers::Floats(numbers)) => Numbers::Floats(numbers.clone()),
        (TENSOR_INT64, _) => integers(i64::MIN, i64::MAX)?,
        (constant::INT32, _) => integers(i64::from(i32::MIN), i64::from(i32::MAX))?,
        (TENSOR_BOOL, Numbers::Integers(numbers)) => {
            Numbers::Integers(numbers.iter().map(|&number| i64::from(number != 0)).collect())
        }
        (TENSOR_BOOL, Numbers::Floats(numbers)) => {
            Numbers::Integers(numbers.iter().map(|&number| i64::from(number != 0.0)).collect())
        }
        _ => return Err(refuse()),
    };
    Ok(Known::Constant(Constant { element: to, shape: constant.shape.clone(), numbers }))
}

/// The shape that Reshape gives to constant numbers.
fn reshaped(len: usize, old: &[usize], target: &[i64], allow_zero: bool) -> Option<Vec<usize>> {
    let mut shape = Vec::with_capacity(target.len());
    let mut open = None;
    for (i, &size) in target.iter().enumerate() {
        shape.push(match size {
            -1 if open.is_none() => {
                open = Some(i);
                1
            }
            0 if !allow_zero => *old.get(i)?,
            size => usize::try_from(size).ok()?,
        });
    }
    let product = shape.iter().try_fold(1_usize, |product, size| product.checked_mul(*size))?;
    if let Some(open) = open {
        shape[open] = len.checked_div(product)?;
    }
    let product = shape.iter().try_fold(1_usize, |product, size| product.checked_mul(*size))?;
    (product == len).then_some(shape)
}

/// What an operator makes of inputs of which none flows; `None` if that is left to the evaluation
/// or not known. `batch` is the number of rows, if the file fixes it.
///
/// # Errors
/// The reason, if the inputs do not fit.
pub(super) fn fold(
    job: &mut Job,
    inputs: &[Option<&Known>],
    batch: Option<usize>,
) -> Result<Option<Known>, String> {
    let batch = batch.and_then(|batch| i64::try_from(batch).ok());
    let [Some(first), others @ ..] = inputs else { return Ok(None) };
    if inputs.iter().flatten().any(|known| matches!(known, Known::Flow(_))) {
        return Ok(None);
    }
    let unfit = || "its constant inputs do not fit".to_owned();
    let other = |place: usize| others.get(place).copied().flatten();
    let integers = |place: usize| other(place).and_then(Known::integers);
    let folded = match (job.op(), first) {
        ("Reshape", Known::Constant(constant)) => {
            let allow_zero = job.flag("allowzero", false)?;
            let target = integers(0).ok_or_else(unfit)?;
            let len = constant.numbers.len();
            let shape = reshaped(len, &constant.shape, &target, allow_zero).ok_or_else(unfit)?;
            Known::Constant(Constant { shape, ..constant.clone() })
        }
        ("Reshape", Known::Sizes(sizes)) => {
            let target = integers(0).ok_or_else(unfit)?;
            job.ignore(&["allowzero"]);
            let len = i64::try_from(sizes.sizes.len()).map_err(|e| e.to_string())?;
            match target[..] {
                [] if len == 1 => Known::Sizes(Sizes { alone: true, ..sizes.clone() }),
                [size] if size == -1 || size == len => {
                    Known::Sizes(Sizes::row(sizes.sizes.clone()))
                }
                _ => return Err(unfit()),
            }
        }
        ("Unsqueeze", Known::Constant(constant)) => {
            let axes = integers(0).ok_or_else(unfit)?;
            let rank = constant.shape.len() + axes.len();
            let axes: Option<Vec<usize>> = axes.iter().map(|&at| axis(at, rank)).collect();
            let axes = axes.ok_or_else(unfit)?;
            let mut old = constant.shape.iter().copied();
            let shape: Option<Vec<usize>> =
                (0..rank).map(|i| if axes.contains(&i) { Some(1) } else { old.next() }).collect();
            Known::Constant(Constant { shape: shape.ok_or_else(unfit)?, ..constant.clone() })
        }
        ("Unsqueeze", Known::Sizes(sizes)) if sizes.alone => match integers(0).as_deref() {
            Some([0 | -1]) => Known::Sizes(Sizes::row(sizes.sizes.clone())),
            _ => return Err(unfit()),
        },
        ("Squeeze", Known::Constant(constant)) => {
            let rank = constant.shape.len();
            let gone: Vec<usize> = match integers(0) {
                Some(axes) => axes
                    .iter()
                    .map(|&at| axis(at, rank))
                    .collect::<Option<_>>()
                    .ok_or_else(unfit)?,
                None => (0..rank).filter(|&i| constant.shape[i] == 1).collect(),
            };
            if gone.iter().any(|&i| constant.shape[i] != 1) {
                return Err(unfit());
            }
            let left = (0..rank).filter(|i| !gone.contains(i)).map(|i| constant.shape[i]);
            Known::Constant(Constant { shape: left.collect(), ..constant.clone() })
        }
        ("Squeeze", Known::Sizes(sizes)) if sizes.sizes.len() == 1 => {
            Known::Sizes(Sizes { alone: true, ..sizes.clone() })
        }
        ("Gather", _) => {
            let (Some(data), Some(at)) = (first.sizes(), other(0).and_then(Known::sizes)) else {
                return Ok(None);
            };
            job.only("axis", &Attribute::Int(0))?;
            let picked = at.fixed().ok_or_else(unfit)?;
            let pick = |&at: &i64| axis(at, data.sizes.len()).map(|at| data.sizes[at].clone());
            let sizes: Option<Vec<Size>> = picked.iter().map(pick).collect();
            Known::Sizes(Sizes { alone: at.alone, sizes: sizes.ok_or_else(unfit)? })
        }
        ("Concat", _) => {
            let mut sizes = Vec::new();
            for known in inputs.iter().flatten() {
                match known.sizes() {
                    Some(row) if row.sizes.len() + sizes.len() > MOST_SIZES => {
                        return Err(format!("it makes a row of more than {MOST_SIZES} sizes"));
                    }
                    Some(row) if !row.alone => sizes.extend(row.sizes),
                    _ => return Ok(None),
                }
            }
            job.ignore(&["axis"]);
            Known::Sizes(Sizes::row(sizes))
        }
        ("Slice", Known::Filled { number, shape }) => {
            let (Some(starts), Some(ends)) = (integers(0), integers(1)) else { return Ok(None) };
            let along: Vec<i64> = match integers(2) {
                Some(along) => along,
                None => (0..).take(starts.len()).collect(),
            };
            let steps = integers(3).unwrap_or_else(|| vec![1; starts.len()]);
            if [ends.len(), along.len(), steps.len()] != [starts.len(); 3] {
                return Err(unfit());
            }
            let mut shape = shape.clone();
            for (i, &along) in along.iter().enumerate() {
                let at = axis(along, shape.len()).ok_or_else(unfit)?;
                shape[at] = match &shape[at] {
                    Size::Fixed(size) => {
                        let size = usize::try_from(*size).map_err(|e| e.to_string())?;
                        let cut = sliced([starts[i], ends[i], steps[i]], size);
                        let count = cut.ok_or_else(unfit)?.1;
                        Size::Fixed(i64::try_from(count).map_err(|e| e.to_string())?)
                    }
                    whole if starts[i] == 0 && ends[i] == i64::MAX && steps[i] == 1 => {
                        whole.clone()
                    }
                    Size::Free(_) => {
                        return Err("it cuts a size that is chosen at every run".into());
                    }
                };
            }
            Known::Filled { number: *number, shape }
        }
        ("Slice", _) => {
            let Some(row) = first.sizes().filter(|row| !row.alone) else { return Ok(None) };
            let one = |place: usize, default: Option<i64>| match (integers(place), default) {
                (Some(row), _) if row.len() == 1 => Ok(row[0]),
                (None, Some(default)) if other(place).is_none() => Ok(default),
                _ => Err(unfit()),
            };
            let (start, end, along) = (one(0, None)?, one(1, None)?, one(2, Some(0))?);
            let step = one(3, Some(1))?;
            if axis(along, 1) != Some(0) || step != 1 {
                return Err(unfit());
            }
            let part = match sliced([start, end, 1], row.sizes.len()) {
                Some((first, count)) => row.sizes.into_iter().skip(first).take(count).collect(),
                None => Vec::new(),
            };
            Known::Sizes(Sizes::row(part))
        }
        ("Add" | "Sub" | "Mul" | "Div", _) => {
            let (Some(a), Some(b)) = (first.sizes(), other(0).and_then(Known::sizes)) else {
                return Ok(None);
            };
            let alone = a.alone && b.alone;
            let (Some(a), Some(b)) = (a.fixed(), b.fixed()) else {
                return Err("it computes with a size that is chosen at every run".into());
            };
            let len = match (a.len(), b.len()) {
                (a, b) if a == b || b == 1 => a,
                (1, b) => b,
                _ => return Err(unfit()),
            };
            let apply = |(a, b): (i64, i64)| match job.op() {
                "Add" => a.checked_add(b),
                "Sub" => a.checked_sub(b),
                "Mul" => a.checked_mul(b),
                // Towards 0, as integers of C++ do.
                _ => a.checked_div(b),
            };
            let pairs = (0..len).map(|i| (a[i % a.len()], b[i % b.len()])).map(apply);
            let sizes: Option<Vec<i64>> = pairs.collect();
            let sizes = sizes.ok_or_else(unfit)?.into_iter().map(Size::Fixed).collect();
            Known::Sizes(Sizes { alone, sizes })
        }
        ("Expand", Known::Constant(constant)) if constant.numbers.is_uniform() => {
            let Some(mut sizes) = other(0).and_then(Known::sizes) else { return Ok(None) };
            let Some(missing) = sizes.sizes.len().checked_sub(constant.shape.len()) else {
                return Ok(None);
            };
            for (size, &own) in sizes.sizes[missing..].iter_mut().zip(&constant.shape) {
                let own = i64::try_from(own).map_err(|e| e.to_string())?;
                match size {
                    Size::Fixed(1) => *size = Size::Fixed(own),
                    Size::Fixed(size) if own == 1 || own == *size => {}
                    // The file fixes the batch, and the constant has it.
                    Size::Free(_) if own == 1 || batch == Some(own) => {}
                    _ => return Err(unfit()),
                }
            }
            #[allow(clippy::cast_precision_loss, reason = "constants that are expanded are small")]
            let number = match &constant.numbers {
                Numbers::Floats(numbers) => numbers[0],
                Numbers::Integers(numbers) => numbers[0] as f64,
            };
            filled(constant.element, number, &sizes)?
        }
        _ => return Ok(None),
    };
    let inputs = job.node.input.len();
    job.done(inputs)?;
    Ok(Some(folded))
}
