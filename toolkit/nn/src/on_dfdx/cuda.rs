//! Arithmetic on CUDA devices, in the kernels of `kernels.cu`.

use std::sync::Arc;

use cudarc::driver::sys::CUresult;
use cudarc::driver::{
    CudaDevice, CudaFunction, CudaSlice, DeviceSlice, DriverError, LaunchAsync, LaunchConfig,
};
use cudarc::nvrtc::{CompileOptions, compile_ptx_with_opts};
use dfdx::tensor::{Cuda, CudaError, Storage};
use trainbook_callbacks::TensorStats;

use super::arithmetic::{Arithmetic, HalfArithmetic, ROW, Visit, folded};
use super::backend::{Buffer, Half};
use super::mixed::Mixed;
use super::mixing::Mixing;
use crate::NnError;

/// What `kernels.cu` leaves to who compiles it. The assembler's conversions are there on every device
/// that has f16, and ask for no header.
const PRELUDE: &str = r#"
#define KERNEL extern "C" __global__ void
__device__ inline float f16_to_f32(unsigned short half) {
    float wide;
    asm("cvt.f32.f16 %0, %1;" : "=f"(wide) : "h"(half));
    return wide;
}
__device__ inline unsigned short f32_to_f16(float wide) {
    unsigned short half;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(half) : "f"(wide));
    return half;
}
"#;

const MODULE: &str = "trainbook";

const NAMES: [&str; 7] =
    ["scale", "clamp", "statistics", "fold", "add_scaled", "add_widened", "add_narrowed"];

/// Compiles the kernels for this device, once. What is computed in them is rounded after every
/// operation, as on the host.
///
/// # Errors
/// The compiler, which is a library of CUDA, is not there or does not take them.
pub(crate) fn prepare(cuda: &Cuda) -> Result<(), NnError> {
    let reach = |e: CudaError| NnError::device("reach a CUDA device", &e);
    let device = Storage::<f32>::try_alloc_len(cuda, 1).map_err(reach)?.device();
    if device.has_func(MODULE, NAMES[0]) {
        return Ok(());
    }
    let source = [PRELUDE, include_str!("kernels.cu")].concat();
    // For the oldest architecture that the compiler knows; the driver makes the device's own of it.
    let options = CompileOptions { fmad: Some(false), ..CompileOptions::default() };
    let compiled = compile_ptx_with_opts(source, options)
        .map_err(|e| NnError::device("compile kernels for a CUDA device", &e))?;
    device
        .load_ptx(compiled, MODULE, &NAMES)
        .map_err(|e| NnError::device("load kernels into a CUDA device", &e))
}

/// Runs a kernel by its name.
fn run<P>(
    device: &Arc<CudaDevice>,
    name: &str,
    threads: LaunchConfig,
    parameters: P,
) -> Result<(), DriverError>
where
    CudaFunction: LaunchAsync<P>,
{
    let kernel = device.get_func(MODULE, name);
    let kernel = kernel.ok_or(DriverError(CUresult::CUDA_ERROR_NOT_FOUND))?;
    #[allow(
        unsafe_code,
        reason = "what this file calls it with are the kernels' parameters, as long as they are said"
    )]
    unsafe {
        kernel.launch(threads, parameters)
    }
}

/// Threads of a block.
const THREADS: usize = 128;

/// So many blocks at most: as many threads as fill the largest devices.
const BLOCKS: usize = 1024;

/// Numbers for one thread, before there are more blocks.
const EACH: usize = 8;

/// As many threads as so many numbers need; the number says how sums are grouped, and depends on
/// nothing else.
fn threads(numbers: usize) -> LaunchConfig {
    let blocks = numbers.div_ceil(THREADS * EACH).clamp(1, BLOCKS);
    launch(blocks, THREADS)
}

fn launch(blocks: usize, threads: usize) -> LaunchConfig {
    LaunchConfig {
        grid_dim: (blocks as u32, 1, 1),
        block_dim: (threads as u32, 1, 1),
        shared_mem_bytes: 0,
    }
}

