#!/usr/bin/env python3
"""Intervals and tests of classifiers, by scipy.

    pip install numpy scipy scikit-learn
    python3 scripts/make_evaluation_fixture.py     # writes crates/vision-learner/tests/fixtures/evaluation.json

* mcnemar: statistic and p value for counts; the formulas are those of statsmodels.stats.contingency_tables.mcnemar
  (exact below 25, otherwise with continuity correction), the distributions scipy's.
* bootstrap: percentile intervals of scipy.stats.bootstrap with 100,000 samples, for accuracy and ROC AUC.
* compare: two classifiers on the same items, with the paired percentile interval of the difference.

Also prints the numbers of the unit tests of uncertainty.rs, student_t.rs and cross_validate.rs.
"""
import json
from pathlib import Path

import numpy as np
import scipy
import scipy.stats as st
import sklearn.metrics as m

OUT = Path(__file__).parent.parent / "crates/vision-learner/tests/fixtures/evaluation.json"
rng = np.random.default_rng(0)


def mcnemar(b, c):
    if b + c < 25:
        statistic = min(b, c)
        p = min(2 * st.binom.cdf(statistic, b + c, 0.5), 1)
    else:
        statistic = (abs(b - c) - 1) ** 2 / (b + c)
        p = st.chi2.sf(statistic, 1)
    return {"only_a": b, "only_b": c, "statistic": float(statistic), "p_value": float(p)}


def interval(function, data):
    found = st.bootstrap(data, function, paired=True, vectorized=False, n_resamples=100_000, method="percentile",
                         rng=np.random.default_rng(1))
    return [float(found.confidence_interval.low), float(found.confidence_interval.high)]


def classifier(y, strength):
    logits = rng.normal(size=len(y)) + strength * (2 * y - 1)
    return np.float32(1 / (1 + np.exp(-logits)))


def both(p):
    return np.stack([1 - p, p], 1).ravel().tolist()


y = (rng.random(120) < 0.4).astype(int)
a = classifier(y, 0.8)
accuracy = lambda y, p: float(((p > 0.5) == y).mean())
auc = lambda y, p: m.roc_auc_score(y, p) if 0 < y.sum() < len(y) else np.nan
bootstrap = {
    "targets": y.tolist(), "probabilities": both(a),
    "accuracy": {"value": accuracy(y, a), "interval": interval(accuracy, (y, a))},
    "roc_auc_1": {"value": auc(y, a), "interval": interval(auc, (y, a))},
}

compare = []
for n, strength in [(400, 0.85), (400, 1.6), (60, 1.0)]:
    y = (rng.random(n) < 0.5).astype(int)
    a, b = classifier(y, 0.8), classifier(y, strength)
    right_a, right_b = (a > 0.5) == y, (b > 0.5) == y
    difference = lambda u, v: float((v * 1.0 - u * 1.0).mean())
    compare.append({
        "targets": y.tolist(), "a": both(a), "b": both(b),
        "difference": difference(right_a, right_b), "interval": interval(difference, (right_a, right_b)),
        "test": mcnemar(int((right_a & ~right_b).sum()), int((~right_a & right_b).sum())),
    })

json.dump({
    "scipy": scipy.__version__,
    "mcnemar": [mcnemar(*c) for c in [(0, 0), (0, 1), (3, 9), (10, 2), (7, 7), (12, 12), (0, 24), (12, 13), (25, 0),
                                      (20, 20), (40, 15), (300, 340), (5000, 4000)]],
    "bootstrap": bootstrap,
    "compare": compare,
}, OUT.open("w"), separators=(",", ":"))
print(OUT, OUT.stat().st_size, "bytes")

rows = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.5, 0.0, 0.5]])
several = lambda p: sum(st.entropy([x, 1 - x]) for x in p)
print("mean", rows.mean(0), "std", rows.std(0))
for name, entropy in [("one class", st.entropy), ("several", several)]:
    total = entropy(rows.mean(0))
    print(name, "entropy", total, "mutual information", total - np.mean([entropy(r) for r in rows]))
print("t", [float(st.t.ppf(0.975, n)) for n in (1, 2, 3, 4, 9, 10, 99, 1000)])
values = [0.93, 0.95, 0.96, 0.91, 0.94]
print("folds", st.t.interval(0.95, len(values) - 1, loc=np.mean(values), scale=st.sem(values)))
