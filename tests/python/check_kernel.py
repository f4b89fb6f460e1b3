"""Checks the kernel "Rust (trainbook)" as Jupyter runs it: with the real evcxr, the real library and Jupyter's own client.

What is checked is printed while it runs, and at the end a table of how long kernels and cells took. Exit code 0 when all is
as it should be, 1 otherwise.

The kernel is the one that Jupyter knows by the name `trainbook`; `--launcher` names the folder in which it keeps its kernels
(`$XDG_CACHE_HOME/trainbook/kernels`), which is looked at for what is left behind and for what was compiled again.
"""

import argparse
import os
import signal
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from run_notebook import ANSI, ROOT, Kernel, Outputs, Refused

USE = "use trainbook_notebook::prelude::*;"
DATA = f"""let store = Store::open("runs")?;
let digits = Dataset::csv("{ROOT}/notebooks/data/digits.csv.gz")?
    .target(Column::last())?
    .normalize(Normalize::divide_by(16.0))?
    .split(Split::stratified(0.8, 0.1, 0.1), Seed(1))?;"""
TRAINER = """let mut trainer = Trainer::classifier(&digits, Sequential::new().linear(64).relu().linear(10))
    .seed(SEED).learning_rate(1e-2).store(&store).build()?;"""
# A step of 0.3 s, which tells of itself.
SLOW = """let mut trainer = Trainer::classifier(&digits, Sequential::new().linear(64).relu().linear(10))
    .seed(SEED).learning_rate(1e-2).store(&store)
    .with(Checkpoint::every_steps(1).keep(1))
    .with(on_step_end(|_| { println!("step"); std::thread::sleep(std::time::Duration::from_millis(300)); Ok(Flow::Continue) }))
    .build()?;"""
NEWEST = 'format!("{:?}", store.runs()?.iter().next().map(|run| run.state.clone()))'


class Cell:
    """What came of a cell."""

    def __init__(self, seconds, outputs):
        self.seconds = seconds
        self.error = ""
        self.value = ""
        self.streams = {"stdout": "", "stderr": ""}
        for out in outputs:
            if out.output_type == "stream":
                self.streams[out.name] += ANSI.sub("", out.text)
            elif out.output_type == "error":
                self.error += ANSI.sub("", out.get("evalue") or out.get("ename") or "an error")
            else:
                self.value += str(out.get("data", {}).get("text/plain", "")).strip()

    def good(self):
        """The cell, which did not fail."""
        if self.error or self.streams["stderr"].strip():
            raise Refused(f"{self.error} {self.streams['stderr']}".strip())
        return self


class Session(Kernel):
    """A kernel whose cells can be left running."""

    def __init__(self, args, folder):
        self.began = time.monotonic()
        super().__init__(args.kernel, folder, args.timeout)

    def __enter__(self):
        super().__enter__()
        self.started = time.monotonic() - self.began
        return self

    def __exit__(self, *error):
        if self.manager.is_alive():
            super().__exit__(*error)
        else:
            self.client.stop_channels()
            self.manager.cleanup_resources()

    def begin(self, source):
        self.sent = time.monotonic()
        self.request = self.client.execute(source, allow_stdin=False, stop_on_error=False)
        self.outputs = Outputs()
        self.running = self.messages_of(self.request)

    def until(self, text):
        """Reads on until standard output has `text`."""
        for message in self.running:
            self.outputs.add(message)
            if any(text in stream["text"] for stream in self.outputs.streams.values()):
                return
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                raise Refused(f"the cell ended without {text!r}: {self.outputs.list}")

    def end(self):
        for message in self.running:
            self.outputs.add(message)
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                break
        seconds = time.monotonic() - self.sent
        for message in self.late():
            self.outputs.add(message)
        return Cell(seconds, self.outputs.list)

    def late(self):
        """What was written before the cell ended and is still on its way."""
        import queue

        while True:
            try:
                message = self.client.get_iopub_msg(timeout=0.5)
            except queue.Empty:
                return
            if message["msg_type"] == "stream":
                yield message

    def run(self, source):
        self.begin(source)
        return self.end()

    def value(self, source):
        """What a cell shows that does not fail."""
        return self.run(source).good().value

    def interrupt(self):
        self.manager.interrupt_kernel()

    def kill(self):
        """Ends the launcher as the system does that runs out of memory."""
        os.kill(self.manager.provisioner.pid, signal.SIGKILL)
        self.manager.provisioner.process.wait()


