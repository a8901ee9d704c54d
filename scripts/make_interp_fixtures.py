#!/usr/bin/env python3
"""Computes scores of several classes per item with scikit-learn: vision-interp/tests/fixtures/multi_label.json.

    pip install scikit-learn==1.9.1
    python3 scripts/make_interp_fixtures.py crates/vision-interp/tests/fixtures/multi_label.json

The items have among them: ties of probability, a probability of exactly the threshold, items without classes,
a class that no item has, one that is never predicted, one that all items have. Losses are numpy's mean of the
binary cross-entropy over the classes, what fastai's BCEWithLogitsFlat gives for the logits of the probabilities.
"""
import json, sys, warnings
import numpy as np
from sklearn.metrics import (average_precision_score, classification_report, multilabel_confusion_matrix,
                             precision_recall_fscore_support, roc_auc_score)

warnings.simplefilter("ignore")
rng = np.random.default_rng(20261129)
ITEMS = 40
CLASSES = ["clear", "cloudy", "primary", "water", "road", "bare ground"]

# Multiples of 1/16 are exact in 32 bits, and give ties.
probabilities = (np.round(rng.beta(0.3, 0.3, (ITEMS, len(CLASSES))) * 14) + 1) / 16
targets = (rng.random(probabilities.shape) < probabilities).astype(int)
targets[:, 1] = 0                       # no item has it
probabilities[:, 3] = probabilities[:, 3] / 2  # 8/16 is not above 0.5: never predicted
targets[:, 4] = 1                       # all items have it
targets[:3, :4] = 0
losses = -(targets * np.log(probabilities) + (1 - targets) * np.log(1 - probabilities)).mean(1)


def scores(threshold):
    predicted = (probabilities > threshold).astype(int)
    p, r, f, s = precision_recall_fscore_support(targets, predicted, zero_division=0)
    averages = {}
    for average in ["micro", "macro", "weighted", "samples"]:
        values = precision_recall_fscore_support(targets, predicted, average=average, zero_division=0)
        averages[average] = [float(v) for v in values[:3]]
    return {
        "threshold": threshold,
        "matrices": multilabel_confusion_matrix(targets, predicted).tolist(),
        "precision": p.tolist(), "recall": r.tolist(), "f1": f.tolist(), "support": s.tolist(),
        "averages": averages,
        "accuracy": float((predicted == targets).mean()),
        "wrong": int((predicted != targets).any(1).sum()),
        "report": classification_report(targets, predicted, target_names=CLASSES, zero_division=0),
    }


def ranked(score, defined):
    return [float(score(targets[:, c], probabilities[:, c])) if defined(targets[:, c]) else None
            for c in range(len(CLASSES))]


# One class per item, for the same report.
single = [[8, 2, 0], [1, 3, 0], [1, 0, 0]]
actual = [i for i, row in enumerate(single) for n in row for _ in range(n)]
predicted = [j for row in single for j, n in enumerate(row) for _ in range(n)]
p, r, f, s = precision_recall_fscore_support(actual, predicted, zero_division=0)

with open(sys.argv[1], "w") as file:
    json.dump({
        "classes": CLASSES,
        "probabilities": probabilities.tolist(),
        "targets": targets.tolist(),
        "losses": losses.tolist(),
        "scores": [scores(t) for t in [0.5, 0.25, 0.9375]],
        "average_precision": ranked(average_precision_score, lambda y: y.any()),
        "roc_auc": ranked(roc_auc_score, lambda y: y.any() and not y.all()),
        "single": {
            "rows": single, "precision": p.tolist(), "recall": r.tolist(), "f1": f.tolist(),
            "report": classification_report(actual, predicted, target_names=["a", "b", "c"], zero_division=0),
        },
    }, file, indent=1)
    file.write("\n")
