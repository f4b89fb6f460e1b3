//! The launcher with a stand-in for evcxr: a shell script that writes down what it is told and what
//! happens to it, and has a child with evcxr's mark of the process that holds the variables.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should say where")]
#![cfg(target_os = "linux")]

use std::env;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use trainbook_kernel::Folders;
use trainbook_kernel::launch::{Launch, run};

/// Set for the process that plays `trainbook kernel run`.
const PLAY: &str = "TRAINBOOK_TEST_LAUNCH";

/// How long something may take that should happen at once, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// `$RUNTIME` is what the runtime does; evcxr starts it anew when it dies.
const STAND_IN: &str = r#"#!/bin/sh
trap 'echo TERM >> "$RECORD"; exit 0' TERM
trap 'echo INT >> "$RECORD"' INT
echo "args $*" >> "$RECORD"
echo "cwd $PWD" >> "$RECORD"
env | grep -E '^(EVCXR_|TRAINBOOK_STOP_FILE|CARGO_PROFILE_DEV)' >> "$RECORD"
[ -d "$EVCXR_TMPDIR" ] && cp "$EVCXR_CONFIG_DIR/evcxr.toml" "$RECORD.toml"
mkfifo "$RECORD.fifo"
exec 3<> "$RECORD.fifo"
while [ ! -e "$RECORD.exit" ]; do
    EVCXR_IS_RUNTIME=1 sh -c "$RUNTIME" <&3 3<&- 2>> "$RECORD.told" &
    runtime=$!
    echo "runtime $runtime" >> "$RECORD"
    # A trap ends a `wait`.
    while kill -0 $runtime 2>/dev/null; do wait $runtime; done
done
exit 7
"#;

const BUSY: &str = "while [ ! -e \"$RECORD.exit\" ]; do sleep 0.01; done";

/// No test of its own: the process that the others start.
#[test]
fn play() {
    let Some(root) = env::var_os(PLAY).map(PathBuf::from) else { return };
    let launch = Launch {
        connection_file: root.join("connection.json"),
        evcxr: Some(root.join("evcxr")),
        folders: Folders::new(root.join("cache"), root.join("jupyter")),
    };
    let code = match run(&launch, &mut |line| eprintln!("{line}")) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("failed to {error}");
            99
        }
    };
    std::process::exit(code.into());
}

struct Kernel {
    launcher: Child,
    record: PathBuf,
    said: Arc<Mutex<Vec<String>>>,
}

impl Kernel {
    fn start(root: &Path, name: &str, runtime: &str) -> Self {
        let kernel = Self::spawn(root, name, runtime);
        kernel.wait_for("runtime ");
        kernel
    }

