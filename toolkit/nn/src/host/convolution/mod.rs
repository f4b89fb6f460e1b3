//! Convolutions, as products of matrices: for several positions of the window at once, what is
//! under it is laid out as columns (im2col), or added back from there (col2im).

mod columns;

use std::ops::Range;

use ndarray::{ArrayView2, ArrayViewMut2, s};
use rayon::prelude::*;

use super::gemm::product;
use super::threads;
use crate::layer::Fault;
use crate::window::Window;

/// What connects the channels of an image with other channels at the positions of a window: a
/// convolution reads the image and writes the positions, a transposed one the other way round.
///
/// The image is batch × image_channels × image, the positions are batch × channels × positions, and
/// the weight is channels × image_channels / groups × elements of the window.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Convolution {
    pub window: Window,
    pub groups: usize,
    pub image_channels: usize,
    pub channels: usize,
}

/// Columns from which on a product is efficient.
const COLUMNS: usize = 512;

/// Numbers in a product's columns that the processor's caches keep.
const CACHED: usize = 1 << 17;

/// Multiplications below which nothing is divided among threads.
const WORTH: usize = 1 << 17;

/// Shares of a batch at most, and numbers in all their weight gradients together.
const SHARES: usize = 16;
const WEIGHTS: usize = 1 << 23;

/// How a batch is divided: by sizes alone, never by the number of threads.
struct Division {
    /// Samples of a share.
    share: usize,
    /// Shares.
    shares: usize,
    /// Samples whose columns stand in one matrix.
    together: usize,
    /// Lines of positions whose columns stand in one matrix; all, if there are several samples.
    lines: usize,
}

/// Samples of a share and lines of positions, whose columns stand in one matrix.
struct Tile {
    samples: Range<usize>,
    lines: Range<usize>,
}

/// The memory of a share.
struct Scratch<'a> {
    columns: &'a mut [f32],
    gathered: &'a mut [f32],
    weight: &'a mut [f32],
}

impl Convolution {
    fn weight_len(&self) -> usize {
        self.channels * self.image_channels / self.groups * self.window.elements()
    }

    /// Rows of the columns' matrix.
    fn rows(&self) -> usize {
        self.image_channels * self.window.elements()
    }

    fn division(&self, batch: usize) -> Division {
        let positions = self.window.positions();
        let work = batch * self.weight_len() * positions;
        let shares = if work < WORTH { 1 } else { (WEIGHTS / self.weight_len()).clamp(2, SHARES) };
        // At least eight shares, if there is enough to do.
        let spread = if shares == 1 { batch } else { batch.div_ceil(8) };
        let together = (COLUMNS / positions).min(CACHED / (self.rows() * positions));
        let together = together.min(spread).max(1);
        let share = batch.div_ceil(shares).next_multiple_of(together).max(1);
        let lines = if together > 1 {
            self.window.y.count
        } else {
            // Parts of equal size, none of them much larger than it must be.
            self.window.y.count.div_ceil((positions / (2 * COLUMNS)).max(1))
        };
        Division { share, shares: batch.div_ceil(share), together, lines }
    }

    fn columns_len(&self, division: &Division) -> usize {
        division.together * division.lines * self.window.x.count
    }

    fn share_len(&self, division: &Division) -> usize {
        let columns = self.columns_len(division);
        (self.rows() + self.channels) * columns + self.weight_len()
    }

    /// How much memory a batch needs on the way.
    pub fn scratch(&self, batch: usize) -> usize {
        let division = self.division(batch);
        division.shares * self.share_len(&division)
    }