class Table:
    """What took how long."""

    def __init__(self):
        self.rows = []
        self.failed = 0

    def time(self, what, seconds):
        self.rows.append((what, seconds))
        print(f"  {seconds:7.1f} s  {what}", flush=True)

    def check(self, what, right, found=""):
        if right:
            print(f"             ok    {what}", flush=True)
            return
        self.failed += 1
        print(f"             FAIL  {what}: {found!r}", flush=True)

    def print(self):
        width = max(len(what) for what, _ in self.rows)
        print(f"\n| {'':{width}} | seconds |\n| {'-' * width} | ------: |")
        for what, seconds in self.rows:
            print(f"| {what:{width}} | {seconds:7.1f} |")


def compiled_since(args, moment):
    """The toolkit's libraries that living kernels have compiled since then."""
    found = []
    for path in args.launcher.glob("*/work/target/*/*/deps/*"):
        if path.suffix in (".rlib", ".so") and "code_" not in path.name and "ctx" not in path.name:
            if path.stat().st_mtime > moment:
                found.append(path.name)
    return found


def first_epoch(args, table, folder, name):
    """A kernel from its start to the first epoch, and the cells behind it."""
    moment = time.time()
    with Session(args, folder) as kernel:
        table.time(f"{name}: the kernel starts", kernel.started)
        waited = kernel.started
        for what, code in [
            ("use trainbook_notebook::prelude::*", USE),
            ("the first let (store, data)", DATA),
            ("a cell that builds a trainer", TRAINER.replace("SEED", "1")),
            ("fit, one epoch", "let run = trainer.fit(Epochs(1))?;"),
        ]:
            cell = kernel.run(code).good()
            table.time(f"{name}: {what}", cell.seconds)
            waited += cell.seconds
        table.time(f"{name}: from the start to the first epoch", waited)
        table.time(f"{name}: another let", kernel.run("let two = 2;").good().seconds)
        table.time(f"{name}: 1 + 1", kernel.run("1 + 1").good().seconds)
        rebuilt = kernel.run(TRAINER.replace("SEED", "2")).good()
        table.time(f"{name}: a second trainer", rebuilt.seconds)
        table.time(f"{name}: fit again, ten epochs", kernel.run("let run = trainer.fit(Epochs(10))?;").good().seconds)
        table.check(f"{name}: nothing was compiled again", not compiled_since(args, moment), compiled_since(args, moment))
        ends = time.monotonic()
    table.time(f"{name}: the kernel ends", time.monotonic() - ends)


def side_by_side(args, table, folder, count):
    """Several kernels in one folder: cells in turn, then at once."""
    name = f"{count} kernels in one folder"
    with ExitStack() as stack:
        kernels = [stack.enter_context(Session(args, folder)) for _ in range(count)]
        for number, kernel in enumerate(kernels):
            kernel.run(USE).good()
            kernel.run(f"let mine = {number};").good()
        turns = [kernel.value("mine + 100") for _ in range(2) for kernel in kernels]
        table.check(f"{name}: cells in turn", turns == [str(100 + n) for n in range(count)] * 2, turns)
        for number, kernel in enumerate(kernels):
            kernel.run(DATA).good()
            kernel.run(TRAINER.replace("SEED", str(number + 1))).good()
        began = time.monotonic()
        for kernel in kernels:
            kernel.begin("let run = trainer.fit(Epochs(2))?;")
        for kernel in kernels:
            kernel.end().good()
        table.time(f"{name}: a fit of two epochs in each at once", time.monotonic() - began)
        hashes = [kernel.value("run.weights_sha256()") for kernel in kernels]
        table.check(f"{name}: each has its own model", len(set(hashes)) == count, hashes)

        kernels[0].kill()
        with Session(args, folder) as again:
            again.run(USE).good()
            table.check(f"{name}: one killed and started again", again.value("1 + 1") == "2")
            mine = [kernel.value("mine") for kernel in kernels[1:]]
            table.check(f"{name}: the others live on", mine == [str(n) for n in range(1, count)], mine)


