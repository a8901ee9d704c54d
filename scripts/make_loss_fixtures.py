#!/usr/bin/env python3
"""Computes losses of logits with PyTorch: vision-kernels/tests/fixtures/loss.json.

    pip install torch==2.11.0
    python3 scripts/make_loss_fixtures.py crates/vision-kernels/tests/fixtures/loss.json

Everything is float32. Losses are per item, and gradients are those of their plain sum. JSON has no NaN and no
infinity, so they are strings.
"""
import json, math, sys
import torch
from torch.nn import functional as F

torch.manual_seed(20261125)
nan, inf = math.nan, math.inf


def flat(t):
    # 9 digits distinguish any two float32.
    return [float(f"{v:.9g}") if math.isfinite(v) else str(v) for v in t.detach().flatten().tolist()]


def cross_entropy(logits, targets, smoothing=0.0, weights=None):
    logits = torch.as_tensor(logits).requires_grad_()
    options = {"weight": weights, "label_smoothing": smoothing}
    losses = F.cross_entropy(logits, torch.tensor(targets), reduction="none", **options)
    losses.sum().backward()
    mean = F.cross_entropy(logits, torch.tensor(targets), **options)
    return {
        "columns": logits.shape[1], "logits": flat(logits), "targets": targets, "smoothing": smoothing,
        "weights": None if weights is None else flat(weights),
        "losses": flat(losses), "dlogits": flat(logits.grad), "mean": flat(mean)[0],
    }


def binary(logits, targets, weights=None):
    logits = torch.as_tensor(logits).requires_grad_()
    targets = torch.as_tensor(targets)
    losses = F.binary_cross_entropy_with_logits(logits, targets, pos_weight=weights, reduction="none").mean(1)
    losses.sum().backward()
    mean = F.binary_cross_entropy_with_logits(logits, targets, pos_weight=weights)
    return {
        "columns": logits.shape[1], "logits": flat(logits), "targets": flat(targets),
        "weights": None if weights is None else flat(weights),
        "losses": flat(losses), "dlogits": flat(logits.grad), "mean": flat(mean)[0],
    }


weights = torch.tensor([0.5, 2.0, 1.0, 3.0, 0.25, 1.5, 1.0])
items = [0, 6, 3, 3, 1]
cases = {
    "cross_entropy": [
        cross_entropy(torch.randn(5, 7) * 4, items),
        cross_entropy(torch.randn(5, 7) * 4, items, 0.1),
        cross_entropy(torch.randn(5, 7) * 4, items, 0.0, weights),
        cross_entropy(torch.randn(5, 7) * 4, items, 0.2, weights),
        # fastai's LabelSmoothingCrossEntropy gives .507606 here, the plain loss .407606.
        cross_entropy([[2.0, 1.0, 0.0]], [0], 0.1),
        cross_entropy([[1e4, 0.0], [-1e4, 1e4]], [0, 0]),
        cross_entropy([[inf, 0.0]], [0]),
        cross_entropy([[-inf, 0.0]], [0]),
        cross_entropy([[-inf, 0.0]], [1]),
        cross_entropy([[nan, 0.0]], [1]),
        cross_entropy([[-inf, -inf]], [1]),
        cross_entropy([[-inf, 0.0]], [1], 0.1),
    ],
    "binary": [
        binary(torch.randn(5, 7) * 4, (torch.rand(5, 7) > 0.5).float()),
        binary(torch.randn(5, 7) * 4, torch.rand(5, 7), weights),
        binary([[0.0, 0.0, -0.0]], [[0.0, 1.0, 0.5]]),
        binary([[1e4, -1e4], [1e4, -1e4]], [[1.0, 0.0], [0.0, 1.0]]),
        binary([[inf, 0.0]], [[0.0, 0.0]]),
        binary([[-inf, 0.0]], [[1.0, 0.0]]),
        binary([[nan, 0.0]], [[1.0, 0.0]]),
    ],
}
json.dump(cases, open(sys.argv[1], "w"), separators=(",", ":"))
