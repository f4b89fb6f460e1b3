//! A series cut into windows, each to be continued.

use serde::{Deserialize, Serialize};

use super::source::{Series, Windows};
use super::{Array, DataError, Dataset, Numbers, Origin};
use crate::table::first_repeat;

/// How a series is cut into windows for forecasting.
///
/// ```text
/// position   0 1 2 3 4 5 6 7 8 …
/// row 0      i i i i t t            length 4, horizon 2
/// row 1          i i i i t t        stride 2
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowOptions {
    /// How many positions the input has.
    pub length: usize,
    /// How many positions behind it are to be predicted.
    pub horizon: usize,
    /// How many positions from the beginning of one window to that of the next; 1.
    pub stride: usize,
    /// Which channels are to be predicted, counted from 0; all if there are none here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<usize>,
}

impl WindowOptions {
    /// Windows of `length` positions that predict the next `horizon` ones of all channels, one window
    /// at every position.
    pub fn new(length: usize, horizon: usize) -> Self {
        Self { length, horizon, stride: 1, targets: Vec::new() }
    }

    /// The same with a window at every `stride` positions.
    #[must_use]
    pub fn stride(mut self, stride: usize) -> Self {
        self.stride = stride;
        self
    }

    /// The same that predicts these channels alone, in this order, counted from 0.
    #[must_use]
    pub fn targets(mut self, channels: impl Into<Vec<usize>>) -> Self {
        self.targets = channels.into();
        self
    }
}

impl Dataset {
    /// A data set of the windows of a series. `values` are floats `[positions, channels]`, or
    /// `[positions]` for one channel. A row is `[channels, length]`, and its targets are the values
    /// that follow: `horizon` of the first channel that is predicted, then of the next.
    ///
    /// A split of it must be [`Split::in_order`](super::Split::in_order): no window reaches from one
    /// part into another, with its targets. In validation and test no two windows have a target in
    /// common, so that every value is judged at most once.
    ///
    /// The normalisation, if there is one, is of the inputs; targets are on the scale of `values`.
    ///
    /// A stored run cannot make these data again; those of [`Table::windows`](crate::Table::windows)
    /// it can.
    ///
    /// # Errors
    /// `values` are integers, of another shape or not finite, there are fewer than one window takes,
    /// an option is 0, or there is no such channel.
    pub fn windows(name: &str, values: Array, options: WindowOptions) -> Result<Self, DataError> {
        let refuse = |reason| Err(DataError::Refused { action: "use", reason });
        let (positions, channels) = match *values.shape.as_slice() {
            [positions] => (positions, 1),
            [positions, channels] => (positions, channels),
            _ => (0, 0),
        };
        let Numbers::F32(numbers) = values.numbers else {
            return refuse("the series are integers; write them as floats".to_owned());
        };
        if numbers.is_empty() || positions.checked_mul(channels) != Some(numbers.len()) {
            return refuse(format!(
                "the series has the shape {:?} and {} numbers; it must be [positions, channels], \
                 and none may be 0",
                values.shape,
                numbers.len()
            ));
        }
        if let Some(at) = numbers.iter().position(|x| !x.is_finite()) {
            return refuse(format!(
                "channel {} of {name} is {} at position {}; it must be a finite number, so fill the \
                 gap (both are counted from 0)",
                at % channels,
                numbers[at],
                at / channels
            ));
        }
        Series {
            origin: Origin::Memory,
            name: name.to_owned(),
            channels: (0..channels).map(|channel| channel.to_string()).collect(),
            values: numbers,
            lines: None,
        }
        .cut(options)
    }
}

impl Series {
    /// A data set of its windows.
    pub(super) fn cut(self, mut options: WindowOptions) -> Result<Dataset, DataError> {
        let channels = self.channels.len();
        let positions = self.values.len() / channels.max(1);
        for (setting, value) in [
            ("length of a window", options.length),
            ("horizon of a window", options.horizon),
            ("stride of windows", options.stride),
        ] {
            if value == 0 {
                return Err(DataError::Setting {
                    setting,
                    value: "0".to_owned(),
                    expected: "at least 1 position".to_owned(),
                });
            }
        }
        if options.length.checked_add(options.horizon).is_none_or(|reach| reach > positions) {
            let reason = format!(
                "{} has {positions} positions, which do not make a window of {} and {} to \
                 predict",
                self.name, options.length, options.horizon
            );
            return Err(DataError::Refused { action: "use", reason });
        }
        if options.targets.is_empty() {
            options.targets = (0..channels).collect();
        }
        if let Some(channel) = options.targets.iter().find(|&&channel| channel >= channels) {
            return Err(DataError::Setting {
                setting: "channel to predict",
                value: channel.to_string(),
                expected: format!("less than {channels}, the number of channels"),
            });
        }
        if let Some((_, again)) = first_repeat(&options.targets) {
            return Err(DataError::Setting {
                setting: "channel to predict",
                value: options.targets[again].to_string(),
                expected: "named once; it is there twice".to_owned(),
            });
        }
        Dataset::from_source(Windows::new(self, options))
    }
}
