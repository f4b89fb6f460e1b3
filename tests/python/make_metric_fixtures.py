"""Metrics by scikit-learn, for toolkit/metrics/tests/metrics/fixtures/scikit_learn.json.

    pip install scikit-learn==1.9.1
    python tests/python/make_metric_fixtures.py

A case is logits and targets, with weights or without, and what each metric comes to; null stands for NaN. What scikit-learn refuses is NaN.
"""

import json
import math
import pathlib
import warnings

import numpy as np
import scipy.stats
import sklearn
from sklearn import metrics

OUT = pathlib.Path(__file__).parents[2] / "toolkit/metrics/tests/metrics/fixtures/scikit_learn.json"
AVERAGES = ["macro", "micro", "weighted"]
warnings.simplefilter("ignore")


def key(metric, **options):
    return json.dumps({"metric": metric, **options})


def log_softmax(logits):
    """Logarithms that lose nothing beside 1: those of the largest are -log1p of the others' sum."""
    x = logits.astype(np.float64)
    best = x.argmax(axis=1)
    rows = np.arange(len(x))
    shifted = x - x[rows, best][:, None]
    others = np.sort(np.exp(np.where(np.arange(x.shape[1]) == best[:, None], -np.inf, shifted)), axis=1)
    return shifted - np.log1p(others.sum(axis=1))[:, None]


def calibration_error(probabilities, labels, weights, bins=15):
    """Guo et al. 2017, equation 3."""
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    weights = np.ones(len(labels)) if weights is None else weights
    error, low = 0.0, 0.0
    for i in range(bins):
        high = (i + 1) / bins
        inside = (confidence > low) & (confidence <= high)
        share = weights[inside].sum()
        if share > 0:
            gap = abs(np.average(right[inside], weights=weights[inside]) - np.average(confidence[inside], weights=weights[inside]))
            error += share / weights.sum() * gap
        low = high
    return error


def one_vs_rest(score, logs, labels, width, weights, average):
    """Ranked by the logarithms of probabilities, which do not tie near 1; of two classes only the second."""
    indicators = np.eye(width)[labels]
    if width == 2:
        return score(indicators[:, 1], logs[:, 1], sample_weight=weights)
    return score(indicators, logs, sample_weight=weights, average=average)


def of_classes(logits, labels, weights=None):
    width, rows = logits.shape[1], len(labels)
    logs = log_softmax(logits)
    probabilities, best, all_classes = np.exp(logs), logits.argmax(axis=1), list(range(width))
    same = {"sample_weight": weights}
    every = {"labels": all_classes, "zero_division": 0, **same}
    own = -np.average(logs[np.arange(rows), labels], weights=weights)
    scores = {
        key("Accuracy"): metrics.accuracy_score(labels, best, **same),
        key("BalancedAccuracy"): metrics.balanced_accuracy_score(labels, best, **same),
        key("MacroF1"): metrics.f1_score(labels, best, average="macro", **every),
        key("Matthews"): metrics.matthews_corrcoef(labels, best, **same),
        key("LogLoss"): own,
        key("Perplexity"): math.exp(own),
        key("CalibrationError"): calibration_error(probabilities, labels, weights),
        key("CalibrationError", bins=4): calibration_error(probabilities, labels, weights, 4),
        key("Brier"): metrics.brier_score_loss(labels, probabilities if width > 2 else probabilities[:, 1], labels=all_classes, **same),
    }
    if probabilities.min() > 1e-9:
        assert np.isclose(own, metrics.log_loss(labels, probabilities, labels=all_classes, **same), rtol=1e-12)
    for distance, name in [(None, "equal"), ("linear", "linear"), ("quadratic", "quadratic")]:
        scores[key("CohenKappa", distance=name)] = metrics.cohen_kappa_score(labels, best, weights=distance, labels=all_classes, **same)
    for average in AVERAGES + [{"class": width - 1}]:
        how = average if isinstance(average, str) else None
        pick = (lambda x: x) if how else (lambda x: x[width - 1])
        for metric, score in [("Precision", metrics.precision_score), ("Recall", metrics.recall_score), ("F1", metrics.f1_score)]:
            scores[key(metric, average=average)] = pick(score(labels, best, average=how, **every))
        for beta in [0.5, 2.0]:
            scores[key("FBeta", beta=beta, average=average)] = pick(metrics.fbeta_score(labels, best, beta=beta, average=how, **every))
        for metric, score in [("RocAuc", metrics.roc_auc_score), ("AveragePrecision", metrics.average_precision_score)]:
            if how is None:
                scores[key(metric, average=average)] = score(labels == width - 1, logs[:, width - 1], **same)
            else:
                scores[key(metric, average=average)] = one_vs_rest(score, logs, labels, width, weights, how)
    ties = any(len(set(row)) < width for row in logits.tolist())
    for k in range(1, width):
        # Ties are taken the other way round, and of two classes top_k_accuracy_score takes one score.
        if width > 2 and not ties:
            scores[key("TopKAccuracy", k=k)] = metrics.top_k_accuracy_score(labels, logits, k=k, labels=all_classes, **same)
    return case(logits, {"classes": labels.tolist()}, weights, scores)


