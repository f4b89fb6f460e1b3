//! Softmax, and normalisation over running statistics or over the last axis.

use super::margined::{FOUR_U, Margined, Number};

/// The largest input of a row, its largest margin, and ln Σ exp(x − largest).
fn log_sum_exp(row: &[Number]) -> (f64, f64, f64) {
    let top = row.iter().fold(f64::NEG_INFINITY, |top, (x, _)| top.max(*x));
    let margin = row.iter().fold(0.0_f64, |margin, (_, dx)| margin.max(*dx));
    (top, margin, row.iter().map(|(x, _)| (x - top).exp()).sum::<f64>().ln())
}

pub(super) fn softmax(row: &[Number]) -> Vec<Number> {
    let (top, margin, log_sum) = log_sum_exp(row);
    let number = |&(x, dx): &Number| {
        let y = (x - top - log_sum).exp();
        // An error of the exponent is a relative error of the result, which stays below 1.
        let exponent = dx + margin + FOUR_U * ((x - top).abs() + (row.len() as f64).sqrt());
        (y, (y * exponent.exp_m1()).min(1.0) + f64::from(f32::MIN_POSITIVE))
    };
    row.iter().map(number).collect()
}

pub(super) fn log_softmax(row: &[Number]) -> Vec<Number> {
    let (top, margin, log_sum) = log_sum_exp(row);
    let number = |&(x, dx): &Number| {
        let y = x - top - log_sum;
        (
            y,
            dx + margin
                + FOUR_U * (x.abs() + top.abs() + y.abs() + log_sum + (row.len() as f64).sqrt()),
        )
    };
    row.iter().map(number).collect()
}

/// The channels are the second dimension.
pub(super) fn batch(
    x: &Margined,
    [scale, bias, mean, var]: [&Margined; 4],
    epsilon: f64,
) -> Margined {
    let inner: usize = x.shape[2..].iter().product();
    let numbers = x.numbers().enumerate().map(|(at, number)| {
        let j = at / inner % x.shape[1];
        batch_normalization(
            number,
            [scale.values[j], bias.values[j], mean.values[j], var.values[j] + epsilon],
        )
    });
    Margined::new(x.shape.clone(), numbers)
}

fn batch_normalization((x, dx): Number, [scale, bias, mean, var]: [f64; 4]) -> Number {
    let slope = scale / var.sqrt();
    let y = (x - mean) * slope + bias;
    // |x| + |mean| and not |x − mean|: folded into the layer before it, the two are no longer subtracted first.
    (
        y,
        slope.abs() * dx
            + FOUR_U * (slope.abs() * (x.abs() + mean.abs()) + bias.abs().max(y.abs())),
    )
}

/// Over each image's channel.
pub(super) fn instance(x: &Margined, gamma: &[f64], beta: &[f64], epsilon: f64) -> Margined {
    let inner: usize = x.shape[2..].iter().product();
    let numbers: Vec<Number> = x.numbers().collect();
    let normalized = numbers.chunks_exact(inner.max(1)).enumerate().flat_map(|(at, channel)| {
        let j = at % x.shape[1];
        layer(channel, &vec![gamma[j]; inner], &vec![beta[j]; inner], epsilon)
    });
    Margined::new(x.shape.clone(), normalized)
}

pub(super) fn layer(row: &[Number], gamma: &[f64], beta: &[f64], epsilon: f64) -> Vec<Number> {
    let width = row.len() as f64;
    let mean = row.iter().map(|(x, _)| x).sum::<f64>() / width;
    let var = row.iter().map(|(x, _)| (x - mean).powi(2)).sum::<f64>() / width;
    let std = (var + epsilon).sqrt();
    let largest = row.iter().fold(0.0_f64, |largest, (x, _)| largest.max(x.abs()));
    let margin = row.iter().fold(0.0_f64, |margin, (_, dx)| margin.max(*dx));
    // Of x − mean(x), for the x with the widest margin: x's own, the mean's, and that of summing
    // `width` numbers.
    let centred = 2.0 * margin + FOUR_U * width.sqrt() * largest;
    let relative = (2.0 * var.sqrt() * centred + centred * centred) / (2.0 * (var + epsilon))
        + FOUR_U * width.sqrt();
    let number = |((&(x, _), gamma), beta): ((&Number, &f64), &f64)| {
        let scaled = (x - mean) / std * gamma;
        let y = scaled + beta;
        (
            y,
            gamma.abs() * centred / std
                + scaled.abs() * relative
                + FOUR_U * scaled.abs().max(beta.abs()),
        )
    };
    row.iter().zip(gamma).zip(beta).map(number).collect()
}
