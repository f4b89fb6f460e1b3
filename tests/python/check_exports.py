"""Reads what trainbook exports with programs that are not ours: JSON and CSV with Python and pandas, Parquet with pyarrow,
event files with TensorBoard, and runs pushed to a real MLflow server with MLflow's client.

The store comes from the program `write_samples`, whose runs are written down here a second time.

Exit code 0 when everything reads back as it was logged, 1 otherwise.
"""

import argparse
import contextlib
import json
import math
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import numpy as np
import pandas
import pyarrow
import pyarrow.parquet
from mlflow import MlflowClient
from tensorboard.backend.event_processing import event_accumulator, plugin_event_accumulator
from tensorboard.plugins.hparams import plugin_data_pb2
from tensorboard.util import tensor_util

NAN, INF = math.nan, math.inf
LARGEST = sys.float_info.max

# What `write_samples` logs, in the order in which it starts its runs.
SERIES = {
    "finished": {
        "loss": [(step, NAN if step == 7 else 1 / step) for step in range(1, 2501)],
        "norm": [(1, 1e300), (2, INF), (3, -INF), (4, 0.5), (4, 0.5), (4, 0.25)],
        "accuracy (val)": [(2500, 0.1)],
    },
    "failed": {"loss": [(1, NAN)]},
    "crashed": {"loss": [(1, 2.0)]},
}
PARAMS = {
    "finished": {"lr": 1e-3, "batch_size": 32, "optimizer": "adamw", "nesterov": False},
    "failed": {"lr": 1, "batch_size": "auto"},
    "crashed": {"lr": 0.5},
}
SEEDS = {"finished": 2**64 - 1, "failed": 2, "crashed": 3}
KIND = 'größe, "1"'

SERVER_STARTS_WITHIN = 240  # seconds
COMMAND_TAKES_AT_MOST = 180  # seconds


class Bad(Exception):
    """Something reads back as other than it was logged."""


def same(what, found, expected):
    """NaN is equal to NaN here, and a float to no integer."""

    def plain(value):
        if isinstance(value, (list, tuple)):
            return [plain(item) for item in value]
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items()}
        return repr(float(value)) if isinstance(value, float) else value

    if plain(found) != plain(expected):
        raise Bad(f"{what}: {str(found)[:300]} instead of {str(expected)[:300]}")


class Trainbook:
    """The command, on one store."""

    def __init__(self, program, store):
        self.program, self.store = program, store

    def __call__(self, *args):
        command = [self.program, "runs", *args, "--store", self.store, "--json"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=COMMAND_TAKES_AT_MOST)
        if done.returncode:
            raise Bad(f"`trainbook runs {args[0]}` failed: {done.stderr.strip()}")
        return json.loads(done.stdout)

    def export(self, kind, out, *more):
        self("export", "--query", "order by id", "--format", kind, "--out", str(out), *more)
        return out


def ids(trainbook):
    return {run["name"]: run["id"] for run in trainbook("list")}


def points(runs):
    """Every point as (run, metric, step, value), in the order in which tables have them."""
    rows = []
    for name, run in runs.items():
        for metric, series in sorted(SERIES[name].items()):
            rows += [(run, metric, step, float(value)) for step, value in series]
    return rows


def check_json(trainbook, runs, folder):
    documents = json.loads(trainbook.export("json", folder / "runs.json").read_text())
    same("JSON: runs", [run["summary"]["name"] for run in documents], list(runs))
    for run in documents:
        name = run["summary"]["name"]
        series = {key: [(step, float(value)) for step, value in series] for key, series in run["series"].items()}
        same(f"JSON: points of {name}", series, SERIES[name])
        same(f"JSON: parameters of {name}", run["summary"]["params"], PARAMS[name])
        same(f"JSON: seed of {name}", run["summary"]["seed"], SEEDS[name])


def check_csv(trainbook, runs, folder):
    path = trainbook.export("csv", folder / "points.csv", "--points")
    table = pandas.read_csv(path)
    same("CSV: points", list(table.itertuples(index=False, name=None)), points(runs))
    table = pandas.read_csv(trainbook.export("csv", folder / "runs.csv")).set_index("name")
    same("CSV: ids", table["id"].to_dict(), runs)
    same("CSV: seeds", table["seed"].to_dict(), SEEDS)
    same("CSV: lr", table["params.lr"].to_dict(), {"finished": 1e-3, "failed": 1.0, "crashed": 0.5})
    same("CSV: tags", set(table["tags.kind"]), {KIND})
    same("CSV: min", table.loc["finished", "metrics.norm.min"].item(), -INF)


