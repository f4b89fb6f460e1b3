"""Runs notebooks in the Rust kernel and fails where Jupyter itself would not.

The kernel answers "ok" to a cell that panicked or whose `?` met an error: only its standard error tells. So a cell is
refused when its reply is an error, when it wrote anything to standard error (what a build prints does not arrive there),
or when it lacks an output that its metadata promises:

    "trainbook": {"expect": ["text/html", "text/plain:finished", "stdout:epoch"]}

A mime type must be there and not empty, and behind a colon stands what it must contain; `stdout:TEXT` means that standard
output contains TEXT. A cell with
`"trainbook": {"refused": TEXT}` tests this file: it must be refused for a reason that contains TEXT.

The kernel says that a cell is done before it has passed on everything that the cell wrote: both streams go through pipes and
threads of their own. So after each cell a fence is run, a cell that writes a mark to either stream, and what arrives
before the marks is the cell's. (nbclient takes "done" for the end, and on a busy machine misses what comes later.)

Exit code 0 when every cell did what it should, 1 otherwise.
"""

import argparse
import queue
import re
import sys
import time
from pathlib import Path

import nbformat
from jupyter_client import KernelManager
from jupyter_client.kernelspec import NoSuchKernel
from nbformat.v4 import output_from_msg

ROOT = Path(__file__).resolve().parents[2]
ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")

STARTUP_TIMEOUT = 180  # seconds
MARK = "-- all that the cell wrote has arrived --"
FENCE = f'println!("\\n{MARK}"); eprintln!("\\n{MARK}");'


class Refused(Exception):
    """The kernel did not finish a cell."""


class Kernel:
    """A running kernel."""

    def __init__(self, name, folder, timeout):
        self.manager = KernelManager(kernel_name=name)
        self.manager.start_kernel(cwd=str(folder))
        self.client = self.manager.blocking_client()
        self.timeout = timeout

    def __enter__(self):
        self.client.start_channels()
        try:
            self.client.wait_for_ready(timeout=STARTUP_TIMEOUT)
        except BaseException as error:
            self.__exit__()
            if isinstance(error, RuntimeError):
                raise Refused(f"the kernel did not start: {error}") from error
            raise
        return self

    def __exit__(self, *_):
        self.manager.shutdown_kernel()
        self.client.stop_channels()

    def execute(self, source):
        """Runs a cell. Returns its outputs, as a notebook holds them, and the seconds until the kernel said that it was done."""
        outputs = Outputs()
        begin = time.monotonic()
        for message in self.messages(source):
            outputs.add(message)
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                break
        seconds = time.monotonic() - begin
        for message in self.messages(FENCE):
            if message["msg_type"] == "error":
                raise Refused(f"the fence after it failed: {message['content'].get('evalue')}")
            if message["msg_type"] == "stream":
                outputs.add(message)
            if outputs.cut():
                break
        return outputs.list, seconds

    def messages(self, source):
        """Sends a cell to the kernel. Yields what the kernel says of it; and what is written, whichever cell it was for."""
        yield from self.messages_of(self.client.execute(source, allow_stdin=False, stop_on_error=False))

    def messages_of(self, request):
        """The same for a cell that was sent."""
        end = time.monotonic() + self.timeout
        while True:
            if time.monotonic() > end:
                raise Refused(f"not done within {self.timeout} s")
            try:
                message = self.client.get_iopub_msg(timeout=1)
            except queue.Empty:
                if not self.manager.is_alive():
                    raise Refused("the kernel died") from None
                continue
            if message["msg_type"] == "stream" or message["parent_header"].get("msg_id") == request:
                yield message


class Outputs:
    """A cell's outputs, while they arrive."""

    def __init__(self):
        self.list = []
        self.streams = {}

    def add(self, message):
        if message["msg_type"] == "stream":
            name = message["content"]["name"]
            if name not in self.streams:
                self.streams[name] = output_from_msg(message)
                self.list.append(self.streams[name])
            else:
                self.streams[name]["text"] += message["content"]["text"]
        elif message["msg_type"] in ("display_data", "execute_result", "error"):
            self.list.append(output_from_msg(message))

    def cut(self):
        """Takes the fence's marks away once both have arrived."""
        texts = [stream["text"].partition(f"\n{MARK}") for stream in self.streams.values()]
        if len(texts) < 2 or not all(mark for _, mark, _ in texts):
            return False
        for stream, (text, _, _) in zip(self.streams.values(), texts):
            stream["text"] = text
        self.list = [out for out in self.list if out.output_type != "stream" or out["text"]]
        return True


