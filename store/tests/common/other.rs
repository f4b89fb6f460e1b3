//! Another process: this test program itself, in which the test `child` does what the environment
//! names.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

const STORE: &str = "TRAINBOOK_TEST_STORE";
const TASK: &str = "TRAINBOOK_TEST_TASK";

/// The task and the store of this process, if it is the other one.
pub fn task() -> Option<(String, String)> {
    Some((std::env::var(TASK).ok()?, std::env::var(STORE).ok()?))
}

/// Makes the program that is about to start the other process.
pub fn give_task(command: &mut Command, task: &str, store: &Path) {
    command.env(STORE, store).env(TASK, task);
}

/// Tells the parent something. The prefix tells these lines from those of the test harness.
pub fn say(text: &str) {
    let mut output = std::io::stdout();
    let said = write!(output, "\nchild:{text}\n").and_then(|()| output.flush());
    if said.is_err() {
        std::process::exit(1); // the parent is gone
    }
}

/// A process that was started and is killed when this is dropped.
pub struct Other {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Other {
    /// Starts this test program's `child`.
    pub fn start(task: &str, store: &Path) -> Other {
        let mut command = Command::new(std::env::current_exe().expect("the path of this program"));
        give_task(&mut command, task, store);
        let command = command
            .args(["--exact", "child", "--nocapture"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn().expect("another process");
        let output = BufReader::new(child.stdout.take().expect("its output"));
        Other { child, output }
    }

    /// The next thing that it says; `None` once it is gone and everything it said was heard.
    pub fn hear(&mut self) -> Option<String> {
        loop {
            let mut line = String::new();
            // A line without its end was cut off by the kill.
            if self.output.read_line(&mut line).expect("text") == 0 || !line.ends_with('\n') {
                return None;
            }
            if let Some(said) = line.trim_end().strip_prefix("child:") {
                return Some(said.to_owned());
            }
        }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL, and the end of the process.
    pub fn kill(&mut self) {
        self.child.kill().expect("the right to kill it");
        self.child.wait().expect("its end");
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
