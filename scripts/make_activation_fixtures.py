#!/usr/bin/env python3
"""Computes reference values of the activation functions: vision-kernels/tests/fixtures/activation.json.

    pip install torch mpmath
    python3 scripts/make_activation_fixtures.py crates/vision-kernels/tests/fixtures/activation.json

`exact` is computed from the definitions with 50 digits, `torch` with PyTorch in float32.
"""
import json, math, sys

import mpmath as mp
import torch
from torch.nn import functional as F

mp.mp.dps = 50


def phi(x):
    return mp.erfc(-x / mp.sqrt(2)) / 2


def density(x):
    return mp.exp(-x * x / 2) / mp.sqrt(2 * mp.pi)


def sigmoid(x):
    return 1 / (1 + mp.exp(-x))


def hard(x):
    return min(max(x / 6 + mp.mpf(1) / 2, 0), 1)


# Each function and its derivative; of the derivatives at kinks see `torch`.
EXACT = {
    "relu": (lambda x: max(x, 0), lambda x: int(x > 0)),
    "relu6": (lambda x: min(max(x, 0), 6), lambda x: int(0 < x < 6)),
    "silu": (lambda x: x * sigmoid(x), lambda x: sigmoid(x) * (1 + x * (1 - sigmoid(x)))),
    "hardswish": (lambda x: x * hard(x), lambda x: 0 if x <= -3 else 1 if x >= 3 else x / 3 + mp.mpf(1) / 2),
    "hardsigmoid": (hard, lambda x: mp.mpf(int(-3 < x < 3)) / 6),
    "sigmoid": (sigmoid, lambda x: sigmoid(x) * (1 - sigmoid(x))),
    "gelu": (lambda x: x * phi(x), lambda x: phi(x) + x * density(x)),
}
# ReLU and ReLU6 are in make_kernel_fixtures.py.
TORCH = {"sigmoid": torch.sigmoid, **{name: getattr(F, name) for name in ("silu", "hardswish", "hardsigmoid", "gelu")}}


def floats(values):
    """17 digits distinguish any two float64. JSON has no NaN and no infinity, so they are strings."""
    return [float(f"{float(v):.17g}") if math.isfinite(v) else str(float(v)) for v in values]


def main(path):
    # Of the length 1201, so that vectors and the rest of a loop are both tested.
    x = torch.cat([torch.linspace(-12.5, 12.5, 801), torch.linspace(-1, 1, 399) ** 5, torch.tensor([-80.0])])
    # Beyond 5e37, the hard-swish of PyTorch overflows.
    odd = [math.nan, math.inf, -math.inf, -3.0, 3.0, 0.0, 6.0, -0.0, -100.0, 100.0, 1e-40, -1e30, 1e30, -3.0000002, 2.9999998]
    odd = torch.tensor(odd + odd[:4])
    exact = {
        name: {"y": floats(y(mp.mpf(v)) for v in x.tolist()), "dx": floats(dx(mp.mpf(v)) for v in x.tolist())}
        for name, (y, dx) in EXACT.items()
    }
    reference = {}
    for name, function in TORCH.items():
        leaf = odd.clone().requires_grad_()
        y = function(leaf)
        y.backward(torch.full_like(y, 1.5))
        reference[name] = {"y": floats(y.tolist()), "dx": floats(leaf.grad.tolist())}
    result = {"x": floats(x.tolist()), "exact": exact, "odd": floats(odd.tolist()), "torch": reference}
    with open(path, "w") as file:
        json.dump(result, file)
        file.write("\n")


main(sys.argv[1])