def text_of(cell, stream):
    """Everything the cell wrote to one stream."""
    return "".join(out["text"] for out in cell.outputs if out.output_type == "stream" and out.name == stream)


def problems(cell):
    """Why the executed cell is refused: one line each, none when it is good."""
    found = []
    for out in cell.outputs:
        if out.output_type == "error":
            found.append(f"error: {ANSI.sub('', out.get('evalue') or out.get('ename') or 'no message').strip()}")
    loud = [line for line in ANSI.sub("", text_of(cell, "stderr")).splitlines() if line.strip()]
    if loud:
        found.append("standard error: " + " | ".join(loud[:12]))
    shown = {}
    for out in cell.outputs:
        for mime, value in out.get("data", {}).items():
            shown[mime] = shown.get(mime, "") + ("".join(value) if isinstance(value, list) else str(value))
    for wanted in cell.metadata.get("trainbook", {}).get("expect", []):
        if wanted.startswith("stdout:"):
            if wanted[len("stdout:") :] not in text_of(cell, "stdout"):
                found.append(f"missing output: standard output does not contain {wanted[len('stdout:') :]!r}")
            continue
        mime, _, text = wanted.partition(":")
        if not shown.get(mime, "").strip():
            found.append(f"missing output: no {mime}; shown: {sorted(shown) or 'nothing'}")
        elif text not in shown[mime]:
            found.append(f"missing output: {mime} does not contain {text!r}: {shown[mime][:200]!r}")
    return found


def verdict(cell, found):
    """Compares the problems found with what the cell's metadata says of them. Returns a problem, or None."""
    refused = cell.metadata.get("trainbook", {}).get("refused")
    if refused is None:
        return "; ".join(found) or None
    if not any(refused in problem for problem in found):
        return f"should have been refused for {refused!r}, but: {'; '.join(found) or 'it was accepted'}"
    return None


def run(path, args):
    """Runs one notebook. True when it is good."""
    notebook = nbformat.read(path, as_version=4)
    begin = time.monotonic()
    with Kernel(args.kernel, path.parent, args.timeout) as kernel:
        print(f"{path.name}: kernel started in {time.monotonic() - begin:.1f} s", flush=True)
        code = [(index, cell) for index, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
        for number, (index, cell) in enumerate(code, start=1):
            start = time.monotonic()
            try:
                cell.outputs, seconds = kernel.execute(cell.source)
                cell.execution_count = number  # the kernel's own count includes the fences
                for out in cell.outputs:
                    if out.output_type == "execute_result":
                        out.execution_count = number
                found = problems(cell)
            except Refused as error:
                found, seconds = [str(error)], time.monotonic() - start
            problem = verdict(cell, found)
            first = next((line for line in cell.source.splitlines() if line.strip()), "")
            print(f"  cell {index + 1:>2}  {seconds:7.1f} s  {'FAIL' if problem else 'ok  '}  {first[:70]}", flush=True)
            if problem:
                print(f"           {problem}", flush=True)
                return False  # later cells would fail for want of this one
    if args.save:
        save(notebook, path)
    return True


def save(notebook, path):
    """Writes the executed notebook, without the place where this repository happens to be."""
    text = nbformat.writes(notebook).replace(f"{ROOT}/", "")
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text + "\n", encoding="utf-8")
    partial.replace(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="+", type=Path, metavar="NOTEBOOK.ipynb")
    parser.add_argument("--kernel", default="trainbook", help="kernel to run in (default: %(default)s)")
    parser.add_argument("--timeout", type=int, default=900, help="seconds a cell may take (default: %(default)s)")
    parser.add_argument("--save", action="store_true", help="write what the cells showed into the files")
    args = parser.parse_args()
    good = True
    for path in args.notebooks:
        try:
            good &= run(path.resolve(), args)
        except Refused as error:
            sys.exit(f"failed to run {path}: {error}")
        except NoSuchKernel:
            sys.exit(f"no Jupyter kernel named {args.kernel!r}: `cargo xtask setup` installs it")
        except (OSError, nbformat.validator.NotebookValidationError, nbformat.reader.NotJSONError) as error:
            sys.exit(f"failed to run {path}: {error}")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
