//! `trainbook kernel`: the Jupyter kernel in which notebooks train.

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use serde::Serialize;
use trainbook::Error;
use trainbook_kernel::install::{self, Install, Progress};
use trainbook_kernel::launch::{self, Launch};
use trainbook_kernel::{Error as KernelError, Folders, evcxr, spec};

use crate::output;

/// Where this program was built, with the toolkit's sources around it.
const BUILT_IN: &str = env!("CARGO_MANIFEST_DIR");

/// What can be done about the kernel.
#[derive(Subcommand)]
pub enum Command {
    /// Install the kernel "Rust (trainbook)" for Jupyter and compile its library ahead; what is there
    /// is kept, and from nothing it takes 15 to 25 minutes on two cores
    Install {
        /// The toolkit's sources, or a folder in them [default: those that this program was built
        /// from, or this folder]
        #[arg(long, value_name = "DIR")]
        sources: Option<PathBuf>,
        /// A feature of the notebook library, such as `cuda`; may be given several times
        #[arg(long = "feature", value_name = "NAME")]
        features: Vec<String>,
        /// evcxr_jupyter 0.22.0, in place of the one that is found or built
        #[arg(long, value_name = "FILE")]
        evcxr: Option<PathBuf>,
        /// Compile the library even if it is there and nothing has changed
        #[arg(long)]
        force: bool,
    },
    /// Run a kernel: what Jupyter calls
    #[command(hide = true)]
    Run {
        /// Jupyter's description of the channels
        connection_file: PathBuf,
    },
    /// List the kernels that Jupyter knows
    List,
    /// Take the kernel out of Jupyter; what was compiled is kept
    Remove,
}

/// Runs a command. Only a kernel has an exit code of its own.
pub fn run(command: Command, json: bool) -> Result<ExitCode, Error> {
    let folders = Folders::of_user().map_err(failed)?;
    match command {
        Command::Install { sources, features, evcxr, force } => {
            let program = env::current_exe()
                .map_err(|source| Error::Write { path: "kernel.json".into(), source })?;
            let sources = sources.unwrap_or_else(of_this_program);
            let wanted = Install { folders, sources, features, program, evcxr, force };
            let mut tell = |progress: Progress<'_>| output::note(&progress.to_string());
            let done = install::install(&wanted, &mut tell).map_err(failed)?;
            let text = done.to_string();
            let done = Installed {
                spec: done.spec,
                evcxr: done.evcxr,
                compiled_seconds: done.compiled.map(|time| time.as_secs_f64()),
            };
            output::print(json, &done, |_| text)?;
        }
        Command::Run { connection_file } => {
            let evcxr = env::var_os(evcxr::VARIABLE).map(PathBuf::from);
            let launch = Launch { connection_file, evcxr, folders };
            let code = launch::run(&launch, &mut |line| eprintln!("{line}")).map_err(failed)?;
            return Ok(ExitCode::from(code));
        }
        Command::List => {
            let known = spec::list(&folders).map_err(failed)?;
            let known: Vec<Known> = known
                .into_iter()
                .map(|known| Known {
                    name: known.name,
                    display_name: known.spec.as_ref().ok().map(|spec| spec.display_name.clone()),
                    damage: known.spec.err().map(|reason| reason.to_string()),
                })
                .collect();
            output::print(json, &known, |known| {
                if known.is_empty() {
                    return "Jupyter knows no kernels of this user; `trainbook kernel install` \
                            installs one"
                        .to_owned();
                }
                known.iter().map(Known::text).collect::<Vec<_>>().join("\n")
            })?;
        }
        Command::Remove => {
            let removed = spec::remove(&folders).map_err(failed)?;
            output::print(json, &removed, |removed| {
                if *removed { "removed" } else { "it was not installed" }.to_owned()
            })?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The toolkit's sources, if they are still where this program was built; or this folder.
fn of_this_program() -> PathBuf {
    let built_in = Path::new(BUILT_IN);
    if built_in.is_dir() { built_in.to_owned() } else { PathBuf::from(".") }
}

pub fn failed(error: KernelError) -> Error {
    Error::Diagnostic { diagnostic: "look after the kernel", reason: error.to_string() }
}

#[derive(Serialize)]
struct Installed {
    spec: PathBuf,
    evcxr: PathBuf,
    compiled_seconds: Option<f64>,
}

#[derive(Serialize)]
struct Known {
    name: String,
    display_name: Option<String>,
    damage: Option<String>,
}

impl Known {
    fn text(&self) -> String {
        let what = match (&self.display_name, &self.damage) {
            (_, Some(reason)) => format!("damaged: {reason}"),
            (name, None) => name.clone().unwrap_or_default(),
        };
        format!("{:<12} {what}", self.name)
    }
}
