//! `trainbook kernel` and `trainbook doctor` without the rest of the toolkit: builds in seconds, for
//! whoever works on the kernel and for `cargo xtask`.
//!
//! ```text
//! trainbook_kernel kernel install [--sources DIR] [--feature NAME]… [--evcxr FILE] [--force]
//! trainbook_kernel kernel run CONNECTION_FILE
//! trainbook_kernel kernel list
//! trainbook_kernel kernel remove
//! trainbook_kernel doctor
//! ```

#[cfg(unix)]
fn main() -> std::process::ExitCode {
    unix::main()
}

#[cfg(not(unix))]
fn main() {}

#[cfg(unix)]
mod unix {
    use std::env;
    use std::path::PathBuf;
    use std::process::ExitCode;

    use trainbook_kernel::doctor::{Machine, Probe, StoreHealth, examine};
    use trainbook_kernel::install::{Install, install};
    use trainbook_kernel::launch::{Launch, run};
    use trainbook_kernel::{Error, Folders, evcxr, spec};

    const USAGE: &str =
        "usage: trainbook_kernel kernel install|run|list|remove, or trainbook_kernel doctor";

    pub fn main() -> ExitCode {
        let mut arguments = env::args().skip(1);
        let command = (arguments.next(), arguments.next());
        let done = match (command.0.as_deref(), command.1.as_deref()) {
            (Some("doctor"), None) => doctor(),
            (Some("kernel"), Some("install")) => installed(arguments),
            (Some("kernel"), Some("run")) => launched(arguments.next()),
            (Some("kernel"), Some("list")) => list(),
            (Some("kernel"), Some("remove")) => {
                Folders::of_user().and_then(|folders| spec::remove(&folders)).map(|removed| {
                    println!("{}", if removed { "removed" } else { "it was not installed" });
                    ExitCode::SUCCESS
                })
            }
            _ => return usage(),
        };
        done.unwrap_or_else(|error| {
            eprintln!("error: failed to {error}");
            ExitCode::FAILURE
        })
    }

    fn usage() -> ExitCode {
        eprintln!("{USAGE}");
        ExitCode::from(2)
    }

    fn installed(mut arguments: impl Iterator<Item = String>) -> Result<ExitCode, Error> {
        let program = env::current_exe().unwrap_or_else(|_| PathBuf::from("trainbook_kernel"));
        let folders = Folders::of_user()?;
        let sources = PathBuf::from(".");
        let mut wanted =
            Install { folders, sources, features: vec![], program, evcxr: None, force: false };
        while let Some(argument) = arguments.next() {
            match (argument.as_str(), &mut arguments) {
                ("--force", _) => wanted.force = true,
                ("--sources", rest) => wanted.sources = rest.next().unwrap_or_default().into(),
                ("--feature", rest) => wanted.features.extend(rest.next()),
                ("--evcxr", rest) => wanted.evcxr = rest.next().map(PathBuf::from),
                _ => return Ok(usage()),
            }
        }
        println!("{}", install(&wanted, &mut |progress| eprintln!("{progress}"))?);
        Ok(ExitCode::SUCCESS)
    }

    fn launched(connection_file: Option<String>) -> Result<ExitCode, Error> {
        let Some(connection_file) = connection_file.map(PathBuf::from) else {
            return Ok(usage());
        };
        let evcxr = env::var_os(evcxr::VARIABLE).map(PathBuf::from);
        let launch = Launch { connection_file, evcxr, folders: Folders::of_user()? };
        run(&launch, &mut |line| eprintln!("{line}")).map(ExitCode::from)
    }

    fn list() -> Result<ExitCode, Error> {
        for known in spec::list(&Folders::of_user()?)? {
            let what = known.spec.map_or_else(|reason| reason, |spec| spec.display_name);
            println!("{:<12} {what}", known.name);
        }
        Ok(ExitCode::SUCCESS)
    }

    /// What needs the toolkit is not looked at.
    struct Apart;

    impl Probe for Apart {
        fn onnx_runtime(&self) -> Result<String, String> {
            Ok("not looked at".to_owned())
        }

        fn store(&self) -> StoreHealth {
            StoreHealth::None
        }
    }

    fn doctor() -> Result<ExitCode, Error> {
        let here = env::current_dir().unwrap_or_default();
        let report = examine(&Machine { folders: Folders::of_user()?, here, probe: &Apart });
        println!("{report}");
        Ok(if report.is_broken() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}
