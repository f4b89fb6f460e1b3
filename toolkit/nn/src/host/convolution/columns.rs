//! What is under the window, as a matrix, and back.

use std::ops::Range;

use ndarray::{ArrayView2, s};
use trainbook_core::simd::wide;

use super::{Convolution, Tile, matrix};
use crate::layer::Fault;
use crate::window::Window;

/// Columns of one element of the window, and the pixels that they show.
struct Shift {
    columns: Range<usize>,
    pixels: Range<usize>,
}

impl Convolution {
    /// Where in the lines' columns and in the image an element of the window has the same numbers,
    /// all in one piece: the window moves by one and has a position for every pixel of a line.
    /// Columns of the padding at the sides then hold pixels of the line before or behind.
    fn shift(&self, i: usize, j: usize, lines: &Range<usize>) -> Option<Shift> {
        let Window { y, x } = self.window;
        if (y.stride, x.stride) != (1, 1) || x.count != x.size {
            return None;
        }
        // The pixel of column c is c + ahead − back.
        let width = x.size;
        let ahead = (lines.start + i * y.dilation) * width + j * x.dilation;
        let back = y.before * width + x.before;
        let band = lines.len() * width;
        let start = back.saturating_sub(ahead).min(band);
        let area = self.window.image();
        let end = (area + back).saturating_sub(ahead).clamp(start, band);
        let first = (start + ahead).saturating_sub(back).min(area);
        Some(Shift { columns: start..end, pixels: first..first + (end - start) })
    }

    /// What is under the window at a tile's positions: image channels · elements × columns.
    pub(super) fn columns<'a>(
        &self,
        image: &'a [f32],
        tile: &Tile,
        into: &'a mut [f32],
    ) -> Result<ArrayView2<'a, f32>, Fault> {
        let Window { y, x } = self.window;
        let area = self.window.image();
        let band = tile.lines.len() * x.count;
        let columns = tile.samples.len() * band;
        let samples =
            tile.samples.start * self.image_channels..tile.samples.end * self.image_channels;
        let image = &image[samples.start * area..samples.end * area];
        if self.window.is_point() && tile.samples.len() == 1 {
            let all = matrix(image, self.image_channels, area)?;
            let (first, end) = (tile.lines.start * x.count, tile.lines.end * x.count);
            return Ok(all.slice_move(s![.., first..end]));
        }
        for (plane, pixels) in image.chunks(area).enumerate() {
            let (sample, channel) = (plane / self.image_channels, plane % self.image_channels);
            for element in 0..self.window.elements() {
                let (i, j) = (element / x.kernel, element % x.kernel);
                let row = channel * self.window.elements() + element;
                let into = &mut into[row * columns + sample * band..][..band];
                let within = x.inside(j);
                if let Some(shift) = self.shift(i, j, &tile.lines) {
                    into[..shift.columns.start].fill(0.0);
                    into[shift.columns.end..].fill(0.0);
                    into[shift.columns].copy_from_slice(&pixels[shift.pixels]);
                    clear_outside(&within, x.size, into);
                    continue;
                }
                let first = (within.start * x.stride + j * x.dilation).saturating_sub(x.before);
                for (line, into) in tile.lines.clone().zip(into.chunks_exact_mut(x.count)) {
                    let Some(from) = y.at(line, i).filter(|_| !within.is_empty()) else {
                        into.fill(0.0);
                        continue;
                    };
                    let from = &pixels[from * x.size + first..(from + 1) * x.size];
                    into[..within.start].fill(0.0);
                    into[within.end..].fill(0.0);
                    let into = &mut into[within.clone()];
                    if x.stride == 1 {
                        into.copy_from_slice(&from[..within.len()]);
                    } else {
                        into.iter_mut()
                            .zip(from.iter().step_by(x.stride))
                            .for_each(|(i, f)| *i = *f);
                    }
                }
            }
        }
        matrix(into, self.rows(), columns)
    }

    /// Adds a tile's columns, of which those of the padding are cleared, to the image.
    pub(super) fn add_columns(&self, columns: &mut [f32], tile: &Tile, image: &mut [f32]) {
        let Window { y, x } = self.window;
        let area = self.window.image();
        let band = tile.lines.len() * x.count;
        let width = tile.samples.len() * band;
        let samples =
            tile.samples.start * self.image_channels..tile.samples.end * self.image_channels;
        let image = &mut image[samples.start * area..samples.end * area];
        for (plane, pixels) in image.chunks_mut(area).enumerate() {
            let (sample, channel) = (plane / self.image_channels, plane % self.image_channels);
            for element in 0..self.window.elements() {
                let (i, j) = (element / x.kernel, element % x.kernel);
                let row = channel * self.window.elements() + element;
                let from = &mut columns[row * width + sample * band..][..band];
                let within = x.inside(j);
                if within.is_empty() {
                    continue;
                }
                if let Some(shift) = self.shift(i, j, &tile.lines) {
                    clear_outside(&within, x.size, from);
                    let (into, from) = (&mut pixels[shift.pixels], &from[shift.columns]);
                    wide(
                        #[inline(always)]
                        || into.iter_mut().zip(from).for_each(|(i, f)| *i += f),
                    );
                    continue;
                }
                let first = (within.start * x.stride + j * x.dilation).saturating_sub(x.before);
                for (line, from) in tile.lines.clone().zip(from.chunks_exact(x.count)) {
                    let Some(into) = y.at(line, i) else { continue };
                    let into = &mut pixels[into * x.size + first..(into + 1) * x.size];
                    let from = &from[within.clone()];
                    if x.stride == 1 {
                        into.iter_mut().zip(from).for_each(|(i, f)| *i += f);
                    } else {
                        into.iter_mut().step_by(x.stride).zip(from).for_each(|(i, f)| *i += f);
                    }
                }
            }
        }
    }
}

/// Clears what is not within, in each line.
fn clear_outside(within: &Range<usize>, width: usize, lines: &mut [f32]) {
    for column in (0..within.start).chain(within.end..width) {
        lines.iter_mut().skip(column).step_by(width).for_each(|number| *number = 0.0);
    }
}
