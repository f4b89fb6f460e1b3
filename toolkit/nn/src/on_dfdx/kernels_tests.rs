//! The kernels for CUDA, run on the processor, beside the host's arithmetic: a machine without a
//! device sees at least what they compute.

#![allow(clippy::unwrap_used, reason = "clippy excuses only the test functions themselves")]

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use dfdx::tensor::{Cpu, Storage};
use trainbook_callbacks::TensorStats;

use super::arithmetic::{Arithmetic, HalfArithmetic, folded};
use super::backend::{Backend, Buffer, Half};

/// The kernels as a program. Rust itself needs a C compiler to link.
static PROGRAM: LazyLock<(tempfile::TempDir, PathBuf)> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("kernels");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/src/on_dfdx/kernels_tests.c");
    let compiled = Command::new("cc")
        .args(["-x", "c", "-O1", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror", source, "-o"])
        .arg(&program)
        .status();
    assert!(compiled.unwrap().success());
    (folder, program)
});

/// What a kernel writes into the first array.
fn run(name: &str, [blocks, threads]: [usize; 2], n: usize, by: f32, arrays: &[&[u8]]) -> Vec<u8> {
    let mut program = Command::new(&PROGRAM.1)
        .arg(name)
        .args([blocks, threads, n].map(|number| number.to_string()))
        .arg(by.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = program.stdin.take().unwrap();
    arrays.iter().for_each(|array| input.write_all(array).unwrap());
    drop(input);
    let output = program.wait_with_output().unwrap();
    assert!(output.status.success(), "{name}");
    output.stdout
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

fn bytes(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|v| v.to_le_bytes()).collect()
}

fn halves(numbers: &[f32]) -> Vec<Half> {
    numbers.iter().map(|v| dfdx::dtypes::AMP(half::f16::from_f32(*v))).collect()
}

fn half_bytes(numbers: &[Half]) -> Vec<u8> {
    numbers.iter().flat_map(|v| v.0.to_le_bytes()).collect()
}

fn buffer<E: super::Real>(numbers: &[E]) -> Buffer<E, Cpu>
where
    Cpu: Backend<E>,
{
    let mut buffer = Storage::<E>::try_alloc_len(&Cpu::default(), numbers.len()).unwrap();
    <Cpu as Backend<E>>::change(&mut buffer, |into| into.copy_from_slice(numbers)).unwrap();
    buffer
}

/// The same bits, where NaN is NaN whatever its bits.
fn same(found: &[u8], expected: &[f32], what: &str) {
    let found = found.as_chunks::<4>().0.iter().map(|bits| f32::from_le_bytes(*bits));
    assert_eq!(found.len(), expected.len(), "{what}");
    for (at, (a, b)) in found.zip(expected).enumerate() {
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

            let half = halves(&x);
            let mut expected = buffer(&sum);
            Cpu::add_widened(&mut expected, &buffer(&half), by).unwrap();
            let found = run("add_widened", launch, n, by, &[&bytes(&sum), &half_bytes(&half)]);
            same(&found, &expected, "add_widened");
        }
        let half = halves(&sum);
        let mut expected = buffer(&half);
        Cpu::add_narrowed(&mut expected, &buffer(&x)).unwrap();
        let found = run("add_narrowed", launch, n, 0.0, &[&half_bytes(&half), &bytes(&x)]);
        let widen = |bits: &[u8; 2]| half::f16::from_le_bytes(*bits).to_f32();
        let found: Vec<f32> = found.as_chunks::<2>().0.iter().map(widen).collect();
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
            let rows = run("statistics", launch, n, 0.0, &[&bytes(&x)]);
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
