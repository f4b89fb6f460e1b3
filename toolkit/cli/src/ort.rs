//! `trainbook ort`.

use std::fmt;
use std::io::{IsTerminal, stderr};
use std::path::Path;

use clap::Subcommand;
use serde::Serialize;
use trainbook::Error;
use trainbook::onnx::{self, Passed, Runtime, Source};

use crate::output;

/// What can be asked about ONNX Runtime.
#[derive(Subcommand)]
pub enum Command {
    /// Fetch the ONNX Runtime that trainbook was tested with, once for all projects, with python3
    /// and pip
    Install {
        /// Fetch it even if it is there
        #[arg(long)]
        force: bool,
    },
    /// Show which ONNX Runtime is used, and where it was looked for
    Show {
        /// Print one JSON document instead of text
        #[arg(long)]
        json: bool,
    },
}

/// Runs a command.
pub fn run(command: Command) -> Result<(), Error> {
    match command {
        Command::Install { force } => {
            if stderr().is_terminal() {
                output::note("fetching takes a moment: the library is about 20 MB as a download");
            }
            output::line(&onnx::install(force)?.to_string())
        }
        // Loaded, because only the library itself knows whether it serves, and its version.
        Command::Show { json } => {
            output::print(json, &Used::from(onnx::load(None)?), ToString::to_string)
        }
    }
}

#[derive(Serialize)]
struct Used<'a> {
    version: &'a str,
    path: &'a Path,
    source: Source,
    passed: &'a [Passed],
    order: [Source; Source::ALL.len()],
}

impl<'a> From<&'a Runtime> for Used<'a> {
    fn from(runtime: &'a Runtime) -> Self {
        Self {
            version: runtime.version(),
            path: runtime.path(),
            source: runtime.source(),
            passed: runtime.passed(),
            order: Source::ALL,
        }
    }
}

impl fmt::Display for Used<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "ONNX Runtime {} ({})", self.version, self.path.display())?;
        writeln!(f, "from {}; looked for in this order:", self.source)?;
        for (at, source) in self.order.into_iter().enumerate() {
            let reason = self
                .passed
                .iter()
                .find(|passed| passed.source == source)
                .map(|passed| &passed.reason);
            write!(f, "{}. {source}: ", at + 1)?;
            match reason {
                Some(reason) => writeln!(f, "{reason}")?,
                None if source == self.source => writeln!(f, "used")?,
                None => writeln!(f, "not looked at")?,
            }
        }
        Ok(())
    }
}
