//! Kernels in place of dfdx's, which looks for each of its own by a name before it loads it: those of
//! `operations.cu` stand there already.

use std::sync::Arc;

use cudarc::driver::{CudaDevice, CudaSlice, DeviceRepr, DeviceSlice};
use dfdx::tensor::CudaError;

use super::{compiled, run, threads};
use crate::NnError;
use crate::on_dfdx::backend::Half;
use crate::on_dfdx::table::Takers;

/// Which parts of the text dfdx, and we, look for under which names of modules, and which kernels there.
type Modules = [(&'static str, &'static [(&'static str, &'static [&'static str])])];

/// A type of numbers that the kernels are compiled for.
pub(in crate::on_dfdx) trait Number: DeviceRepr {
    /// What `operations.cu` leaves to who compiles it.
    const PRELUDE: &'static str;
    const MODULES: &'static Modules;
    /// The module of the kernels that dfdx does not know.
    const OWN: &'static str;
}

impl Number for f32 {
    const PRELUDE: &'static str = "
typedef float number;
typedef unsigned short other;
#define WIDE(v) (v)
#define NARROW(v) (v)
#define OTHER(v) f32_to_f16(v)
#define NAMED(name) name##_f32
#define SUM_FORWARD sum_to_fwd_f32
";
    const MODULES: &'static Modules = &[
        ("OF_SUMS", &[("sum_f32", &["sum_to_fwd_f32", "sum_to_bwd_f32"])]),
        ("OF_ADD", &[("badd_fwd_f32", &["badd_fwd_f32", "badd_bwd_lhs_f32", "badd_bwd_rhs_f32"])]),
        ("OF_SUB", &[("bsub_fwd_f32", &["bsub_fwd_f32", "bsub_bwd_lhs_f32", "bsub_bwd_rhs_f32"])]),
        ("OF_MUL", &[("bmul_fwd_f32", &["bmul_fwd_f32", "bmul_bwd_lhs_f32", "bmul_bwd_rhs_f32"])]),
        ("OF_DIV", &[("bdiv_fwd_f32", &["bdiv_fwd_f32", "bdiv_bwd_lhs_f32", "bdiv_bwd_rhs_f32"])]),
        (
            "OF_SHAPES",
            &[("reshape_fwd_float", &["reshape_fwd"]), ("reshape_bwd_float", &["reshape_bwd"])],
        ),
        ("OF_TWO", &[("concat_float", &["fwd", "bwd"])]),
        (
            "OF_REST",
            &[
                ("stack_bwd_float", &["stack_bwd"]),
                ("convert_float_to___half", &["kernel"]),
                (Self::OWN, &["give_back"]),
            ],
        ),
    ];
    const OWN: &'static str = "trainbook_float";
}

impl Number for Half {
    const PRELUDE: &'static str = "
typedef unsigned short number;
typedef float other;
#define WIDE(v) f16_to_f32(v)
#define NARROW(v) f32_to_f16(v)
#define OTHER(v) (v)
#define NAMED(name) name##_f16
#define SUM_FORWARD sum_to_fwd_amp_f16
";
    const MODULES: &'static Modules = &[
        ("OF_SUMS", &[("sum_amp_f16", &["sum_to_fwd_amp_f16", "sum_to_bwd_f16"])]),
        ("OF_ADD", &[("badd_fwd_f16", &["badd_fwd_f16", "badd_bwd_lhs_f16", "badd_bwd_rhs_f16"])]),
        ("OF_SUB", &[("bsub_fwd_f16", &["bsub_fwd_f16", "bsub_bwd_lhs_f16", "bsub_bwd_rhs_f16"])]),
        ("OF_MUL", &[("bmul_fwd_f16", &["bmul_fwd_f16", "bmul_bwd_lhs_f16", "bmul_bwd_rhs_f16"])]),
        ("OF_DIV", &[("bdiv_fwd_f16", &["bdiv_fwd_f16", "bdiv_bwd_lhs_f16", "bdiv_bwd_rhs_f16"])]),
        (
            "OF_SHAPES",
            &[("reshape_fwd___half", &["reshape_fwd"]), ("reshape_bwd___half", &["reshape_bwd"])],
        ),
        ("OF_TWO", &[("concat___half", &["fwd", "bwd"])]),
        (
            "OF_REST",
            &[
                ("stack_bwd___half", &["stack_bwd"]),
                ("convert___half_to_float", &["kernel"]),
                (Self::OWN, &["give_back"]),
            ],
        ),
    ];
    const OWN: &'static str = "trainbook___half";
}

/// Compiles the kernels for a type of numbers, once, and puts them where dfdx looks for its own.
pub(super) fn prepare<N: Number>(device: &Arc<CudaDevice>) -> Result<(), NnError> {
    if device.has_func(N::OWN, "give_back") {
        return Ok(());
    }
    // The compiler takes longer than all else when a device is opened, and works for several at once.
    let parts = std::thread::scope(|scope| {
        let compile = |(part, _): &(&str, _)| {
            let part = format!("#define {part}\n");
            scope.spawn(move || {
                compiled(&[N::PRELUDE, &part, include_str!("../kernels/operations.cu")])
            })
        };
        let threads: Vec<_> = N::MODULES.iter().map(compile).collect();
        threads.into_iter().map(|thread| thread.join()).collect::<Vec<_>>()
    });
    for (kernels, (part, modules)) in parts.into_iter().zip(N::MODULES) {
        let kernels = kernels.map_err(|_| NnError::device("compile kernels", part))??;
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
    takers: &Takers,
) -> Result<(), CudaError> {
    let (device, n) = (dx.device(), dx.len());
    if takers.places.is_empty() {
        return Ok(());
    }
    let starts = device.htod_copy(takers.starts.clone())?;
    let places = device.htod_copy(takers.places.clone())?;
    let parameters = (n, takers.source(), takers.taken, inner, &starts, &places, dx, dy);
    Ok(run(&device, N::OWN, "give_back", threads(n), parameters)?)
}
