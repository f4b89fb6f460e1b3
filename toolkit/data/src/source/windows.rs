//! Windows of a series, each with what follows it.

use std::fmt;

use super::Source;
use super::cut::Cut;
use crate::windows::WindowOptions;
use crate::{Batch, DataError, Origin, Targets};

/// A long series and where it came from.
pub(crate) struct Series {
    pub origin: Origin,
    pub name: String,
    /// The channels' names; at least one.
    pub channels: Vec<String>,
    /// Positions × channels, finite.
    pub values: Vec<f32>,
    /// For each position its line of the file, or its row where the file has no lines, and which of
    /// both it is; `None` for what was in memory.
    pub lines: Option<(&'static str, Vec<usize>)>,
}

/// A series, and its windows. Whoever makes one has checked that there is a window, and that numbers
/// are finite.
pub(crate) struct Windows {
    series: Series,
    /// Channels and positions of a window.
    shape: [usize; 2],
    feature_names: Vec<String>,
    options: WindowOptions,
    starts: Vec<usize>,
    targets: Targets,
}

impl Windows {
    pub fn new(series: Series, options: WindowOptions) -> Self {
        let (values, channels) = (&series.values, series.channels.len());
        let reach = options.length + options.horizon;
        let positions = values.len() / channels;
        let starts: Vec<usize> = (0..=positions - reach).step_by(options.stride).collect();
        let mut targets =
            Vec::with_capacity(starts.len() * options.targets.len() * options.horizon);
        for start in &starts {
            let ahead = start + options.length..start + reach;
            for &channel in &options.targets {
                targets.extend(ahead.clone().map(|at| values[at * channels + channel]));
            }
        }
        let positions = |name| (0..options.length).map(move |at| format!("{name}[{at}]"));
        let feature_names = series.channels.iter().flat_map(positions).collect();
        Self {
            series,
            shape: [channels, options.length],
            feature_names,
            options,
            starts,
            targets: Targets::Values(targets),
        }
    }
}

impl Source for Windows {
    fn len(&self) -> usize {
        self.starts.len()
    }

    fn name(&self) -> &str {
        &self.series.name
    }

    fn origin(&self) -> Origin {
        self.series.origin.clone()
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn feature_names(&self) -> &[String] {
        &self.feature_names
    }

    fn class_names(&self) -> Option<&[String]> {
        None
    }

    fn targets_per_row(&self) -> usize {
        self.options.horizon * self.options.targets.len()
    }

    fn targets(&self) -> Option<&Targets> {
        Some(&self.targets)
    }

    /// From the first position of its input to the last that is to be predicted.
    fn place(&self, row: usize) -> Option<String> {
        let (unit, lines) = self.series.lines.as_ref()?;
        let first = *self.starts.get(row)?;
        let last = first + self.options.length + self.options.horizon - 1;
        Some(format!("{unit}s {} to {}", lines.get(first)?, lines.get(last)?))
    }

    fn divide_in_order(&self, fractions: [f64; 3]) -> Option<[Vec<usize>; 3]> {
        let cut = Cut {
            positions: self.series.values.len() / self.shape[0],
            starts: &self.starts,
            reach: self.options.length + self.options.horizon,
            judged: self.options.horizon,
        };
        Some(cut.divide(fractions))
    }

    fn read(&self, rows: &[usize], batch: &mut Batch) -> Result<(), DataError> {
        batch.targets.gather(&self.targets, rows, self.targets_per_row());
        let [channels, length] = self.shape;
        let numbers = batch.input.refill_f32([rows.len(), channels, length]);
        for (out, &row) in numbers.chunks_exact_mut(channels * length).zip(rows) {
            let window = &self.series.values[self.starts[row] * channels..][..channels * length];
            for (channel, out) in out.chunks_exact_mut(length).enumerate() {
                let values = window.iter().skip(channel).step_by(channels);
                out.iter_mut().zip(values).for_each(|(out, value)| *out = *value);
            }
        }
        Ok(())
    }
}

/// Without the series.
impl fmt::Debug for Windows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Windows")
            .field("name", &self.series.name)
            .field("shape", &self.shape)
            .field("windows", &self.starts.len())
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
