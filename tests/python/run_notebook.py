"""Runs notebooks in the Rust kernel and fails where Jupyter itself would not.

The kernel answers "ok" to a cell that panicked or whose `?` met an error: only its standard error tells. So a cell is
refused when its reply is an error, when it wrote anything to standard error (what a build prints does not arrive there),
or when it lacks an output that its metadata promises:

    "trainbook": {"expect": ["text/html", "text/plain", "stdout:epoch"]}

A mime type must be there and not empty; `stdout:TEXT` means that standard output contains TEXT. A cell with
`"trainbook": {"refused": TEXT}` tests this file: it must be refused for a reason that contains TEXT.

Exit code 0 when every cell did what it should, 1 otherwise.
"""

import argparse
import re
import sys
import time
from pathlib import Path

import nbformat
from jupyter_client.kernelspec import NoSuchKernel
from nbclient import NotebookClient
from nbclient.exceptions import CellTimeoutError, DeadKernelError

ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


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
        elif not shown.get(wanted, "").strip():
            found.append(f"missing output: no {wanted}; shown: {sorted(shown) or 'nothing'}")
    return found


def verdict(cell):
    """Compares the cell's problems with what its metadata says of them. Returns a problem, or None."""
    found = problems(cell)
    refused = cell.metadata.get("trainbook", {}).get("refused")
    if refused is None:
        return "; ".join(found) or None
    if not any(refused in problem for problem in found):
        return f"should have been refused for {refused!r}, but: {'; '.join(found) or 'it was accepted'}"
    return None


def run(path, args):
    """Runs one notebook. True when it is good."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        kernel_name=args.kernel,
        timeout=args.timeout,
        startup_timeout=180,
        allow_errors=True,  # judged below, with the other problems
        resources={"metadata": {"path": str(path.parent)}},
    )
    good = True
    begin = time.monotonic()
    with client.setup_kernel():
        print(f"{path.name}: kernel started in {time.monotonic() - begin:.1f} s", flush=True)
        for index, cell in enumerate(notebook.cells):
            if cell.cell_type != "code":
                continue
            start = time.monotonic()
            try:
                client.execute_cell(cell, index)
                problem = verdict(cell)
            except CellTimeoutError:
                problem = f"no answer within {args.timeout} s"
            except DeadKernelError:
                problem = "the kernel died"
            first = next((line for line in cell.source.splitlines() if line.strip()), "")
            seconds = time.monotonic() - start
            print(f"  cell {index + 1:>2}  {seconds:7.1f} s  {'FAIL' if problem else 'ok  '}  {first[:70]}", flush=True)
            if problem:
                print(f"           {problem}", flush=True)
                good = False
                break  # later cells would fail for want of this one
    if good and args.save:
        save(notebook, args.save)
    return good


def save(notebook, path):
    """Writes the executed notebook without what changes from run to run."""
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    partial = path.with_name(path.name + ".partial")
    nbformat.write(notebook, partial)
    partial.replace(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="+", type=Path, metavar="NOTEBOOK.ipynb")
    parser.add_argument("--kernel", default="rust", help="kernel to run in (default: %(default)s)")
    parser.add_argument("--timeout", type=int, default=900, help="seconds a cell may take (default: %(default)s)")
    parser.add_argument("--save", type=Path, metavar="OUT.ipynb", help="write the executed notebook here")
    args = parser.parse_args()
    if args.save and len(args.notebooks) > 1:
        parser.error("--save takes one notebook")
    good = True
    for path in args.notebooks:
        try:
            good &= run(path.resolve(), args)
        except NoSuchKernel:
            sys.exit(f"no Jupyter kernel named {args.kernel!r}: `cargo xtask setup` installs it")
        except (OSError, nbformat.validator.NotebookValidationError, nbformat.reader.NotJSONError) as error:
            sys.exit(f"failed to run {path}: {error}")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
