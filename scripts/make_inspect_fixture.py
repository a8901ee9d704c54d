#!/usr/bin/env python3
"""What PyTorch says about the layers of torchvision's and timm's networks: shapes, cost and outputs, for vision-models' tests.

    pip install torch==2.15.0 torchvision==0.29.2 timm==1.0.31 numpy
    python3 scripts/make_inspect_fixture.py     # writes crates/vision-models/tests/fixtures/inspect.json

* profiles: for an image of 224 x 224, each module without children, by a forward hook: the shape of its last output,
  its parameters, and half of the flops that torch.utils.flop_counter counts for convolutions and linear layers.
* outputs: the channel means of inner layers for one image of 64 x 64, `input` of make_parity_reference.py, with
  weights filled from their names, in eval mode in float64: the first eight of each.
* totals: multiply-adds of timm's networks for an image of 224 x 224, counted in the same way.
"""
import json
from pathlib import Path

import timm
import timm.layers
import torch
from torch.utils.flop_counter import FlopCounterMode

import make_parity_reference
from make_parity_reference import fill

timm.layers.set_fused_attn(False)  # whose products are counted
OUT = Path(__file__).parent.parent / "crates/vision-models/tests/fixtures/inspect.json"
ARCHS = ["resnet18", "resnet50", "densenet121", "mobilenet_v2", "squeezenet1_1", "vgg11_bn"]
# timm's, of which modules that do nothing are left out. Their maps are [channels, height, width].
TIMM = ["convnext_atto", "convnextv2_atto", "vit_tiny_patch16_224", "deit3_small_patch16_224"]
INNER = {
    "resnet18": ["conv1", "bn1", "relu", "maxpool", "layer1", "layer2.0", "layer2.0.conv1", "layer2.0.bn2",
                 "layer2.0.downsample", "layer2.0.downsample.0", "layer4", "fc"],
    "resnet50": ["layer1.0.conv3", "layer1.0.bn3", "layer3", "layer3.0.downsample.1"],
    "densenet121": ["features.norm0", "features.denseblock1.denselayer2.norm1", "features.denseblock1.denselayer2.relu2",
                    "features.denseblock2.denselayer1.conv2", "features.transition1.conv", "features", "classifier"],
    "mobilenet_v2": ["features.0.0", "features.0", "features.2.conv.0", "features.2.conv.1.1", "features.3.conv",
                     "features.3", "classifier.1"],
    # A batch norm of timm's has the activation inside, so that only convolutions and blocks have the same outputs.
    "efficientnet_b0": ["conv_stem", "blocks.0.0.conv_dw", "blocks.1.0", "blocks.1.1.conv_pwl", "blocks.2.0.se",
                        "blocks.2.0.se.conv_reduce", "blocks.2.0.se.gate", "blocks.2.1", "blocks.5", "conv_head", "classifier"],
    "mobilenetv3_small_100": ["blocks.0.0.se", "blocks.1", "blocks.5.0.conv", "classifier"],
    "mobilenetv4_conv_small": ["blocks.2.0.dw_start", "blocks.2.1.pw_exp.conv", "blocks.2.5", "blocks.4"],
    "regnety_004": ["stem", "s1.b1.conv2", "s1.b1.se.fc1", "s1.b1.se", "s1.b1.downsample", "s2.b2", "s4", "head.fc"],
    "resnet50d": ["conv1", "conv1.4", "layer1.0.downsample.1", "layer2.0.downsample.0", "layer2.0.conv3", "layer2", "fc"],
    "seresnet50": ["layer1.0.bn3", "layer1.0.se.fc2", "layer1.0.se", "layer1.1", "layer2.0.downsample"],
    "convnext_atto": ["stem.0", "stem", "stages.1.downsample.0", "stages.1.blocks.0.conv_dw", "stages.1.blocks.0.norm",
                      "stages.1.blocks.0.mlp.fc1", "stages.1.blocks.0.mlp.act", "stages.1.blocks.0.mlp", "stages.1.blocks.1",
                      "stages.2", "head.norm", "head.fc"],
    "vit_tiny_patch16_224": ["patch_embed.proj", "pos_drop", "blocks.0.norm1", "blocks.0.attn.qkv", "blocks.0.attn", "blocks.1.mlp.act",
                             "blocks.5", "norm", "fc_norm", "head"],
    "deit3_small_patch16_224": ["pos_drop", "blocks.0.ls1", "blocks.3.ls2"],
    "convnextv2_atto": ["stages.0.blocks.1.mlp.grn", "stages.3"],
    "squeezenet1_1": ["features.2", "features.3.squeeze", "features.3.squeeze_activation", "features.3.expand1x1",
                      "features.4.expand3x3_activation", "features", "classifier.1"],
}


