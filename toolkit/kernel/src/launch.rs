//! `trainbook kernel run`: what Jupyter starts.

use std::fs;
use std::io::{self, Write};
use std::mem;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, getppid, waitid};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::interrupt::{Interrupts, Meaning, TWICE_WITHIN};
use crate::process::{self, Doing, Kernel};
use crate::seed::{Seed, SeedState};
use crate::working::{self, Working};
use crate::{Error, Folders, StopFile, evcxr, prelude};

/// How often is looked whether the one who started the kernel still lives.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How long a fit has to end behind its step when the kernel ends. With [`PATIENCE`] it is less than
/// Jupyter has.
const STEP: Duration = Duration::from_secs(1);

/// How long evcxr has to end by itself.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long after its interrupt Jupyter has ended a kernel that it ends.
const ENDING: Duration = Duration::from_millis(200);

/// After this time evcxr has started its runtime.
const STARTED: Duration = Duration::from_secs(10);

/// What ends evcxr and removes the kernel's folder when the launcher is killed: it reads until nobody
/// writes any more. A line says that evcxr has ended before.
const GUARD: &str = r#"
trap '' INT TERM HUP
ended=
while read -r line; do ended=yes; done
if [ -z "$ended" ]; then
    kill -s KILL -- "-$1" 2>/dev/null
    # Until they are gone.
    sleep 0.5
fi
[ -z "$2" ] || { rm -rf -- "$2" && rm -f -- "$2.lock"; }
"#;

/// A kernel that is to run.
#[derive(Clone, Debug)]
pub struct Launch {
    /// Jupyter's description of the channels.
    pub connection_file: PathBuf,
    /// evcxr_jupyter; by default it is [found](evcxr::find).
    pub evcxr: Option<PathBuf>,
    /// The user's folders.
    pub folders: Folders,
}

/// Runs a kernel until it ends or is ended, and leaves nothing behind. `say` gets lines for whoever
/// reads the kernel's log; on Linux what an interrupt meant is shown below the cell, too. Returns evcxr's exit code, or 128 and the number of the signal.
///
/// The notebook's folder is the current one. Signals mean:
///
/// - SIGINT, Jupyter's interrupt: a fit that runs is asked to stop behind its step, and variables
///   live. A second one within five seconds, or one while no fit runs, ends what runs: the
///   compilation of a cell (variables live), or else the process that holds the variables, which
///   evcxr starts anew. While no cell runs it does nothing.
/// - SIGTERM, SIGHUP, the end of the process that has started this one: a fit that runs has a second
///   to stop behind its step; then evcxr is ended, after another second by force. (Jupyter interrupts
///   a kernel before it ends it.)
///
/// If this process is killed, evcxr is too, and its folder is removed.
///
/// # Errors
/// There is no evcxr, it could not be started, or the kernel's folder could not be made.
pub fn run(launch: &Launch, say: &mut dyn FnMut(&str)) -> Result<u8, Error> {
    let parent = getppid();
    let mut say = |text: &str| say(&format!("trainbook kernel: {text}"));
    let program = match &launch.evcxr {
        Some(program) => program.clone(),
        None => evcxr::find(&launch.folders).map_err(|reason| Error::Program {
            program: evcxr::PROGRAM.to_owned(),
            reason: format!("{reason}; `trainbook kernel install` builds it"),
        })?,
    };
    // Before there is anything to clean up, so that nothing ends this process on the way.
    let signals = signals()?;
    let here = std::env::current_dir().map_err(Error::io("find", Path::new(".")))?;
    let _shared = shared_folder(&here)
        .map(|(file, shared)| working::claim_shared(&file, &shared))
        .transpose()?;
    let kernel = Working::create(&launch.folders)?;
    let seed = prepare(&launch.folders, &kernel, &mut say)?;
    if here.join("evcxr.toml").exists() {
        say(
            "evcxr reads the evcxr.toml beside the notebook in place of the kernel's own; the notebook must name the library itself (`:dep trainbook-notebook = …`)",
        );
    }
    let mut command = Command::new(&program);
    for name in prelude::REMOVED {
        command.env_remove(name);
    }
    command
        .arg("--control_file")
        .arg(&launch.connection_file)
        .envs(prelude::kernel_environment(seed.as_ref(), &kernel))
        .stdin(Stdio::null());
    let failed = |error: io::Error| Error::Program {
        program: program.display().to_string(),
        reason: error.to_string(),
    };
    let mut evcxr = Running::start(&mut command, Some(kernel.folder())).map_err(failed)?;
    let stop = kernel.stop_file();
    watch(&mut evcxr, &signals, parent, &stop, &mut say).map_err(failed)
}

