//! Where a window lies that moves over an image: the arithmetic of convolutions and pools.

use std::ops::Range;

use crate::layer::Misfit;

/// One dimension of a window that moves over an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    /// How long the image is.
    pub size: usize,
    /// How many elements the window has.
    pub kernel: usize,
    /// How far it moves from one position to the next.
    pub stride: usize,
    /// How many elements of padding are in front of the image.
    pub before: usize,
    /// How many elements of padding are behind it.
    pub after: usize,
    /// How far the window's elements are from each other.
    pub dilation: usize,
    /// How many positions it has.
    pub count: usize,
}

impl Span {
    /// Padded by `before` and `after`, with as many positions as there is room for.
    ///
    /// # Errors
    /// There is no room for one, or a number is 0 that must not be.
    pub fn new(
        size: usize,
        kernel: usize,
        stride: usize,
        [before, after]: [usize; 2],
        dilation: usize,
    ) -> Result<Self, Misfit> {
        for (name, value) in [("kernel_size", kernel), ("stride", stride), ("dilation", dilation)] {
            if value == 0 {
                return Err(Misfit::new(format!("its {name} must be at least 1, not 0")));
            }
        }
        let reach = dilation * (kernel - 1) + 1;
        let room = size + before + after;
        if reach > room || size == 0 {
            let dilated =
                if dilation == 1 { String::new() } else { format!(", dilation {dilation}") };
            return Err(Misfit::new(format!(
                "its window reaches over {reach} (kernel_size {kernel}{dilated}), and a side of the \
                 sample has {size}, with padding {room}"
            )));
        }
        let count = (room - reach) / stride + 1;
        Ok(Self { size, kernel, stride, before, after, dilation, count })
    }

    /// Where in the image an element of the window is at a position; `None` in the padding.
    pub fn at(&self, position: usize, element: usize) -> Option<usize> {
        let at = (position * self.stride + element * self.dilation).checked_sub(self.before)?;
        (at < self.size).then_some(at)
    }

    /// The positions at which an element of the window is in the image.
    pub fn inside(&self, element: usize) -> Range<usize> {
        let shift = element * self.dilation;
        let first = self.before.saturating_sub(shift).div_ceil(self.stride);
        let end = (self.size + self.before).saturating_sub(shift).div_ceil(self.stride);
        let end = end.min(self.count);
        first.min(end)..end
    }

    /// Whether padding is seen at any position.
    pub fn is_padded(&self) -> bool {
        self.before > 0 || self.after > 0
    }
}

/// A window that moves over an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    /// In height.
    pub y: Span,
    /// In width.
    pub x: Span,
}

impl Window {
    /// How many elements the image has.
    pub fn image(&self) -> usize {
        self.y.size * self.x.size
    }

    /// How many elements the window has.
    pub fn elements(&self) -> usize {
        self.y.kernel * self.x.kernel
    }

    /// How many positions the window has.
    pub fn positions(&self) -> usize {
        self.y.count * self.x.count
    }

    /// Whether padding is seen at any position.
    pub fn is_padded(&self) -> bool {
        self.y.is_padded() || self.x.is_padded()
    }

    /// Whether the window has one element and its positions are the image's elements.
    pub fn is_point(&self) -> bool {
        self.elements() == 1 && self.positions() == self.image() && !self.is_padded()
    }

    /// For each element of the window and each position, where in the image it is: elements ×
    /// positions, row-major; [`image`](Self::image) stands for the padding.
    pub fn of_image(&self) -> Vec<usize> {
        let Self { y, x } = self;
        let mut table = Vec::with_capacity(self.elements() * self.positions());
        for i in 0..y.kernel {
            for j in 0..x.kernel {
                for oy in 0..y.count {
                    let line = y.at(oy, i);
                    table.extend((0..x.count).map(|ox| match (line, x.at(ox, j)) {
                        (Some(iy), Some(ix)) => iy * x.size + ix,
                        _ => self.image(),
                    }));
                }
            }
        }
        table
    }

    /// The other way round: for each element of the window and each element of the image, at which
    /// position the one is on the other: elements × image, row-major;
    /// [`positions`](Self::positions) stands for none.
    pub fn of_positions(&self) -> Vec<usize> {
        let (image, positions) = (self.image(), self.positions());
        let mut table = vec![positions; self.elements() * image];
        let on = self.of_image();
        for (table, on) in table.chunks_mut(image).zip(on.chunks(positions)) {
            for (position, &at) in on.iter().enumerate().filter(|(_, at)| **at < image) {
                table[at] = position;
            }
        }
        table
    }
}
