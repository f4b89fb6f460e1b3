//! Convolutions and pooling over any number of axes.

use super::margined::{FOUR_U, Margined, Number};
use super::product::dot;
use crate::operator::{Along, Window};

/// For each place of an output, the numbers of an input's plane that it is made of, each with the
/// kernel's number that stands on it.
fn taps(
    along: &[Along],
    sizes: &[usize],
    places: &[usize],
    under: impl Fn(&Along, usize, usize, usize) -> Option<usize>,
) -> Vec<Vec<(usize, usize)>> {
    let kernel: Vec<usize> = along.iter().map(|along| along.kernel).collect();
    let kernels: Vec<Vec<usize>> =
        (0..kernel.iter().product()).map(|at| unravel(at, &kernel)).collect();
    let of_place = |place: usize| {
        let place = unravel(place, places);
        let on = |(number, tap): (usize, &Vec<usize>)| {
            let mut axes = along.iter().zip(&place).zip(tap).zip(sizes);
            let at = axes.try_fold(0, |at, (((along, &place), &tap), &size)| {
                Some(at * size + under(along, place, tap, size)?)
            });
            at.map(|at| (at, number))
        };
        kernels.iter().enumerate().filter_map(on).collect()
    };
    (0..places.iter().product()).map(of_place).collect()
}

fn unravel(mut at: usize, sizes: &[usize]) -> Vec<usize> {
    let mut index = vec![0; sizes.len()];
    for (i, &size) in sizes.iter().enumerate().rev() {
        index[i] = at % size;
        at /= size;
    }
    index
}

fn unfit() -> String {
    "the kernel does not fit".into()
}

/// `[batch, channels, …]` by a weight `[channels out, channels in ÷ group, …]`.
///
/// # Errors
/// The reason, if the kernel does not fit.
pub(super) fn conv(
    x: &Margined,
    weight: &Margined,
    bias: Option<&Margined>,
    window: &Window,
    group: usize,
) -> Result<Margined, String> {
    let (sizes, kernel) = (&x.shape[2..], &weight.shape[2..]);
    let along = window.along(kernel).ok_or_else(unfit)?;
    let places = along.iter().zip(sizes).map(|(along, &size)| along.places(size));
    let places: Vec<usize> = places.collect::<Option<_>>().ok_or_else(unfit)?;
    let taps = taps(&along, sizes, &places, Along::under);
    let (outputs, inputs) = (weight.shape[0], weight.shape[1]);
    let kernel_len: usize = kernel.iter().product();
    // Where the kernel for output channel `m` of input channel `c`, within their group, begins.
    let kernel_at = |m: usize, c: usize| (m * inputs + c) * kernel_len;
    let numbers = sums(x, weight, bias, (&taps, inputs, outputs / group), outputs, kernel_at);
    Ok(Margined::new([&[x.shape[0], outputs], places.as_slice()].concat(), numbers.into_iter()))
}

/// The same the other way round, by a weight `[channels in, channels out ÷ group, …]`.
///
/// # Errors
/// The reason, if the kernel does not fit.
pub(super) fn conv_transpose(
    x: &Margined,
    weight: &Margined,
    bias: Option<&Margined>,
    window: &Window,
    output_padding: &[usize],
    group: usize,
) -> Result<Margined, String> {
    let (sizes, kernel) = (&x.shape[2..], &weight.shape[2..]);
    let along = window.along(kernel).ok_or_else(unfit)?;
    let more = |i: usize| output_padding.get(i).copied().unwrap_or(0);
    let places = along.iter().zip(sizes).enumerate();
    let places = places.map(|(i, (along, &size))| along.spread(size, more(i)));
    let places: Vec<usize> = places.collect::<Option<_>>().ok_or_else(unfit)?;
    let taps = taps(&along, sizes, &places, Along::spread_from);
    let (inputs, outputs) = (weight.shape[0] / group, weight.shape[1]);
    let kernel_len: usize = kernel.iter().product();
    let kernel_at = |m: usize, c: usize| {
        let channel = m / outputs * inputs + c;
        (channel * outputs + m % outputs) * kernel_len
    };
    let channels = outputs * group;
    let numbers = sums(x, weight, bias, (&taps, inputs, outputs), channels, kernel_at);
    Ok(Margined::new([&[x.shape[0], channels], places.as_slice()].concat(), numbers.into_iter()))
}

/// The sums of a convolution with `inputs` and `outputs` channels in a group.
fn sums(
    x: &Margined,
    weight: &Margined,
    bias: Option<&Margined>,
    (taps, inputs, outputs): (&[Vec<(usize, usize)>], usize, usize),
    channels: usize,
    kernel_at: impl Fn(usize, usize) -> usize,
) -> Vec<Number> {
    let plane: usize = x.shape[2..].iter().product();
    let mut numbers = Vec::with_capacity(x.shape[0] * channels * taps.len());
    for row in 0..x.shape[0] {
        for m in 0..channels {
            let first = row * x.shape[1] + m / outputs * inputs;
            let (bias, bias_margin) = bias.map_or((0.0, 0.0), |bias| bias.number(m));
            for taps in taps {
                let pairs = (0..inputs).flat_map(|c| {
                    let (image, kernel) = ((first + c) * plane, kernel_at(m, c));
                    taps.iter()
                        .map(move |(at, tap)| (x.number(image + at), weight.number(kernel + tap)))
                });
                let (sum, through, own) = dot(pairs);
                let y = sum + bias;
                let own = FOUR_U * (own + bias.abs().max(y.abs()));
                numbers.push((y, through + bias_margin + own));
            }
        }
    }
    numbers
}

/// `fold` makes one number of those under the kernel, whose size it is given.
///
/// # Errors
/// The reason, if the kernel does not fit.
pub(super) fn pool(
    x: &Margined,
    window: &Window,
    fold: impl Fn(&[Number], usize) -> Number,
) -> Result<Margined, String> {
    let sizes = &x.shape[2..];
    let along = window.along(&window.kernel).ok_or_else(unfit)?;
    let places = along.iter().zip(sizes).map(|(along, &size)| along.places(size));
    let places: Vec<usize> = places.collect::<Option<_>>().ok_or_else(unfit)?;
    let taps = taps(&along, sizes, &places, Along::under);
    let plane: usize = sizes.iter().product();
    let kernel_len = window.kernel.iter().product();
    let mut numbers = Vec::with_capacity(x.shape[0] * x.shape[1] * taps.len());
    for image in 0..x.shape[0] * x.shape[1] {
        for taps in &taps {
            let group: Vec<Number> =
                taps.iter().map(|(at, _)| x.number(image * plane + at)).collect();
            numbers.push(fold(&group, kernel_len));
        }
    }
    Ok(Margined::new([&x.shape[..2], &places].concat(), numbers.into_iter()))
}
