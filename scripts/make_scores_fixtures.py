#!/usr/bin/env python3
"""Curves by scikit-learn; temperatures by PyTorch; intervals by scipy.

    pip install numpy scipy scikit-learn torch
    python3 scripts/make_scores_fixtures.py

Writes crates/vision-learner/tests/fixtures/calibration.json and crates/vision-interp/tests/fixtures/curves.json.

* wilson: scipy.stats.binomtest(k, n).proportion_ci(0.95, "wilson"), which is statsmodels' proportion_confint(k, n, 0.05,
  "wilson").
* temperature: the scalar T that minimizes cross entropy of log p / T (binary cross entropy of logit p / T), by
  torch.optim.LBFGS in 64 bits, as in the code of Guo et al. 2017.
* reliability: bins (i / 15, (i + 1) / 15] of the largest probability, by numpy.
* abstain: the largest number of answered items whose error rate, or upper bound of it, is small enough, by trying all.
* roc, precision_recall: sklearn.metrics.roc_curve and precision_recall_curve with their defaults.
"""
import json
from pathlib import Path

import numpy as np
import scipy.stats as st
import sklearn.metrics as m
import torch
import torch.nn.functional as F

CRATES = Path(__file__).parent.parent / "crates"
rng = np.random.default_rng(20261129)


def save(path, data):
    (CRATES / path).write_text(json.dumps(data, separators=(",", ":")))
    print(path, (CRATES / path).stat().st_size, "bytes")


def wilson(k, n):
    found = st.binomtest(k, n).proportion_ci(0.95, "wilson")
    return [float(found.low), float(found.high)]