/// Fills the kernel's folder. Returns the seed with which it begins.
fn prepare(
    folders: &Folders,
    kernel: &Working,
    say: &mut dyn FnMut(&str),
) -> Result<Option<Seed>, Error> {
    let work = kernel.work();
    let planted = match SeedState::look(folders, false) {
        SeedState::Ready(seed) => match seed.plant(&work) {
            Ok(()) => Ok(seed),
            Err(error) => Err(format!("what was compiled ahead is damaged (failed to {error})")),
        },
        SeedState::Stale(seed, why) => {
            // What did not change need not be compiled again.
            let _ = seed.plant(&work);
            Err(format!("what was compiled ahead is out of date: {why}"))
        }
        SeedState::Missing => Err("nothing is compiled ahead".to_owned()),
        SeedState::Damaged(why) => Err(format!("what was compiled ahead is damaged: {why}")),
    };
    let (config, seed) = match planted {
        Ok(seed) => (prelude::with_library(&seed, &work, "")?, Some(seed)),
        Err(why) => {
            say(&format!(
                "{why}; the notebook must name the library itself (`:dep trainbook-notebook = …`), and that cell takes minutes; `trainbook kernel install` mends it"
            ));
            (prelude::plain(), None)
        }
    };
    fs::create_dir_all(&work).map_err(Error::io("create", &work))?;
    let path = kernel.config().join("evcxr.toml");
    fs::write(&path, config).map_err(Error::io("write", &path))?;
    Ok(seed)
}

/// The folder that an evcxr.toml beside the notebook makes all kernels share: evcxr heeds it more
/// than what it is told by the environment.
pub(crate) fn shared_folder(here: &Path) -> Option<(PathBuf, PathBuf)> {
    let file = here.join("evcxr.toml");
    let text = fs::read_to_string(&file).ok()?;
    let value = text.lines().find_map(|line| {
        let value = line.trim().strip_prefix("tmpdir")?.trim_start().strip_prefix('=')?.trim();
        let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
        Some(value[1..].split(quote).next()?.to_owned())
    })?;
    Some((file, here.join(value)))
}

/// What happens to a kernel from outside.
fn signals() -> Result<Receiver<i32>, Error> {
    let failed = |source| Error::Io {
        action: "listen for signals as",
        path: PathBuf::from("trainbook kernel run"),
        source,
    };
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP, SIGCHLD]).map_err(failed)?;
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for signal in signals.forever() {
            if sender.send(signal).is_err() {
                break;
            }
        }
    });
    Ok(receiver)
}

fn watch(
    evcxr: &mut Running,
    signals: &Receiver<i32>,
    parent: Option<Pid>,
    stop: &StopFile,
    say: &mut dyn FnMut(&str),
) -> io::Result<u8> {
    let began = Instant::now();
    let mut interrupts = Interrupts::default();
    loop {
        let signal = match signals.recv_timeout(LOOK_EVERY) {
            Ok(signal) => Some(signal),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => {
                thread::sleep(LOOK_EVERY);
                None
            }
        };
        if evcxr.has_ended()? {
            // When Jupyter ends a kernel, evcxr is gone before the fit has made its step.
            let_fit_end(stop);
            return Ok(code(evcxr.end()?));
        }
        if matches!(signal, Some(SIGTERM | SIGHUP)) || getppid() != parent {
            let_fit_end(stop);
            return Ok(code(evcxr.end()?));
        }
        if signal == Some(SIGINT) {
            let mut problem = None;
            let ask = || match stop.ask() {
                Ok(asked) => asked,
                Err(error) => {
                    problem = Some(format!("failed to {error}"));
                    false
                }
            };
            let meaning = interrupts.meaning(began.elapsed(), ask);
            if let Some(problem) = problem {
                say(&problem);
            }
            // Jupyter interrupts a kernel that it ends, too.
            if meaning == Meaning::End && ends_soon(evcxr)? {
                continue;
            }
            let kernel = Kernel::of(evcxr.group);
            let ends = meaning == Meaning::End && kernel.doing == Doing::Nothing;
            if ends && began.elapsed() > STARTED && has_given_up(evcxr)? {
                return Ok(code(evcxr.end()?));
            }
            let text = match meaning {
                Meaning::Asked => ASKED,
                Meaning::End => ended(&kernel.doing),
            };
            say(text);
            if meaning == Meaning::Asked || matches!(kernel.doing, Doing::Cell | Doing::Build(_)) {
                kernel.tell(text);
            }
            if meaning == Meaning::End {
                kernel.end();
            }
        }
    }
}

/// Whether evcxr ends within [`ENDING`].
fn ends_soon(evcxr: &Running) -> io::Result<bool> {
    let began = Instant::now();
    while began.elapsed() < ENDING {
        if evcxr.has_ended()? {
            return Ok(true);
        }
        thread::sleep(Duration::from_millis(20));
    }
    evcxr.has_ended()
}

