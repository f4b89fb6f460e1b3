//! Series cut, put together anew, and moved.

use serde::{Deserialize, Serialize};
use trainbook_core::random::Draws;

use super::{between, length};
use crate::DataError;
use crate::augment::Change;

/// A window from a uniform place, stretched to the whole length by linear interpolation (Le Guennec
/// et al. 2016, "Data augmentation for time series classification"). On any scale.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WindowSlice {
    /// The window's share of the length, above 0 and below 1. The paper takes 0.9.
    pub keep: f64,
}

impl Change for WindowSlice {
    fn check(&self, _: &[usize]) -> Result<(), DataError> {
        if self.keep > 0.0 && self.keep < 1.0 {
            return Ok(());
        }
        Err(DataError::Setting {
            setting: "the share of a series to keep",
            value: self.keep.to_string(),
            expected: "above 0 and below 1".to_owned(),
        })
    }

    fn change(&self, row: &mut [f32], shape: &[usize], draws: &mut Draws) {
        let len = length(shape);
        let window = ((len as f64 * self.keep).ceil() as usize).clamp(1, len);
        let begin = draws.below((len - window + 1) as u64) as usize;
        slice(row, len, begin, window);
    }
}

/// The window of `window` positions from `begin`, stretched to all `len`.
pub(in crate::augment) fn slice(row: &mut [f32], len: usize, begin: usize, window: usize) {
    let step = (window - 1) as f64 / (len - 1).max(1) as f64;
    for channel in row.chunks_exact_mut(len) {
        let kept = channel[begin..begin + window].to_vec();
        for (at, to) in channel.iter_mut().enumerate() {
            *to = between(&kept, at as f64 * step);
        }
    }
}

/// Cut into segments of one length, to within 1, that are put together in an order that is drawn: for
/// series in which the order of events says nothing. On any scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Permute {
    /// How many segments, at least 2. The paper takes 4.
    pub segments: usize,
}

impl Change for Permute {
    fn check(&self, shape: &[usize]) -> Result<(), DataError> {
        let len = length(shape);
        if (2..=len).contains(&self.segments) {
            return Ok(());
        }
        Err(DataError::Setting {
            setting: "the number of segments",
            value: self.segments.to_string(),
            expected: format!("from 2 to {len}, the length of the series"),
        })
    }

    fn change(&self, row: &mut [f32], shape: &[usize], draws: &mut Draws) {
        let mut order: Vec<usize> = (0..self.segments).collect();
        draws.shuffle(&mut order);
        permute(row, length(shape), &order);
    }
}

/// The segments in this order; the first ones are longer where the length is no multiple.
pub(in crate::augment) fn permute(row: &mut [f32], len: usize, order: &[usize]) {
    let (size, longer) = (len / order.len().max(1), len % order.len().max(1));
    let begin = |segment: usize| segment * size + segment.min(longer);
    for channel in row.chunks_exact_mut(len) {
        let original = channel.to_vec();
        let mut at = 0;
        for &segment in order {
            let piece = &original[begin(segment)..begin(segment + 1)];
            channel[at..at + piece.len()].copy_from_slice(piece);
            at += piece.len();
        }
    }
}

/// Earlier or later by a number of positions, all channels alike. What is missing at one end is the
/// last number that is there. On any scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeShift {
    /// By at most so many positions, at least 1 and less than the length.
    pub most: usize,
}

impl Change for TimeShift {
    fn check(&self, shape: &[usize]) -> Result<(), DataError> {
        let len = length(shape);
        if self.most >= 1 && self.most < len {
            return Ok(());
        }
        Err(DataError::Setting {
            setting: "the most that a series is shifted",
            value: self.most.to_string(),
            expected: format!("at least 1 and less than the length, {len}"),
        })
    }

    fn change(&self, row: &mut [f32], shape: &[usize], draws: &mut Draws) {
        let by = draws.below(2 * self.most as u64 + 1) as isize - self.most as isize;
        shift(row, length(shape), by);
    }
}

/// Later by `by` positions.
pub(in crate::augment) fn shift(row: &mut [f32], len: usize, by: isize) {
    for channel in row.chunks_exact_mut(len) {
        let original = channel.to_vec();
        for (at, to) in channel.iter_mut().enumerate() {
            *to = original[(at as isize - by).clamp(0, len as isize - 1) as usize];
        }
    }
}
