"""Checks `trainbook doctor` on a real installation: the evcxr, the library and the ONNX Runtime that notebooks use.

What is installed is copied (by hard links), so that nothing of it changes. As it is, nothing is broken; then eleven faults are
planted, one after the other: each is named, with its fix, and nothing else is. Where the fix is a command that takes seconds, it
is run as it is written, and mends what was broken. Exit code 0 when all is as it should be, 1 otherwise.
"""

import argparse
import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

from check_kernel import DATA, TRAINER, USE, Session, Table
from run_notebook import ROOT

# Answers as the real rustup does, but for one question.
RUSTUP = """#!/bin/sh
case "$*" in
*"{question}"*) {answer} ;;
*) exec {rustup} "$@" ;;
esac
"""


class Machine:
    """A copy of what is installed, and a run store with one run."""

    def __init__(self, args, scratch):
        self.args = args
        self.cache = scratch / "cache"
        self.jupyter = scratch / "jupyter"
        self.work = scratch / "work"
        self.bin = scratch / "bin"
        self.work.mkdir()
        self.bin.mkdir()
        installed = args.launcher.parent
        (self.cache / "trainbook").mkdir(parents=True)
        subprocess.run(["cp", "-al", installed / "seeds", self.cache / "trainbook" / "seeds"], check=True)
        shutil.copytree(args.data / "kernels", self.jupyter / "kernels")
        self.spec = self.jupyter / "kernels" / args.kernel / "kernel.json"
        self.environment = {
            **os.environ,
            "XDG_CACHE_HOME": str(self.cache),
            "JUPYTER_DATA_DIR": str(self.jupyter),
            "JUPYTER_PATH": str(self.jupyter),
            # The first python3 is the one with Jupyter.
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }
        self.store = self.work / "runs"

    def run(self, *arguments, **environment):
        environment = {**self.environment, **environment}
        return subprocess.run([self.args.trainbook, *arguments], cwd=self.work, env=environment, capture_output=True, text=True)

    def doctor(self, **environment):
        """The findings that are not as they should be, and whether the exit code says that something is broken."""
        done = self.run("doctor", "--json", "--store", str(self.store), **environment)
        if done.returncode not in (0, 1):
            raise SystemExit(f"failed to ask the doctor: {done.stdout}{done.stderr}")
        findings = json.loads(done.stdout)["findings"]
        return [finding for finding in findings if finding["level"] != "ok"], done.returncode == 1

    def session(self):
        """A kernel of this machine."""
        os.environ.update({name: self.environment[name] for name in ("XDG_CACHE_HOME", "JUPYTER_DATA_DIR", "JUPYTER_PATH")})
        return Session(self.args, self.work)


def rest(findings):
    """Without what belongs to the machine and is none of the kernel's."""
    return [finding for finding in findings if not (finding["check"] in ("Python", "GPU") and finding["level"] == "note")]


def planted(machine, table, what, check, found, fix, level="broken", **environment):
    """One fault: what the doctor says of it."""
    findings, broken = machine.doctor(**environment)
    findings = rest(findings)
    if len(findings) != 1:
        table.check(f"{what}: one finding", False, findings)
        return
    [finding] = findings
    right = finding["check"] == check and finding["level"] == level and found in finding["found"] and fix in (finding["fix"] or "")
    table.check(f"{what}: {finding['found']}; {finding['fix']}", right and broken == (level == "broken"), finding)


def healthy(machine, table, when):
    findings, broken = machine.doctor()
    table.check(f"{when}: nothing is broken", not broken and not rest(findings), findings)


@contextmanager
def changed(path, text):
    """A file that has another text for a while, or is gone."""
    before = path.read_bytes()
    path.unlink()
    if text is not None:
        path.write_text(text)
    yield
    path.write_bytes(before)


@contextmanager
def answering(machine, question, answer):
    """A rustup that answers this question by what a shell does."""
    program = machine.bin / "rustup"
    program.write_text(RUSTUP.format(question=question, answer=answer, rustup=shutil.which("rustup")))
    program.chmod(0o755)
    yield {"PATH": f"{machine.bin}{os.pathsep}{machine.environment['PATH']}"}
    program.unlink()