    fn spawn(root: &Path, name: &str, runtime: &str) -> Self {
        let program = root.join("evcxr");
        if !program.exists() {
            fs::write(&program, STAND_IN).unwrap();
            fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let notebooks = root.join("notebooks");
        fs::create_dir_all(&notebooks).unwrap();
        let record = root.join(name);
        let mut launcher = Command::new(env::current_exe().unwrap())
            .args(["play", "--exact", "--nocapture"])
            .env(PLAY, root)
            .env("RECORD", &record)
            .env("RUNTIME", runtime)
            .env("CARGO_INCREMENTAL", "0")
            .current_dir(notebooks)
            // As Jupyter starts it: what it sends goes to this group.
            .process_group(0)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said = Arc::new(Mutex::new(Vec::new()));
        let lines = BufReader::new(launcher.stderr.take().unwrap()).lines();
        let hears = Arc::clone(&said);
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                hears.lock().unwrap().push(line);
            }
        });
        Self { launcher, record, said }
    }

    fn record(&self) -> String {
        fs::read_to_string(&self.record).unwrap_or_default()
    }

    fn value(&self, name: &str) -> String {
        let record = self.record();
        let line = record.lines().rev().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name} in {record}")).to_owned()
    }

    fn wait_for(&self, text: &str) {
        until(&format!("{text} in {:?}", self.record), || self.record().contains(text));
    }

    fn hears(&self, text: &str) {
        until(text, || self.said.lock().unwrap().iter().any(|line| line.contains(text)));
    }

    fn signal(&self, signal: &str) {
        // To the group, as Jupyter does.
        kill(signal, &format!("-{}", self.launcher.id()));
    }

    fn runtime(&self) -> u32 {
        self.value("runtime ").parse().unwrap()
    }

    /// Waits for the end; the exit code, or `None` after a signal.
    fn end(&mut self) -> Option<i32> {
        let mut status = None;
        until("the launcher's end", || {
            status = self.launcher.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap().code()
    }
}

impl Drop for Kernel {
    fn drop(&mut self) {
        let _ = self.launcher.kill();
        let _ = self.launcher.wait();
    }
}

fn kill(signal: &str, process: &str) {
    let script = "kill -s \"$1\" -- \"$2\"";
    assert!(
        Command::new("sh")
            .args(["-c", script, "kill", signal, process])
            .status()
            .unwrap()
            .success()
    );
}

fn until(what: &str, mut reached: impl FnMut() -> bool) {
    let began = Instant::now();
    while !reached() {
        assert!(began.elapsed() < PATIENCE, "waited in vain for {what}");
        sleep(Duration::from_millis(20));
    }
}

/// Whether a process is there that has not ended.
fn lives(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// All processes that have this in their environment.
fn processes_of(record: &Path) -> Vec<u32> {
    let mark = format!("RECORD={}", record.display());
    let processes = fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| {
            let variables = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            lives(*pid) && variables.split(|byte| *byte == 0).any(|one| one == mark.as_bytes())
        })
        .collect()
}

fn nothing_is_left(kernel: &Kernel, root: &Path) {
    until("the end of all processes", || processes_of(&kernel.record).is_empty());
    assert_eq!(kernels(root), ["lock"], "only the sweepers' lock stays");
}

fn kernels(root: &Path) -> Vec<String> {
    let entries = fs::read_dir(root.join("cache/kernels")).unwrap().flatten();
    let mut names: Vec<_> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn evcxr_gets_a_folder_of_its_own_and_its_exit_code_is_the_kernels() {
    let root = tempfile::tempdir().unwrap();
    let root = fs::canonicalize(root.path()).unwrap();
    let mut one = Kernel::start(&root, "one", BUSY);
    let mut two = Kernel::start(&root, "two", BUSY);
    for kernel in [&one, &two] {
        let connection = root.join("connection.json");
        assert_eq!(kernel.value("args "), format!("--control_file {}", connection.display()));
        assert_eq!(kernel.value("cwd "), root.join("notebooks").display().to_string());
        assert_eq!(kernel.value("CARGO_PROFILE_DEV_OPT_LEVEL="), "3");
        let toml = fs::read_to_string(kernel.record.with_extension("toml")).unwrap();
        assert!(toml.starts_with("[evcxr]\n"), "{toml}");
        assert!(kernel.value("TRAINBOOK_STOP_FILE=").ends_with("/stop"));
        kernel.hears("nothing is compiled ahead");
    }
    assert_ne!(one.value("EVCXR_TMPDIR="), two.value("EVCXR_TMPDIR="));

    fs::write(root.join("one.exit"), "").unwrap();
    assert_eq!(one.end(), Some(7));
    until("the end of its processes", || processes_of(&one.record).is_empty());
    assert!(!Path::new(&one.value("EVCXR_TMPDIR=")).exists());
    assert!(Path::new(&two.value("EVCXR_TMPDIR=")).exists());
    assert!(lives(two.runtime()));
    fs::write(root.join("two.exit"), "").unwrap();
    assert_eq!(two.end(), Some(7));
    nothing_is_left(&two, &root);
}

#[test]
fn signals_and_the_launchers_own_death_leave_no_orphan() {
    let root = tempfile::tempdir().unwrap();
    let root = fs::canonicalize(root.path()).unwrap();
    for signal in ["TERM", "HUP"] {
        let mut kernel = Kernel::start(&root, signal, BUSY);
        kernel.signal(signal);
        assert_eq!(kernel.end(), Some(0), "the stand-in ends by itself");
        assert_eq!(kernel.value("TER"), "M");
        nothing_is_left(&kernel, &root);
    }

    // One that does not end by itself is ended.
    let stubborn = fs::read_to_string(root.join("evcxr")).unwrap().replace("; exit 0'", "'");
    fs::write(root.join("evcxr"), stubborn).unwrap();
    let mut kernel = Kernel::start(&root, "stubborn", BUSY);
    kernel.signal("TERM");
    assert_eq!(kernel.end(), Some(128 + 9));
    nothing_is_left(&kernel, &root);

    // Jupyter's last means.
    let mut kernel = Kernel::start(&root, "killed", BUSY);
    kernel.launcher.kill().unwrap();
    assert_eq!(kernel.end(), None);
    until("the end of all processes", || processes_of(&kernel.record).is_empty());
    until("the folder's end", || kernels(&root) == ["lock"]);

    // Killed while it removes the folder, after evcxr has ended.
    let mut kernel = Kernel::start(&root, "late", BUSY);
    let folder = PathBuf::from(kernel.value("EVCXR_TMPDIR="));
    for number in 0..20_000 {
        fs::write(folder.join(number.to_string()), "").unwrap();
    }
    kernel.signal("TERM");
    until("the removal", || !folder.join("0").exists() || !folder.join("19999").exists());
    kernel.launcher.kill().unwrap();
    assert_eq!(kernel.end(), None, "it was killed in the middle");
    until("the folder's end", || kernels(&root) == ["lock"]);
}

#[test]
fn the_death_of_who_started_the_launcher_ends_the_kernel() {
    let root = tempfile::tempdir().unwrap();
    let root = fs::canonicalize(root.path()).unwrap();
    // Prepares the stand-in.
    let mut first = Kernel::start(&root, "first", BUSY);
    first.signal("TERM");
    first.end();
    let record = root.join("record");
    let mut jupyter = Command::new("sh")
        .args(["-c", "\"$0\" play --exact --nocapture >/dev/null 2>&1 & read -r line"])
        .arg(env::current_exe().unwrap())
        .env(PLAY, &root)
        .env("RECORD", &record)
        .env("RUNTIME", BUSY)
        .current_dir(&root)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let begun = || fs::read_to_string(&record).is_ok_and(|text| text.contains("runtime "));
    until("the kernel", begun);
    jupyter.kill().unwrap();
    jupyter.wait().unwrap();
    until("the end of all processes", || processes_of(&record).is_empty());
    until("the folder's end", || kernels(&root) == ["lock"]);
}

#[test]
fn an_interrupt_asks_the_fit_and_a_second_soon_after_ends_the_runtime() {
    let root = tempfile::tempdir().unwrap();
    let root = fs::canonicalize(root.path()).unwrap();
    let mut kernel = Kernel::start(&root, "kernel", BUSY);
    let runtime = kernel.runtime();
    // What the trainer does.
    let stop = kernel.value("TRAINBOOK_STOP_FILE=");
    let fit = File::create(&stop).unwrap();
    fit.lock_shared().unwrap();

    kernel.signal("INT");
    kernel.hears("the fit stops behind its step");
    assert_eq!(fs::read_to_string(&stop).unwrap(), "stop\n");
    assert!(lives(runtime));
    assert!(!kernel.record().contains("INT"), "evcxr hears nothing of it");

    kernel.signal("INT");
    kernel.hears("the process that held the variables is ended");
    until("the runtime's end", || !lives(runtime));
    // evcxr lives and starts another.
    until("another runtime", || kernel.runtime() != runtime);
    // One that is ended in mid-fit asks too, before it ends evcxr.
    fit.set_len(0).unwrap();
    let told = fs::read_to_string(root.join("kernel.told")).unwrap();
    assert_eq!(told.lines().count(), 2, "{told}");
    assert!(told.contains("keeps the model") && told.contains("is ended"), "{told}");
    kernel.signal("TERM");
    kernel.end();
    assert!(fit.metadata().unwrap().len() > 0);
    nothing_is_left(&kernel, &root);
}

#[test]
fn without_a_fit_an_interrupt_ends_a_busy_cell_at_once_and_spares_an_idle_one() {
    let root = tempfile::tempdir().unwrap();
    let root = fs::canonicalize(root.path()).unwrap();
    let mut kernel = Kernel::start(&root, "busy", BUSY);
    let runtime = kernel.runtime();
    kernel.signal("INT");
    kernel.hears("the process that held the variables is ended");
    until("the runtime's end", || !lives(runtime));
    kernel.signal("TERM");
    kernel.end();

    if cfg!(any(target_arch = "x86_64", target_arch = "aarch64")) {
        let mut kernel = Kernel::start(&root, "idle", "read -r line");
        let runtime = kernel.runtime();
        sleep(Duration::from_millis(500));
        kernel.signal("INT");
        kernel.hears("while no cell ran");
        assert!(lives(runtime));
        kernel.signal("TERM");
        kernel.end();
        nothing_is_left(&kernel, &root);
    }
}

#[test]
fn two_kernels_in_a_folder_that_evcxrs_own_file_makes_them_share_are_refused() {
    let root = tempfile::tempdir().unwrap();
    let root = fs::canonicalize(root.path()).unwrap();
    fs::create_dir(root.join("notebooks")).unwrap();
    fs::write(root.join("notebooks/evcxr.toml"), "[evcxr]\ntmpdir = \".evcxr\"\n").unwrap();
    let mut one = Kernel::start(&root, "one", BUSY);
    one.hears("in place of the kernel's own");
    let mut two = Kernel::spawn(&root, "two", BUSY);
    assert_eq!(two.end(), Some(99));
    two.hears("delete its line `tmpdir`");
    one.signal("TERM");
    one.end();
    nothing_is_left(&one, &root);
}
