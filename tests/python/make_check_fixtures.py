"""Writes toolkit/data/tests/fixtures/statistics.json: what SciPy says about pairs of small samples.

Run by hand when `check` learns a statistic:

    pip install scipy==1.17.1
    python tests/python/make_check_fixtures.py

The p-value of Kolmogorov and Smirnov's test is Kolmogorov's limit, which the toolkit uses, and not the exact one for a few
rows. The area under the curve is Mann and Whitney's U, divided by the number of pairs.
"""

import json
from pathlib import Path

import numpy as np
from scipy import special, stats

FIXTURE = Path(__file__).parents[2] / "toolkit" / "data" / "tests" / "fixtures" / "statistics.json"


def case(a, b):
    a, b = a.astype(np.float32), b.astype(np.float32)
    distance = float(stats.ks_2samp(a, b, method="asymp").statistic)
    size = np.sqrt(len(a) * len(b) / (len(a) + len(b)))
    both = min(len(a), len(b))
    return {
        "a": a.tolist(),
        "b": b.tolist(),
        "ks": distance,
        "ks_p": float(special.kolmogorov(size * distance)),
        "auc": float(stats.mannwhitneyu(b, a).statistic) / (len(a) * len(b)),
        "spearman": float(stats.spearmanr(a[:both], b[:both]).statistic),
        "ranks": stats.rankdata(a).tolist(),
        "mean": float(a.astype(np.float64).mean()),
        "std": float(a.astype(np.float64).std()),
        "skew": float(stats.skew(a.astype(np.float64))),
    }


def main():
    rng = np.random.default_rng(5)
    cases = [
        case(rng.normal(size=25), rng.normal(size=31)),
        case(rng.normal(size=40), rng.normal(0.8, size=25)),
        case(rng.exponential(size=30) ** 2, rng.exponential(size=30)),
        case(rng.integers(0, 5, size=30), rng.integers(1, 6, size=24)),
        case(rng.integers(0, 2, size=12), rng.integers(0, 2, size=50)),
    ]
    x = rng.normal(size=20)
    cases.append(case(x, np.exp(x) + 0.2 * rng.normal(size=20)))
    FIXTURE.write_text(json.dumps(cases) + "\n")


main()
