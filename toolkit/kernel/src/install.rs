//! `trainbook kernel install`: everything that a notebook needs, once.

use std::collections::VecDeque;
use std::env;
use std::fmt;
use std::fs::{self, File, TryLockError};
use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use trainbook_core::beside;

use crate::evcxr::lines;
use crate::launch::Running;
use crate::seed::{self, Manifest, Seed, SeedState};
use crate::spec::{DISPLAY_NAME, Spec};
use crate::{Error, Folders, Library, Toolchain, evcxr, prelude, tree};

/// How often is looked whether the library is compiled.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// What is to be installed.
#[derive(Clone, Debug)]
pub struct Install {
    /// The user's folders.
    pub folders: Folders,
    /// In or below the toolkit's sources.
    pub sources: PathBuf,
    /// Features of the notebook library, such as `cuda`.
    pub features: Vec<String>,
    /// The program that Jupyter is to call as `PROGRAM kernel run FILE`.
    pub program: PathBuf,
    /// evcxr_jupyter; by default it is found or built.
    pub evcxr: Option<PathBuf>,
    /// Whether the library is compiled even if it is there and nothing has changed.
    pub force: bool,
}

/// What an installation is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress<'a> {
    /// Another one has to end first.
    Waiting,
    /// Rust's sources are being installed.
    Sources,
    /// evcxr is being built; a line of cargo's.
    Evcxr(&'a str),
    /// The library is being compiled: this crate is the so-many-eth, from 1.
    Compiling {
        /// How many were begun, this one included.
        number: usize,
        /// Its name and version.
        name: &'a str,
    },
    /// What is compiled is being put in place.
    Sealing,
}

/// What was installed.
#[derive(Clone, Debug)]
pub struct Installed {
    /// The kernel's `kernel.json`.
    pub spec: PathBuf,
    /// The program that runs cells.
    pub evcxr: PathBuf,
    /// What kernels begin with.
    pub seed: Seed,
    /// How long the library took to compile, unless it was there.
    pub compiled: Option<Duration>,
    /// Whether JupyterLab is on the `PATH`.
    pub jupyter: bool,
}

impl fmt::Display for Progress<'_> {
    /// For whoever waits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Waiting => f.write_str("waiting for another installation to end"),
            Self::Sources => f.write_str("installing the sources of Rust's standard library"),
            Self::Evcxr(line) => write!(f, "evcxr: {line}"),
            Self::Compiling { number, name } => write!(f, "compiling {number}: {name}"),
            Self::Sealing => f.write_str("putting it in place"),
        }
    }
}

impl fmt::Display for Installed {
    /// What was done and what to type next.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.compiled {
            Some(time) => writeln!(f, "compiled the notebook library in {} s", time.as_secs())?,
            None => writeln!(f, "the notebook library was compiled before")?,
        }
        writeln!(f, "Jupyter knows the kernel by {}", self.spec.display())?;
        writeln!(f, "next:")?;
        if !self.jupyter {
            writeln!(f, "  python3 -m venv jupyter && jupyter/bin/pip install jupyterlab")?;
        }
        let program = if self.jupyter { "jupyter-lab" } else { "jupyter/bin/jupyter-lab" };
        writeln!(f, "  {program}")?;
        write!(f, "and there, with the kernel “{DISPLAY_NAME}”: {FIRST_LINE}")
    }
}

/// What every notebook begins with.
pub const FIRST_LINE: &str = "use trainbook_notebook::prelude::*;";

