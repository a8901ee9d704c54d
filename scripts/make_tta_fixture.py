#!/usr/bin/env python3
"""The eight variants of fastai v1's TTA for one picture, with PyTorch's grid_sample.

    pip install torch==2.15.0 numpy
    python3 scripts/make_tta_fixture.py     # writes crates/vision-learner/tests/fixtures/tta.json

By the formulas of fastai 1.0.61's vision/tta.py, vision/image.py and vision/transform.py: variant i has row = i & 1,
col = (i & 2) >> 1, a zoom of 1.35 at (row, col), a crop there, and a flip for i >= 4. Pixels as bytes, so that
rounding (at most half a step) is the only difference. For a wide picture that is cropped to a square, and for
one that is squished, of which nothing is cropped.
"""
import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

OUT = Path(__file__).parent.parent / "crates/vision-learner/tests/fixtures/tta.json"
D = torch.float64
SCALE = 1.35


def picture(h, w):
    """The image that the test draws by the same rule, as bytes."""
    y, x, c = np.mgrid[0:h, 0:w, 0:3]
    return ((x * 23 + y * 41 + c * 67 + x * y * 5) % 256).astype(np.uint8)


def variant(source, size, squish, i):
    row, col, flip = i & 1, (i & 2) >> 1, i & 4
    x = torch.from_numpy(picture(*source)).permute(2, 0, 1).to(D) / 255
    h, w = x.shape[1:]
    ratio = min(h / size[0], w / size[1])
    target = tuple(size) if squish else (round(h / ratio), round(w / ratio))
    # The source is reduced first only if it is more than twice as large.
    assert min(h / target[0], w / target[1]) / 2 <= 1
    gy, gx = (torch.linspace(-1, 1, n, dtype=D) for n in target)
    grid = torch.stack([gx.expand(target[0], -1), gy[:, None].expand(-1, target[1])], -1)
    shift = torch.tensor([(1 - 1 / SCALE) * (2 * col - 1), (1 - 1 / SCALE) * (2 * row - 1)], dtype=D)
    grid = grid / SCALE + shift
    x = F.grid_sample(x[None], grid[None], mode="bilinear", padding_mode="reflection", align_corners=True)[0]
    if flip:
        x = x.flip(2)
    if not squish:
        # crop_pad: a position of 1 is nudged so that it stays inside.
        top, left = (int((have - want + 1) * (p - 1e-7 if p == 1 else p))
                     for have, want, p in ((x.shape[1], size[0], row), (x.shape[2], size[1], col)))
        x = x[:, top : top + size[0], left : left + size[1]]
    assert tuple(x.shape) == (3, *size)
    return [round(v, 4) for v in (x * 255).permute(1, 2, 0).reshape(-1).tolist()]


CASES = [([14, 21], [10, 10], False), ([13, 11], [9, 12], True)]
json.dump([{"source": source, "size": size, "squish": squish,
            "variants": [variant(source, size, squish, i) for i in range(8)]} for source, size, squish in CASES],
          OUT.open("w"), separators=(",", ":"))
print(OUT, OUT.stat().st_size, "bytes")
