//! The inputs on which a model is compared: like those of training, and as they are not, because a
//! model meets both.

use std::collections::BTreeMap;

use super::array::{Array, Numbers};
use super::graph::Graph;
use super::structure;
use super::value::{BATCH, Dim, Element, MEMORY, SEQUENCE, Value};
use crate::Error;
use trainbook_core::random::{Draws, Seed, Stream};

/// Sizes at which a fixed batch, a wrong reshape or a tail of a vectorised loop shows.
pub(super) const BATCHES: [usize; 5] = [1, 2, 3, 7, MOST_ROWS];
pub(super) const MOST_ROWS: usize = 33;
/// Lengths of sequence and memory, never equal, so that one taken for the other shows.
const LENGTHS: [(usize, usize); 3] = [(5, 3), (1, 4), (LONGEST, 1)];
pub(super) const LONGEST: usize = 8;

/// Rows of one kind, 33 of them unless the file fixes another number, and one length of each kind of sequence.
pub(super) struct InputSet {
    pub kind: &'static str,
    /// Whether the numbers are like those that the model usually meets.
    pub usual: bool,
    pub arrays: Vec<Array>,
}

/// Floats: training-like (or random), zero, large, tiny and constant rows; without their sign where
/// the graph takes ln(1 + x) of them. Integers, which must be
/// in the vocabulary: training-like (or random), all 0, all the last, the first two in turn, and
/// constant rows.
///
/// # Errors
/// [`Error::Setting`] if `samples` is neither empty nor whole rows, finite or in the vocabulary, of
/// the graph's only input.
pub(super) fn input_sets(
    graph: &Graph,
    samples: &Numbers,
    rows: usize,
) -> Result<Vec<InputSet>, Error> {
    let scale = check_samples(graph, samples)?;
    let free = graph
        .inputs
        .iter()
        .flat_map(|input| &input.shape)
        .any(|dim| *dim != BATCH.into() && dim.size().is_none());
    let lengths = if free { &LENGTHS[..] } else { &LENGTHS[..1] };
    let kinds = [
        if samples.is_empty() { "random" } else { "training-like" },
        "zero",
        "large",
        "tiny",
        "constant-row",
    ];
    let under_logarithm: Vec<Vec<bool>> =
        graph.inputs.iter().map(|input| structure::under_logarithm(graph, input)).collect();
    let stream = Stream::new(Seed(0), "onnx comparison");
    let mut sets = Vec::new();
    for (epoch, &(sequence, memory)) in lengths.iter().enumerate() {
        for (set, kind) in kinds.into_iter().enumerate() {
            let mut arrays = Vec::with_capacity(graph.inputs.len());
            for (i, input) in graph.inputs.iter().enumerate() {
                // Constant rows have drawn from the second key, and large and tiny ones from the
                // next two, since the first release.
                let key = [0, 0, 2, 3, 1][set] + 4 * i as u64;
                let shape = concrete(
                    input,
                    &[(BATCH, rows), (SEQUENCE, sequence), (MEMORY, memory)].into(),
                );
                let row = shape[1..].iter().product();
                let mut draws = stream.at(epoch as u64, key);
                let numbers = match (samples, input.element) {
                    (Numbers::F32(all), Element::F32) if set == 0 && !all.is_empty() => {
                        Numbers::F32(picked(all, row, rows))
                    }
                    (Numbers::I64(all), Element::I64) if set == 0 && !all.is_empty() => {
                        Numbers::I64(picked(all, row, rows))
                    }
                    (_, Element::F32) => {
                        let mut all = floats(&mut draws, set, [rows, row], scale);
                        let each = all.iter_mut().zip(under_logarithm[i].iter().cycle());
                        each.filter(|(_, under)| **under).for_each(|(x, _)| *x = x.abs());
                        Numbers::F32(all)
                    }
                    // No graph takes bool.
                    (_, Element::I64 | Element::Bool) => {
                        let vocabulary = vocabulary(graph, input)?;
                        Numbers::I64(indices(&mut draws, set, [rows, row], vocabulary))
                    }
                };
                arrays.push(Array { shape, numbers });
            }
            sets.push(InputSet { kind, usual: set == 0, arrays });
        }
    }
    Ok(sets)
}

