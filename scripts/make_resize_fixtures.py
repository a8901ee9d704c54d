"""Computes fastai v1's resizing and transforms with PyTorch, for vision-data's tests.

    python scripts/make_resize_fixtures.py

Needs torch. Output: crates/vision-data/tests/fixtures/resize.json. The pipeline follows
fastai 1.0.61's vision/image.py and vision/transform.py: a sampling grid of the target size, a warp of
the grid, an affine matrix, one `grid_sample` (bilinear, reflection, align_corners=True) after an area
pre-shrink, lighting on logits, a flip, and crop or pad.
"""

import json
import math
from pathlib import Path

import torch
import torch.nn.functional as F

OUT = Path(__file__).resolve().parents[1] / "crates/vision-data/tests/fixtures/resize.json"


def source(h, w):
    """The image that the test draws by the same rule."""
    y, x = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    return torch.stack([(x * 23 + y * 41 + c * 67 + x * y * 5) % 256 for c in range(3)]).float() / 255


def warp_coefficients(m):
    corners = [(-1, -1), (-1, 1), (1, -1), (1, 1)]
    targets = [(-1 - m[3], -1 - m[1]), (-1 - m[2], 1 + m[1]), (1 + m[3], -1 - m[0]), (1 + m[2], 1 + m[0])]
    a, b = [], []
    for (x, y), (u, v) in zip(targets, corners):
        a += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        b += [u, v]
    c = torch.linalg.solve(torch.tensor(a, dtype=torch.float64), torch.tensor(b, dtype=torch.float64))
    return torch.cat([c, torch.ones(1, dtype=torch.float64)]).view(3, 3)


def affine_matrix(case):
    m = torch.eye(3, dtype=torch.float64)
    if "rotate" in case:
        a = math.radians(case["rotate"])
        m = m @ torch.tensor([[math.cos(a), -math.sin(a), 0], [math.sin(a), math.cos(a), 0], [0, 0, 1]], dtype=torch.float64)
    if "zoom" in case:
        s, row, col = case["zoom"]
        c, r = ((1 - 1 / s) * (2 * p - 1) for p in (col, row))
        m = m @ torch.tensor([[1 / s, 0, c], [0, 1 / s, r], [0, 0, 1]], dtype=torch.float64)
    return m


def run(case):
    x = source(*case["source"])
    h, w = x.shape[1:]
    size, method = case.get("size"), case["method"]
    target = (h, w)
    if size:
        th, tw = size
        ratio = {"crop": min, "pad": max}.get(method, lambda *_: None)(h / th, w / tw)
        target = (th, tw) if method == "squish" else (round(h / ratio), round(w / ratio))
    moves = any(k in case for k in ("warp", "rotate", "zoom"))
    if target != (h, w) or moves:
        gy, gx = (torch.linspace(-1, 1, n, dtype=torch.float64) for n in target)
        grid = torch.stack([gx.expand(target[0], -1), gy[:, None].expand(-1, target[1])], -1)
        if "warp" in case:
            p = torch.cat([grid, torch.ones(*target, 1, dtype=torch.float64)], -1) @ warp_coefficients(case["warp"]).T
            grid = p[..., :2] / p[..., 2:]
        m = affine_matrix(case)
        m[0, 1] *= target[0] / target[1]
        m[1, 0] *= target[1] / target[0]
        grid = grid @ m[:2, :2].T + m[:2, 2]
        shrink = min(h / target[0], w / target[1]) / 2
        zoom = 2 / (grid.max() - grid.min()).item()
        if shrink > 1 and shrink > zoom:
            x = F.interpolate(x[None], scale_factor=1 / shrink, mode="area")[0]
        x = F.grid_sample(x[None].double(), grid[None], mode="bilinear", padding_mode="reflection", align_corners=True)[0].float()
    if "brightness" in case or "contrast" in case:
        logit = torch.logit(x.clamp(1e-7, 1 - 1e-7))
        if "brightness" in case:
            logit = logit + math.log(case["brightness"] / (1 - case["brightness"]))
        if "contrast" in case:
            logit = logit * case["contrast"]
        x = torch.sigmoid(logit)
    if case.get("flip"):
        x = x.flip(2)
    if size and method != "squish":
        row_pct, col_pct = case.get("crop", (0.5, 0.5))
        (rows, cols), (h, w) = size, x.shape[1:]
        pads = [max((a - b + 1) // 2, 0) for a, b in ((cols, w), (rows, h))]
        x = F.pad(x[None], (pads[0], pads[0], pads[1], pads[1]), mode="reflect")[0]
        # fastai reduces a fraction of 1 slightly; otherwise the crop would begin one pixel beyond the last position.
        row, col = (int((have - want + 1) * min(p, 1 - 1e-7)) for have, want, p in ((x.shape[1], rows, row_pct), (x.shape[2], cols, col_pct)))
        x = x[:, row : row + rows, col : col + cols]
    return x


CASES = [
    {"source": [10, 20], "size": [5, 5], "method": "crop"},
    {"source": [10, 20], "size": [6, 6], "method": "pad"},
    {"source": [10, 20], "size": [5, 5], "method": "squish"},
    {"source": [20, 10], "size": [7, 4], "method": "squish"},
    {"source": [5, 7], "size": [9, 6], "method": "crop"},
    {"source": [5, 7], "size": [9, 6], "method": "pad"},
    {"source": [6, 6], "size": [6, 4], "method": "crop"},
    {"source": [60, 90], "size": [6, 6], "method": "crop"},
    {"source": [61, 43], "size": [8, 8], "method": "pad"},
    {"source": [97, 33], "size": [5, 9], "method": "squish"},
    {"source": [28, 28], "size": [14, 14], "method": "crop"},
    {"source": [13, 9], "size": [8, 8], "method": "crop", "crop": [1.0, 0.0]},
    {"source": [13, 9], "size": [8, 8], "method": "crop", "crop": [0.3, 0.8], "flip": True},
    {"source": [8, 11], "method": "crop", "rotate": 25.0},
    {"source": [8, 11], "size": [7, 7], "method": "squish", "rotate": -10.0, "zoom": [1.1, 0.2, 0.9]},
    {"source": [8, 11], "size": [7, 7], "method": "crop", "warp": [0.1, -0.2, 0.15, 0.05]},
    {"source": [50, 70], "size": [6, 6], "method": "crop", "zoom": [3.0, 0.5, 0.5]},
    {"source": [50, 70], "size": [6, 6], "method": "crop", "zoom": [6.0, 0.5, 0.5]},
    {"source": [40, 30], "size": [8, 8], "method": "crop", "crop": [0.7, 0.4], "flip": True,
     "warp": [-0.2, 0.1, 0.05, -0.1], "rotate": 7.0, "zoom": [1.08, 0.3, 0.6], "brightness": 0.58, "contrast": 1.2},
    {"source": [6, 5], "method": "crop", "brightness": 0.4, "flip": True},
]


def main():
    lines = []
    for case in CASES:
        values = run(case)
        case = dict(case, shape=list(values.shape), expected=[round(v, 5) for v in values.flatten().tolist()])
        lines.append("  " + json.dumps(case))
    OUT.write_text("[\n" + ",\n".join(lines) + "\n]\n")
    print(f"{len(CASES)} cases, {OUT.stat().st_size} bytes")


main()
