#!/usr/bin/env python3
"""Computes reference results of the kernels with PyTorch: vision-kernels/tests/fixtures/memory.json.

    pip install torch==2.11.0
    python3 scripts/make_kernel_fixtures.py crates/vision-kernels/tests/fixtures/memory.json

Everything is float32 and channels last, as in the kernels. Arrays are flat, in memory order
([batch, height, width, channels]). JSON has no NaN and no infinity, so they are strings.
"""
import json, math, sys
import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(20261123)


def flat(t):
    """Values in channels-last order."""
    t = t.detach()
    if t.dim() == 4:
        t = t.permute(0, 2, 3, 1)
    if not t.is_floating_point():
        return t.flatten().tolist()
    # 9 digits distinguish any two float32.
    return [float(f"{v:.9g}") if math.isfinite(v) else str(v) for v in t.flatten().tolist()]


def last(t):
    return t.contiguous(memory_format=torch.channels_last)


def batch_norm(relu, residual, train):
    n, c, h, w = 2, 11, 2, 3
    x = last(torch.randn(n, c, h, w) * 2 + torch.linspace(-30, 30, c)[:, None, None]).requires_grad_()
    r = last(torch.randn(n, c, h, w)).requires_grad_()
    layer = nn.BatchNorm2d(c)
    with torch.no_grad():
        layer.weight.copy_(torch.randn(c))
        layer.bias.copy_(torch.randn(c))
        layer.running_mean.copy_(torch.linspace(-29, 31, c))
        layer.running_var.copy_(torch.rand(c) * 3 + 1)
    running = [layer.running_mean.clone(), layer.running_var.clone()]
    layer.train(train)
    y = layer(x)
    y = y + r if residual else y
    y = torch.relu(y) if relu else y
    dy = last(torch.randn(n, c, h, w))
    y.backward(dy)
    return {
        "channels": c, "eps": layer.eps, "relu": relu, "residual": flat(r) if residual else None, "train": train,
        "x": flat(x), "gamma": flat(layer.weight), "beta": flat(layer.bias),
        "running_mean": flat(running[0]), "running_var": flat(running[1]),
        "y": flat(y), "dy": flat(dy), "dx": flat(x.grad), "dresidual": flat(r.grad) if residual else None,
        "dgamma": flat(layer.weight.grad), "dbeta": flat(layer.bias.grad),
    }


def max_pool(kernel, stride, padding, ceil_mode):
    n, c, h, w = 2, 9, 5, 6
    # Few different values, hence ties, and some NaN and infinities.
    x = torch.randint(-3, 4, (n, c, h, w)).float()
    odd = torch.randint(0, 40, (n, c, h, w))
    x[odd == 0], x[odd == 1], x[odd == 2] = math.nan, math.inf, -math.inf
    x[0, 0], x[0, 1] = -math.inf, math.nan
    x = last(x).requires_grad_()
    y, index = F.max_pool2d(x, kernel, stride, padding, ceil_mode=ceil_mode, return_indices=True)
    dy = last(torch.randn_like(y))
    y.backward(dy)
    return {
        "shape": [n, h, w, c], "kernel": kernel, "stride": stride, "padding": padding, "ceil_mode": ceil_mode,
        "x": flat(x), "y": flat(y), "index": flat(index), "dy": flat(dy), "dx": flat(x.grad),
    }


def concat_pool():
    n, c, h, w = 3, 13, 3, 4
    x = torch.randint(-3, 4, (n, c, h, w)).float()
    x[1, 2, 1, 1], x[1, 2, 2, 0], x[2, 3] = math.nan, math.nan, -math.inf
    x = last(x).requires_grad_()
    greatest, index = F.adaptive_max_pool2d(x, 1, return_indices=True)
    y = torch.cat([greatest, F.adaptive_avg_pool2d(x, 1)], 1)
    dy = torch.randn_like(y)
    y.backward(dy)
    return {"shape": [n, h, w, c], "x": flat(x), "y": flat(y), "index": flat(index), "dy": flat(dy), "dx": flat(x.grad)}


def adam():
    p = torch.randn(37).requires_grad_()
    options = {"lr": 0.003, "betas": (0.9, 0.99), "eps": 1e-5, "weight_decay": 0.01}
    optimizer = torch.optim.AdamW([p], **options)
    case = {**options, "p": flat(p), "steps": []}
    for _ in range(3):
        p.grad = torch.randn(37)
        optimizer.step()
        state = optimizer.state[p]
        case["steps"].append(
            {"g": flat(p.grad), "p": flat(p), "m": flat(state["exp_avg"]), "v": flat(state["exp_avg_sq"])}
        )
    return case


