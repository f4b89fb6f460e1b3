//! Numbers rounded to f16 where they stand.

use half::f16;
use half::slice::HalfFloatSliceExt;

use super::threads;

/// Numbers at once, in memory of the processor's own.
const BLOCK: usize = 256;

/// Rounds to the nearest f16, of two equally near ones to the even; what is too large becomes
/// infinite, what is too small 0. The numbers remain f32.
pub(crate) fn round(numbers: &mut [f32]) {
    threads::each_share(numbers, |_, share| {
        let mut narrow = [f16::ZERO; BLOCK];
        for block in share.chunks_mut(BLOCK) {
            let narrow = &mut narrow[..block.len()];
            narrow.convert_from_f32_slice(block);
            narrow.convert_to_f32_slice(block);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::round;

    /// By the definition of the format (IEEE 754 binary16): 11 significant bits down to 2^-14, and
    /// multiples of 2^-24 below.
    fn nearest(x: f32) -> f32 {
        let x = f64::from(x);
        let exponent = x.abs().log2().floor().max(-14.0);
        let quantum = 2_f64.powf(exponent - 10.0);
        let rounded = (x / quantum).round_ties_even() * quantum;
        if rounded.abs() > 65504.0 { (f64::INFINITY * x) as f32 } else { rounded as f32 }
    }

    #[test]
    fn numbers_become_the_nearest_of_the_format() {
        let mut numbers: Vec<f32> = (-40..20)
            .flat_map(|e| (0..97).map(move |i| (1.0 + i as f32 / 97.0) * 2_f32.powi(e)))
            .flat_map(|x| [x, -x])
            .collect();
        // Ties, the largest number, and the first ones that round to infinity.
        numbers.extend([2049.0, 2051.0, 65504.0, 65519.9, 65520.0, -65520.0, 1e30]);
        let expected: Vec<f32> = numbers.iter().map(|x| nearest(*x)).collect();
        round(&mut numbers);
        assert_eq!(numbers, expected);

        let mut odd = [0.0, -0.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
        round(&mut odd);
        assert_eq!((odd[0].to_bits(), odd[1].to_bits()), (0, 1 << 31));
        assert!(odd[2].is_nan());
        assert_eq!(odd[3..], [f32::INFINITY, f32::NEG_INFINITY]);
    }
}
