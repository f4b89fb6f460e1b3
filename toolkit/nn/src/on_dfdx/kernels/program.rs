//! The kernels as programs. Rust itself needs a C compiler to link.

#![allow(clippy::unwrap_used, reason = "clippy excuses only the test functions themselves")]

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use dfdx::tensor::{Cpu, Storage};

use super::names;
use crate::on_dfdx::backend::{Backend, Buffer, Real};

static FULL: LazyLock<Program> = LazyLock::new(|| Program::compile(names::F32.define));
static HALF: LazyLock<Program> = LazyLock::new(|| Program::compile(names::F16.define));

struct Program {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

impl Program {
    fn compile(define: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kernels");
        let program = concat!(env!("CARGO_MANIFEST_DIR"), "/src/on_dfdx/kernels/program.c");
        let source = folder.path().join("kernels.c");
        std::fs::write(&source, format!("{define}#include \"{program}\"\n")).unwrap();
        let compiled = Command::new("cc")
            .args(["-x", "c", "-std=gnu11", "-O1", "-ffp-contract=off", "-pthread"])
            .args(["-Wall", "-Wextra", "-Werror"])
            .arg(source)
            .arg("-o")
            .arg(&path)
            .status();
        assert!(compiled.unwrap().success());
        Self { _folder: folder, path }
    }
}

/// A launch of a kernel.
pub(super) struct Kernel<'k> {
    pub name: &'k str,
    /// Whether its numbers are f16.
    pub half: bool,
    /// Blocks, and threads of each.
    pub launch: [usize; 2],
    /// What it is told besides arrays, in its order.
    pub numbers: &'k [f64],
    pub arrays: &'k [&'k [u8]],
}

impl Kernel<'_> {
    /// Runs it, and gives back this one of its arrays.
    pub fn run(&self, array: usize) -> Vec<u8> {
        let mut program = Command::new(if self.half { &HALF.path } else { &FULL.path })
            .arg(self.name)
            .args([self.launch[0], self.launch[1], array].map(|number| number.to_string()))
            .args(self.numbers.iter().map(f64::to_string))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = program.stdin.take().unwrap();
        for array in self.arrays {
            input.write_all(&(array.len() as u64).to_le_bytes()).unwrap();
            input.write_all(array).unwrap();
        }
        drop(input);
        let output = program.wait_with_output().unwrap();
        assert!(output.status.success(), "{}: {}", self.name, output.status);
        output.stdout
    }
}

/// f32 as bytes.
pub(super) fn bytes(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|v| v.to_le_bytes()).collect()
}

/// The nearest f16 as bytes.
pub(super) fn half_bytes(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|v| half::f16::from_f32(*v).to_le_bytes()).collect()
}

pub(super) fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|bits| f32::from_le_bytes(*bits)).collect()
}

pub(super) fn halves(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<2>().0.iter().map(|bits| half::f16::from_le_bytes(*bits).to_f32()).collect()
}

/// Numbers in dfdx's memory on the processor.
pub(super) fn buffer<E: Real>(numbers: &[E]) -> Buffer<E, Cpu>
where
    Cpu: Backend<E>,
{
    let mut buffer = Storage::<E>::try_alloc_len(&Cpu::default(), numbers.len()).unwrap();
    <Cpu as Backend<E>>::change(&mut buffer, |into| into.copy_from_slice(numbers)).unwrap();
    buffer
}