def of_labels(logits, targets, weights=None):
    width = logits.shape[1]
    same = {"sample_weight": weights}
    predicted = (logits > 0).astype(int)
    truth = targets.astype(int)
    scores = {key("LabelAccuracy"): 1 - metrics.hamming_loss(truth, predicted, **same)}
    for average in AVERAGES + [{"class": width - 1}]:
        how = average if isinstance(average, str) else "binary"
        pick = (lambda x: x) if isinstance(average, str) and width > 1 else (lambda x: x[:, width - 1])
        # A single label is no matrix of indicators: there all averages are that of the label.
        how = "binary" if width == 1 else how
        for metric, score in [("LabelPrecision", metrics.precision_score), ("LabelRecall", metrics.recall_score), ("LabelF1", metrics.f1_score)]:
            scores[key(metric, average=average)] = score(pick(truth), pick(predicted), average=how, zero_division=0, **same)
        for metric, score in [("LabelRocAuc", metrics.roc_auc_score), ("LabelAveragePrecision", metrics.average_precision_score)]:
            options = {} if how == "binary" else {"average": how}
            scores[key(metric, average=average)] = score(pick(truth), pick(logits), **options, **same)
    weights = None if weights is None else np.repeat(weights, width)
    return case(logits, {"values": targets.ravel().tolist()}, weights, scores)


def of_values(outputs, targets, weights=None):
    x, y = outputs.astype(np.float64), targets.astype(np.float64)
    same = {"sample_weight": weights}
    scores = {
        key("MeanAbsolute"): metrics.mean_absolute_error(y, x, **same),
        key("MeanSquared"): metrics.mean_squared_error(y, x, **same),
        key("RootMeanSquare"): metrics.mean_squared_error(y, x, **same) ** 0.5,
        key("MeanAbsolutePercentage"): metrics.mean_absolute_percentage_error(y, x, **same),
        key("MedianAbsolute"): metrics.median_absolute_error(y, x, **same),
        key("MaxError"): metrics.max_error(y.ravel(), x.ravel()),
        key("R2"): metrics.r2_score(y, x, **same),
        key("ExplainedVariance"): metrics.explained_variance_score(y, x, **same),
    }
    for quantile in [0.0, 0.1, 0.5, 0.9]:
        scores[key("Pinball", quantile=quantile)] = metrics.mean_pinball_loss(y, x, alpha=quantile, **same)
    weights = None if weights is None else np.repeat(weights, outputs.shape[1])
    return case(outputs, {"values": targets.ravel().tolist()}, weights, scores)


def case(outputs, targets, weights, scores):
    number = lambda score: None if math.isnan(score) else float(score)
    weights = None if weights is None else weights.tolist()
    scores = {name: number(score) for name, score in scores.items()}
    return {"width": outputs.shape[1], "outputs": outputs.ravel().tolist(), **targets, "weights": weights, "scores": scores}


def classes(rng, rows, width, missing=(), ties=False, scale=1.0):
    """Logits that are right about half of the time; classes in `missing` do not occur."""
    labels = rng.choice([c for c in range(width) if c not in missing], rows)
    logits = rng.normal(size=(rows, width))
    logits[np.arange(rows), labels] += 1.0
    logits = np.round(logits) if ties else logits * scale
    return logits.astype(np.float32), labels


def values(rng, rows, width, constant=False):
    """Values around 500, the second column of another size."""
    targets = (500 + 30 * rng.normal(size=(rows, width)) * np.arange(1, width + 1)).astype(np.float32)
    if constant:
        targets[:, 0] = np.float32(7.5)
    return (targets + 10 * rng.normal(size=(rows, width))).astype(np.float32), targets


def labels(rng, rows, width, ties=False):
    targets = rng.integers(0, 2, size=(rows, width)).astype(np.float32)
    logits = 2 * targets - 1 + 1.5 * rng.normal(size=(rows, width))
    return (np.round(logits) if ties else logits).astype(np.float32), targets


