//! Kernels in place of dfdx's, which looks for each of its own by a name before it loads it: those of
//! `operations.cu` stand there already.

use std::sync::Arc;
use std::thread::ScopedJoinHandle;

use cudarc::driver::{CudaDevice, CudaSlice, DeviceRepr, DeviceSlice};
use dfdx::tensor::CudaError;

use super::{compiled, run, threads};
use crate::NnError;
use crate::on_dfdx::backend::Half;
use crate::on_dfdx::kernels::names::{self, Operations};
use crate::on_dfdx::table::Takers;

/// A type of numbers that the kernels are compiled for.
pub(in crate::on_dfdx) trait Number: DeviceRepr {
    const OPERATIONS: Operations;
}

impl Number for f32 {
    const OPERATIONS: Operations = names::F32;
}

impl Number for Half {
    const OPERATIONS: Operations = names::F16;
}

/// Compiles the kernels for a type of numbers, once, and puts them where dfdx looks for its own.
pub(super) fn prepare<N: Number>(device: &Arc<CudaDevice>) -> Result<(), NnError> {
    let Operations { define, own, parts } = N::OPERATIONS;
    if device.has_func(own, "give_back") {
        return Ok(());
    }
    // The compiler takes longer than all else when a device is opened, and works for several at once.
    let compiled: Vec<_> = std::thread::scope(|scope| {
        let compile = |(part, _): &(&str, _)| {
            let part = format!("#define {part}\n");
            scope
                .spawn(move || compiled(&[define, &part, include_str!("../kernels/operations.cu")]))
        };
        let threads: Vec<_> = parts.iter().map(compile).collect();
        let finish = |thread: ScopedJoinHandle<'_, _>| {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        threads.into_iter().map(finish).collect()
    });
    for (kernels, (_, modules)) in compiled.into_iter().zip(parts) {
        let kernels = kernels?;
        for (module, names) in *modules {
            device
                .load_ptx(kernels.clone(), module, names)
                .map_err(|e| NnError::device("load kernels into a CUDA device", &e))?;
        }
    }
    Ok(())
}

/// The gradient of what elements were taken from, by a table.
pub(in crate::on_dfdx) fn give_back<N: Number>(
    dx: &mut CudaSlice<N>,
    dy: &CudaSlice<N>,
    inner: usize,
    takers: Takers,
) -> Result<(), CudaError> {
    let (device, n) = (dx.device(), dx.len());
    if takers.places.is_empty() {
        return Ok(());
    }
    let (source, taken) = (takers.source(), takers.taken);
    let starts = device.htod_copy(takers.starts)?;
    let places = device.htod_copy(takers.places)?;
    let parameters = (n, source, taken, inner, &starts, &places, dx, dy);
    Ok(run(&device, N::OPERATIONS.own, "give_back", threads(n), parameters)?)
}
