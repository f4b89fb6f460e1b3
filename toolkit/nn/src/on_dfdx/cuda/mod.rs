//! Arithmetic on CUDA devices: what gradients go through, in the kernels of `gradients.cu`, and what
//! stands in for dfdx's own kernels.

mod operations;

use std::sync::Arc;

use cudarc::driver::sys::CUresult;
use cudarc::driver::{
    CudaDevice, CudaFunction, CudaSlice, DeviceSlice, DriverError, LaunchAsync, LaunchConfig,
};
use cudarc::nvrtc::{CompileOptions, Ptx, compile_ptx_with_opts};
use dfdx::tensor::{Cuda, CudaError, Storage};
use trainbook_callbacks::TensorStats;

use crate::NnError;
use crate::on_dfdx::arithmetic::{Arithmetic, HalfArithmetic, ROW, Visit, folded};
use crate::on_dfdx::backend::{Buffer, Half};
use crate::on_dfdx::mixed::Mixed;
use crate::on_dfdx::mixing::Mixing;

pub(super) use operations::give_back;

/// What kernels leave to who compiles them. The assembler's conversions are there on every device
/// that has f16, and ask for no header.
const PRELUDE: &str = r#"
#define KERNEL extern "C" __global__ void
#define DEVICE __device__ inline
#define SHARED __shared__
#define BARRIER() __syncthreads()
#define ROLLED _Pragma("unroll 1")
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
    let device = driver(cuda)?;
    if device.has_func(MODULE, NAMES[0]) {
        return Ok(());
    }
    device
        .load_ptx(compiled(&[include_str!("../kernels/gradients.cu")])?, MODULE, &NAMES)
        .map_err(|e| NnError::device("load kernels into a CUDA device", &e))?;
    operations::prepare::<f32>(&device)
}

/// What dfdx reaches the device by, and does not hand out: a buffer does.
fn driver(cuda: &Cuda) -> Result<Arc<CudaDevice>, NnError> {
    let reach = |e: CudaError| NnError::device("reach a CUDA device", &e);
    Ok(Storage::<f32>::try_alloc_len(cuda, 1).map_err(reach)?.device())
}

/// Compiles kernels for the oldest architecture that the compiler knows; the driver makes the device's
/// own of it. Every operation is rounded, as on the host.
fn compiled(parts: &[&str]) -> Result<Ptx, NnError> {
    let source = std::iter::once(PRELUDE).chain(parts.iter().copied()).collect::<String>();
    let options = CompileOptions { fmad: Some(false), ..CompileOptions::default() };
    compile_ptx_with_opts(source, options)
        .map_err(|e| NnError::device("compile kernels for a CUDA device", &e))
}

/// Runs a kernel by its name.
fn run<P>(
    device: &Arc<CudaDevice>,
    module: &str,
    name: &str,
    threads: LaunchConfig,
    parameters: P,
) -> Result<(), DriverError>
where
    CudaFunction: LaunchAsync<P>,
{
    let kernel = device.get_func(module, name);
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
    run(&device, MODULE, "statistics", config, (len, buffer, &mut *rows))?;
    run(&device, MODULE, "fold", launch(1, ROWS), (many, &*rows, &mut few))
}

/// Changes every number of a buffer by one.
fn change(buffer: &mut CudaSlice<f32>, name: &str, by: f32) -> Result<(), DriverError> {
    let (device, len) = (buffer.device(), buffer.len());
    run(&device, MODULE, name, threads(len), (len, buffer, by))
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

    fn mixing(&self) -> Result<Option<Box<dyn Mixing<Self>>>, NnError> {
        operations::prepare::<Half>(&driver(self)?)?;
        Ok(Some(Box::new(Mixed::default())))
    }
}

impl HalfArithmetic for Cuda {
    fn add_scaled(
        sum: &mut Buffer<f32, Self>,
        other: &Buffer<f32, Self>,
        factor: f32,
    ) -> Result<(), CudaError> {
        let (device, len) = (sum.device(), sum.len());
        Ok(run(&device, MODULE, "add_scaled", threads(len), (len, &mut **sum, &**other, factor))?)
    }

    fn add_widened(
        sum: &mut Buffer<f32, Self>,
        half: &Buffer<Half, Self>,
        factor: f32,
    ) -> Result<(), CudaError> {
        let (device, len) = (sum.device(), sum.len());
        Ok(run(&device, MODULE, "add_widened", threads(len), (len, &mut **sum, &**half, factor))?)
    }

    fn add_narrowed(
        sum: &mut Buffer<Half, Self>,
        other: &Buffer<f32, Self>,
    ) -> Result<(), CudaError> {
        let (device, len) = (sum.device(), sum.len());
        Ok(run(&device, MODULE, "add_narrowed", threads(len), (len, &mut **sum, &**other))?)
    }
}
