"""Temperatures and decision thresholds by scikit-learn and SciPy, for toolkit/metrics/tests/metrics/fixtures/decisions.json.

    pip install scikit-learn==1.9.1
    python tests/python/make_decision_fixtures.py

Temperatures are those of scikit-learn's `CalibratedClassifierCV(method="temperature")`; of labels, which it does not have, those that SciPy's minimiser finds for `log_loss` of the sigmoids.
Thresholds are found by trying every one that decides something else with scikit-learn's metrics.
"""

import json
import pathlib
import warnings

import numpy as np
import scipy.optimize
import sklearn
from scipy.special import expit
from sklearn import metrics
from sklearn.calibration import _TemperatureScaling

OUT = pathlib.Path(__file__).parents[2] / "toolkit/metrics/tests/metrics/fixtures/decisions.json"
warnings.simplefilter("ignore")
rng = np.random.default_rng(3)


def temperature(rows, width, sharpness, weighed):
    """Classes that follow probabilities, and logits that are too sure, or not enough, by `sharpness`."""
    logits = rng.normal(size=(rows, width)).astype(np.float32) * 1.5
    p = np.exp(logits - logits.max(axis=1)[:, None])
    p /= p.sum(axis=1)[:, None]
    truth = np.array([rng.choice(width, p=row) for row in p])
    logits = np.round((sharpness * logits).astype(np.float64), 3)
    weights = rng.choice([0.0, 0.5, 1.0, 3.0], rows).astype(np.float32) if weighed else None
    fitted = _TemperatureScaling().fit(logits.astype(np.float32).astype(np.float64), truth, sample_weight=weights)
    case = {"width": width, "outputs": logits.ravel().tolist(), "classes": truth.tolist(), "temperature": 1 / float(fitted.beta_)}
    return case | ({"weights": weights.tolist()} if weighed else {})


def label_temperature(rows, sharpness):
    logits = rng.normal(size=rows).astype(np.float32) * 2
    truth = (rng.random(rows) < expit(logits)).astype(np.float32)
    logits = np.round((sharpness * logits).astype(np.float64), 3)
    loss = lambda log: metrics.log_loss(truth, expit(np.exp(log) * logits.astype(np.float32).astype(np.float64)))
    found = scipy.optimize.minimize_scalar(loss, bounds=(-5, 5), method="bounded", options={"xatol": 1e-12})
    return {"width": 1, "outputs": logits.tolist(), "values": truth.tolist(), "temperature": float(np.exp(-found.x))}


def score(name, truth, taken, weights, costs):
    options = {"sample_weight": weights}
    if name == "f1":
        return metrics.f1_score(truth, taken, zero_division=0, **options)
    if name == "accuracy":
        return metrics.accuracy_score(truth, taken, **options)
    if name == "balanced_accuracy":
        return metrics.balanced_accuracy_score(truth, taken, **options)
    w = np.ones(len(truth)) if weights is None else weights
    return -((costs[0] * (taken & ~truth) + costs[1] * (~taken & truth)) * w).sum() / w.sum()


def threshold(rows, share, ties, weighed, name, costs=(1.0, 1.0)):
    truth = rng.random(rows) < share
    truth[:2] = [True, False]
    p = expit(rng.normal(size=rows) + 1.5 * truth - 1.2)
    p = np.round(p, 1 if ties else 4)
    weights = rng.choice([0.5, 1.0, 3.0], rows) if weighed else None
    seen = np.unique(p)
    tried = np.concatenate([[0.0], (seen[1:] + seen[:-1]) / 2, [1.1]])
    scores = [score(name, truth, p >= value, weights, costs) for value in tried]
    case = {"probabilities": p.tolist(), "positive": truth.tolist(), "criterion": name, "best": max(scores), "at_half": score(name, truth, p >= 0.5, weights, costs)}
    return case | ({"costs": list(costs)} if name == "cost" else {}) | ({"weights": weights.tolist()} if weighed else {})


temperatures = [temperature(*case) for case in [(150, 3, 2.5, False), (100, 2, 0.4, False), (150, 6, 1.0, False), (120, 4, 3.0, True)]]
temperatures += [label_temperature(150, 2.0), label_temperature(100, 0.5)]
thresholds = []
for name in ["f1", "accuracy", "balanced_accuracy", "cost"]:
    for rows, share, ties, weighed in [(60, 0.3, False, False), (80, 0.1, True, False), (50, 0.5, False, True), (40, 0.8, True, True), (2, 0.5, False, False)]:
        thresholds.append(threshold(rows, share, ties, weighed, name, costs=(1.0, 7.0)))
OUT.write_text(json.dumps({"scikit-learn": sklearn.__version__, "temperatures": temperatures, "thresholds": thresholds}) + "\n")
