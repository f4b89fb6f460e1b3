//! Rows of one part that are nearly those of another.

use super::Seen;
use super::neighbours::scales;
use crate::report::{Finding, Severity};
use crate::{DataError, Part};
use trainbook_core::random::{Seed, Stream};

/// Two rows are nearly equal if the mean square of their differences, in standard deviations, is
/// below the square of this.
const NEAR: f64 = 0.02;
/// The same for images, which are stored with loss.
const NEAR_IMAGES: f64 = 0.05;
/// So many random directions are looked along: two rows that are near are near along each.
const DIRECTIONS: usize = 12;
/// The width of a cell along a direction, in standard deviations. Cells are laid twice, half a cell
/// apart, so that a pair on the border of one is inside another.
const CELL: f64 = 0.5;
/// The same for images.
const CELL_IMAGES: f64 = 1.0;
/// Rows with fewer numbers are near by chance.
const LEAST_WIDTH: usize = 4;
/// Rows with fewer numbers differ in one of them by chance.
const LEAST_WIDTH_BUT_ONE: usize = 16;
/// A row must be able to say so many bits; less, and rows are near by chance.
const LEAST_BITS: f64 = 40.0;
/// So many pairs are compared number by number.
const MOST_PAIRS: usize = 4000;
/// So many numbers are compared, whatever the width.
const MOST_NUMBERS: usize = 1 << 22;

/// How two rows are nearly equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Near {
    Rounding,
    OneFeature,
}

/// Compares hashes of what rows are made of (locality-sensitive hashing by random projections, Datar
/// et al. 2004; and of both halves of a row, for those that differ in one number), then the rows.
pub(super) fn look(seen: &Seen<'_>) -> Result<Vec<Finding>, DataError> {
    let width = seen.data.width();
    let flat = seen.data.shape().len() != 2;
    let parts = seen.report.parts;
    if !flat || width < LEAST_WIDTH || parts[1] + parts[2] == 0 || bits(seen) < LEAST_BITS {
        return Ok(Vec::new());
    }
    let mut hashed = hash(seen)?;
    let mut pairs: Vec<(usize, usize, Part)> = Vec::new();
    let most = MOST_PAIRS.min(MOST_NUMBERS / width).max(16);
    let kinds = if width >= LEAST_WIDTH_BUT_ONE { 4 } else { 2 };
    for kind in 0..kinds {
        hashed.sort_unstable_by_key(|row| (row.keys[kind], row.part as usize, row.row));
        for bucket in hashed.chunk_by(|a, b| a.keys[kind] == b.keys[kind]) {
            let (train, others): (Vec<_>, Vec<_>) =
                bucket.iter().partition(|row| row.part == Part::Train);
            for (at, other) in others.iter().enumerate() {
                // A bucket of many rows is no sign: a few of each are enough.
                let spread = train.iter().cycle().skip(at).take(train.len().min(4));
                pairs.extend(spread.map(|train| (other.row, train.row, other.part)));
            }
        }
    }
    pairs.sort_unstable_by_key(|&(row, train, _)| (row, train));
    pairs.dedup();
    let cut = pairs.len() > most;
    if cut {
        // Those that are left out must not all be of one kind of row.
        Stream::new(Seed(0), "check").at(2, 0).shuffle(&mut pairs);
        pairs.truncate(most);
        pairs.sort_unstable_by_key(|&(row, train, _)| (row, train));
    }
    compare(seen, &pairs, cut)
}

fn compare(
    seen: &Seen<'_>,
    pairs: &[(usize, usize, Part)],
    cut: bool,
) -> Result<Vec<Finding>, DataError> {
    let scales = common_scales(seen);
    let mut found: Vec<(Part, Near, usize, usize)> = Vec::new();
    let width = seen.data.width();
    let near = if seen.is_images() { NEAR_IMAGES } else { NEAR };
    for pairs in pairs.chunks(128) {
        let rows: Vec<usize> = pairs.iter().flat_map(|&(a, b, _)| [a, b]).collect();
        let numbers = seen.data.raw(&rows)?;
        for (&(row, train, part), both) in pairs.iter().zip(numbers.floats().chunks(2 * width)) {
            let (a, b) = both.split_at(width);
            let near =
                nearness(a, b, &scales, near).filter(|_| found.last().is_none_or(|f| f.2 != row));
            found.extend(near.map(|near| (part, near, row, train)));
        }
    }
    let mut findings = Vec::new();
    for part in [Part::Validation, Part::Test] {
        for (kind, how) in [
            (Near::Rounding, "nearly the same features as rows of train, as after rounding"),
            (Near::OneFeature, "the features of rows of train but for one"),
        ] {
            let of: Vec<_> = found.iter().filter(|f| (f.0, f.1) == (part, kind)).collect();
            let Some((_, _, row, train)) = of.first() else { continue };
            let (count, least) = (of.len(), if cut { "at least " } else { "" });
            let text = format!(
                "{least}{count} rows of {part} have {how} (row {row} those of row {train}); \
                 results on {part} will look too good"
            );
            findings.push(
                Finding::new(Severity::Warning, text)
                    .evidence("rows", count as f64)
                    .evidence("pairs_compared", pairs.len() as f64)
                    .rows(of.iter().map(|f| f.2))
                    .cure(
                        "one row of each, or .groups(…) and Split::grouped with a group for each",
                    ),
            );
        }
    }
    Ok(findings)
}

