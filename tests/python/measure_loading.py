"""How long trainbook and polars take to read 1,000,000 rows of 20 numbers from a CSV file, on two threads each: prints one JSON object,
times in seconds.

The file is written once, by the benchmark of `trainbook-data`. Each reads it in a process of its own, in turn, three times; what counts is
the median. trainbook's time of a process is the middle one of criterion's estimates, that of polars the least of five readings, so that
polars has the better end of the comparison.

    python tests/python/measure_loading.py [options of cargo bench]
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

THREADS, REPEATS = 2, 3
UNITS = {"ms": 1e-3, "s": 1.0}
POLARS = """
import sys, time
import polars
times = []
for _ in range(5):
    begin = time.perf_counter()
    table = polars.read_csv(sys.argv[1])
    times.append(time.perf_counter() - begin)
    assert table.shape == (1_000_000, 20) and set(table.dtypes) == {polars.Float64}
print(min(times))
"""


def trainbook(options):
    command = ["cargo", "bench", "-q", "-p", "trainbook-data", *options, "--bench", "load", "--", "^load/csv$", "--noplot"]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    middle, unit = re.search(r"time:\s+\[\S+ \S+ (\S+) (\S+) ", out).groups()
    return float(middle) * UNITS[unit]


def polars(path):
    command = [sys.executable, "-c", POLARS, path]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main():
    os.environ["POLARS_MAX_THREADS"] = str(THREADS)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "numbers.csv")
        os.environ["TRAINBOOK_BENCH_CSV"] = path
        times = {"trainbook": [], "polars": []}
        for _ in range(REPEATS):
            times["trainbook"].append(trainbook(sys.argv[1:]))
            times["polars"].append(polars(path))
        size = os.path.getsize(path)
    ours, theirs = median(times["trainbook"]), median(times["polars"])
    print(json.dumps({"bytes": size, "times": times, "trainbook": ours, "polars": theirs, "speed_of_polars": theirs / ours}))


main()