def check_parquet(trainbook, runs, folder):
    table = pyarrow.parquet.read_table(trainbook.export("parquet", folder / "points.parquet", "--points"))
    types = [(field.name, str(field.type), field.nullable) for field in table.schema]
    expected = [("run", "string"), ("metric", "string"), ("step", "uint64"), ("value", "double")]
    same("Parquet: columns of points", types, [(*column, False) for column in expected])
    rows = list(zip(*(table.column(name).to_pylist() for name, *_ in expected)))
    same("Parquet: points", rows, points(runs))

    table = pyarrow.parquet.read_table(trainbook.export("parquet", folder / "runs.parquet"))
    types = {field.name: str(field.type) for field in table.schema}
    for name, kind in {
        "id": "string",
        "state": "string",
        "started_at": "timestamp[us, tz=UTC]",
        "seconds": "double",
        "seed": "uint64",
        "steps": "uint64",
        "params.lr": "double",  # 0.001, 1 and 0.5
        "params.batch_size": "string",  # 32 and "auto"
        "params.nesterov": "bool",
        "tags.kind": "string",
        "metrics.loss.last": "double",
        "metrics.loss.count": "uint64",
    }.items():
        same(f"Parquet: type of {name}", types[name], kind)
    rows = {row["name"]: row for row in table.to_pylist()}
    same("Parquet: ids", {name: row["id"] for name, row in rows.items()}, runs)
    same("Parquet: seeds", {name: row["seed"] for name, row in rows.items()}, SEEDS)
    same("Parquet: states", [rows[name]["state"] for name in SERIES], ["finished", "failed", "crashed"])
    same("Parquet: lr", [rows[name]["params.lr"] for name in SERIES], [1e-3, 1.0, 0.5])
    same("Parquet: batch size", [rows[name]["params.batch_size"] for name in SERIES], ["32", "auto", None])
    same("Parquet: nesterov", [rows[name]["params.nesterov"] for name in SERIES], [False, None, None])
    same("Parquet: tags", {row["tags.kind"] for row in rows.values()}, {KIND})
    # NaN is a value, and what is not there is null.
    same("Parquet: last", [rows[name]["metrics.loss.last"] for name in SERIES], [1 / 2500, NAN, 2.0])
    same("Parquet: norm", [rows[name]["metrics.norm.max"] for name in SERIES], [INF, None, None])
    same("Parquet: counts", [rows[name]["metrics.loss.count"] for name in SERIES], [2500, 1, 1])


def check_tensorboard(trainbook, runs, folder):
    trainbook.export("tensorboard", folder / "board")
    for name, run in runs.items():
        for module in (event_accumulator, plugin_event_accumulator):
            events = module.EventAccumulator(str(folder / "board" / run), size_guidance={"tensors": 0})
            events.Reload()
            tags = {tag for tag in events.Tags()["tensors"] if not tag.startswith("_hparams_/")}
            same(f"TensorBoard: tags of {name}", tags, set(SERIES[name]))
            for tag in tags:
                plugin = events.SummaryMetadata(tag).plugin_data.plugin_name
                same(f"TensorBoard: kind of {tag}", plugin, "scalars")
                arrays = [(e.step, tensor_util.make_ndarray(e.tensor_proto)) for e in events.Tensors(tag)]
                kinds = {(array.dtype, array.shape) for _, array in arrays}
                same(f"TensorBoard: type of {tag}", kinds, {(np.dtype("float64"), ())})
                found = [(step, array.item()) for step, array in arrays]
                same(f"TensorBoard: points of {name}, {tag}", found, SERIES[name][tag])
        content = events.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
        start = plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info
        found = {key: getattr(value, value.WhichOneof("kind")) for key, value in start.hparams.items()}
        if found != PARAMS[name]:
            raise Bad(f"TensorBoard: parameters of {name}: {found} instead of {PARAMS[name]}")
        content = events.SummaryMetadata("_hparams_/session_end_info").plugin_data.content
        end = plugin_data_pb2.HParamsPluginData.FromString(content).session_end_info
        same(f"TensorBoard: status of {name}", end.status, 1 if name == "finished" else 2)


