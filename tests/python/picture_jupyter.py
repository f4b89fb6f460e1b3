"""Takes the book's pictures of JupyterLab: notebooks are run in the kernel "Rust (trainbook)", one fit of them interrupted, and
what JupyterLab shows of them is photographed by a Chromium without a screen; one is converted to HTML and photographed with
scripts off. What a picture is to show is looked for in the page before it is taken: exit code 1 if something is not there.
"""

import argparse
import base64
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import nbformat
import websocket
from check_kernel import Session
from nbformat.v4 import new_code_cell, new_notebook
from run_notebook import ROOT

USE = "use trainbook_notebook::prelude::*;"
DATA = """let store = Store::open("runs")?;
let digits = Dataset::csv("data/digits.csv.gz")?
    .target(Column::last())?
    .normalize(Normalize::divide_by(16.0))?
    .split(Split::stratified(0.8, 0.1, 0.1), Seed(1))?;"""
TRAINER = """let net = Sequential::new().linear(128).relu().linear(64).relu().linear(10);
let mut trainer = Trainer::classifier(&digits, net)
    .seed(1)
    .with(LrSchedule::one_cycle(1e-2))
    .store(&store)
    .build()?;"""
SLOW = f"""{DATA}
let net = Sequential::new().linear(2048).relu().linear(1024).relu().linear(10);
let mut trainer = Trainer::classifier(&digits, net)
    .seed(1)
    .learning_rate(1e-3)
    .store(&store)
    .build()?;"""
# Interactive where plotly.js can be had, else a picture.
CHARTS = ".jp-OutputArea-output .js-plotly-plot, .jp-OutputArea-output img[src^='data:image/svg']"
CHART = f'document.querySelectorAll("{CHARTS}").length'
# Of each notebook its cells, the seconds behind which one is interrupted, what the page must have, to which cell it is scrolled, and
# how high the picture is.
NOTEBOOKS = {
    "jupyterlab-first-run": (
        [(USE, None), (DATA, None), ("digits.check()", None), (TRAINER, None), ("trainer.summary()", None)],
        "document.body.innerText.includes('verdict')",
        1,
        980,
    ),
    "jupyterlab-learning-rate": (
        [(USE, None), (f"{DATA}\n{TRAINER}", None), ("trainer.find_lr()?", None), ("trainer.preview_schedule(Epochs(20))", None)],
        f"{CHART} >= 1",
        2,
        1060,
    ),
    "jupyterlab-run": (
        [
            (USE, None),
            (f"{DATA}\n{TRAINER}", None),
            ("let run = trainer.fit(Epochs(20))?;", None),
            ("run", None),
            ('store.query("metrics.val_accuracy > 0.9")?', None),
        ],
        f"{CHART} >= 1 && document.body.innerText.includes('ended after 20 epochs')",
        2,
        1320,
    ),
    "jupyterlab-interrupted": (
        [(USE, None), (SLOW, None), ("let run = trainer.fit(Epochs(1000))?;", 12), ("run.evaluate(Part::Test)?", None)],
        "document.querySelectorAll('.jp-OutputArea-output').length >= 2",
        0,
        860,
    ),
}
WIDTH = 1000
# Shown once more as HTML, with scripts off.
WITHOUT_SCRIPTS = "jupyterlab-run"


def execute(args, path, steps):
    """Runs the cells, and interrupts the one that has seconds beside it."""
    cells = []
    with Session(args, path.parent) as kernel:
        for number, (source, seconds) in enumerate(steps, start=1):
            kernel.begin(source)
            if seconds:
                time.sleep(seconds)
                kernel.interrupt()
            if kernel.end().error:
                sys.exit(f"failed to run {source!r}: {kernel.outputs.list}")
            cell = new_code_cell(source, execution_count=number, outputs=kernel.outputs.list)
            for out in cell.outputs:
                if out.output_type == "execute_result":
                    out.execution_count = number
            cells.append(cell)
    kernelspec = {"name": args.kernel, "display_name": "Rust (trainbook)", "language": "rust"}
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": kernelspec}), path)


