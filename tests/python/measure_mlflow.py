"""What logging and querying cost in MLflow with SQLite, for `cargo xtask peers store`: prints one JSON object, times in seconds.

`store/examples/measure_peer.rs` does the same in trainbook. MLflow's client works on the database file itself, without a
server between them. The runs that are queried go into its tables directly, because making 10,000 through the client
takes most of an hour; what the query finds is compared with what trainbook's finds.
"""

import json
import os
import sqlite3
import sys
import tempfile
import time
import uuid
from pathlib import Path
from statistics import median

os.environ |= {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}

from mlflow import MlflowClient
from mlflow.entities import Metric

POINTS, ONE_BY_ONE, BATCH, REPEATS = 10_000, 2_000, 1_000, 9
FILTER = "metrics.val_loss < 0.5 and params.optimizer = 'adamw'"
ORDER = ["metrics.val_accuracy DESC", "tags.number ASC"]


def loss(step):
    return 1 / (step + 1) + ((step * 7919) % 1000) * 1e-5


def timed(work):
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def logging(folder, measured):
    path = folder / "logging.db"
    client = MlflowClient(f"sqlite:///{path}")
    experiment = client.create_experiment("logging", artifact_location=str(folder))

    run = client.create_run(experiment).info.run_id
    now = int(time.time() * 1000)
    times = [timed(lambda: client.log_metric(run, "loss", loss(step), now, step)) for step in range(ONE_BY_ONE)]
    measured["each_on_disk"] = median(times)

    times, sizes = [], []
    for _ in range(3):
        run = client.create_run(experiment).info.run_id
        before = path.stat().st_size
        for first in range(0, POINTS, BATCH):
            points = [Metric("loss", loss(step), now, step) for step in range(first, first + BATCH)]
            times.append(timed(lambda: client.log_batch(run, metrics=points)) / BATCH)
        sizes.append((path.stat().st_size - before) / POINTS)
    # It takes no more than 1,000 points at once, so that a stream of them is batches too.
    measured["batch_on_disk"] = measured["stream_on_disk"] = median(times)
    measured["bytes_a_point"] = median(sizes)


def scores(number):
    return (number * 37) % 101 / 100, (number * 53) % 997 / 997


def make_runs(path, size, folder):
    """Makes one run through the client, and the others as copies of its rows with their own values."""
    client = MlflowClient(f"sqlite:///{path}")
    experiment = client.create_experiment("queries", artifact_location=str(folder))
    first = client.create_run(experiment, run_name="run")
    first_id = first.info.run_id
    db = sqlite3.connect(path)
    columns = [row[1] for row in db.execute("PRAGMA table_info(runs)")]
    template = dict(zip(columns, db.execute("SELECT * FROM runs WHERE run_uuid = ?", [first_id]).fetchone()))
    rows = {"runs": [], "params": [], "tags": [], "metrics": [], "latest_metrics": []}
    for number in range(size):
        run = first_id if number == 0 else uuid.uuid4().hex
        if number:
            rows["runs"].append(tuple((template | {"run_uuid": run, "start_time": template["start_time"] + number}).values()))
        optimizer = "adamw" if number % 3 == 0 else "sgd"
        rows["params"] += [("lr", str(1e-4 * (number + 1)), run), ("optimizer", optimizer, run)]
        rows["tags"].append(("number", f"{number:06}", run))
        for name, value in zip(("val_loss", "val_accuracy"), scores(number)):
            rows["metrics"].append((name, value, 0, run, 1, 0))
            rows["latest_metrics"].append((name, value, 0, 1, 0, run))
    named = {
        "params": "key, value, run_uuid",
        "tags": "key, value, run_uuid",
        "metrics": "key, value, timestamp, run_uuid, step, is_nan",
        "latest_metrics": "key, value, timestamp, step, is_nan, run_uuid",
    }
    with db:
        for table, values in rows.items():
            names = named.get(table, ", ".join(columns))
            marks = ", ".join("?" * len(names.split(",")))
            db.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", values)
    db.execute("ANALYZE")
    db.close()
    return experiment


def queries(folder, size, measured):
    path = folder / f"queries-{size}.db"
    experiment = make_runs(path, size, folder)
    cold, warm = [], []
    for repeat in range(REPEATS):
        # MLflow keeps what it opened under its address; another spelling of the path is opened anew.
        address = f"sqlite:///{folder}{'/.' * (repeat + 1)}/{path.name}"
        begin = time.perf_counter()
        client = MlflowClient(address)
        search = lambda: client.search_runs([experiment], FILTER, max_results=10, order_by=ORDER)
        search()
        cold.append(time.perf_counter() - begin)
        warm.append(timed(search))
    measured[f"query_{size}_cold"], measured[f"query_{size}_warm"] = median(cold), median(warm)
    return [run.data.tags["number"] for run in search()]


def main():
    measured = {}
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        logging(folder, measured)
        measured["found"] = [queries(folder, int(size), measured) for size in sys.argv[1].split(",")]
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
