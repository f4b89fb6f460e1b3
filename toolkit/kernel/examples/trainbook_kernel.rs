//! The kernel's command line by itself, as `trainbook` has it: `kernel install|run|list|remove` and
//! `doctor`. It knows neither stores nor ONNX Runtime.

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;

use trainbook_kernel::doctor::{Machine, Probe, StoreHealth, examine};
use trainbook_kernel::install::{Install, Progress, install};
use trainbook_kernel::launch::{Launch, run};
use trainbook_kernel::{Error, Folders, spec};

const USAGE: &str = "\
usage: trainbook_kernel kernel install [--sources DIR] [--evcxr FILE] [--force]
       trainbook_kernel kernel run CONNECTION_FILE
       trainbook_kernel kernel list
       trainbook_kernel kernel remove
       trainbook_kernel doctor [--json]";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match command(&words) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("failed to {error}");
            ExitCode::FAILURE
        }
    }
}

fn command(words: &[&str]) -> Result<u8, Error> {
    let folders = Folders::of_user()?;
    match words {
        ["kernel", "run", file] => {
            let evcxr = env::var_os("TRAINBOOK_EVCXR").map(PathBuf::from);
            let launch = Launch { connection_file: PathBuf::from(file), evcxr, folders };
            run(&launch, &mut |line| eprintln!("{line}"))
        }
        ["kernel", "install", options @ ..] => install_with(folders, options),
        ["kernel", "list"] => {
            for known in spec::list(&folders)? {
                match known.spec {
                    Ok(spec) => println!("{:<12} {}", known.name, spec.display_name),
                    Err(reason) => println!("{:<12} damaged: {reason}", known.name),
                }
            }
            Ok(0)
        }
        ["kernel", "remove"] => {
            let there = spec::remove(&folders)?;
            println!("{}", if there { "removed" } else { "it was not installed" });
            Ok(0)
        }
        ["doctor", options @ ..] => {
            let here = env::current_dir().unwrap_or_default();
            let report = examine(&Machine { folders, here, probe: &Bare });
            if options == ["--json"] {
                println!("{}", serde_json::to_string_pretty(&report).unwrap_or_default());
            } else {
                print!("{report}");
            }
            Ok(report.is_broken().into())
        }
        _ => {
            eprintln!("{USAGE}");
            Ok(2)
        }
    }
}

fn install_with(folders: Folders, mut options: &[&str]) -> Result<u8, Error> {
    let mut wanted = Install {
        folders,
        sources: env::current_dir().unwrap_or_default(),
        features: Vec::new(),
        program: env::current_exe().unwrap_or_default(),
        evcxr: None,
        force: false,
    };
    while let [first, rest @ ..] = options {
        options = match (*first, rest) {
            ("--force", rest) => {
                wanted.force = true;
                rest
            }
            ("--sources", [folder, rest @ ..]) => {
                wanted.sources = PathBuf::from(folder);
                rest
            }
            ("--evcxr", [file, rest @ ..]) => {
                wanted.evcxr = Some(PathBuf::from(file));
                rest
            }
            _ => {
                eprintln!("{USAGE}");
                return Ok(2);
            }
        };
    }
    let installed = install(&wanted, &mut |progress| match progress {
        Progress::Waiting => eprintln!("waiting for another installation to end"),
        Progress::Sources => eprintln!("installing the sources of Rust's standard library"),
        Progress::Evcxr(line) => eprintln!("evcxr: {line}"),
        Progress::Compiling { number, name } => eprintln!("compiling {number}: {name}"),
        Progress::Sealing => eprintln!("putting it in place"),
    })?;
    println!("{installed}");
    Ok(0)
}

/// A machine of which only what this crate knows is looked at.
struct Bare;

impl Probe for Bare {
    fn onnx_runtime(&self) -> Result<String, String> {
        Ok("not looked for".to_owned())
    }

    fn store(&self) -> StoreHealth {
        StoreHealth::None
    }
}
