//! The steps, as a list.

use serde::{Deserialize, Serialize};

use super::image::{Affine, Blur, ColourJitter, Crop, Erase, FlipHorizontal, FlipVertical};
use super::series::{
    Jitter, MagnitudeScale, MagnitudeWarp, Permute, TimeShift, TimeWarp, WindowSlice,
};
use super::{Change, Custom};

/// A step, and how often it is applied.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Chance {
    /// The probability that a row is changed by it, from 0 to 1; 1 if it is not written.
    #[serde(default = "always", skip_serializing_if = "is_always")]
    pub probability: f64,
    /// What changes it.
    #[serde(flatten)]
    pub step: Step,
}

fn always() -> f64 {
    1.0
}

fn is_always(probability: &f64) -> bool {
    *probability == 1.0
}

/// One step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum Step {
    /// Images: moved by a few pixels.
    Crop(Crop),
    /// Images: left and right swapped.
    FlipHorizontal(FlipHorizontal),
    /// Images: top and bottom swapped.
    FlipVertical(FlipVertical),
    /// Images: rotated, moved, scaled, sheared.
    Affine(Affine),
    /// Images: brightness, contrast, saturation, hue.
    ColourJitter(ColourJitter),
    /// Images: blurred.
    Blur(Blur),
    /// Images: a rectangle replaced.
    Erase(Erase),
    /// Series: noise added.
    Jitter(Jitter),
    /// Series: each channel times a factor.
    MagnitudeScale(MagnitudeScale),
    /// Series: each channel times a smooth curve.
    MagnitudeWarp(MagnitudeWarp),
    /// Series: faster here and slower there.
    TimeWarp(TimeWarp),
    /// Series: a window stretched to the whole length.
    WindowSlice(WindowSlice),
    /// Series: segments in another order.
    Permute(Permute),
    /// Series: earlier or later.
    TimeShift(TimeShift),
    /// A closure of the program.
    Own(Custom),
}

impl Step {
    /// The kind behind it.
    pub fn change(&self) -> &dyn Change {
        match self {
            Self::Crop(kind) => kind,
            Self::FlipHorizontal(kind) => kind,
            Self::FlipVertical(kind) => kind,
            Self::Affine(kind) => kind,
            Self::ColourJitter(kind) => kind,
            Self::Blur(kind) => kind,
            Self::Erase(kind) => kind,
            Self::Jitter(kind) => kind,
            Self::MagnitudeScale(kind) => kind,
            Self::MagnitudeWarp(kind) => kind,
            Self::TimeWarp(kind) => kind,
            Self::WindowSlice(kind) => kind,
            Self::Permute(kind) => kind,
            Self::TimeShift(kind) => kind,
            Self::Own(kind) => kind,
        }
    }

    /// Whether it is for series; `None` if it is for whatever the program says.
    pub(super) fn is_of_series(&self) -> Option<bool> {
        match self {
            Self::Crop(_)
            | Self::FlipHorizontal(_)
            | Self::FlipVertical(_)
            | Self::Affine(_)
            | Self::ColourJitter(_)
            | Self::Blur(_)
            | Self::Erase(_) => Some(false),
            Self::Jitter(_)
            | Self::MagnitudeScale(_)
            | Self::MagnitudeWarp(_)
            | Self::TimeWarp(_)
            | Self::WindowSlice(_)
            | Self::Permute(_)
            | Self::TimeShift(_) => Some(true),
            Self::Own(_) => None,
        }
    }
}