/// Installs Rust's sources, evcxr and the kernel's spec and compiles the notebook library, each
/// unless it is there. From nothing this takes 15 to 25 minutes on two cores.
///
/// What was there before is whole until its successor is.
///
/// # Errors
/// A tool is missing or failed, the sources were not found, or a folder cannot be written.
pub fn install(
    install: &Install,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Installed, Error> {
    let folders = &install.folders;
    let library = Library::find(&install.sources)?;
    let _lock = lock(folders, progress)?;
    let toolchain = Toolchain::of(library.root())?;
    if !toolchain.sources().is_dir() {
        progress(Progress::Sources);
        toolchain.install_sources()?;
    }
    let evcxr = match &install.evcxr {
        Some(evcxr) => evcxr::of_this_version(evcxr)?,
        None => match evcxr::find(folders) {
            Ok(evcxr) => evcxr,
            Err(_) => {
                evcxr::install(folders, &toolchain, &mut |line| progress(Progress::Evcxr(line)))?
            }
        },
    };
    let manifest = Manifest::of(&library, &toolchain, &install.features)?;
    let (seed, compiled) = match SeedState::look(folders, true) {
        SeedState::Ready(seed) if seed.manifest.key() == manifest.key() && !install.force => {
            (seed, None)
        }
        state => {
            let began = Instant::now();
            let seed = compile(folders, &evcxr, &library, &toolchain, manifest, &state, progress)?;
            seed::make_current(folders, &seed)?;
            (seed, Some(began.elapsed()))
        }
    };
    let named = install.evcxr.as_deref();
    let spec = Spec::of(&install.program, named)?.install(folders)?;
    let path = env::var_os("PATH").unwrap_or_default();
    let jupyter = env::split_paths(&path).any(|folder| folder.join("jupyter-lab").is_file());
    Ok(Installed { spec, evcxr, seed, compiled, jupyter })
}

fn lock(folders: &Folders, progress: &mut dyn FnMut(Progress<'_>)) -> Result<File, Error> {
    let seeds = folders.seeds();
    fs::create_dir_all(&seeds).map_err(Error::io("create", &seeds))?;
    let path = folders.cache().join("install.lock");
    let file = File::create(&path).map_err(Error::io("create", &path))?;
    match file.try_lock() {
        Ok(()) => return Ok(file),
        Err(TryLockError::WouldBlock) => progress(Progress::Waiting),
        Err(TryLockError::Error(_)) => {}
    }
    file.lock().map_err(Error::io("lock", &path))?;
    Ok(file)
}

/// Has evcxr itself compile the library, so that what it finds later is what it has made.
fn compile(
    folders: &Folders,
    evcxr: &Path,
    library: &Library,
    toolchain: &Toolchain,
    manifest: Manifest,
    before: &SeedState,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Seed, Error> {
    let done = folders.seeds().join(manifest.key());
    let partial = folders.seeds().join(format!("{}.partial", manifest.key()));
    let fresh = |folder: &Path| match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::Io { action: "remove", path: folder.to_owned(), source: error })
        }
        _ => Ok(()),
    };
    fresh(&partial)?;
    let (work, config) = (partial.join("work"), partial.join("config"));
    match before {
        // Only what has changed since is compiled.
        SeedState::Stale(seed, _) if seed.manifest.key() == manifest.key() => {
            tree::copy(&seed.work(), &work)?;
        }
        _ => {}
    }
    for folder in [&work, &config] {
        fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    }
    let planned = Seed::planned(&partial, manifest.clone());
    let (lock, ours) = (library.root().join("Cargo.lock"), planned.lock_file());
    fs::copy(&lock, &ours).map_err(Error::io("copy", &lock))?;
    planned.facade().write(library, toolchain, &manifest.features)?;

    let ready = partial.join("ready");
    let connection = partial.join("connection.json");
    write(&connection, &connection_file().map_err(Error::io("find free ports for", &connection))?)?;
    let marker =
        format!("{FIRST_LINE}\nlet _ = std::fs::write({:?}, \"\");", ready.to_string_lossy());
    write(&config.join("evcxr.toml"), &prelude::with_library(&planned, &work, &marker)?)?;
    let mut command = Command::new(evcxr);
    // Before the environment: what is removed and set is set.
    for name in prelude::REMOVED {
        command.env_remove(name);
    }
    command
        .arg("--control_file")
        .arg(&connection)
        .envs(prelude::environment(Some(&planned), &work, &config))
        // Away from an evcxr.toml of the user's.
        .current_dir(&partial)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    follow(&mut command, &ready, progress)?;
    progress(Progress::Sealing);
    for left in [connection, ready] {
        fs::remove_file(&left).map_err(Error::io("remove", &left))?;
    }
    fresh(&config)?;
    planned.facade().pin(&work.join("Cargo.lock"))?;
    drop_incremental(&work)?;
    Seed::seal(&partial, manifest)?;
    beside::take_name(&partial, &done).map_err(Error::io("rename", &partial))?;
    Seed::read(&done)
}

