//! The processes below evcxr.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

use rustix::fs::OFlags;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// The environment variable that evcxr gives to the process that has the cells' variables.
const RUNTIME: &str = "EVCXR_IS_RUNTIME";

/// What a kernel does at a moment.
#[derive(Debug, PartialEq, Eq)]
pub enum Doing {
    /// It compiles a cell, with these processes.
    Build(Vec<i32>),
    /// A cell runs.
    Cell,
    /// No cell runs.
    Idle,
    /// evcxr is starting, or starting its runtime anew.
    Nothing,
}

/// A kernel's processes at a moment.
#[derive(Debug)]
pub struct Kernel {
    /// What it does.
    pub doing: Doing,
    /// The process with the variables.
    runtime: Option<i32>,
}

impl Kernel {
    /// Looks at the evcxr of this process id.
    pub fn of(evcxr: Pid) -> Self {
        let table = table();
        let (runtime, builds): (Vec<_>, Vec<_>) =
            children(&table, evcxr.as_raw_pid()).partition(|pid| is_runtime(*pid));
        let runtime = runtime.first().copied();
        let doing = match runtime {
            _ if !builds.is_empty() => {
                let all = builds.into_iter().flat_map(|pid| with_descendants(&table, pid));
                Doing::Build(all.collect())
            }
            None => Doing::Nothing,
            Some(pid) if waits_for_a_cell(pid) => Doing::Idle,
            Some(_) => Doing::Cell,
        };
        Self { doing, runtime }
    }

    /// Writes a line to the runtime's standard error, which evcxr shows below the cell. Where that
    /// cannot be done, or not at once, it is not.
    pub fn tell(&self, text: &str) {
        let Some(pid) = self.runtime else { return };
        let file = OpenOptions::new()
            .append(true)
            // A pipe that nobody reads must not hold up this process.
            .custom_flags(OFlags::NONBLOCK.bits() as i32)
            .open(format!("/proc/{pid}/fd/2"));
        if let Ok(mut file) = file {
            let _ = file.write_all(format!("{text}\n").as_bytes());
        }
    }

    /// Ends what it does so that evcxr stays alive: the build, after which variables live, or else
    /// the process with the variables, as evcxr does when Jupyter asks it to.
    pub fn end(self) {
        match (self.doing, self.runtime) {
            (Doing::Build(processes), _) => {
                processes.into_iter().for_each(|pid| signal(pid, Signal::INT))
            }
            (Doing::Cell, Some(pid)) => signal(pid, Signal::KILL),
            (Doing::Idle | Doing::Nothing | Doing::Cell, _) => {}
        }
    }
}

/// Sends a signal to a process group. One that is gone has got it.
pub fn signal_group(leader: Pid, signal: Signal) {
    let _ = kill_process_group(leader, signal);
}

fn signal(pid: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid) {
        let _ = kill_process(pid, signal);
    }
}

fn children(table: &[(i32, i32)], parent: i32) -> impl Iterator<Item = i32> {
    table.iter().filter(move |(_, of)| *of == parent).map(|(pid, _)| *pid)
}

fn with_descendants(table: &[(i32, i32)], pid: i32) -> Vec<i32> {
    let mut all = vec![pid];
    let mut at = 0;
    while let Some(&next) = all.get(at) {
        let new: Vec<_> = children(table, next).filter(|child| !all.contains(child)).collect();
        all.extend(new);
        at += 1;
    }
    all
}

/// All processes that live, and their parents.
#[cfg(target_os = "linux")]
fn table() -> Vec<(i32, i32)> {
    let Ok(processes) = std::fs::read_dir("/proc") else { return Vec::new() };
    let parent = |pid: i32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name before the state is in parentheses and may hold any character.
        let (_, rest) = stat.rsplit_once(") ")?;
        let mut fields = rest.split(' ');
        // One that has ended does nothing any more.
        fields.next().filter(|state| *state != "Z")?;
        Some((pid, fields.next()?.parse().ok()?))
    };
    processes
        .flatten()
        .filter_map(|entry| parent(entry.file_name().to_str()?.parse().ok()?))
        .collect()
}

