//! CUDA devices.

use cudarc::driver::DriverError;
use cudarc::driver::result::{device, init};
use dfdx::tensor::{Cache, Cuda};

use crate::NnError;
use crate::on_dfdx::prepare;

/// Opens the CUDA device of this number.
///
/// # Errors
/// There is no driver, or no such device, or it cannot be used.
pub(super) fn open(number: usize) -> Result<Cuda, NnError> {
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
