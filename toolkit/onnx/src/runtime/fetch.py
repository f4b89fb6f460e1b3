"""Has pip fetch ONNX Runtime's wheel and takes the shared library out of it.

usage: fetch.py VERSION PLATFORM LIBRARY SHA256 FILE

FILE is written only if its SHA-256 is the one given. Whatever goes wrong is one line on standard error, with exit code 1.
"""

import hashlib
import importlib.util
import pathlib
import subprocess
import sys
import tempfile
import zipfile

DOWNLOAD = ["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input", "--retries", "2"]
# The library is the same in the wheels for all Python versions.
WHEEL = ["--no-deps", "--only-binary=:all:", "--implementation", "cp", "--python-version", "3.12", "--abi", "cp312"]


def main(version, platform, library, sha256, file):
    if importlib.util.find_spec("pip") is None:
        sys.exit("python3 has no pip; on Debian and Ubuntu: apt install python3-pip")
    with tempfile.TemporaryDirectory(dir=pathlib.Path(file).parent) as folder:
        pip = [sys.executable, *DOWNLOAD, *WHEEL, "--platform", platform, f"onnxruntime=={version}", "--dest", folder]
        done = subprocess.run(pip, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")
        if done.returncode != 0:
            sys.exit(f"pip fetched no onnxruntime {version} for {platform}: {reason(done.stdout + done.stderr)}")
        wheel, *_ = pathlib.Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            content = archive.read(f"onnxruntime/capi/{library}")
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        sys.exit(f"the library in the wheel is not the known one: its SHA-256 is {found}, but should be {sha256}")
    pathlib.Path(file).write_bytes(content)


def reason(told):
    """The line of pip's that says most."""
    if "connection broken by" in told:
        return "the package index cannot be reached; is there a network?"
    lines = [line.strip() for line in told.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    return next(iter(errors or lines[-1:]), "it does not say why")


try:
    main(*sys.argv[1:])
except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
    sys.exit(f"onnxruntime's wheel cannot be used: {' '.join(str(error).split())}")
