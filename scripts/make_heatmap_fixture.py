#!/usr/bin/env python3
"""Heat maps over images, by PyTorch's bilinear interpolation and matplotlib's colors, for vision-interp.

    pip install torch==2.15.0 numpy matplotlib==3.11.2
    python3 scripts/make_heatmap_fixture.py     # writes crates/vision-interp/tests/fixtures/heatmap.json

The overlay is what `imshow(map, alpha=.., cmap="magma", interpolation="bilinear")` stands for: values are interpolated,
scaled by the least and the largest value of the map, looked up in the color map, and mixed with the image.
"""
import json
from pathlib import Path

import matplotlib
import numpy as np
import torch

OUT = Path(__file__).parent.parent / "crates/vision-interp/tests/fixtures/heatmap.json"
rng = np.random.default_rng(0)
magma = matplotlib.colormaps["magma"]


def resize(values, size):
    x = torch.from_numpy(values)[None, None]
    return torch.nn.functional.interpolate(x, size=size, mode="bilinear", align_corners=False)[0, 0].numpy()


def case(rows, columns, height, width, alpha):
    values = rng.uniform(-1, 3, (rows, columns)).round(3)
    image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    scaled = (resize(values, (height, width)) - values.min()) / (values.max() - values.min())
    drawn = alpha * magma(scaled)[..., :3] * 255 + (1 - alpha) * image
    return {"map": [rows, columns], "values": values.flatten().tolist(), "image": [height, width],
            "pixels": image.flatten().tolist(), "alpha": alpha,
            "resized": resize(values, (height, width)).flatten().tolist(), "drawn": drawn.flatten().round(3).tolist()}


out = {"matplotlib": matplotlib.__version__, "torch": torch.__version__,
       "colors": {str(v): [c * 255 for c in magma(float(v))[:3]] for v in [0.0, 0.0039, 0.004, 0.1, 0.25, 0.5, 0.7501, 0.9, 0.996, 0.9962, 1.0]},
       "cases": [case(3, 4, 12, 10, 0.6), case(4, 4, 3, 9, 0.4), case(2, 1, 5, 5, 1.0)]}
json.dump(out, OUT.open("w"), separators=(",", ":"))
print(OUT, OUT.stat().st_size, "bytes")