def faults(machine, table):
    install = "trainbook kernel install"
    spec = json.loads(machine.spec.read_text())
    with changed(machine.spec, None):
        # It is what names evcxr, too.
        planted(machine, table, "no kernel spec", "kernel spec", "does not know", install, **spec["env"])
    other = {**spec, "argv": [str(machine.bin / "trainbook"), *spec["argv"][1:]]}
    with changed(machine.spec, json.dumps(other)):
        planted(machine, table, "a program that is gone", "kernel spec", "which is not there", install)
    other = {**spec, "env": {name: str(machine.bin / "evcxr_jupyter") for name in spec["env"]}}
    with changed(machine.spec, json.dumps(other)):
        planted(machine, table, "an evcxr that is gone", "evcxr", "it is not there", install)
    with answering(machine, "--print sysroot", f"echo {machine.bin}") as environment:
        wanted = "rustup component add rust-src --toolchain"
        planted(machine, table, "no sources of Rust", "toolchain", "lacks the sources", wanted, **environment)
    with answering(machine, "--version --verbose", "echo rustc 1.0.0") as environment:
        planted(machine, table, "another compiler", "toolchain", "is another compiler", install, **environment)
    library = next(path for path in sorted(machine.cache.glob("trainbook/seeds/*/work/target/**/*.rlib")))
    kept = machine.bin / "library"
    library.rename(kept)
    planted(machine, table, "a library that lacks a file", "library", "is damaged", f"{install} --force")
    kept.rename(library)
    missing = str(machine.bin / "libonnxruntime.so")
    planted(machine, table, "no ONNX Runtime", "ONNX Runtime", missing, "trainbook ort install", ORT_DYLIB_PATH=missing)

    [journal] = machine.store.glob("runs/*.*")
    whole = journal.read_bytes()
    middle = len(whole) // 2
    journal.write_bytes(whole[:middle] + bytes([whole[middle] ^ 0xFF]) + whole[middle + 1 :])
    planted(machine, table, "a damaged run", "run store", "damaged runs", "trainbook runs delete")
    journal.write_bytes(whole)
    with changed(machine.store / "format", "99"):
        planted(machine, table, "a newer store", "run store", "it has format 99", "install the newer trainbook")
    with (machine.store / "index.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        planted(machine, table, "an index that is held", "run store", "the index cannot be used", "wait for the process", level="note")
    healthy(machine, table, "the store as it was")

    with machine.session() as kernel:
        kernel.run(USE).good()
        kernel.kill()
    # evcxr notices by itself that nobody is there any more.
    planted(machine, table, "a killed kernel", "kernels", "folders of 1 killed ones", "the next kernel", level="note")
    with machine.session() as kernel:
        table.check("the next kernel runs", kernel.value("1 + 1") == "2")
    healthy(machine, table, "behind the next kernel")

    # What most faults of the spec are mended by, as it is written.
    machine.spec.unlink()
    evcxr = next(iter(spec["env"].values()))
    done = machine.run("kernel", "install", "--sources", str(ROOT), "--evcxr", evcxr)
    table.check("trainbook kernel install", done.returncode == 0, done.stdout + done.stderr)
    healthy(machine, table, "installed again")
    with machine.session() as kernel:
        table.check("the kernel that was installed again runs", kernel.value("1 + 1") == "2")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trainbook", type=Path, required=True, help="the program")
    parser.add_argument("--kernel", default="trainbook", help="kernel to check (default: %(default)s)")
    parser.add_argument("--launcher", type=Path, required=True, help="folder in which kernels have theirs")
    parser.add_argument("--data", type=Path, required=True, help="Jupyter's folder of data, which has the kernel's spec")
    parser.add_argument("--timeout", type=int, default=300, help="seconds a cell may take (default: %(default)s)")
    args = parser.parse_args()
    table = Table()
    # On the disk of what is installed, which is linked to.
    with tempfile.TemporaryDirectory(prefix="doctor-check-", dir=args.launcher.parent.parent.parent) as scratch:
        machine = Machine(args, Path(scratch))
        with machine.session() as kernel:
            kernel.run(USE).good()
            kernel.run(DATA).good()
            kernel.run(TRAINER.replace("SEED", "1")).good()
            kernel.run("let run = trainer.fit(Epochs(2))?;").good()
        healthy(machine, table, "as it is installed")
        faults(machine, table)
    print(f"\n{table.failed} wrong" if table.failed else "\nall is as it should be")
    sys.exit(1 if table.failed else 0)


if __name__ == "__main__":
    main()