/// How two rows are nearly equal; `None` if they are equal or are not near.
fn nearness(a: &[f32], b: &[f32], scales: &[(f32, f32)], near: f64) -> Option<Near> {
    let differ = a.iter().zip(b).filter(|(x, y)| x != y).count();
    let difference = |((x, y), (_, scale)): ((&f32, &f32), &(f32, f32))| {
        (f64::from(x - y) * f64::from(*scale)).powi(2)
    };
    let squares: f64 = a.iter().zip(b).zip(scales).map(difference).sum();
    let varying = scales.iter().filter(|(_, scale)| *scale != 0.0).count().max(1);
    // Numbers that are the same in nearly all rows would let different rows seem near.
    let size = |row: &[f32]| -> f64 {
        let square = |(x, (offset, scale)): (&f32, &(f32, f32))| {
            (f64::from(x - offset) * f64::from(*scale)).powi(2)
        };
        row.iter().zip(scales).map(square).sum()
    };
    let limit = near * near * (varying as f64).min(size(a)).min(size(b));
    match () {
        () if differ == 0 => None,
        () if squares <= limit => Some(Near::Rounding),
        () if differ == 1 && a.len() >= LEAST_WIDTH_BUT_ONE => Some(Near::OneFeature),
        () => None,
    }
}

/// How much a row of the training part says if its features were independent: the sum of their
/// entropies, in bits.
fn bits(seen: &Seen<'_>) -> f64 {
    let sample = seen.sample(Part::Train);
    let rows = sample.len() as f64;
    let entropy = |feature| {
        let sorted = sample.sorted(feature);
        let share = |run: &[f32]| run.len() as f64 / rows;
        -sorted.chunk_by(|a, b| a == b).map(|run| share(run) * share(run).log2()).sum::<f64>()
    };
    (0..sample.width).map(entropy).sum()
}

/// Offset and scale of every feature. Pixels have one scale: a pixel that is rarely used would else
/// weigh more than all others.
fn common_scales(seen: &Seen<'_>) -> Vec<(f32, f32)> {
    let mut scales = scales(seen.sample(Part::Train), &seen.report.features);
    if seen.is_images() {
        let varying = || scales.iter().filter(|(_, scale)| *scale != 0.0);
        let squares: f64 = varying().map(|(_, scale)| f64::from(*scale).powi(-2)).sum();
        let common = (varying().count().max(1) as f64 / squares).sqrt() as f32;
        scales.iter_mut().filter(|(_, scale)| *scale != 0.0).for_each(|(_, scale)| *scale = common);
    }
    scales
}

struct Hashed {
    row: usize,
    part: Part,
    /// Of both layings of cells, and of both halves.
    keys: [u64; 4],
}

fn hash(seen: &Seen<'_>) -> Result<Vec<Hashed>, DataError> {
    let data = seen.data;
    let width = data.width();
    let scales = common_scales(seen);
    let varying = scales.iter().filter(|(_, scale)| *scale != 0.0).count().max(1);
    let mut draws = Stream::new(Seed(0), "check").at(3, 0);
    let cell = if seen.is_images() { CELL_IMAGES } else { CELL };
    // Feature by feature, so that a row is read once: width × directions.
    let directions: Vec<[f32; DIRECTIONS]> = scales
        .iter()
        .map(|(_, scale)| {
            std::array::from_fn(|_| {
                (draws.normal() * f64::from(*scale) / (varying as f64).sqrt() / cell) as f32
            })
        })
        .collect();
    let mut hashed = Vec::with_capacity(seen.report.parts.iter().sum());
    for part in Part::ALL {
        data.each_raw(data.part(part), |row, raw| {
            let mut along = [0.0_f32; DIRECTIONS];
            for ((x, (offset, _)), direction) in raw.iter().zip(&scales).zip(&directions) {
                let x = x - offset;
                along.iter_mut().zip(direction).for_each(|(sum, d)| *sum += x * d);
            }
            let cells = |shift: f32| fold(along.iter().map(|x| (x + shift).floor() as i64 as u64));
            let half = |half: &[f32]| fold(half.iter().map(|x| u64::from((x + 0.0).to_bits())));
            let (first, second) = raw.split_at(width / 2);
            hashed.push(Hashed {
                row,
                part,
                keys: [cells(0.0), cells(0.5), half(first), half(second)],
            });
        })?;
    }
    Ok(hashed)
}

/// Fowler, Noll and Vo's hash, word by word, with a last mixing. A collision costs a comparison.
fn fold(words: impl Iterator<Item = u64>) -> u64 {
    let hash = words.fold(0xcbf2_9ce4_8422_2325_u64, |hash, word| {
        (hash ^ word).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(23)
    });
    hash ^ (hash >> 29)
}
