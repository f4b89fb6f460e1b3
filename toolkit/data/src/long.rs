//! Series in the long format, a line for each position, as rows.

use std::collections::HashMap;
use std::hash::Hash;

use super::{Array, DataError};

/// Series as rows, made of lines in any order: each says of which series it is, when, and the values
/// of all channels then. Lines of a file are for [`Table::series`](crate::Table::series), which a
/// stored run reads again.
#[derive(Clone, Debug, PartialEq)]
pub struct Wide {
    /// The series' names, in the order of their first lines.
    pub ids: Vec<String>,
    /// `[series, channels, length]`, in the order of time.
    pub values: Array,
    /// The first line of each series, counted from 0: where its target stands.
    pub first_lines: Vec<usize>,
}

impl Wide {
    /// Gathers lines. `values` are lines × channels, row-major. Times need only be in order; their
    /// distances do not count.
    ///
    /// # Errors
    /// There are no lines, the lengths do not fit, a time is not finite or occurs twice in a series,
    /// or series have different lengths.
    pub fn from_long(
        ids: &[impl AsRef<str>],
        times: &[f64],
        values: &[f32],
    ) -> Result<Self, DataError> {
        let refuse =
            |reason| Err(DataError::Refused { action: "make series of the lines of", reason });
        let channels = values.len() / ids.len().max(1);
        if channels == 0 || times.len() != ids.len() || values.len() != channels * ids.len() {
            return refuse(format!(
                "there are {} ids, {} times and {} values; each line must have one id, one time, and \
                 as many values as the others",
                ids.len(),
                times.len(),
                values.len()
            ));
        }
        let ids: Vec<&str> = ids.iter().map(AsRef::as_ref).collect();
        let series = match series_of(&ids, times) {
            Ok(series) => series,
            Err(ragged) => return refuse(ragged.counted_from_0(&ids, times)),
        };
        let (shape, numbers) = wide(&series, values);
        Ok(Self {
            ids: series.iter().map(|lines| ids[lines.first].to_owned()).collect(),
            values: Array::f32(shape, numbers),
            first_lines: series.iter().map(|lines| lines.first).collect(),
        })
    }
}

/// The lines of one series, counted from 0.
pub(crate) struct Lines {
    /// The one that comes first in the file.
    pub first: usize,
    /// All, in the order of time.
    pub in_time: Vec<usize>,
}

/// Why lines make no series. Lines are counted from 0.
pub(crate) enum Ragged {
    /// The time of a line is not finite.
    Time(usize),
    /// Two lines of a series have the same time; the first comes first in the file.
    Twice(usize, usize),
    /// The series that begins with the first line of `other` has not as many lines as the one that
    /// begins with the first line of `all`.
    Length {
        /// The first line, and how many there are.
        other: (usize, usize),
        /// The same of the first series.
        all: (usize, usize),
    },
}

impl Ragged {
    fn counted_from_0(self, ids: &[&str], times: &[f64]) -> String {
        match self {
            Self::Time(line) => {
                format!("the time of line {line} is {}; it must be finite", times[line])
            }
            Self::Twice(one, two) => format!(
                "the lines {one} and {two} (counted from 0) of the series {:?} have the same time, \
                 {}",
                ids[one], times[one]
            ),
            Self::Length { other: (other, lines), all: (first, length) } => format!(
                "the series {:?} has {lines} lines, and {:?} has {length}; all must have as many, \
                 so cut or fill them",
                ids[other], ids[first]
            ),
        }
    }
}

/// Gathers lines by their id; series are in the order of their first lines. There must be as many
/// times as ids.
pub(crate) fn series_of<I: Copy + Eq + Hash>(
    ids: &[I],
    times: &[f64],
) -> Result<Vec<Lines>, Ragged> {
    let mut places = HashMap::new();
    let mut series: Vec<Lines> = Vec::new();
    for (line, (&id, time)) in ids.iter().zip(times).enumerate() {
        if !time.is_finite() {
            return Err(Ragged::Time(line));
        }
        let place = *places.entry(id).or_insert(series.len());
        match series.get_mut(place) {
            Some(known) => known.in_time.push(line),
            None => series.push(Lines { first: line, in_time: vec![line] }),
        }
    }
    let all = series.first().map_or((0, 0), |lines| (lines.first, lines.in_time.len()));
    for Lines { first, in_time } in &mut series {
        if in_time.len() != all.1 {
            return Err(Ragged::Length { other: (*first, in_time.len()), all });
        }
        // Stable: of one time, what comes first in the file.
        in_time.sort_by(|&a, &b| times[a].total_cmp(&times[b]));
        if let Some(pair) = in_time.windows(2).find(|pair| times[pair[0]] == times[pair[1]]) {
            return Err(Ragged::Twice(pair[0].min(pair[1]), pair[0].max(pair[1])));
        }
    }
    Ok(series)
}

/// The shape `[series, channels, length]` and the numbers of `values`, lines × channels.
pub(crate) fn wide(series: &[Lines], values: &[f32]) -> ([usize; 3], Vec<f32>) {
    let length = series.first().map_or(0, |lines| lines.in_time.len());
    let channels = values.len() / (series.len() * length).max(1);
    let mut numbers = Vec::with_capacity(values.len());
    for Lines { in_time, .. } in series {
        for channel in 0..channels {
            numbers.extend(in_time.iter().map(|line| values[line * channels + channel]));
        }
    }
    ([series.len(), channels, length], numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_gathered_and_put_in_order() {
        let ids = ["b", "a", "b", "a", "a", "b"];
        let times = [2.0, 1.0, 0.5, -1.0, 3.0, 7.0];
        // Channel 0 is the line, channel 1 ten times the line.
        let values: Vec<f32> =
            (0..6_u8).flat_map(|l| [f32::from(l), 10.0 * f32::from(l)]).collect();
        let wide = Wide::from_long(&ids, &times, &values).unwrap();
        assert_eq!((wide.ids, wide.first_lines), (vec!["b".into(), "a".into()], vec![0, 1]));
        assert_eq!(wide.values.shape, [2, 2, 3]);
        let expected = [2.0, 0.0, 5.0, 20.0, 0.0, 50.0, 3.0, 1.0, 4.0, 30.0, 10.0, 40.0];
        assert_eq!(wide.values.floats(), expected);
    }

    #[test]
    fn lines_that_make_no_series_are_refused() {
        let refused = |ids: &[&str], times: &[f64], values: &[f32], expected: &str| {
            let error = Wide::from_long(ids, times, values).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        refused(&[], &[], &[], "0 ids");
        refused(&["a"], &[1.0, 2.0], &[1.0], "2 times");
        refused(&["a", "b"], &[1.0, 2.0], &[1.0, 2.0, 3.0], "3 values");
        refused(&["a", "a"], &[1.0, f64::NAN], &[1.0, 2.0], "time of line 1 is NaN");
        refused(&["a", "a"], &[1.0, 1.0], &[1.0, 2.0], "lines 0 and 1");
        refused(
            &["a", "b", "b"],
            &[1.0, 1.0, 2.0],
            &[0.0; 3],
            "\"b\" has 2 lines, and \"a\" has 1",
        );
    }
}