class Browser:
    """A Chromium without a screen, told what to do over its debugging protocol."""

    def __init__(self, program, folder, width, height):
        self.process = subprocess.Popen(
            [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0", "--hide-scrollbars",
             "--remote-allow-origins=*", f"--user-data-dir={folder}", f"--window-size={width},{height}", "about:blank"],
            stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        port = next(found[1] for line in self.process.stderr if (found := re.search(r"ws://[^:]+:(\d+)/", line)))
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json") as pages:
            page = next(page for page in json.load(pages) if page["type"] == "page")
        self.socket = websocket.create_connection(page["webSocketDebuggerUrl"], timeout=120)
        self.number = 0
        self.size(width, height)

    def size(self, width, height):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def call(self, method, **parameters):
        self.number += 1
        self.socket.send(json.dumps({"id": self.number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self.socket.recv())
            if answer.get("id") == self.number:
                return answer.get("result", {})

    def script(self, text):
        return self.call("Runtime.evaluate", expression=text, returnByValue=True).get("result", {}).get("value")

    def wait(self, condition, seconds=90):
        end = time.monotonic() + seconds
        while not self.script(condition):
            if time.monotonic() > end:
                sys.exit(f"JupyterLab did not come to: {condition}")
            time.sleep(0.5)

    def picture(self, path, quality=80):
        data = self.call("Page.captureScreenshot", format="webp", quality=quality)["data"]
        path.write_bytes(base64.b64decode(data))
        print(f"{path}: {path.stat().st_size // 1000} kB", flush=True)

    def close(self):
        self.socket.close()
        self.process.terminate()
        self.process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kernel", default="trainbook", help="kernel to run in (default: %(default)s)")
    parser.add_argument("--timeout", type=int, default=300, help="seconds a cell may take (default: %(default)s)")
    parser.add_argument("--to", type=Path, default=ROOT / "book/src/images", help="folder of the pictures (default: the book's)")
    parser.add_argument("--only", action="append", default=[], help="one of the pictures by its name; several times")
    args = parser.parse_args()
    program = shutil.which("chromium") or shutil.which("google-chrome") or sys.exit("there is no chromium; on Debian: apt install chromium")
    with tempfile.TemporaryDirectory(prefix="kernel-picture-") as scratch:
        folder = Path(scratch) / "notebooks"
        (folder / "data").mkdir(parents=True)
        shutil.copy(ROOT / "notebooks/data/digits.csv.gz", folder / "data")
        wanted = {name: notebook for name, notebook in NOTEBOOKS.items() if not args.only or name in args.only}
        for name, (cells, *_) in wanted.items():
            print(f"{name}: running its cells", flush=True)
            execute(args, folder / f"{name}.ipynb", cells)
        token = secrets.token_hex(16)
        settings = Path(scratch) / "settings"
        # Else it asks whether news are wanted.
        news = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
        (settings / "labconfig").mkdir(parents=True)
        (settings / "labconfig/page_config.json").write_text(json.dumps(news))
        lab = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--port=0", f"--IdentityProvider.token={token}",
             f"--LabApp.user_settings_dir={settings}", f"--LabApp.workspaces_dir={settings}", "--expose-app-in-browser", str(folder)],
            stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=os.environ | {"JUPYTER_CONFIG_DIR": str(settings)},
        )  # fmt: skip
        browser = None
        try:
            address = next(found[1] for line in lab.stderr if (found := re.search(r"(http://(?:127\.0\.0\.1|localhost):\d+/lab)", line)))
            browser = Browser(program, f"{scratch}/browser", WIDTH, 860)
            for name, (cells, there, top, height) in wanted.items():
                browser.size(WIDTH, height)
                browser.call("Page.navigate", url=f"{address}/tree/{name}.ipynb?token={token}")
                browser.wait(f"document.querySelectorAll('.jp-CodeCell').length >= {len(cells)}")
                browser.script("document.querySelector('#jp-left-stack')?.offsetWidth && window.jupyterapp.commands.execute('application:toggle-left-area')")
                browser.wait(there)
                time.sleep(3)
                browser.script(f"document.querySelectorAll('.jp-CodeCell')[{top}].scrollIntoView({{block: 'start'}})")
                time.sleep(2)
                browser.picture(args.to / f"{name}.webp")
            if WITHOUT_SCRIPTS in wanted:
                notebook = folder / f"{WITHOUT_SCRIPTS}.ipynb"
                subprocess.run([sys.executable, "-m", "nbconvert", "--to", "html", "--log-level=WARN", notebook], check=True)
                browser.size(WIDTH, 1150)
                browser.call("Emulation.setScriptExecutionDisabled", value=True)
                browser.call("Page.navigate", url=notebook.with_suffix(".html").as_uri())
                time.sleep(5)
                document = browser.call("DOM.getDocument")["root"]["nodeId"]
                find = lambda what: browser.call("DOM.querySelectorAll", nodeId=document, selector=what)["nodeIds"]
                if not find("img[src^='data:image/svg']") or find(".js-plotly-plot"):
                    sys.exit("with scripts off there is no picture of the run, or scripts have run")
                browser.picture(args.to / f"{WITHOUT_SCRIPTS}-without-scripts.webp")
        finally:
            if browser:
                browser.close()
            lab.terminate()
            lab.wait()


if __name__ == "__main__":
    main()