def build(name):
    return make_parity_reference.build(name, 1000).eval()


def counts(name, path, module):
    """Whether the module has a row: without children, or with parameters of its own."""
    own = list(module.parameters(recurse=False))
    if name not in TIMM:
        return not list(module.children())
    if path in ("pos_drop", "fc_norm") or path.endswith(".attn"):
        return "patch16" in name
    idle = isinstance(module, (torch.nn.Identity, torch.nn.Dropout)) or path.startswith("head.global_pool") or path == "head.flatten"
    return path and not idle and (own or not list(module.children()))


def maps(name, out):
    """Tokens as maps of one row."""
    return out.transpose(1, 2)[:, :, None] if "patch16" in name and out.dim() == 3 else out


def profile(name):
    net, rows = build(name), {}
    for path, module in net.named_modules():
        if counts(name, path, module):
            def hook(module, _, out, path=path):
                rows.pop(path, None)  # the last call counts, and decides the order
                # timm's heads are flat from the mean on here.
                flat = name in TIMM and path.startswith("head.")
                owner = net if path == "pos_drop" else module  # the tokens' parameters are the network's
                rows[path] = {"name": path, "output": list(out.flatten(1).shape[1:] if flat else maps(name, out).shape[1:]),
                              "parameters": sum(p.numel() for p in owner.parameters(recurse=False))}
            module.register_forward_hook(hook)
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        net(torch.zeros(1, 3, 224, 224))
    flops = counter.get_flop_counts()
    root = type(net).__name__
    modules = dict(net.named_modules())
    for path, row in rows.items():
        def count(path):
            return sum(flops.get(f"{root}.{path}", {}).values()) // 2
        row["multiply_adds"] = count(path) if not list(modules[path].children()) else 0
        if path.endswith(".attn"):
            row["multiply_adds"] = count(path) - count(f"{path}.qkv") - count(f"{path}.proj")
    total = sum(flops["Global"].values()) // 2
    assert total == sum(row["multiply_adds"] for row in rows.values())
    return {"multiply_adds": total, "parameters": sum(p.numel() for p in net.parameters()), "layers": list(rows.values())}


def total(name):
    counter = FlopCounterMode(display=False)
    with torch.device("meta"), torch.no_grad():
        net = build(name)
        with counter:
            net(torch.zeros(1, 3, 224, 224))
    return sum(counter.get_flop_counts()["Global"].values()) // 2


def outputs(name, layers):
    net = build(name).double()
    for key, value in net.state_dict().items():
        if not key.endswith("num_batches_tracked"):
            value.copy_(torch.from_numpy(fill(key, tuple(value.shape), 0)))
    found = {}
    modules = dict(net.named_modules())
    for path in layers:
        def hook(_module, _inputs, out, path=path):
            found.setdefault(path, maps(name, out).clone())  # a ReLU in place would change `out`, and what a hook returns replaces it
        modules[path].register_forward_hook(hook)
    with torch.no_grad():
        net(torch.from_numpy(fill("input", (1, 3, 64, 64), 0)).double())
    return {path: {"shape": list(out.shape), "means": out.flatten(2).mean(2)[0, :8].tolist() if out.dim() == 4
                   else out[0, :8].tolist()} for path, out in found.items()}


json.dump({
    "torch": torch.__version__,
    "profiles": {name: profile(name) for name in ARCHS + TIMM},
    "outputs": {name: outputs(name, layers) for name, layers in INNER.items()},
    "totals": {name: total(name) for name in make_parity_reference.TIMM},
}, OUT.open("w"), separators=(",", ":"))
print(OUT, OUT.stat().st_size, "bytes")