def best(loss):
    t = torch.ones(1, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([t], lr=0.1, max_iter=1000, tolerance_grad=1e-12, tolerance_change=1e-15,
                                  line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        value = loss(t)
        value.backward()
        return value

    optimizer.step(closure)
    return t.detach()


def reliability(p, right, bins=15):
    at = np.clip(np.ceil(p * bins).astype(int), 1, bins) - 1
    rows, error = [], 0
    for b in range(bins):
        inside = at == b
        n = int(inside.sum())
        confidence, accuracy = (float(p[inside].mean()), float(right[inside].mean())) if n else (None, None)
        rows.append({"predictions": n, "confidence": confidence, "accuracy": accuracy})
        error += n / len(p) * abs(confidence - accuracy) if n else 0
    return rows, error


def of_classes(n, classes, sure):
    logits = rng.normal(size=(n, classes)) * 1.5
    y = np.array([rng.choice(classes, p=row) for row in torch.softmax(torch.tensor(logits), 1).numpy()])
    p = torch.softmax(torch.tensor(logits * sure), 1).numpy().astype(np.float32)
    # What the file holds: 32 bits.
    log_p, target = torch.tensor(np.log(p.astype(np.float64))), torch.tensor(y)
    loss = lambda t: F.cross_entropy(log_p / t, target)
    t = best(loss)
    scores = {}
    for name, q in [("before", torch.softmax(log_p, 1)), ("after", torch.softmax(log_p / t, 1))]:
        q = q.numpy()
        rows, error = reliability(q.max(1), q.argmax(1) == y)
        onehot = np.eye(classes)[y]
        brier = ((q - onehot) ** 2).sum(1).mean() / (2 if classes == 2 else 1)
        scores[name] = {"ece": error, "bins": rows, "brier": float(brier), "p": q[:3].ravel().tolist()}
    return {"kind": "category", "classes": classes, "probabilities": p.ravel().tolist(), "targets": y.tolist(),
            "temperature": float(t), "nll": [float(loss(torch.ones(1))), float(loss(t))], "scores": scores}


def of_labels(n, classes, sure):
    logits = rng.normal(size=(n, classes)) * 2 - 1
    y = (rng.random((n, classes)) < 1 / (1 + np.exp(-logits))).astype(int)
    p = (1 / (1 + np.exp(-logits * sure))).astype(np.float32)
    q64 = p.astype(np.float64)
    logit, target = torch.tensor(np.log(q64 / (1 - q64))), torch.tensor(y, dtype=torch.float64)
    loss = lambda t: F.binary_cross_entropy_with_logits(logit / t, target)
    t = best(loss)
    scores = {}
    for name, q in [("before", torch.sigmoid(logit)), ("after", torch.sigmoid(logit / t))]:
        q = q.numpy()
        flat, yes = q.ravel(), y.ravel()
        rows, error = reliability(np.maximum(flat, 1 - flat), (flat > 0.5) == yes)
        scores[name] = {"ece": error, "bins": rows, "brier": float(((flat - yes) ** 2).mean()),
                        "p": q[:3].ravel().tolist()}
    return {"kind": "several", "classes": classes, "probabilities": p.ravel().tolist(),
            "targets": y.ravel().tolist(), "temperature": float(t),
            "nll": [float(loss(torch.ones(1))), float(loss(t))], "scores": scores}


def abstain(case, rate, bound):
    p = np.float32(case["probabilities"]).reshape(-1, case["classes"])
    y = np.array(case["targets"])
    confidence, wrong = p.max(1), p.argmax(1) != y
    found = None
    for t in np.unique(confidence):
        answered = confidence >= t
        k, n = int(wrong[answered].sum()), int(answered.sum())
        value = wilson(k, n)[1] if bound else k / n
        if value <= rate and (found is None or n > found["answered"]):
            found = {"rate": rate, "bound": bound, "threshold": float(t), "answered": n, "wrong": k,
                     "interval": wilson(k, n)}
    return found or {"rate": rate, "bound": bound, "threshold": None}


cases = [of_classes(200, 4, 2.5), of_classes(150, 2, 0.5), of_labels(80, 3, 1.8)]
save("vision-learner/tests/fixtures/calibration.json", {
    "wilson": [[k, n, *wilson(k, n)] for k, n in [(0, 1), (1, 1), (0, 10), (9, 10), (10, 10), (1, 3), (50, 100),
                                                  (989, 1029), (988, 1009), (3, 100000), (123456789, 987654321)]],
    "cases": cases,
    "abstain": [abstain(cases[0], rate, bound) for rate in [0.0, 0.02, 0.1, 0.2, 0.3, 1.0] for bound in [False, True]],
})


def curves(p, y):
    fpr, tpr, roc_thresholds = m.roc_curve(y, p)
    precision, recall, thresholds = m.precision_recall_curve(y, p)
    return {
        # The first threshold is infinite, which JSON has not.
        "roc": {"fpr": fpr.tolist(), "tpr": tpr.tolist(), "thresholds": roc_thresholds[1:].tolist(),
                "auc": float(m.roc_auc_score(y, p))},
        "precision_recall": {"precision": precision.tolist(), "recall": recall.tolist(),
                             "thresholds": thresholds.tolist(), "average": float(m.average_precision_score(y, p))},
    }


# Multiples of 1/16 give ties, and so points on straight lines.
p = np.round(rng.dirichlet([0.6, 0.6, 0.6], 90) * 16)
p[:, 2] = 16 - p[:, 0] - p[:, 1]
p = np.clip(p, 0, 16) / 16
y = np.array([rng.choice(3, p=row / row.sum()) for row in p + 0.15])
several = json.loads((CRATES / "vision-interp/tests/fixtures/multi_label.json").read_text())
labels, probabilities = np.array(several["targets"]), np.array(several["probabilities"])
assert np.isinf(m.roc_curve(y == 0, p[:, 0])[2][0])
save("vision-interp/tests/fixtures/curves.json", {
    "probabilities": p.ravel().tolist(), "targets": y.tolist(),
    "one": [curves(p[:, c], y == c) for c in range(3)],
    # The classes of multi_label.json that some items have and others do not.
    "several": [{"class": c, **curves(probabilities[:, c], labels[:, c])}
                for c in range(labels.shape[1]) if 0 < labels[:, c].sum() < len(labels)],
})
