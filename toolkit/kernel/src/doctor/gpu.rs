//! The graphics card. Nothing needs one, so that none is nothing broken; half a driver is.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::{Finding, Machine};

const CHECK: &str = "GPU";
const DRIVER: &str = "/proc/driver/nvidia/version";
const LIBRARY: &str = "libcuda.so.1";

pub(super) fn check(machine: &Machine<'_>) -> Vec<Finding> {
    let driver = machine.probe.text(Path::new(DRIVER));
    let library = machine.probe.shared_library(LIBRARY);
    match (driver, library) {
        (None, None) => Finding::ok(CHECK, "no NVIDIA driver: training runs on the processor"),
        (Some(driver), Some(library)) => {
            let version = driver.lines().next().unwrap_or_default().trim().to_owned();
            Finding::ok(CHECK, format!("{version}; {}", library.display()))
        }
        (Some(_), None) => Finding::broken(
            CHECK,
            format!("the NVIDIA driver is loaded, but no loader's folder has {LIBRARY}"),
            "install the driver's user part (Debian: apt install libcuda1), or add its folder to LD_LIBRARY_PATH; in a container: run it with --gpus all",
        ),
        (None, Some(library)) => Finding::note(
            CHECK,
            format!("{} is there, but no NVIDIA driver is loaded", library.display()),
            "nvidia-smi says why; without it training runs on the processor",
        ),
    }
}

/// The folders of the system's loader.
pub(super) fn search(name: &str, variable: Option<OsString>) -> Option<PathBuf> {
    let machine = std::env::consts::ARCH;
    let usual = [
        format!("/usr/lib/{machine}-linux-gnu"),
        format!("/lib/{machine}-linux-gnu"),
        "/usr/lib64".to_owned(),
        "/usr/lib".to_owned(),
        "/usr/local/cuda/compat".to_owned(),
        "/usr/local/nvidia/lib64".to_owned(),
        "/usr/lib/wsl/lib".to_owned(),
        "/run/opengl-driver/lib".to_owned(),
    ];
    std::env::split_paths(&variable.unwrap_or_default())
        .filter(|folder| folder.is_absolute())
        .chain(usual.map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|path| path.exists())
}
