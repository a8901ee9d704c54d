#!/usr/bin/env python3
"""Computes label errors and outliers with cleanlab, and nearest neighbors with scikit-learn.

    pip install cleanlab==2.9.0 scikit-learn
    python3 scripts/make_label_error_fixtures.py crates/vision-interp/tests/fixtures/label_errors.json \
        crates/vision-learner/tests/fixtures/feature_space.json

Probabilities are whole numbers of 1/1024, which are exact in 32 and 64 bits. cleanlab computes with them in 64 bits. Its
sorts (numpy.argsort) are not stable, so that equal values come in any order; here numpy sorts stably, so that the
first item comes first.
"""
import json, sys, warnings
import numpy as np

_argsort = np.argsort
np.argsort = lambda a, *args, **kwargs: _argsort(a, *args, **{**kwargs, "kind": "stable"})
from cleanlab.count import compute_confident_joint, estimate_joint, get_confident_thresholds
from cleanlab.filter import find_label_issues
from cleanlab.outlier import OutOfDistribution
from cleanlab.rank import get_label_quality_scores, order_label_issues
from sklearn.neighbors import NearestNeighbors

warnings.simplefilter("ignore")
UNIT = 1024
FILTERS = ["prune_by_noise_rate", "prune_by_class", "both", "confident_learning"]
SCORES = ["self_confidence", "normalized_margin", "confidence_weighted_entropy"]


def whole(p):
    """Rows of whole numbers of 1/1024 that sum to 1."""
    units = np.floor(p * UNIT).astype(int)
    units[np.arange(len(p)), p.argmax(1)] += UNIT - units.sum(1)
    return units


def case(name, units, labels):
    p = np.asarray(units, dtype=np.float64) / UNIT
    labels = np.asarray(labels)
    assert (p.sum(1) == 1).all()
    masks = {f: find_label_issues(labels, p, filter_by=f, n_jobs=1) for f in FILTERS}
    joint = compute_confident_joint(labels, p, calibrate=True)
    found = masks["prune_by_noise_rate"]
    pairs = {}
    for given, suggested in zip(labels[found], p[found].argmax(1)):
        pairs[(int(given), int(suggested))] = pairs.get((int(given), int(suggested)), 0) + 1
    return {
        "name": name, "classes": p.shape[1], "labels": labels.tolist(), "units": np.asarray(units).tolist(),
        "thresholds": get_confident_thresholds(labels, p).tolist(),
        "joint": compute_confident_joint(labels, p, calibrate=False).tolist(),
        "calibrated": joint.tolist(),
        "noise_rate": float(1 - np.trace(estimate_joint(labels, p))),
        "issues": {f: np.flatnonzero(m).tolist() for f, m in masks.items()},
        "scores": {s: get_label_quality_scores(labels, p, method=s).tolist() for s in SCORES},
        "order": {s: order_label_issues(found, labels, p, rank_by=s).tolist() for s in SCORES},
        "pairs": sorted([*k, v] for k, v in pairs.items()),
    }


def noisy(rng, items, classes, noise, sharp, weights=None):
    """Probabilities of a fair model, and labels of which a part is wrong."""
    actual = rng.choice(classes, items, p=weights)
    p = rng.dirichlet(np.ones(classes) * 0.4, items) + sharp * np.eye(classes)[actual] * rng.random((items, 1))
    wrong = rng.random(items) < noise
    labels = np.where(wrong, (actual + 1 + rng.integers(0, classes - 1, items)) % classes, actual)
    return whole(p / p.sum(1, keepdims=True)), labels


def label_errors():
    rng = np.random.default_rng(20261129)
    cases = [case("four classes", *noisy(rng, 90, 4, 0.2, 2)), case("two classes", *noisy(rng, 40, 2, 0.3, 1))]
    units, labels = noisy(rng, 70, 5, 0.2, 2, [0.6, 0.2, 0.1, 0.1, 0.0])
    labels[labels == 3] = 0  # no item has the classes 3 and 4
    labels[labels == 4] = 1
    cases.append(case("classes without items", units, labels))
    ties = rng.choice([0, 1, 2, 3, 4], (48, 3)).astype(float) + 1e-9
    cases.append(case("ties", whole(np.round(ties / ties.sum(1, keepdims=True) * 8) / 8 + 0), rng.integers(0, 3, 48)))
    units, _ = noisy(rng, 20, 3, 0, 1)
    cases.append(case("one class has all items", units, np.zeros(20, dtype=int)))
    units, labels = noisy(rng, 16, 6, 0.4, 1)
    cases.append(case("classes of few items", units, labels))
    units, labels = noisy(rng, 30, 3, 0.2, 2)
    units[:12] = UNIT * np.eye(3, dtype=int)[rng.integers(0, 3, 12)]  # certain of a class, right or wrong
    cases.append(case("certain", units, labels))
    units, labels = noisy(rng, 24, 3, 1.0, 3)
    cases.append(case("all wrong", units, labels))
    return {"unit": UNIT, "cases": cases}


def outliers(features, k):
    scores = OutOfDistribution({"k": k}).fit_score(features=features, verbose=False)
    knn = NearestNeighbors(n_neighbors=k, metric="cosine").fit(features)
    distances, indices = knn.kneighbors()
    return {"k": k, "scores": scores.tolist(), "mean_distances": distances.mean(1).tolist(),
            "distances": distances.tolist(), "indices": indices.tolist()}


def space():
    rng = np.random.default_rng(7)
    labels = rng.integers(0, 3, 48)
    centers = rng.normal(size=(3, 8)) * 2
    features = np.round((centers[labels] + rng.normal(size=(48, 8))) * 16) / 16
    features[5] = features[4]          # the same
    features[9] = features[8] * 2      # the same direction
    features[11] = -features[11]       # far away from its class
    features[20:25] = features[20]
    one = np.flatnonzero(labels == 0)
    return {"labels": labels.tolist(), "features": features.tolist(),
            "all": [outliers(features, k) for k in (10, 3)],
            "first_class": {"items": one.tolist(), **outliers(features[one], 10)}}


for file, content in zip(sys.argv[1:], (label_errors(), space())):
    with open(file, "w") as out:
        json.dump(content, out, separators=(",", ":"))
        out.write("\n")