def interrupts(args, table, folder):
    """What an interrupt does to a fit, a loop, a compilation and to nothing."""
    with Session(args, folder) as kernel:
        kernel.run(USE).good()
        kernel.run(DATA).good()
        kernel.run(SLOW.replace("SEED", "1")).good()
        kernel.begin("let run = trainer.fit(Epochs(50))?;")
        kernel.until("step\nstep\n")
        before, began = kernel.outputs.streams["stdout"]["text"].splitlines().count("step"), time.monotonic()
        kernel.interrupt()
        cell = kernel.end()
        table.time("an interrupted fit of steps of 0.3 s ends after", time.monotonic() - began)
        after = cell.streams["stdout"].splitlines().count("step") - before
        table.check("an interrupted fit ends within two steps, and its cell well", after <= 2 and not cell.error, (after, cell.error))
        table.check("the cell says what an interrupt means", "keeps the model" in cell.streams["stderr"], cell.streams)
        reason = kernel.value("run.stopped_because().to_string()")
        table.check("the run says that it was interrupted", "interrupted" in reason, reason)
        state = kernel.value(NEWEST)
        table.check("so does the store", "Stopped" in state and "interrupted" in state, state)
        exported = kernel.run('run.export("interrupted.onnx")?; trainer.plan().to_string().len() > 0')
        table.check("trainer and run can be used, and the model exported", exported.value == "true", vars(exported))
        table.check("the exported file is there", (Path(folder) / "interrupted.onnx").exists())

        kernel.interrupt()
        time.sleep(1)
        table.check("an interrupt while no cell runs does nothing", kernel.value("trainer.plan().to_string().len() > 0") == "true")

        kernel.begin("let lost = 1;\n" + "\n".join(f"pub fn f{n}(x: &[u64]) -> Vec<String> {{ x.iter().map(|v| format!(\"{{v}} {n}\")).collect() }}" for n in range(1000)))
        while not any(b"/rustc\0--crate-name\0ctx\0" in command for command in commands(args)):
            time.sleep(0.05)
        kernel.interrupt()
        cell = kernel.end()
        table.check("an interrupt while a cell is compiled ends the compilation", bool(cell.error), vars(cell))
        table.check("and variables live", kernel.value("trainer.plan().to_string().len() > 0") == "true")

        kernel.begin("let run = trainer.fit(Epochs(50))?;")
        kernel.until("step\n")
        kernel.interrupt()
        time.sleep(0.05)
        kernel.interrupt()
        cell = kernel.end()
        table.check("two interrupts end the process at once", "SIGKILL" in cell.error, vars(cell))
        table.check("and the next cell runs", kernel.value("1 + 1") == "2")

        kernel.begin('println!("round"); loop { std::thread::sleep(std::time::Duration::from_millis(1)) }')
        kernel.until("round\n")
        kernel.interrupt()
        cell = kernel.end()
        table.check("an interrupt of a loop ends the process", "SIGKILL" in cell.error, vars(cell))
        table.check("and says that the variables are gone", "next cell starts without them" in cell.streams["stderr"], cell.streams)
        table.check("and the next cell runs again", kernel.value("1 + 1") == "2")


def background(args, table, folder):
    """A fit in a thread of its own, while other cells run."""
    start = "let training = trainer.fit_in_background(Epochs(50));"
    # In a cell of its own: one whose `?` fails loses what it was to make.
    join = 'println!("joins"); let (mut trainer, run) = training.join();'
    with Session(args, folder) as kernel:
        kernel.run(USE).good()
        kernel.run(DATA).good()
        kernel.run(SLOW.replace("SEED", "3").replace('println!("step"); ', "")).good()
        kernel.run(start).good()
        cell = kernel.run("1 + 1").good()
        table.time("a cell while a fit runs in the background", cell.seconds)
        table.check("a cell runs while a fit does", cell.value == "2", cell.value)
        status = kernel.run("training").good().value
        table.check("the handle shows where the fit is", "running" in status and "loss" in status, status)
        table.check("and draws its curves", kernel.value("training.plot().html.contains(\"<img\")") == "true")
        kernel.run("training.stop();").good()
        kernel.run(join).good()
        kernel.run("let run = run?;").good()
        reason = kernel.value("run.stopped_because().to_string()")
        table.check("it stops when it is asked, and says so", "asked by Training::stop" in reason, reason)
        kernel.run(start).good()
        kernel.begin(join)
        kernel.until("joins\n")
        kernel.interrupt()
        cell = kernel.end()
        table.check("an interrupted cell that waits ends well", not cell.error, cell.error)
        kernel.run("let run = run?;").good()
        reason = kernel.value("run.stopped_because().to_string()")
        right = "interrupted" in reason and "Training::stop" not in reason
        table.check("and stops the fit", right, reason)
        left = kernel.value("trainer.plan().to_string().len() > 0")
        table.check("and the trainer is there again", left == "true", left)


