//! CUDA devices.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::mem::ManuallyDrop;

use cudarc::driver::DriverError;
use cudarc::driver::result::{device, init};
use dfdx::tensor::{Cache, Cuda};

use crate::NnError;
use crate::on_dfdx::prepare;

thread_local! {
    /// The devices that this thread has opened, to which their streams belong. A driver has one context
    /// for a device and process in any case; opening one again would load every kernel again, for each
    /// trainer and each check that works on a copy. Never let go: at the end of a thread the driver may
    /// be gone already.
    static OPEN: RefCell<BTreeMap<usize, ManuallyDrop<Cuda>>> = RefCell::default();
}

/// The CUDA device of this number; opens it where this thread has not.
///
/// # Errors
/// There is no driver, or no such device, or it cannot be used.
pub(crate) fn open(number: usize) -> Result<Cuda, NnError> {
    if let Some(cuda) = OPEN.with_borrow(|open| open.get(&number).cloned()) {
        return Ok(ManuallyDrop::into_inner(cuda));
    }
    let cuda = first(number)?;
    OPEN.with_borrow_mut(|open| open.insert(number, ManuallyDrop::new(cuda.clone())));
    Ok(cuda)
}

/// Has cuBLAS keep a workspace for each of dfdx's streams, so that its products do not depend on which
/// comes first; see NVIDIA's documentation of cuBLAS, 2.1.4 "Results reproducibility". Where the variable
/// is set already it stays, and is recorded with the run: with any other value than `:4096:8` and
/// `:16:8` equal bits are given up.
fn keep_workspaces_apart() {
    const VARIABLE: &str = "CUBLAS_WORKSPACE_CONFIG";
    if std::env::var_os(VARIABLE).is_none() {
        #[allow(
            unsafe_code,
            reason = "Rust's own readers are kept out; others could read it meanwhile who call C's \
                      getenv in another thread, in the moment in which a program opens its first device"
        )]
        unsafe {
            std::env::set_var(VARIABLE, ":4096:8");
        }
    }
}

fn first(number: usize) -> Result<Cuda, NnError> {
    keep_workspaces_apart();
    // dfdx panics where these two do not answer, or not with such a number.
    init().map_err(|e| says("start the CUDA driver", e))?;
    let devices = device::get_count().map_err(|e| says("count the CUDA devices", e))?;
    let devices = usize::try_from(devices).unwrap_or(0);
    if number >= devices {
        return Err(NnError::Setting {
            setting: "device",
            value: format!("cuda:{number}"),
            expected: match devices {
                0 => "cpu, because the driver finds no CUDA device".to_owned(),
                1 => "cuda:0, the only CUDA device, or cpu".to_owned(),
                n => format!("cuda:0 to cuda:{}, or cpu", n - 1),
            },
        });
    }
    let cuda = Cuda::try_build(number, 0).map_err(|e| NnError::device("open a CUDA device", &e))?;
    prepare(&cuda)?;
    // Memory that is let go is used again: asking the driver for it costs more than small kernels do.
    cuda.try_enable_cache().map_err(|e| NnError::device("open a CUDA device", &e))?;
    Ok(cuda)
}

fn says(operation: &'static str, error: DriverError) -> NnError {
    let text = error.error_string().map(|text| text.to_string_lossy().into_owned());
    let reason = text.unwrap_or_else(|_| format!("{:?}", error.0));
    NnError::Device { operation, reason }
}
