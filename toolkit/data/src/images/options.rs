//! What is made of a decoded file.

use serde::{Deserialize, Serialize};

/// What is made of a decoded file, in this order: colours, size, piece.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ImageOptions {
    /// Which channels there are.
    pub colours: Colours,
    /// Height and width to which each image is brought, whatever its own are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resize: Option<[usize; 2]>,
    /// Height and width of the piece that is cut from the middle.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub center_crop: Option<[usize; 2]>,
    /// Whether all files are decoded at once and kept, a byte for each number.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub in_memory: bool,
}

/// Which channels an image has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Colours {
    /// Red, green and blue. Transparency is left out.
    #[default]
    Rgb,
    /// One channel: 0.299 red, 0.587 green and 0.114 blue (ITU-R BT.601), as Pillow's mode "L".
    Grey,
}

impl Colours {
    /// How many channels that are.
    pub fn channels(self) -> usize {
        match self {
            Self::Rgb => 3,
            Self::Grey => 1,
        }
    }
}

impl ImageOptions {
    /// Height and width after a file's own; `None` if those must be looked up.
    pub(crate) fn size(&self) -> Option<[usize; 2]> {
        self.center_crop.or(self.resize)
    }
}