/// Runs evcxr until `ready` exists.
fn follow(
    command: &mut Command,
    ready: &Path,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<(), Error> {
    let failed = |error: io::Error| Error::Program {
        program: evcxr::PROGRAM.to_owned(),
        reason: error.to_string(),
    };
    let mut evcxr = Running::start(command, None).map_err(failed)?;
    let lines = evcxr.errors();
    let mut last = VecDeque::new();
    let mut number = 0;
    loop {
        let line = match lines.recv_timeout(LOOK_EVERY) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => {
                thread::sleep(LOOK_EVERY);
                None
            }
        };
        match &line {
            Some(line) => match line.trim_start().strip_prefix("Compiling ") {
                Some(name) => {
                    number += 1;
                    progress(Progress::Compiling { number, name });
                }
                None => {
                    last.push_back(line.clone());
                    if last.len() > 30 {
                        last.pop_front();
                    }
                }
            },
            None if ready.exists() => {
                evcxr.end().map_err(failed)?;
                return Ok(());
            }
            None if evcxr.has_ended().map_err(failed)? => {
                let said: Vec<_> = last.into();
                return Err(Error::Compile(match said.as_slice() {
                    [] => "evcxr ended without a word".to_owned(),
                    said => format!("evcxr says:\n{}", said.join("\n")),
                }));
            }
            None => {}
        }
    }
}

impl Running {
    /// The lines that evcxr prints on its standard error.
    fn errors(&mut self) -> Receiver<String> {
        let (sender, receiver) = channel();
        if let Some(errors) = self.take_errors() {
            thread::spawn(move || {
                for line in lines(errors) {
                    if sender.send(line).is_err() {
                        break;
                    }
                }
            });
        }
        receiver
    }
}

/// What Jupyter would write, for channels on which nobody talks.
fn connection_file() -> io::Result<String> {
    // All at once, so that no two are the same.
    let listeners: Vec<_> =
        (0..5).map(|_| TcpListener::bind(("127.0.0.1", 0))).collect::<Result<_, _>>()?;
    let mut described = serde_json::json!({
        "transport": "tcp",
        "ip": "127.0.0.1",
        "signature_scheme": "hmac-sha256",
        "key": blake3::hash(format!("{:?}", Instant::now()).as_bytes()).to_hex().as_str(),
    });
    for (name, listener) in ["shell", "iopub", "stdin", "control", "hb"].iter().zip(&listeners) {
        described[format!("{name}_port")] = listener.local_addr()?.port().into();
    }
    Ok(described.to_string())
}

/// Cargo reads them when it compiles a crate again, which it does not.
fn drop_incremental(folder: &Path) -> Result<(), Error> {
    for entry in fs::read_dir(folder).map_err(Error::io("read", folder))? {
        let path = entry.map_err(Error::io("read", folder))?.path();
        if path.is_symlink() || !path.is_dir() {
            continue;
        }
        if path.file_name().is_some_and(|name| name == "incremental") {
            fs::remove_dir_all(&path).map_err(Error::io("remove", &path))?;
        } else {
            drop_incremental(&path)?;
        }
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    fs::write(path, text).map_err(Error::io("write", path))
}