/// 33 usual rows: training-like, or random.
///
/// # Errors
/// As [`input_sets`].
pub(super) fn usual_inputs(graph: &Graph, samples: &Numbers) -> Result<Vec<Array>, Error> {
    Ok(input_sets(graph, samples, MOST_ROWS)?
        .into_iter()
        .next()
        .map(|set| set.arrays)
        .unwrap_or_default())
}

fn concrete(input: &Value, lengths: &BTreeMap<&str, usize>) -> Vec<usize> {
    let size = |dim: &Dim| match dim {
        Dim::Fixed(size) => *size,
        Dim::Named(name) => lengths.get(name.as_str()).copied().unwrap_or(MOST_ROWS),
    };
    input.shape.iter().map(size).collect()
}

/// The integers that an input may hold are 0 to this, without it.
fn vocabulary(graph: &Graph, input: &Value) -> Result<usize, Error> {
    structure::vocabulary(graph, &input.name)
        .map_err(|reason| Error::NoOnnxForm { layer: "the model".into(), reason })
}

/// The size of the largest sample, or 1.
fn check_samples(graph: &Graph, samples: &Numbers) -> Result<f64, Error> {
    if samples.is_empty() {
        return Ok(1.0);
    }
    let wrong = |value, expected| Err(Error::Setting { setting: "samples", value, expected });
    let element = match samples {
        Numbers::F32(_) => Element::F32,
        Numbers::I64(_) => Element::I64,
    };
    let taken = match graph.inputs.as_slice() {
        [input] if input.element == element => input.row_len().map(|width| (input, width)),
        _ => None,
    };
    let count = format!("{} numbers", samples.len());
    let Some((input, width)) = taken else {
        return wrong(count, format!("empty, because the model takes {}", graph.signature()));
    };
    if !samples.len().is_multiple_of(width.max(1)) {
        return wrong(count, format!("finite rows of {width} features"));
    }
    match samples {
        Numbers::F32(samples) => {
            if let Some(bad) = samples.iter().find(|number| !number.is_finite()) {
                return wrong(
                    format!("rows with {bad}"),
                    format!("finite rows of {width} features"),
                );
            }
            let largest = samples.iter().fold(0.0_f32, |largest, number| largest.max(number.abs()));
            Ok(if largest > 0.0 { f64::from(largest) } else { 1.0 })
        }
        Numbers::I64(samples) => {
            let vocabulary = vocabulary(graph, input)?;
            let known = |&token: &i64| usize::try_from(token).is_ok_and(|at| at < vocabulary);
            match samples.iter().find(|token| !known(token)) {
                Some(token) => wrong(
                    format!("rows with the token {token}"),
                    format!("tokens from 0 to {}", vocabulary - 1),
                ),
                None => Ok(1.0),
            }
        }
    }
}

/// Spread over all rows, and over again if there are fewer than 33.
fn picked<T: Copy>(samples: &[T], width: usize, rows: usize) -> Vec<T> {
    let count = samples.len() / width;
    let picked = (0..rows).map(|i| if count > rows { i * count / rows } else { i % count });
    picked.flat_map(|row| &samples[row * width..][..width]).copied().collect()
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "inputs are f32, any rounding of a random number is as good"
)]
fn floats(draws: &mut Draws, set: usize, [rows, row]: [usize; 2], scale: f64) -> Vec<f32> {
    let scale = [scale, 0.0, 100.0 * scale, 1e-6 * scale, scale][set];
    let mut random = || (draws.uniform(-1.0, 1.0) * scale) as f32;
    match set {
        1 => vec![0.0; rows * row],
        4 => (0..rows).flat_map(|_| vec![random(); row]).collect(),
        _ => (0..rows * row).map(|_| random()).collect(),
    }
}

#[allow(clippy::cast_possible_wrap, reason = "no vocabulary has 2^63 entries")]
fn indices(draws: &mut Draws, set: usize, [rows, row]: [usize; 2], vocabulary: usize) -> Vec<i64> {
    let mut random = || draws.below(vocabulary as u64) as i64;
    let last = vocabulary as i64 - 1;
    match set {
        1 => vec![0; rows * row],
        2 => vec![last; rows * row],
        3 => (0..rows * row).map(|i| (i as i64 % 2).min(last)).collect(),
        4 => (0..rows).flat_map(|_| vec![random(); row]).collect(),
        _ => (0..rows * row).map(|_| random()).collect(),
    }
}