/// Whether evcxr starts no runtime anew. One that Jupyter ends has let its own go and takes seconds to
/// give its memory back, for which Jupyter does not wait.
fn has_given_up(evcxr: &Running) -> io::Result<bool> {
    for _ in 0..5 {
        thread::sleep(ENDING);
        if evcxr.has_ended()? {
            return Ok(true);
        }
        if Kernel::of(evcxr.group).doing != Doing::Nothing {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Asks a fit that runs to stop, so that it ends as interrupted and not as crashed, and gives it a
/// moment.
fn let_fit_end(stop: &StopFile) {
    let began = Instant::now();
    while stop.ask().unwrap_or(false) && began.elapsed() < STEP {
        thread::sleep(Duration::from_millis(20));
    }
}

const ASKED: &str = "interrupted: the fit stops behind its step and keeps the model; a second interrupt within 5 s ends it at once, and all variables with it";
const _: () = assert!(TWICE_WITHIN.as_secs() == 5, "as the message says");

fn ended(doing: &Doing) -> &'static str {
    match doing {
        Doing::Build(_) => "interrupted while a cell was compiled: it does not run; variables live",
        Doing::Cell => {
            "interrupted: the process that held the variables is ended, and the next cell starts without them; what was recorded is in the store (`trainer.resume_last()` goes on from it)"
        }
        Doing::Idle => "interrupted while no cell ran, or before it was compiled: nothing was done",
        Doing::Nothing => "interrupted while evcxr was starting: nothing was done",
    }
}

/// evcxr and its guard. However this goes out of scope, evcxr is ended.
pub(crate) struct Running {
    evcxr: Child,
    group: Pid,
    guard: Option<Child>,
    /// Whether the guard has a folder to remove.
    sweeps: bool,
    status: Option<ExitStatus>,
}

impl Running {
    /// Starts it in a process group of its own. When this process is gone, so is the folder.
    pub(crate) fn start(command: &mut Command, folder: Option<&Path>) -> io::Result<Self> {
        let evcxr = command.process_group(0).spawn()?;
        let (group, sweeps) = (Pid::from_child(&evcxr), folder.is_some());
        let mut running = Self { group, evcxr, guard: None, sweeps, status: None };
        let guard = Command::new("sh")
            .args(["-c", GUARD, "guard", &running.group.as_raw_pid().to_string()])
            .arg(folder.unwrap_or(Path::new("")))
            // Held open as long as this process lives, and by nobody else.
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        running.guard = Some(guard);
        Ok(running)
    }

    /// Whether evcxr has ended. It stays a zombie until [`end`](Self::end), so that its number is
    /// nobody else's.
    pub(crate) fn has_ended(&self) -> io::Result<bool> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        Ok(waitid(WaitId::Pid(self.group), options)?.is_some())
    }

    /// Its standard error, if that is a pipe and nobody has it.
    pub(crate) fn take_errors(&mut self) -> Option<ChildStderr> {
        self.evcxr.stderr.take()
    }

    /// Ends evcxr and all of its process group, unless they have ended.
    pub(crate) fn end(&mut self) -> io::Result<ExitStatus> {
        if let Some(status) = self.status {
            return Ok(status);
        }
        if !self.has_ended()? {
            process::signal_group(self.group, Signal::TERM);
            let began = Instant::now();
            while !self.has_ended()? && began.elapsed() < PATIENCE {
                thread::sleep(Duration::from_millis(20));
            }
        }
        process::signal_group(self.group, Signal::KILL);
        let status = self.evcxr.wait()?;
        self.status = Some(status);
        if let Some(mut guard) = self.guard.take() {
            if self.sweeps {
                if let Some(mut line) = guard.stdin.as_ref() {
                    // One that is gone has nothing to be told.
                    let _ = line.write_all(b"ended\n");
                }
                // It reads as long as this process lives, which may be ended while it removes the
                // folder itself.
                mem::forget(guard);
            } else {
                let _ = guard.kill();
                let _ = guard.wait();
            }
        }
        Ok(status)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

fn code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shared_folder_is_found_in_evcxrs_own_file() {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path();
        assert_eq!(shared_folder(here), None);
        let file = here.join("evcxr.toml");
        fs::write(&file, "[evcxr]\n# tmpdir = \"not\"\nopt_level = \"2\"\n").unwrap();
        assert_eq!(shared_folder(here), None);
        fs::write(&file, "[evcxr]\ntmpdir = \".evcxr\" # kept\n").unwrap();
        assert_eq!(shared_folder(here), Some((file, here.join(".evcxr"))));
    }

    #[test]
    fn an_exit_code_is_evcxrs_own() {
        assert_eq!(code(ExitStatus::from_raw(3 << 8)), 3);
        assert_eq!(code(ExitStatus::from_raw(15)), 143);
    }
}