def weights(rng, rows):
    """Weights that f32 holds exactly; some are 0."""
    return rng.integers(0, 9, size=rows).astype(np.float32).astype(np.float64) / 4


def report(rng):
    """The numbers of classification_report, of which the third class does not occur and is not predicted."""
    logits, truth = classes(rng, 25, 4, missing=(2,))
    logits[:, 2] = -9
    names = ["ant", "bee", "cat", "dog"]
    told = metrics.classification_report(truth, logits.argmax(axis=1), labels=range(4), target_names=names, output_dict=True, zero_division=0)
    line = lambda name: [told[name][score] for score in ["precision", "recall", "f1-score", "support"]]
    lines = [line(name) for name in names + ["macro avg", "weighted avg"]]
    matrix = metrics.confusion_matrix(truth, logits.argmax(axis=1), labels=range(4)).tolist()
    return {"names": names, "outputs": logits.ravel().tolist(), "classes": truth.tolist(), "matrix": matrix, "lines": lines, "accuracy": told["accuracy"]}


def intervals(rng):
    """scipy's percentile bootstrap, with so many draws that chance hardly moves it."""
    outputs, targets = values(rng, 60, 1)
    logits, truth = classes(rng, 80, 3)
    off = np.abs(outputs.astype(np.float64) - targets).ravel()
    right = (logits.argmax(axis=1) == truth).astype(np.float64)
    low_high = lambda sample: [float(end) for end in scipy.stats.bootstrap((sample,), np.mean, n_resamples=99_999, method="percentile", rng=1, batch=1000).confidence_interval]
    return [
        {"metric": key("MeanAbsolute"), "width": 1, "outputs": outputs.ravel().tolist(), "values": targets.ravel().tolist(), "interval": low_high(off)},
        {"metric": key("Accuracy"), "width": 3, "outputs": logits.ravel().tolist(), "classes": truth.tolist(), "interval": low_high(right)},
    ]


rng = np.random.default_rng(5)
extreme = np.array([[1000.0, -1000.0, 3.0], [80.0, 0.0, -80.0], [0.0, 95.0, 94.0], [-120.0, -3e3, -119.0], [55.0, 54.0, 0.0], [90.0, 0.0, 1.0]], dtype=np.float32)
cases = [
    of_classes(*classes(rng, 40, 2)),
    of_classes(*classes(rng, 57, 7)),
    of_classes(*classes(rng, 30, 6, missing=(2, 5))),
    of_classes(*classes(rng, 1, 3)),
    of_classes(*classes(rng, 40, 2), weights(rng, 40)),
    of_classes(*classes(rng, 60, 4), weights(rng, 60)),
    of_classes(*classes(rng, 40, 2, ties=True)),
    of_classes(*classes(rng, 50, 4, ties=True)),
    of_classes(*classes(rng, 50, 3, ties=True), weights(rng, 50)),
    of_classes(*classes(rng, 12, 2, missing=(0,))),
    of_classes(*classes(rng, 12, 3, missing=(0, 2))),
    of_classes(extreme, np.array([0, 1, 2, 0, 1, 0])),
    of_classes(*classes(rng, 30, 2, scale=60.0)),
    of_values(*values(rng, 50, 1)),
    of_values(*values(rng, 33, 3)),
    of_values(*values(rng, 20, 2, constant=True)),
    of_values(*values(rng, 1, 2)),
    of_values(*values(rng, 40, 1), weights(rng, 40)),
    of_values(*values(rng, 41, 2), weights(rng, 41)),
    of_values(np.array([[1.5], [0.0], [-2.0]], dtype=np.float32), np.array([[0.0], [0.0], [4.0]], dtype=np.float32)),
    of_labels(*labels(rng, 40, 1)),
    of_labels(*labels(rng, 31, 5)),
    of_labels(*labels(rng, 40, 3, ties=True)),
    of_labels(*labels(rng, 40, 3), weights(rng, 40)),
    of_labels(*labels(rng, 30, 1), weights(rng, 30)),
    of_labels(*labels(rng, 1, 2)),
    of_labels(labels(rng, 8, 2)[0], np.array([[0.0, 1.0]] * 8, dtype=np.float32)),
]
text = {"scikit-learn": sklearn.__version__, "scipy": scipy.__version__, "cases": cases, "report": report(rng), "intervals": intervals(rng)}
OUT.write_text(json.dumps(text) + "\n")