def another_dependency(args, table, folder):
    """A crate of the notebook's own, behind the prelude."""
    moment = time.time()
    with Session(args, folder) as kernel:
        kernel.run(USE).good()
        kernel.run(DATA).good()
        cell = kernel.run(':dep itoa = "1"\nitoa::Buffer::new().format(7u8).to_owned()').good()
        table.time("another :dep (itoa)", cell.seconds)
        table.check("another :dep works", cell.value == '"7"', cell.value)
        kernel.run(TRAINER.replace("SEED", "1")).good()
        table.check("and the data of earlier cells can be used", kernel.value("trainer.plan().to_string().len() > 0") == "true")
        table.check("another :dep compiles nothing again", not compiled_since(args, moment), compiled_since(args, moment))


def killed_and_resumed(args, table, folder):
    """A kernel that is killed in mid-fit, and the fit gone on with in a new one."""
    with Session(args, folder) as kernel:
        kernel.run(USE).good()
        kernel.run(DATA).good()
        kernel.run(SLOW.replace("SEED", "7")).good()
        kernel.begin("let run = trainer.fit(Steps(8))?;")
        kernel.until("step\nstep\nstep\n")
        kernel.kill()
    with Session(args, folder) as kernel:
        kernel.run(USE).good()
        kernel.run(DATA).good()
        state = kernel.value(NEWEST)
        table.check("the store says that the fit of a killed kernel crashed", "Crashed" in state, state)
        kernel.run(SLOW.replace("SEED", "7")).good()
        cell = kernel.run("let run = trainer.resume_last()?;").good()
        steps = cell.streams["stdout"].splitlines().count("step")
        table.check("resume_last() makes the steps that were missing", 1 <= steps < 8, steps)
        table.check("and finishes", "Finished" in kernel.value(NEWEST))
        # A fit that runs while the kernel is ended in order stops as by an interrupt.
        kernel.run(SLOW.replace("SEED", "8")).good()
        kernel.begin("let run = trainer.fit(Epochs(50))?;")
        kernel.until("step\n")
    with Session(args, folder) as kernel:
        kernel.run(USE).good()
        kernel.run('let store = Store::open("runs")?;').good()
        state = kernel.value(NEWEST)
        table.check("a kernel that is shut down in mid-fit leaves a run that was interrupted", "interrupted" in state, state)


def commands(args):
    """The command lines of all processes of the kernels that live."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if b"TRAINBOOK_STOP_FILE=" + os.fsencode(args.launcher) in (process / "environ").read_bytes():
                yield (process / "cmdline").read_bytes()
        except OSError:
            continue


def nothing_left(args, table):
    """No folder and no process of the kernels that were started."""
    folders = lambda: [path.name for path in args.launcher.iterdir() if path.is_dir()] if args.launcher.is_dir() else []
    end = time.monotonic() + 20
    while (left := folders()) and time.monotonic() < end:
        time.sleep(0.5)
    table.check("no kernel has left a folder", not left, left)
    living = list(commands(args))
    table.check("no kernel has left a process", not living, living)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kernel", default="trainbook", help="kernel to check (default: %(default)s)")
    parser.add_argument("--launcher", type=Path, required=True, help="folder in which kernels have theirs")
    parser.add_argument("--timeout", type=int, default=300, help="seconds a cell may take (default: %(default)s)")
    parser.add_argument("--only", action="append", default=[], help="one of the checks by its name; several times")
    args = parser.parse_args()
    table = Table()
    checks = {
        "first": lambda folder: first_epoch(args, table, folder, "first"),
        "second": lambda folder: first_epoch(args, table, folder, "second"),
        "interrupts": lambda folder: interrupts(args, table, folder),
        "background": lambda folder: background(args, table, folder),
        "dependency": lambda folder: another_dependency(args, table, folder),
        "killed": lambda folder: killed_and_resumed(args, table, folder),
        "two": lambda folder: side_by_side(args, table, folder, 2),
        "four": lambda folder: side_by_side(args, table, folder, 4),
        "left": lambda folder: nothing_left(args, table),
    }
    with tempfile.TemporaryDirectory(prefix="kernel-check-") as scratch:
        for name, check in checks.items():
            if args.only and name not in args.only:
                continue
            print(f"{name}:", flush=True)
            folder = Path(scratch) / ("first" if name == "second" else name)
            folder.mkdir(exist_ok=True)
            try:
                check(folder)
            except Refused as error:
                table.check(name, False, str(error))
    if table.rows:
        table.print()
    print(f"\n{table.failed} wrong" if table.failed else "\nall is as it should be")
    sys.exit(1 if table.failed else 0)


if __name__ == "__main__":
    main()
