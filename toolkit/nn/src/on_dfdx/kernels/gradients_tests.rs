//! What gradients go through, beside the host's arithmetic.

#![allow(clippy::unwrap_used, reason = "clippy excuses only the test functions themselves")]

use dfdx::tensor::Cpu;
use trainbook_callbacks::TensorStats;

use super::program::{Kernel, buffer, bytes, floats, half_bytes, halves};
use crate::on_dfdx::arithmetic::{Arithmetic, HalfArithmetic, ROW, folded};
use crate::on_dfdx::backend::Half;

/// What a kernel writes into the first array.
fn run(name: &str, launch: [usize; 2], n: usize, by: f32, arrays: &[&[u8]]) -> Vec<u8> {
    Kernel { name, half: false, launch, numbers: &[n as f64, f64::from(by)], arrays }.run(0)
}

/// More threads than numbers, fewer, and just as many; one thread; one number.
const CASES: [([usize; 2], usize); 6] =
    [([1, 128], 100), ([2, 128], 256), ([3, 64], 5001), ([1, 1], 37), ([4, 32], 1), ([8, 128], 9)];

/// Numbers of every size, with some that are odd.
fn numbers(n: usize, of: usize) -> Vec<f32> {
    let number = |at: usize| {
        let size = 2_f32.powi((at * 7 % 41) as i32 - 20);
        match (at + of) % 97 {
            13 => f32::NAN,
            29 => f32::INFINITY,
            31 => f32::NEG_INFINITY,
            47 | 48 => 0.0,
            _ => size * ((at * 37 + of * 11) % 101) as f32 - size * 50.0,
        }
    };
    (0..n).map(number).collect()
}

fn in_half(numbers: &[f32]) -> Vec<Half> {
    numbers.iter().map(|v| dfdx::dtypes::AMP(half::f16::from_f32(*v))).collect()
}

/// The same bits, where NaN is NaN whatever its bits.
fn same(found: &[u8], expected: &[f32], what: &str) {
    let found = floats(found);
    assert_eq!(found.len(), expected.len(), "{what}");
    for (at, (a, b)) in found.into_iter().zip(expected).enumerate() {
        let same = a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
        assert!(same, "{what} at {at}: {a} for {b}");
    }
}

#[test]
fn numbers_are_changed_as_on_the_host() {
    for (launch, n) in CASES {
        for by in [0.37, 1.0, 0.0, 1e30] {
            let x = numbers(n, 3);
            let mut expected = buffer(&x);
            Cpu::scale(&mut expected, by).unwrap();
            same(&run("scale", launch, n, by, &[&bytes(&x)]), &expected, "scale");
            let mut expected = buffer(&x);
            Cpu::clamp(&mut expected, by).unwrap();
            same(&run("clamp", launch, n, by, &[&bytes(&x)]), &expected, "clamp");
        }
    }
}

#[test]
fn gradients_are_gathered_as_on_the_host() {
    for (launch, n) in CASES {
        let (sum, x) = (numbers(n, 3), numbers(n, 8));
        for by in [1.0 / 65536.0, 1.0, 3.0] {
            let mut expected = buffer(&sum);
            Cpu::add_scaled(&mut expected, &buffer(&x), by).unwrap();
            let found = run("add_scaled", launch, n, by, &[&bytes(&sum), &bytes(&x)]);
            same(&found, &expected, "add_scaled");

            let mut expected = buffer(&sum);
            Cpu::add_widened(&mut expected, &buffer(&in_half(&x)), by).unwrap();
            let found = run("add_widened", launch, n, by, &[&bytes(&sum), &half_bytes(&x)]);
            same(&found, &expected, "add_widened");
        }
        let mut expected = buffer(&in_half(&sum));
        Cpu::add_narrowed(&mut expected, &buffer(&x)).unwrap();
        let found = run("add_narrowed", launch, n, 0.0, &[&half_bytes(&sum), &bytes(&x)]);
        let found = halves(&found);
        let expected: Vec<f32> = expected.iter().map(|v| v.0.to_f32()).collect();
        same(&bytes(&found), &expected, "add_narrowed");
    }
}

#[test]
fn gradients_look_as_on_the_host() {
    for (launch, n) in CASES {
        for odd in [false, true] {
            let mut x = numbers(n, 3);
            if !odd {
                x.iter_mut().filter(|v| !v.is_finite()).for_each(|v| *v = 1.0);
            }
            let many = launch[0] * launch[1];
            let kernel = |name, launch, n: usize, arrays: &[&[u8]]| {
                Kernel { name, half: false, launch, numbers: &[n as f64], arrays }.run(1)
            };
            let rows = vec![0; many * ROW * 8];
            let rows = kernel("statistics", launch, n, &[&bytes(&x), &rows]);
            let rows = kernel("fold", [1, 32], many, &[&rows, &vec![0; 32 * ROW * 8]]);
            let rows: Vec<f64> =
                rows.as_chunks::<8>().0.iter().map(|bits| f64::from_le_bytes(*bits)).collect();
            let (found, expected) = (folded(n, &rows), TensorStats::of(&x));
            let off = (found.norm - expected.norm).abs();
            let norm = off <= 1e-6 * expected.norm
                || (off.is_nan() && found.norm.is_nan() == expected.norm.is_nan());
            assert!(norm, "{found:?} for {expected:?}");
            let rest = |stats: TensorStats| TensorStats { norm: 0.0, ..stats };
            assert_eq!(rest(found), rest(expected));
        }
    }
}