def eighths(*shape):
    """Values with so few digits that no sum of their products is rounded."""
    return torch.randint(-12, 13, shape) / 8


def convolution(n, c, h, w, outputs, kernel, stride=1, padding=0, groups=1, dilation=1, odd=False):
    x, weight = last(eighths(n, c, h, w)), eighths(outputs, c // groups, kernel, kernel)
    if odd:
        # PyTorch propagates NaN to every output that reads it.
        x[0, 1, 1, 2], x[n - 1, c - 1, h - 1, 0] = math.nan, math.inf
    x, weight = x.requires_grad_(), weight.requires_grad_()
    y = F.conv2d(x, weight, None, stride, padding, dilation, groups)
    dy = last(eighths(*y.shape))
    if odd:
        dy[0, 0, 1, 1], dy[n - 1, outputs - 1, 0, 2] = math.nan, -math.inf
    y.backward(dy)
    return {
        "shape": [n, h, w, c], "outputs": outputs, "kernel": kernel, "stride": stride, "padding": padding,
        "dilation": dilation, "x": flat(x), "w": weights(weight), "y": flat(y), "dy": flat(dy),
        "dx": flat(x.grad), "dw": weights(weight.grad),
    }


def weights(t):
    """Values in PyTorch's own order, which the kernels use for weights too."""
    return [float(f"{v:.9g}") if math.isfinite(v) else str(v) for v in t.flatten().tolist()]


def mean_windows(n, c, h, w, size, ceil_mode):
    x = eighths(n, c, h, w)
    x[0, 0, 1, 1], x[0, 1, 0, 0] = math.nan, math.inf
    x = last(x).requires_grad_()
    y = F.avg_pool2d(x, size, ceil_mode=ceil_mode)
    dy = last(eighths(*y.shape))
    y.backward(dy)
    return {
        "shape": [n, h, w, c], "size": size, "ceil_mode": ceil_mode,
        "x": flat(x), "y": flat(y), "dy": flat(dy), "dx": flat(x.grad),
    }


special = torch.tensor([math.nan, -1, 0, 1, -0.0, math.inf, -math.inf], requires_grad=True)
relu = torch.relu(special)
relu.backward(torch.ones(7))
around = torch.tensor([math.nan, -1, 0, 1, 5.9, 6, 6.1, math.inf, -math.inf], requires_grad=True)
relu6 = F.relu6(around)
relu6.backward(torch.ones(9))
cases = {
    "batch_norm": [
        batch_norm(relu, residual, train)
        for relu in (False, True) for residual in (False, True) for train in (True, False)
    ],
    "max_pool": [
        max_pool(3, 2, 1, False), max_pool(2, 2, 0, False), max_pool(3, 2, 0, True), max_pool(3, 1, 1, False),
        max_pool(2, 3, 1, True),
    ],
    "concat_pool": [concat_pool()],
    "adam": [adam()],
    "relu": [{"x": flat(special), "y": flat(relu), "dx": flat(special.grad)}],
    "relu6": [{"x": flat(around), "y": flat(relu6), "dx": flat(around.grad)}],
    "convolution": [
        convolution(2, 3, 9, 8, 5, 7, stride=2, padding=3),
        convolution(2, 4, 6, 7, 6, 3, padding=1),
        convolution(1, 5, 8, 7, 4, 3, stride=2, padding=1),
        convolution(2, 6, 5, 4, 3, 1),
        convolution(3, 4, 1, 1, 4, 3, padding=1),
        convolution(1, 3, 8, 9, 4, 3, stride=3, padding=2),
        convolution(2, 4, 6, 7, 6, 3, padding=1, odd=True),
        convolution(2, 4, 7, 6, 3, 3, stride=2, padding=1, odd=True),
        convolution(2, 4, 5, 5, 3, 1, odd=True),
    ],
    "depthwise": [
        convolution(2, 9, 6, 7, 9, 3, padding=1, groups=9),
        convolution(2, 9, 7, 6, 9, 3, stride=2, padding=1, groups=9),
        convolution(1, 5, 9, 8, 5, 5, stride=3, padding=2, groups=5),
        convolution(1, 6, 9, 8, 6, 3, padding=2, groups=6, dilation=2),
        convolution(2, 9, 6, 7, 9, 3, padding=1, groups=9, odd=True),
        convolution(2, 9, 7, 6, 9, 3, stride=2, padding=1, groups=9, odd=True),
    ],
    "mean_windows": [
        mean_windows(2, 5, 6, 4, 2, False), mean_windows(2, 5, 5, 7, 2, False), mean_windows(2, 5, 5, 7, 2, True),
        mean_windows(1, 3, 8, 7, 3, True),
    ],
}
json.dump(cases, open(sys.argv[1], "w"), separators=(",", ":"))
