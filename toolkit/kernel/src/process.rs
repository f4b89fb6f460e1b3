//! The processes below evcxr.

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// The environment variable that evcxr gives to the process that has the cells' variables.
const RUNTIME: &str = "EVCXR_IS_RUNTIME";

/// What became of an attempt to end what runs in a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// A cell was being compiled, and no longer is. Variables live.
    Build,
    /// The process with the variables was killed; evcxr starts another.
    Runtime,
    /// No cell runs, so nothing was done.
    Idle,
    /// There is no such process yet, or none any more.
    Nothing,
}

/// Ends what the evcxr of this process id does, so that it stays alive: a build, or else the process
/// with the variables, as evcxr does when Jupyter asks it to.
pub fn end_cell(evcxr: Pid) -> Ended {
    let table = table();
    let (runtime, builds): (Vec<_>, Vec<_>) =
        children(&table, evcxr.as_raw_pid()).partition(|pid| is_runtime(*pid));
    if !builds.is_empty() {
        for pid in builds.into_iter().flat_map(|pid| with_descendants(&table, pid)) {
            signal(pid, Signal::INT);
        }
        return Ended::Build;
    }
    match runtime.first() {
        None => Ended::Nothing,
        Some(pid) if waits_for_a_cell(*pid) => Ended::Idle,
        Some(pid) => {
            signal(*pid, Signal::KILL);
            Ended::Runtime
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

/// All processes and their parents.
#[cfg(target_os = "linux")]
fn table() -> Vec<(i32, i32)> {
    let Ok(processes) = std::fs::read_dir("/proc") else { return Vec::new() };
    let parent = |pid: i32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name before the state is in parentheses and may hold any character.
        let (_, rest) = stat.rsplit_once(") ")?;
        Some((pid, rest.split(' ').nth(1)?.parse().ok()?))
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
        command.args(["-c", script]).stdin(Stdio::piped());
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
        // Its own thread's children only would not do: the table is of processes.
        assert_eq!(end_cell(own()), Ended::Nothing);

        let mut idle = child("read line", true);
        let mut build = child("sleep 60", false);
        sleep(Duration::from_millis(300));
        assert_eq!(end_cell(own()), Ended::Build);
        assert!(!build.wait().unwrap().success());
        if cfg!(any(target_arch = "x86_64", target_arch = "aarch64")) {
            assert_eq!(end_cell(own()), Ended::Idle);
        }
        assert!(idle.try_wait().unwrap().is_none());
        drop(idle.stdin.take());
        idle.wait().unwrap();

        let mut busy = child("while :; do :; done", true);
        sleep(Duration::from_millis(300));
        assert_eq!(end_cell(own()), Ended::Runtime);
        assert!(!busy.wait().unwrap().success());
    }
}