@contextlib.contextmanager
def mlflow_server(folder):
    """The address of a server that is up, on a free port of this machine; it is stopped at the end, whatever happens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--default-artifact-root", str(folder / "files")]
    log = folder / "server.log"
    with log.open("w") as output:
        server = subprocess.Popen(command, stdout=output, stderr=output, cwd=folder, start_new_session=True)
    try:
        address = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + SERVER_STARTS_WITHIN
        while True:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}/health", timeout=5):
                break
            if server.poll() is not None or time.monotonic() > deadline:
                raise Bad(f"the MLflow server did not start: {log.read_text()[-2000:]}")
            time.sleep(0.2)
        yield address
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def check_mlflow(trainbook, runs, folder):
    with mlflow_server(folder) as address:
        push = lambda: trainbook("push", "--query", "order by id", "--mlflow", address, "--experiment", "digits")
        client = MlflowClient(address)
        first = push()
        same("MLflow: first push", [run["outcome"] for run in first], ["new"] * 3)
        renamed = [note for run in first for note in run["notes"] if "accuracy (val)" in note]
        same("MLflow: told of changed names", len(renamed), 1)
        there = {run["run"]: run["mlflow_run_id"] for run in first}
        check_in_mlflow(client, runs, there)

        same("MLflow: second push", [run["outcome"] for run in push()], ["unchanged"] * 3)
        # As after a push that broke off.
        client.delete_tag(there[runs["finished"]], "trainbook.pushed")
        third = push()
        expected = {run: "updated" if name == "finished" else "unchanged" for name, run in runs.items()}
        same("MLflow: third push", {run["run"]: run["outcome"] for run in third}, expected)
        same("MLflow: the same runs", {run["run"]: run["mlflow_run_id"] for run in third}, there)
        check_in_mlflow(client, runs, there)

        refused = subprocess.run(
            [trainbook.program, "runs", "push", runs["failed"], "--store", trainbook.store, "--mlflow", f"{address}/nothing"],
            capture_output=True,
            text=True,
            timeout=COMMAND_TAKES_AT_MOST,
        )
        told = refused.stderr.strip()
        if refused.returncode != 1 or "not as MLflow does" not in told or "\n" in told:
            raise Bad(f"MLflow: a wrong path on the server: {refused}")


def check_in_mlflow(client, runs, there):
    experiment = client.get_experiment_by_name("digits").experiment_id
    same("MLflow: how many runs", len(client.search_runs([experiment])), len(runs))
    for name, run in runs.items():
        found = client.get_run(there[run])
        status = {"finished": "FINISHED", "failed": "FAILED", "crashed": "KILLED"}[name]
        same(f"MLflow: status of {name}", found.info.status, status)
        same(f"MLflow: name of {name}", found.info.run_name, name)
        same(f"MLflow: whether {name} has an end", found.info.end_time is not None, name != "crashed")
        texts = {key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in PARAMS[name].items()}
        same(f"MLflow: parameters of {name}", found.data.params, texts)
        tags = found.data.tags
        for key, value in {"kind": KIND, "trainbook.run_id": run, "trainbook.seed": str(SEEDS[name])}.items():
            same(f"MLflow: tag {key} of {name}", tags[key], value)
        same(f"MLflow: how many metrics {name} has", len(found.data.metrics), len(SERIES[name]))
        for metric, series in SERIES[name].items():
            key = next(key for key in found.data.metrics if key.startswith(metric.replace("(", "_").replace(")", "_")))
            # MLflow's database has no infinities.
            expected = [(step, math.copysign(LARGEST, value) if math.isinf(value) else value) for step, value in series]
            history = sorted(client.get_metric_history(there[run], key), key=lambda point: (point.step, point.timestamp))
            same(f"MLflow: points of {name}, {metric}", [(p.step, p.value) for p in history], expected)
            same(f"MLflow: last {metric} of {name}", found.data.metrics[key], expected[-1][1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trainbook", type=Path, help="the command, built with the feature parquet")
    parser.add_argument("write_samples", type=Path, help="the program that writes the store")
    parser.add_argument("--only", choices=["json", "csv", "parquet", "tensorboard", "mlflow"])
    args = parser.parse_args()
    # Nothing is to leave this machine, and no proxy is between us and ourselves.
    os.environ |= {"NO_PROXY": "127.0.0.1", "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
    os.environ["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"
    checks = [check_json, check_csv, check_parquet, check_tensorboard, check_mlflow]
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        store = folder / "store"
        subprocess.run([args.write_samples, store], check=True, timeout=COMMAND_TAKES_AT_MOST)
        trainbook = Trainbook(str(args.trainbook), str(store))
        found = ids(trainbook)
        same("the runs", set(found), set(SERIES))
        # In the order of all exports.
        runs = dict(sorted(found.items(), key=lambda item: item[1]))
        for check in checks:
            name = check.__name__.removeprefix("check_")
            if args.only in (None, name):
                began = time.monotonic()
                check(trainbook, runs, folder)
                print(f"{name}: reads back ({time.monotonic() - began:.1f} s)")


if __name__ == "__main__":
    try:
        main()
    except Bad as error:
        print(f"bad: {error}", file=sys.stderr)
        sys.exit(1)
