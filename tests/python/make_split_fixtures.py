"""Writes toolkit/data/tests/fixtures/splits.json: what pandas and scikit-learn say about the same rows.

Run by hand when a way to divide rows is added:

    pip install pandas==3.1.1 scikit-learn==1.9.1
    python tests/python/make_split_fixtures.py

Draws differ, so what is compared is what does not depend on them: the bins of `qcut`, the sizes of GroupKFold's folds (its
groups are not drawn), how many rows of each class StratifiedKFold puts into a fold, and TimeSeriesSplit's training rows
before a gap.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupKFold, StratifiedKFold, TimeSeriesSplit

FIXTURE = Path(__file__).parents[2] / "toolkit" / "data" / "tests" / "fixtures" / "splits.json"


def bins(rng):
    cases = []
    for kind in ["normal", "integers", "skewed"]:
        for count in [2, 3, 7, 10]:
            size = int(rng.integers(40, 90))
            values = {
                "normal": rng.normal(size=size),
                "integers": rng.integers(0, 12, size=size),
                "skewed": rng.exponential(size=size) ** 3,
            }[kind].astype(np.float32)
            codes = pd.qcut(pd.Series(values.astype(np.float64)), count, labels=False, duplicates="drop")
            cases.append({"values": values.tolist(), "bins": count, "codes": codes.tolist()})
    return cases


def grouped(rng):
    cases = []
    for k in [2, 3, 5]:
        for groups in [11, 20, 40]:
            numbers = (rng.random(size=150) ** 2 * groups).astype(int)
            folds = GroupKFold(k).split(numbers, groups=numbers)
            sizes = sorted(len(validation) for _, validation in folds)
            cases.append({"groups": numbers.tolist(), "k": k, "sizes": sizes})
    return cases


def stratified(rng):
    cases = []
    for k in [2, 3, 5, 10]:
        labels = np.concatenate([np.arange(4).repeat(k), rng.choice(4, size=137, p=[0.6, 0.25, 0.1, 0.05])])
        rng.shuffle(labels)
        folds = StratifiedKFold(k, shuffle=True, random_state=1).split(labels, labels)
        counts = [np.bincount(labels[validation], minlength=4).tolist() for _, validation in folds]
        by_class = [sorted(fold[c] for fold in counts) for c in range(4)]
        cases.append({"labels": labels.tolist(), "k": k, "by_class": by_class})
    return cases


def in_order():
    cases = []
    for rows, test, gap in [(20, 5, 0), (20, 5, 3), (100, 10, 1), (100, 30, 24)]:
        *_, (train, last) = TimeSeriesSplit(n_splits=2, test_size=test, gap=gap).split(np.zeros(rows))
        cases.append({"rows": rows, "test": test, "gap": gap, "train": train.tolist(), "last": last.tolist()})
    return cases


def main():
    rng = np.random.default_rng(7)
    cases = {"bins": bins(rng), "grouped": grouped(rng), "stratified": stratified(rng), "in_order": in_order()}
    FIXTURE.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"{json.dumps(name)}: [\n" + ",\n".join(json.dumps(case) for case in of) + "\n]" for name, of in cases.items()]
    FIXTURE.write_text("{\n" + ",\n".join(lines) + "\n}\n")


main()
