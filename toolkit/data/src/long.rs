//! Series in the long format, a line for each position, as rows.

use std::collections::HashMap;

use super::{Array, DataError};

/// Series as rows, made of lines in any order: each says of which series it is, when, and the values
/// of all channels then.
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
        let mut places = HashMap::new();
        let mut lines_of: Vec<Vec<usize>> = Vec::new();
        for (line, (id, time)) in ids.iter().zip(times).enumerate() {
            if !time.is_finite() {
                return refuse(format!("the time of line {line} is {time}; it must be finite"));
            }
            let place = *places.entry(id.as_ref()).or_insert(lines_of.len());
            match lines_of.get_mut(place) {
                Some(lines) => lines.push(line),
                None => lines_of.push(vec![line]),
            }
        }
        let first_lines: Vec<usize> = lines_of.iter().map(|lines| lines[0]).collect();
        let name = |place: usize| ids[first_lines[place]].as_ref();
        let length = lines_of[0].len();
        let mut numbers = Vec::with_capacity(values.len());
        for (place, lines) in lines_of.iter_mut().enumerate() {
            if lines.len() != length {
                return refuse(format!(
                    "the series {:?} has {} lines, and {:?} has {length}; all must have as many, so \
                     cut or fill them",
                    name(place),
                    lines.len(),
                    name(0)
                ));
            }
            lines.sort_by(|&a, &b| times[a].total_cmp(&times[b]));
            if let Some(pair) = lines.windows(2).find(|pair| times[pair[0]] == times[pair[1]]) {
                return refuse(format!(
                    "the lines {} and {} (counted from 0) of the series {:?} have the same time, {}",
                    pair[0],
                    pair[1],
                    name(place),
                    times[pair[0]]
                ));
            }
            for channel in 0..channels {
                numbers.extend(lines.iter().map(|line| values[line * channels + channel]));
            }
        }
        Ok(Self {
            ids: (0..lines_of.len()).map(|place| name(place).to_owned()).collect(),
            values: Array::f32([lines_of.len(), channels, length], numbers),
            first_lines,
        })
    }
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
