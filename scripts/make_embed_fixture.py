#!/usr/bin/env python3
"""What hooks in PyTorch see of the features that `Learner::embed` gives.

    pip install torch==2.15.0 torchvision==0.29.2 numpy
    python3 scripts/make_embed_fixture.py     # writes crates/vision-learner/tests/fixtures/embed.json

The images and the classifier of make_training_fixture.py (a ResNet-18 under fastai's head, filled from names), untrained,
in eval mode in float64. For each layer the first eight values of each image: of the means over height and width, or of
all values with "kept".
"""
import json
from pathlib import Path

import torch

from make_training_fixture import N, model, pixels

OUT = Path(__file__).parent.parent / "crates/vision-learner/tests/fixtures/embed.json"
LAYERS = ["0.0", "0.4.0.conv1", "0.5.0.downsample.1", "0.6", "0.7", "1.0", "1.3", "1.5", "1.6"]

net = model().eval()
modules, found = dict(net.named_modules()), {}
for path in LAYERS:
    def hook(_module, _inputs, out, path=path):
        found.setdefault(path, out.clone())  # a ReLU in place would change `out`, and what a hook returns replaces it
    modules[path].register_forward_hook(hook)
with torch.no_grad():
    net(torch.from_numpy(pixels()).permute(0, 3, 1, 2).double() / 255)


def rows(out, keep=False):
    out = out.flatten(1) if keep or out.dim() == 2 else out.flatten(2).mean(2)
    return {"dim": out.shape[1], "rows": out[:, :8].tolist()}


json.dump({
    "torch": torch.__version__,
    "images": N,
    "layers": {path: rows(out) for path, out in found.items()},
    "kept": {path: rows(found[path], keep=True) for path in ["0.0", "0.6"]},
}, OUT.open("w"), separators=(",", ":"))
print(OUT, OUT.stat().st_size, "bytes")
