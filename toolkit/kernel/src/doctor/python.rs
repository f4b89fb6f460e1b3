//! Python packages that parts of the toolkit are better with.

use std::process::Command;

use super::{Finding, Machine};

const CHECK: &str = "Python";

/// Each with what it is for.
const PACKAGES: [(&str, &str); 2] = [
    ("jupyterlab", "opens notebooks"),
    ("plotly", "lets JupyterLab draw interactive charts; pictures are shown without it"),
];

pub(super) fn check(machine: &Machine<'_>) -> Vec<Finding> {
    let names: Vec<_> = PACKAGES.iter().map(|(name, _)| *name).collect();
    let versions = match machine.probe.python_packages(&names) {
        Ok(versions) => versions,
        Err(reason) => {
            let fix = "install Python 3.11 or newer (Debian: apt install python3 python3-venv)";
            return Finding::note(CHECK, reason, fix);
        }
    };
    PACKAGES
        .iter()
        .zip(versions)
        .flat_map(|((name, purpose), version)| match version {
            Some(version) => Finding::ok(CHECK, format!("{name} {version}")),
            None => Finding::note(
                CHECK,
                format!("{name} is not there; it {purpose}"),
                format!("python3 -m pip install {name}"),
            ),
        })
        .collect()
}

const SCRIPT: &str = "\
import sys
from importlib.metadata import PackageNotFoundError, version
for name in sys.argv[1:]:
    try:
        print(version(name))
    except PackageNotFoundError:
        print()
";

/// Asks the first `python3`.
pub(super) fn ask(names: &[&str]) -> Result<Vec<Option<String>>, String> {
    let output = Command::new("python3")
        .args(["-c", SCRIPT])
        .args(names)
        .output()
        .map_err(|error| format!("python3 does not start: {error}"))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        return Err(format!("python3 fails: {}", text.trim().lines().last().unwrap_or_default()));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let found: Vec<_> =
        text.lines().map(|line| (!line.is_empty()).then(|| line.to_owned())).collect();
    if found.len() == names.len() { Ok(found) } else { Err("python3 answers oddly".to_owned()) }
}
