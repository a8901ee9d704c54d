"""The metrics of made-up predictions, by scikit-learn and scipy.

    python scripts/make_metric_fixtures.py      # needs scikit-learn and scipy

Writes crates/vision-learner/tests/fixtures/metrics.json: the inputs and, for each metric, its value.
"""

import json
from pathlib import Path

import numpy as np
import scipy
import scipy.special
import scipy.stats
import sklearn
import sklearn.metrics as m

OUT = Path(__file__).parent.parent / "crates/vision-learner/tests/fixtures/metrics.json"
rng = np.random.default_rng(0)


def rounded(x):
    # What f32 holds exactly.
    return np.asarray(x, dtype=np.float32).astype(np.float64)


def averaged(y, found, classes):
    values = {}
    for name, f in [("precision", m.precision_score), ("recall", m.recall_score),
                    ("f1", m.f1_score), ("f2", lambda *a, **k: m.fbeta_score(*a, beta=2, **k))]:
        for average in ["macro", "micro", "weighted"]:
            values[f"{name}_{average}"] = f(y, found, average=average, zero_division=0)
        per_class = f(y, found, average=None, labels=range(classes), zero_division=0)
        values[f"{name}_1"] = per_class[1]
    return values


def ranked(y, p):
    values = {}
    kept = [k for k in range(p.shape[1]) if 0 < y[:, k].sum() < len(y)]
    auc = {k: m.roc_auc_score(y[:, k], p[:, k]) for k in kept}
    ap = {k: m.average_precision_score(y[:, k], p[:, k]) for k in range(p.shape[1]) if y[:, k].sum()}
    for name, of in [("roc_auc", auc), ("average_precision", ap)]:
        keys = list(of)
        values[f"{name}_macro"] = np.mean([of[k] for k in keys])
        values[f"{name}_weighted"] = np.average([of[k] for k in keys], weights=[y[:, k].sum() for k in keys])
        values[f"{name}_1"] = of[1]
    values["roc_auc_micro"] = m.roc_auc_score(y.ravel(), p.ravel())
    values["average_precision_micro"] = m.average_precision_score(y.ravel(), p.ravel())
    return values


def calibration(y, p, bins):
    confidence, right = p.max(1), p.argmax(1) == y
    edges = np.linspace(0, 1, bins + 1)
    error = 0
    for low, high in zip(edges, edges[1:]):
        inside = (confidence > low) & (confidence <= high)
        if inside.any():
            error += inside.mean() * abs(confidence[inside].mean() - right[inside].mean())
    return error


def classes(n, c, missing=()):
    y = rng.choice([k for k in range(c) if k not in missing], n)
    # Rounded, so that some logits are equal; each class of an item still differs.
    logits = rounded(np.round(rng.normal(size=(n, c)) * 2) / 2 + np.arange(c) * 0.01 + 1.5 * np.eye(c)[y])
    for k in missing:
        logits[:, k] -= 100
    p = scipy.special.softmax(logits, axis=1)
    found = logits.argmax(1)
    labels = range(c)
    values = averaged(y, found, c) | ranked(np.eye(c)[y], p) | {
        "accuracy": m.accuracy_score(y, found),
        "balanced_accuracy": m.balanced_accuracy_score(y, found),
        "cohen_kappa": m.cohen_kappa_score(y, found, labels=labels),
        "cohen_kappa linear": m.cohen_kappa_score(y, found, weights="linear", labels=labels),
        "cohen_kappa quadratic": m.cohen_kappa_score(y, found, weights="quadratic", labels=labels),
        "matthews": m.matthews_corrcoef(y, found),
        "log_loss": m.log_loss(y, p, labels=labels),
        "top_2_accuracy": m.top_k_accuracy_score(y, logits, k=2, labels=labels) if c > 2 else 1.0,
        "calibration_error": calibration(y, p, 15),
        "brier_score": m.brier_score_loss(y, p[:, 1]) if c == 2 else ((p - np.eye(c)[y]) ** 2).sum(1).mean(),
    }
    return {"logits": logits.ravel().tolist(), "classes": c, "targets": y.tolist(), "values": values}


def several(n, c):
    y = (rng.random((n, c)) < 0.3).astype(int)
    y[:, 2] = 0
    logits = rounded(np.round(rng.normal(size=(n, c)) * 2) / 2 + y)
    return {"logits": logits.ravel().tolist(), "classes": c, "targets": y.ravel().tolist(),
            "values": ranked(y, logits)}


def numbers(n, c):
    t = rounded(np.round(rng.gamma(2, 3, (n, c)), 1) + 0.1)
    p = rounded(np.abs(t + rng.normal(size=(n, c)) * 2) + 0.3)
    t, p = t.ravel(), p.ravel()
    values = {
        "mse": m.mean_squared_error(t, p),
        "rmse": m.root_mean_squared_error(t, p),
        "mae": m.mean_absolute_error(t, p),
        "r2_score": m.r2_score(t, p),
        "explained_variance": m.explained_variance_score(t, p),
        "msle": m.mean_squared_log_error(t, p),
        "rmspe": np.sqrt(np.mean(((t - p) / t) ** 2)),
        "pearson": scipy.stats.pearsonr(t, p).statistic,
        "spearman": scipy.stats.spearmanr(t, p).statistic,
    }
    return {"logits": p.tolist(), "classes": c, "targets": t.tolist(), "values": values}


OUT.write_text(json.dumps({
    "versions": {"scikit-learn": sklearn.__version__, "scipy": scipy.__version__},
    "classes": [classes(60, 4), classes(40, 2), classes(50, 5, missing=[3])],
    "several": [several(50, 4)],
    "numbers": [numbers(30, 1), numbers(20, 3)],
}))
print(OUT, OUT.stat().st_size, "bytes")