    fn split<'a>(&self, division: &Division, scratch: &'a mut [f32]) -> Scratch<'a> {
        let columns = self.columns_len(division);
        let (weight, rest) = scratch.split_at_mut(self.weight_len());
        let (columns, gathered) = rest.split_at_mut(self.rows() * columns);
        Scratch { columns, gathered, weight }
    }

    fn tiles(&self, division: &Division, samples: usize) -> impl Iterator<Item = Tile> {
        let (together, lines, count) = (division.together, division.lines, self.window.y.count);
        (0..samples).step_by(together).flat_map(move |sample| {
            (0..count).step_by(lines).map(move |line| Tile {
                samples: sample..(sample + together).min(samples),
                lines: line..(line + lines).min(count),
            })
        })
    }

    /// From the image to the positions: `positions ← weight · columns(image) + bias`.
    pub fn positions_of(
        &self,
        image: &[f32],
        weight: &[f32],
        bias: Option<&[f32]>,
        positions: &mut [f32],
        scratch: &mut [f32],
    ) -> Result<(), Fault> {
        let (from, into) = self.sample_lens();
        let division = self.division(image.len() / from);
        let shares: Vec<_> = image
            .chunks(division.share * from)
            .zip(positions.chunks_mut(division.share * into))
            .zip(scratch.chunks_mut(self.share_len(&division)))
            .collect();
        each(shares, |((image, positions), scratch)| {
            let scratch = self.split(&division, scratch);
            for tile in self.tiles(&division, image.len() / from) {
                let columns = self.columns(image, &tile, scratch.columns)?;
                let alone = tile.samples.len() == 1;
                let mut target = if alone {
                    let mut target = self.positions_mut(positions, &tile)?;
                    if let Some(bias) = bias {
                        target.outer_iter_mut().zip(bias).for_each(|(mut row, b)| row.fill(*b));
                    }
                    target
                } else {
                    matrix_mut(scratch.gathered, self.channels, columns.ncols())?
                };
                let add = alone && bias.is_some();
                for group in 0..self.groups {
                    let (channels, rows) = self.group(group);
                    let mut target = target.slice_mut(s![channels, ..]);
                    let columns = columns.slice(s![rows, ..]);
                    product(1.0, &self.weight(weight, group)?, &columns, add, &mut target);
                }
                if !alone {
                    self.scatter(scratch.gathered, bias, &tile, positions);
                }
            }
            Ok(())
        })
    }

    /// From the positions to the image: `image ← image(weightᵀ · positions) + bias`.
    pub fn image_of(
        &self,
        positions: &[f32],
        weight: &[f32],
        bias: Option<&[f32]>,
        image: &mut [f32],
        scratch: &mut [f32],
    ) -> Result<(), Fault> {
        let (into, from) = self.sample_lens();
        let division = self.division(positions.len() / from);
        let shares: Vec<_> = positions
            .chunks(division.share * from)
            .zip(image.chunks_mut(division.share * into))
            .zip(scratch.chunks_mut(self.share_len(&division)))
            .collect();
        each(shares, |((positions, image), scratch)| {
            let scratch = self.split(&division, scratch);
            image.fill(0.0);
            for tile in self.tiles(&division, positions.len() / from) {
                let positions = self.gather(positions, &tile, scratch.gathered)?;
                let mut columns = matrix_mut(scratch.columns, self.rows(), positions.ncols())?;
                for group in 0..self.groups {
                    let (channels, rows) = self.group(group);
                    let mut columns = columns.slice_mut(s![rows, ..]);
                    let positions = positions.slice(s![channels, ..]);
                    let weight = self.weight(weight, group)?;
                    product(1.0, &weight.t(), &positions, false, &mut columns);
                }
                self.add_columns(scratch.columns, &tile, image);
            }
            // Last, so that small sums are not rounded at the size of a large bias again and again.
            if let Some(bias) = bias {
                let planes = image.chunks_mut(self.window.image()).zip(bias.iter().cycle());
                planes.for_each(|(plane, b)| plane.iter_mut().for_each(|y| *y += b));
            }
            Ok(())
        })
    }

    /// Adds the gradient in the weight, `positions · columns(image)ᵀ`, where one of the two is the
    /// input and the other the gradient in the output.
    pub fn weight_gradient(
        &self,
        image: &[f32],
        positions: &[f32],
        gradient: &mut [f32],
        scratch: &mut [f32],
    ) -> Result<(), Fault> {
        let (of_image, of_positions) = self.sample_lens();
        let division = self.division(image.len() / of_image);
        let len = self.share_len(&division);
        let shares: Vec<_> = image
            .chunks(division.share * of_image)
            .zip(positions.chunks(division.share * of_positions))
            .zip(scratch.chunks_mut(len))
            .collect();
        each(shares, |((image, positions), scratch)| {
            let scratch = self.split(&division, scratch);
            let tiles = self.tiles(&division, image.len() / of_image);
            for (i, tile) in tiles.enumerate() {
                let columns = self.columns(image, &tile, scratch.columns)?;
                let positions = self.gather(positions, &tile, scratch.gathered)?;
                for group in 0..self.groups {
                    let (channels, rows) = self.group(group);
                    let height = channels.len();
                    let weight = &mut scratch.weight[channels.start * rows.len()..];
                    let mut weight = matrix_mut(weight, height, rows.len())?;
                    let columns = columns.slice(s![rows, ..]);
                    let positions = positions.slice(s![channels, ..]);
                    product(1.0, &positions, &columns.t(), i > 0, &mut weight);
                }
            }
            Ok(())
        })?;
        // In the order of the shares, whoever was ready first.
        for share in scratch.chunks(len).take(division.shares) {
            gradient.iter_mut().zip(share).for_each(|(g, more)| *g += more);
        }
        Ok(())
    }

    /// How many numbers a sample of the image has, and one of the positions.
    fn sample_lens(&self) -> (usize, usize) {
        let Self { window, image_channels, channels, .. } = self;
        (image_channels * window.image(), channels * window.positions())
    }

    /// A group's channels, and its rows of the columns.
    fn group(&self, group: usize) -> (Range<usize>, Range<usize>) {
        let (channels, rows) = (self.channels / self.groups, self.rows() / self.groups);
        (group * channels..(group + 1) * channels, group * rows..(group + 1) * rows)
    }

    fn weight<'a>(&self, weight: &'a [f32], group: usize) -> Result<ArrayView2<'a, f32>, Fault> {
        let (channels, rows) = self.group(group);
        matrix(&weight[channels.start * rows.len()..], channels.len(), rows.len())
    }

    /// A tile's part of the positions, where it has one sample alone.
    fn positions_mut<'a>(
        &self,
        positions: &'a mut [f32],
        tile: &Tile,
    ) -> Result<ArrayViewMut2<'a, f32>, Fault> {
        let (_, len) = self.sample_lens();
        let sample = &mut positions[tile.samples.start * len..][..len];
        let all = matrix_mut(sample, self.channels, self.window.positions())?;
        let width = self.window.x.count;
        Ok(all.slice_move(s![.., tile.lines.start * width..tile.lines.end * width]))
    }

    /// A tile's positions as a matrix, channels × columns.
    fn gather<'a>(
        &self,
        positions: &'a [f32],
        tile: &Tile,
        gathered: &'a mut [f32],
    ) -> Result<ArrayView2<'a, f32>, Fault> {
        let (_, len) = self.sample_lens();
        let count = self.window.positions();
        let samples = &positions[tile.samples.start * len..tile.samples.end * len];
        if tile.samples.len() == 1 {
            let width = self.window.x.count;
            let all = matrix(samples, self.channels, count)?;
            return Ok(all.slice_move(s![.., tile.lines.start * width..tile.lines.end * width]));
        }
        let columns = tile.samples.len() * count;
        for (at, sample) in samples.chunks(len).enumerate() {
            for (row, from) in gathered.chunks_mut(columns).zip(sample.chunks(count)) {
                row[at * count..][..count].copy_from_slice(from);
            }
        }
        matrix(gathered, self.channels, columns)
    }

    /// The other way round: from a matrix to the positions of several samples.
    fn scatter(&self, gathered: &[f32], bias: Option<&[f32]>, tile: &Tile, into: &mut [f32]) {
        let (_, len) = self.sample_lens();
        let count = self.window.positions();
        let columns = tile.samples.len() * count;
        let samples = &mut into[tile.samples.start * len..tile.samples.end * len];
        for (at, sample) in samples.chunks_mut(len).enumerate() {
            let rows = gathered.chunks(columns).zip(sample.chunks_mut(count));
            for (channel, (row, into)) in rows.enumerate() {
                let row = &row[at * count..][..count];
                match bias {
                    Some(bias) => {
                        let bias = bias[channel];
                        into.iter_mut().zip(row).for_each(|(y, v)| *y = v + bias);
                    }
                    None => into.copy_from_slice(row),
                }
            }
        }
    }
}