/// How many rows are left for the host of those that the threads of `statistics` write.
const ROWS: usize = 32;

fn statistics(
    buffer: &CudaSlice<f32>,
    rows: &mut Option<CudaSlice<f64>>,
    into: &mut CudaSlice<f64>,
    at: usize,
) -> Result<(), DriverError> {
    let (device, len) = (buffer.device(), buffer.len());
    let config = threads(len);
    let many = (config.grid_dim.0 * config.block_dim.0) as usize;
    if rows.as_ref().is_none_or(|rows| rows.len() < many * ROW) {
        *rows = Some(device.alloc_zeros(many * ROW)?);
    }
    let Some(rows) = rows else { return Ok(()) };
    let mut few = into.slice_mut(at * ROWS * ROW..(at + 1) * ROWS * ROW);
    run(&device, "statistics", config, (len, buffer, &mut *rows))?;
    run(&device, "fold", launch(1, ROWS), (many, &*rows, &mut few))
}

/// Changes every number of a buffer by one.
fn change(buffer: &mut CudaSlice<f32>, name: &str, by: f32) -> Result<(), DriverError> {
    let (device, len) = (buffer.device(), buffer.len());
    run(&device, name, threads(len), (len, buffer, by))
}

impl Arithmetic for Cuda {
    fn scale(buffer: &mut Buffer<f32, Self>, factor: f32) -> Result<(), NnError> {
        change(buffer, "scale", factor).map_err(|e| NnError::device("scale the gradients", &e))
    }

    fn clamp(buffer: &mut Buffer<f32, Self>, limit: f32) -> Result<(), NnError> {
        change(buffer, "clamp", limit).map_err(|e| NnError::device("clamp the gradients", &e))
    }

    fn statistics(
        &self,
        lens: &[usize],
        hand_out: impl FnOnce(&mut Visit<'_, Self>) -> Result<(), NnError>,
    ) -> Result<Vec<TensorStats>, NnError> {
        let fail = |e: DriverError| NnError::device("look at the gradients", &e);
        let (mut rows, mut few, mut at) = (None, None, 0);
        hand_out(&mut |buffer| {
            if few.is_none() {
                let zeros = buffer.device().alloc_zeros(lens.len() * ROWS * ROW);
                few = Some(zeros.map_err(fail)?);
            }
            let Some(few) = &mut few else { return Ok(()) };
            statistics(buffer, &mut rows, few, at).map_err(fail)?;
            at += 1;
            Ok(())
        })?;
        let Some(few) = few else { return Ok(Vec::new()) };
        let few = few.device().dtoh_sync_copy(&few).map_err(fail)?;
        Ok(lens.iter().zip(few.chunks(ROWS * ROW)).map(|(len, rows)| folded(*len, rows)).collect())
    }

    fn mixing() -> Option<Box<dyn Mixing<Self>>> {
        Some(Box::new(Mixed::default()))
    }
}

impl HalfArithmetic for Cuda {
    fn add_scaled(
        sum: &mut Buffer<f32, Self>,
        other: &Buffer<f32, Self>,
        factor: f32,
    ) -> Result<(), CudaError> {
        let (device, len) = (sum.device(), sum.len());
        Ok(run(&device, "add_scaled", threads(len), (len, &mut **sum, &**other, factor))?)
    }

    fn add_widened(
        sum: &mut Buffer<f32, Self>,
        half: &Buffer<Half, Self>,
        factor: f32,
    ) -> Result<(), CudaError> {
        let (device, len) = (sum.device(), sum.len());
        Ok(run(&device, "add_widened", threads(len), (len, &mut **sum, &**half, factor))?)
    }

    fn add_narrowed(
        sum: &mut Buffer<Half, Self>,
        other: &Buffer<f32, Self>,
    ) -> Result<(), CudaError> {
        let (device, len) = (sum.device(), sum.len());
        Ok(run(&device, "add_narrowed", threads(len), (len, &mut **sum, &**other))?)
    }
}
