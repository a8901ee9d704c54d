#!/usr/bin/env python3
"""Computes reference results of single layers with PyTorch: vision-models/tests/fixtures/layers.json.

    pip install torch==2.11.0 torchvision==0.26.0 numpy
    python3 scripts/make_layer_fixtures.py crates/vision-models/tests/fixtures/layers.json

Inputs, parameters and cotangents are filled from their names (make_parity_reference.py), so the file contains only
results, computed in float64: for each case the output, the gradients of sum(output * cotangent), and for batch norms the
running statistics after two batches. `state` lists names and shapes of state dicts in torchvision's order.
"""
import json, sys
import torch, torchvision
from torch import nn
from make_parity_reference import fill, rounded


# One of each family: the others differ only in repetitions.
ARCHS = ["resnet18", "resnet50", "squeezenet1_1", "densenet121", "vgg13_bn", "alexnet", "mobilenet_v2"]


def tensor(name, shape):
    return torch.from_numpy(fill(name, shape))


def filled(case, layer):
    layer = layer.double()
    for name, value in layer.state_dict().items():
        if value.is_floating_point():
            value.copy_(tensor(f"{case}.{name}", tuple(value.shape)))
    return layer


def flat(t):
    return t.detach().flatten().tolist()


def run(case, layer, x):
    """One pass: output and gradients."""
    x = x.clone().requires_grad_()
    y = layer(x)
    (y * tensor(f"{case}.cotangent", tuple(y.shape))).sum().backward()
    grads = {"input": flat(x.grad), **{name: flat(p.grad) for name, p in layer.named_parameters()}}
    return {"shape": list(y.shape), "output": flat(y), "grads": grads}


def plain(case, layer, shape, shift=0.0):
    return run(case, filled(case, layer), tensor(f"{case}.input", shape) + shift)


def batch_norm(case, layer, shape):
    layer = filled(case, layer)
    first, second = (tensor(f"{case}.{name}", shape) for name in ("input", "second"))
    layer.train()
    out = run(case, layer, first)
    layer(3.0 * second + 1.0)
    out["running_mean"], out["running_var"] = flat(layer.running_mean), flat(layer.running_var)
    layer.eval()
    out["eval"] = flat(layer(first))
    return out


class ConcatPool(nn.Module):
    """fastai's: maximum first."""

    def forward(self, x):
        return torch.cat([nn.AdaptiveMaxPool2d(1)(x), nn.AdaptiveAvgPool2d(1)(x)], 1)


def state(arch):
    names = getattr(torchvision.models, arch)(weights=None).state_dict().items()
    return [[name, list(value.shape)] for name, value in names if value.is_floating_point()]


def main():
    layers = {
        "bn2d": batch_norm("bn2d", nn.BatchNorm2d(3), (4, 3, 5, 6)),
        "bn1d": batch_norm("bn1d", nn.BatchNorm1d(5, momentum=0.01), (4, 5)),
        "conv3x3": plain("conv3x3", nn.Conv2d(3, 4, 3, stride=2, padding=1, bias=False), (2, 3, 7, 8)),
        "conv1x1": plain("conv1x1", nn.Conv2d(4, 6, 1, stride=2, bias=False), (2, 4, 5, 5)),
        "conv7x7": plain("conv7x7", nn.Conv2d(3, 2, 7, stride=2, padding=3, bias=False), (1, 3, 9, 10)),
        "grouped": plain("grouped", nn.Conv2d(4, 6, 3, padding=1, groups=2), (2, 4, 4, 5)),
        "linear": plain("linear", nn.Linear(5, 3), (4, 5)),
        # Negative values only, so that padding with zeros would be the maximum.
        "max_pool": plain("max_pool", nn.MaxPool2d(3, 2, 1), (2, 3, 7, 8), -2.0),
        "max_pool_ceil": plain("max_pool_ceil", nn.MaxPool2d(3, 2, ceil_mode=True), (2, 3, 8, 7), -2.0),
        "avg_pool_ceil": plain("avg_pool_ceil", nn.AvgPool2d(2, ceil_mode=True), (2, 3, 5, 1)),
        "avg_pool_even": plain("avg_pool_even", nn.AvgPool2d(2), (2, 3, 5, 6)),
        # A range nine times as wide, so that values lie on both sides of 0 and 6.
        "relu6": run("relu6", nn.ReLU6(), 9 * tensor("relu6.input", (2, 3, 4, 5))),
        "avg_pool1": plain("avg_pool1", nn.AdaptiveAvgPool2d(1), (2, 3, 7, 5)),
        "avg_pool3": plain("avg_pool3", nn.AdaptiveAvgPool2d(3), (2, 3, 7, 5)),
        "avg_pool7": plain("avg_pool7", nn.AdaptiveAvgPool2d(7), (2, 3, 2, 3)),
        "concat_pool": plain("concat_pool", ConcatPool(), (2, 3, 4, 5), -2.0),
    }
    out = {"torch": torch.__version__, "torchvision": torchvision.__version__, "layers": layers,
           "state": {arch: state(arch) for arch in ARCHS}}
    with open(sys.argv[1], "w") as file:
        json.dump(rounded(out), file, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main()