#[cfg(not(target_os = "linux"))]
fn table() -> Vec<(i32, i32)> {
    let lines = ps(&["-A", "-o", "pid=,ppid="]);
    lines
        .lines()
        .filter_map(|line| {
            let mut numbers = line.split_whitespace().map(str::parse);
            Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
        })
        .collect()
}

#[cfg(target_os = "linux")]
fn is_runtime(pid: i32) -> bool {
    let variables = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    variables
        .split(|byte| *byte == 0)
        .any(|variable| variable.starts_with(format!("{RUNTIME}=").as_bytes()))
}

/// With `-E`, `ps` shows the environment behind the command.
#[cfg(not(target_os = "linux"))]
fn is_runtime(pid: i32) -> bool {
    ps(&["-E", "-o", "command=", "-p", &pid.to_string()]).contains(&format!(" {RUNTIME}="))
}

#[cfg(not(target_os = "linux"))]
fn ps(arguments: &[&str]) -> String {
    let output = std::process::Command::new("ps").args(arguments).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
}

/// Whether the runtime's main thread, on which cells run, reads its standard input, on which evcxr
/// tells it what to run next. Where that cannot be told, it does not.
fn waits_for_a_cell(pid: i32) -> bool {
    let call = std::fs::read_to_string(format!("/proc/{pid}/syscall")).unwrap_or_default();
    let read = if cfg!(target_arch = "aarch64") { "63" } else { "0" };
    let mut words = call.split_whitespace();
    cfg!(any(target_arch = "x86_64", target_arch = "aarch64"))
        && words.next() == Some(read)
        && words.next() == Some("0x0")
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::process::{Child, Command, Stdio};
    use std::thread::sleep;
    use std::time::Duration;

    use super::*;

    /// A stand-in for evcxr: this process, with children of its own.
    fn own() -> Pid {
        rustix::process::getpid()
    }

    fn child(script: &str, runtime: bool) -> Child {
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdin(Stdio::piped()).stderr(Stdio::piped());
        if runtime {
            command.env(RUNTIME, "1");
        }
        command.spawn().unwrap()
    }

    #[test]
    fn descendants_are_found_without_going_round_in_circles() {
        let table = [(2, 1), (3, 2), (4, 3), (5, 1), (7, 7)];
        assert_eq!(with_descendants(&table, 2), [2, 3, 4]);
        assert_eq!(with_descendants(&table, 7), [7]);
    }

    // One test, because all are children of this process.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_build_goes_first_then_a_busy_runtime_and_an_idle_one_is_left_alone() {
        assert_eq!(Kernel::of(own()).doing, Doing::Nothing);

        let mut idle = child("read line", true);
        let mut build = child("sleep 60", false);
        sleep(Duration::from_millis(300));
        let kernel = Kernel::of(own());
        assert!(matches!(kernel.doing, Doing::Build(_)));
        kernel.end();
        assert!(!build.wait().unwrap().success());
        if cfg!(any(target_arch = "x86_64", target_arch = "aarch64")) {
            let kernel = Kernel::of(own());
            assert_eq!(kernel.doing, Doing::Idle);
            kernel.end();
        }
        assert!(idle.try_wait().unwrap().is_none());
        drop(idle.stdin.take());
        idle.wait().unwrap();

        let mut busy = child("while :; do :; done", true);
        let mut errors = BufReader::new(busy.stderr.take().unwrap());
        sleep(Duration::from_millis(300));
        let kernel = Kernel::of(own());
        assert_eq!(kernel.doing, Doing::Cell);
        kernel.tell("what it means");
        kernel.end();
        assert!(!busy.wait().unwrap().success());
        let mut told = String::new();
        errors.read_line(&mut told).unwrap();
        assert_eq!(told, "what it means\n");
    }
}
