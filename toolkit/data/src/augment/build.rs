//! An [`Augment`] put together, step after step.

use trainbook_core::random::Draws;

use super::image::{
    Affine, Blur, ColourJitter, Crop, Erase, FlipHorizontal, FlipVertical, Padding,
};
use super::series::{
    Jitter, MagnitudeScale, MagnitudeWarp, Permute, TimeShift, TimeWarp, WindowSlice,
};
use super::{Augment, Chance, Custom, Step};

/// Any step.
impl Augment {
    /// One more step.
    #[must_use]
    pub fn step(mut self, step: Step) -> Self {
        self.steps.push(Chance { probability: 1.0, step });
        self
    }

    /// The last step with this probability instead of its own, from 0 to 1.
    #[must_use]
    pub fn with_probability(mut self, probability: f64) -> Self {
        if let Some(last) = self.steps.last_mut() {
            last.probability = probability;
        }
        self
    }

    /// A step of one's own under a name: it changes a row of a shape with its draws. Only the name is
    /// written down; where it is read again the step is missing until
    /// [`provide`](Self::provide) gives it.
    #[must_use]
    pub fn own<F>(self, name: &str, change: F) -> Self
    where
        F: Fn(&mut [f32], &[usize], &mut Draws) + Send + Sync + 'static,
    {
        self.step(Step::Own(Custom::new(name, change)))
    }

    /// The same with the missing steps of this name given. No other step changes.
    #[must_use]
    pub fn provide<F>(mut self, name: &str, change: F) -> Self
    where
        F: Fn(&mut [f32], &[usize], &mut Draws) + Send + Sync + 'static,
    {
        let given = Custom::new(name, change);
        for Chance { step, .. } in &mut self.steps {
            if let Step::Own(own) = step
                && own.is_missing()
                && own.name() == name
            {
                *own = given.clone();
            }
        }
        self
    }
}

/// Steps for images.
impl Augment {
    /// A [`Crop`] with so many zeros at each border.
    #[must_use]
    pub fn crop(self, padding: usize) -> Self {
        self.step(Step::Crop(Crop { padding, fill: Padding::Zeros }))
    }

    /// A [`Crop`] with so many reflected pixels at each border.
    #[must_use]
    pub fn crop_reflect(self, padding: usize) -> Self {
        self.step(Step::Crop(Crop { padding, fill: Padding::Reflect }))
    }

    /// Left and right swapped, with this probability (torchvision: 0.5).
    #[must_use]
    pub fn flip_horizontal(self, probability: f64) -> Self {
        self.step(Step::FlipHorizontal(FlipHorizontal {})).with_probability(probability)
    }

    /// Top and bottom swapped, with this probability (torchvision: 0.5).
    #[must_use]
    pub fn flip_vertical(self, probability: f64) -> Self {
        self.step(Step::FlipVertical(FlipVertical {})).with_probability(probability)
    }

    /// Rotated about the centre by an angle from −`degrees` to `degrees`: an [`Affine`].
    #[must_use]
    pub fn rotate(self, degrees: f64) -> Self {
        self.affine(Affine { degrees, ..Affine::default() })
    }

    /// Rotated, moved, scaled and sheared.
    #[must_use]
    pub fn affine(self, affine: Affine) -> Self {
        self.step(Step::Affine(affine))
    }

    /// Brightness, contrast, saturation and hue.
    #[must_use]
    pub fn colour_jitter(self, jitter: ColourJitter) -> Self {
        self.step(Step::ColourJitter(jitter))
    }

    /// Blurred with a kernel of `kernel` × `kernel` pixels and a standard deviation from 0.1 to 2
    /// pixels: a [`Blur`].
    #[must_use]
    pub fn blur(self, kernel: usize) -> Self {
        self.step(Step::Blur(Blur { kernel, sigma: [0.1, 2.0] }))
    }

    /// A rectangle of 2 to 33 % of the area replaced by 0, with this probability (torchvision: 0.5):
    /// an [`Erase`].
    #[must_use]
    pub fn erase(self, probability: f64) -> Self {
        self.step(Step::Erase(Erase::default())).with_probability(probability)
    }
}

/// Steps for series.
impl Augment {
    /// Noise of this standard deviation: a [`Jitter`].
    #[must_use]
    pub fn jitter(self, sigma: f64) -> Self {
        self.step(Step::Jitter(Jitter { sigma }))
    }

    /// Each channel times a factor around 1: a [`MagnitudeScale`].
    #[must_use]
    pub fn scale(self, sigma: f64) -> Self {
        self.step(Step::MagnitudeScale(MagnitudeScale { sigma }))
    }

    /// Each channel times a smooth curve around 1, with 4 knots inside: a [`MagnitudeWarp`].
    #[must_use]
    pub fn magnitude_warp(self, sigma: f64) -> Self {
        self.step(Step::MagnitudeWarp(MagnitudeWarp { sigma, knots: 4 }))
    }

    /// Faster here and slower there, with 4 knots inside: a [`TimeWarp`].
    #[must_use]
    pub fn time_warp(self, sigma: f64) -> Self {
        self.step(Step::TimeWarp(TimeWarp { sigma, knots: 4 }))
    }

    /// A window of this share of the length, stretched to all of it: a [`WindowSlice`].
    #[must_use]
    pub fn window_slice(self, keep: f64) -> Self {
        self.step(Step::WindowSlice(WindowSlice { keep }))
    }

    /// So many segments in another order: a [`Permute`].
    #[must_use]
    pub fn permute(self, segments: usize) -> Self {
        self.step(Step::Permute(Permute { segments }))
    }

    /// Earlier or later by at most so many positions: a [`TimeShift`].
    #[must_use]
    pub fn time_shift(self, most: usize) -> Self {
        self.step(Step::TimeShift(TimeShift { most }))
    }
}
