#!/usr/bin/env python3
"""Writes torchvision's names of the tensors of networks that have timm's names here, for the tests of vision-models.

    pip install torch==2.11.0 torchvision==0.26.0 timm==1.0.31
    python3 scripts/make_torchvision_names.py > crates/vision-models/tests/fixtures/weights/torchvision_names.json

Tensors are paired by their order in the network; that timm's network then computes what torchvision's does is checked.
Output: for each architecture [torchvision's name, timm's name, torchvision's shape] of each tensor that is no counter.
"""
import json
import re

import timm
import torch
import torchvision

# This library's name: torchvision's, timm's, timm's settings. The other sizes of each family have the same names.
MODELS = {
    "efficientnet_b0": ("efficientnet_b0", "efficientnet_b0", {}),
    "efficientnet_v2_s": ("efficientnet_v2_s", "efficientnetv2_s", {"bn_eps": 1e-3}),
    "mobilenet_v3_large": ("mobilenet_v3_large", "mobilenetv3_large_100", {"bn_eps": 1e-3}),
    "mobilenet_v3_small": ("mobilenet_v3_small", "mobilenetv3_small_100", {"bn_eps": 1e-3}),
    "regnety_004": ("regnet_y_400mf", "regnety_004", {}),
    "regnet_y_800mf": ("regnet_y_800mf", "regnety_008_tv", {}),
}
out = {}
for ours, (theirs, timms, settings) in MODELS.items():
    torch.manual_seed(0)
    a, b = getattr(torchvision.models, theirs)().eval(), timm.create_model(timms, **settings).eval()
    # A RegNet's shortcut comes first in torchvision, and last in timm.
    names = list(a.state_dict())
    if theirs.startswith("regnet"):
        order, blocks = {n: i for i, n in enumerate(names)}, {}
        for n in names:
            blocks.setdefault("".join(re.findall(r"block\d-\d+", n)) or n, order[n])
        names.sort(key=lambda n: (blocks["".join(re.findall(r"block\d-\d+", n)) or n], ".proj." in n, order[n]))
    state = b.state_dict()
    assert len(names) == len(state), ours
    pairs, renamed = [], {}
    for name, (other, y) in zip(names, state.items()):
        x = a.state_dict()[name]
        if name.endswith("running_var"):
            x.uniform_(0.5, 1.5)
        elif name.endswith("running_mean"):
            x.uniform_(-0.1, 0.1)
        assert x.numel() == y.numel(), (name, other)
        renamed[other] = x.reshape(y.shape)
        if not name.endswith("num_batches_tracked"):
            pairs.append([name, other, list(x.shape)])
    b.load_state_dict(renamed)
    with torch.no_grad():
        image = torch.rand(2, 3, 96, 96)
        x, y = a(image), b(image)
    assert (x - y).abs().max() < 1e-4 * x.abs().max(), (ours, (x - y).abs().max())
    out[ours] = pairs
print(json.dumps(out, separators=(",", ":")))
