//! NVIDIA cards and their driver, from what the Linux driver shows as files. No process is started.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::cpu::field;

const FOLDER: &str = "/proc/driver/nvidia";

/// A graphics card.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Gpu {
    /// Its name, for example `NVIDIA H100 80GB HBM3`.
    pub model: String,
    /// Its firmware; cards of one name may differ in it.
    pub firmware: Option<String>,
}

/// The driver's version; `None` without a driver.
pub(super) fn driver() -> Option<String> {
    version(&std::fs::read_to_string(Path::new(FOLDER).join("version")).ok()?)
}

/// Every card that the driver shows, by its place on the bus.
pub(super) fn cards() -> Vec<Gpu> {
    cards_in(&Path::new(FOLDER).join("gpus"))
}

fn cards_in(folder: &Path) -> Vec<Gpu> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<_> =
        entries.flatten().map(|entry| entry.path().join("information")).collect();
    // The folders are named after the place on the bus.
    files.sort();
    files.iter().filter_map(|file| card(&std::fs::read_to_string(file).ok()?)).collect()
}

/// The first word of the driver's line that is numbers with dots.
fn version(text: &str) -> Option<String> {
    let line = text.lines().find(|line| line.starts_with("NVRM version"))?;
    let is_version = |word: &&str| word.contains('.') && word.split('.').all(is_number);
    line.split_whitespace().find(is_version).map(str::to_owned)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn card(text: &str) -> Option<Gpu> {
    // A card that was never used shows question marks.
    let known = |value: &&str| !value.is_empty() && !value.contains('?');
    let model = field(text, "Model").filter(known)?.to_owned();
    Some(Gpu { model, firmware: field(text, "Video BIOS").filter(known).map(str::to_owned) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const INFORMATION: &str = "Model: \t\t NVIDIA H100 80GB HBM3\nIRQ:   \t\t 18\nGPU UUID: \t GPU-00000000-0000\n\
        Video BIOS: \t 96.00.74.00.11\nBus Type: \t PCIe\nBus Location: \t 0000:04:00.0\nDevice Minor: \t 0\n";

    #[test]
    fn both_kinds_of_driver_are_read() {
        let closed = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 22:23:56 UTC 2024\n\
            GCC version:  gcc version 12.3.0 (Ubuntu 12.3.0-1ubuntu1~22.04)\n";
        let open = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build  (dvs-builder)\n";
        assert_eq!(version(closed).as_deref(), Some("550.54.15"));
        assert_eq!(version(open).as_deref(), Some("580.65.06"));
        for text in ["", "NVRM version: soon", "GCC version: 12.3.0"] {
            assert_eq!(version(text), None, "{text:?}");
        }
    }

    #[test]
    fn cards_come_in_the_order_of_the_bus() {
        let folder = tempfile::tempdir().unwrap();
        for (place, model) in
            [("0000:84:00.0", "NVIDIA A100"), ("0000:04:00.0", "NVIDIA H100 80GB HBM3")]
        {
            std::fs::create_dir(folder.path().join(place)).unwrap();
            let text = INFORMATION.replace("NVIDIA H100 80GB HBM3", model);
            std::fs::write(folder.path().join(place).join("information"), text).unwrap();
        }
        std::fs::create_dir(folder.path().join("empty")).unwrap();
        let cards = cards_in(folder.path());
        assert_eq!(
            cards.iter().map(|card| card.model.as_str()).collect::<Vec<_>>(),
            ["NVIDIA H100 80GB HBM3", "NVIDIA A100"]
        );
        assert_eq!(cards[0].firmware.as_deref(), Some("96.00.74.00.11"));
        assert_eq!(cards_in(&folder.path().join("none")), []);
        assert_eq!(
            card(&INFORMATION.replace("96.00.74.00.11", "??.??.??")).unwrap().firmware,
            None
        );
        assert_eq!(card("IRQ: 3"), None);
    }
}