/// Adds the gradient in a bias: for each channel the sum of `gradient`, batch × channels × area.
pub(crate) fn bias_gradient(gradient: &[f32], area: usize, into: &mut [f32]) {
    let channels = into.len();
    let area = area.max(1);
    threads::each_block(into, 1, gradient.len() / channels.max(1), |channel, into| {
        let planes = gradient.chunks_exact(area).skip(channel).step_by(channels);
        let all: f32 = planes.map(sum).sum();
        into.iter_mut().for_each(|b| *b += all);
    });
}

/// A sum in eight parts, so that it does not wait for itself; always in this order.
pub(crate) fn sum(values: &[f32]) -> f32 {
    let mut parts = [0.0_f32; 8];
    let whole = values.chunks_exact(8);
    let rest: f32 = whole.remainder().iter().sum();
    for values in whole {
        parts.iter_mut().zip(values).for_each(|(part, v)| *part += v);
    }
    parts.iter().sum::<f32>() + rest
}

/// Does something with every share, several at a time if there are several.
fn each<T: Send>(
    shares: Vec<T>,
    f: impl Fn(T) -> Result<(), Fault> + Sync + Send,
) -> Result<(), Fault> {
    if shares.len() < 2 {
        shares.into_iter().try_for_each(f)
    } else {
        shares.into_par_iter().try_for_each(f)
    }
}

/// The first numbers as a matrix.
fn matrix(values: &[f32], rows: usize, columns: usize) -> Result<ArrayView2<'_, f32>, Fault> {
    let values =
        values.get(..rows * columns).ok_or_else(|| Fault::new("a matrix has another size"))?;
    Ok(ArrayView2::from_shape((rows, columns), values)?)
}

/// The first numbers as a matrix.
fn matrix_mut(
    values: &mut [f32],
    rows: usize,
    columns: usize,
) -> Result<ArrayViewMut2<'_, f32>, Fault> {
    let values =
        values.get_mut(..rows * columns).ok_or_else(|| Fault::new("a matrix has another size"))?;
    Ok(ArrayViewMut2::from_shape((rows, columns), values)?)
}
