"""Metrics by scikit-learn, for toolkit/metrics/tests/fixtures/metrics.json.

    pip install scikit-learn==1.9.1
    python tests/python/make_metric_fixtures.py
"""

import json
import pathlib

import numpy as np
import sklearn
from sklearn import metrics

OUT = pathlib.Path(__file__).parents[2] / "toolkit/metrics/tests/fixtures/metrics.json"


def classes(rng, rows, width, missing=()):
    """Logits that are right about half of the time; classes in `missing` do not occur."""
    labels = rng.choice([c for c in range(width) if c not in missing], rows)
    logits = rng.normal(size=(rows, width)).astype(np.float32)
    logits[np.arange(rows), labels] += np.float32(1.0)
    best = logits.argmax(axis=1)
    scores = {
        "Accuracy": metrics.accuracy_score(labels, best),
        "BalancedAccuracy": metrics.recall_score(labels, best, average="macro", labels=np.unique(labels)),
        "MacroF1": metrics.f1_score(labels, best, average="macro", labels=range(width), zero_division=0),
    }
    for k in range(1, width + 1):
        score = metrics.top_k_accuracy_score(labels, logits, k=k, labels=range(width)) if k < width and width > 2 else None
        if score is not None:
            scores[f"TopKAccuracy {k}"] = score
    return {"width": width, "outputs": logits.ravel().tolist(), "classes": labels.tolist(), "scores": scores}


def values(rng, rows, width, constant=False):
    """Values around 500, the second column of another size."""
    targets = (500 + 30 * rng.normal(size=(rows, width)) * np.arange(1, width + 1)).astype(np.float32)
    if constant:
        targets[:, 0] = np.float32(7.5)
    outputs = (targets + 10 * rng.normal(size=(rows, width))).astype(np.float32)
    x, y = outputs.astype(np.float64), targets.astype(np.float64)
    scores = {
        "MeanAbsolute": metrics.mean_absolute_error(y.ravel(), x.ravel()),
        "RootMeanSquare": metrics.mean_squared_error(y.ravel(), x.ravel()) ** 0.5,
        "R2": metrics.r2_score(y, x),
    }
    return {"width": width, "outputs": outputs.ravel().tolist(), "values": targets.ravel().tolist(), "scores": scores}


def labels(rng, rows, width):
    targets = rng.integers(0, 2, size=(rows, width)).astype(np.float32)
    logits = (2 * targets - 1 + 1.5 * rng.normal(size=(rows, width))).astype(np.float32)
    score = 1 - metrics.hamming_loss(targets, (logits > 0).astype(np.float32))
    return {
        "width": width,
        "outputs": logits.ravel().tolist(),
        "values": targets.ravel().tolist(),
        "scores": {"LabelAccuracy": score},
    }


rng = np.random.default_rng(5)
cases = [
    classes(rng, 40, 2),
    classes(rng, 97, 7),
    classes(rng, 30, 6, missing=(2, 5)),
    classes(rng, 1, 3),
    values(rng, 50, 1),
    values(rng, 33, 3),
    values(rng, 20, 2, constant=True),
    labels(rng, 60, 1),
    labels(rng, 41, 5),
]
OUT.write_text(json.dumps({"scikit-learn": sklearn.__version__, "cases": cases}) + "\n")
