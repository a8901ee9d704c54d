"""Computes transforms with PyTorch, torchvision and Pillow, for vision-data's tests.

    python scripts/make_transform_fixtures.py

Needs torch, torchvision, numpy and Pillow. Output, in crates/vision-data/tests/fixtures:

* warps.json: fastai v1's geometric transforms, padding modes and masks with `grid_sample`, with the formulas
  of fastai 1.0.61's vision/image.py and vision/transform.py;
* pillow.json: Pillow's bilinear resizing, and torchvision's Resize with CenterCrop;
* operations.json: each operation of torchvision's RandAugment and TrivialAugmentWide at several
  strengths, through Pillow.
"""

import hashlib
import json
import math
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
import torchvision
import torchvision.transforms as T
from PIL import Image
from torchvision.transforms import autoaugment as aa

OUT = Path(__file__).resolve().parents[1] / "crates/vision-data/tests/fixtures"
D = torch.float64
CORNERS = [(-1, -1), (-1, 1), (1, -1), (1, 1)]


def picture(h, w):
    """The image that the tests draw by the same rule, as bytes."""
    y, x, c = np.mgrid[0:h, 0:w, 0:3]
    return ((x * 23 + y * 41 + c * 67 + x * y * 5) % 256).astype(np.uint8)


def labels(h, w):
    y, x = np.mgrid[0:h, 0:w]
    return ((x // 2 + y // 3 * 3) % 7).astype(np.uint8)


# ---- warps


def coefficients(targets):
    a, b = [], []
    for (x, y), (u, v) in zip(targets, CORNERS):
        a += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        b += [u, v]
    c = torch.linalg.solve(torch.tensor(a, dtype=D), torch.tensor(b, dtype=D))
    return torch.cat([c, torch.ones(1, dtype=D)]).view(3, 3)


def moved(by):
    return [(x + by[2 * i], y + by[2 * i + 1]) for i, (x, y) in enumerate(CORNERS)]


def targets(name, arg):
    if name == "symmetric_warp":
        m = arg
        return [(-1 - m[3], -1 - m[1]), (-1 - m[2], 1 + m[1]), (1 + m[3], -1 - m[0]), (1 + m[2], 1 + m[0])]
    if name == "perspective_warp":
        return moved(arg)
    direction, m = arg
    by = [0.0] * 8
    if name == "tilt":
        first, second = [(5, 7), (1, 3), (2, 6), (0, 4)][direction]
        by[first], by[second] = -m, m
    else:
        outward = [-1, -1, -1, 1, 1, -1, 1, 1]
        by[direction] = outward[direction] * m
    return moved(by)


def stretch(w, h, x, y):
    return torch.tensor([[w, 0, x], [0, h, y], [0, 0, 1]], dtype=D)


def affine(name, arg):
    if name == "rotate":
        a = math.radians(arg)
        return torch.tensor([[math.cos(a), -math.sin(a), 0], [math.sin(a), math.cos(a), 0], [0, 0, 1]], dtype=D)
    if name == "flip_affine":
        return stretch(-1, 1, 0, 0)
    if name == "dihedral_affine":
        x, y = (-1 if arg & 1 else 1), (-1 if arg & 2 else 1)
        return torch.tensor([[0, x, 0], [y, 0, 0], [0, 0, 1]], dtype=D) if arg & 4 else stretch(x, y, 0, 0)
    scale, row, col = arg
    c, r = 2 * col - 1, 2 * row - 1
    if name == "zoom":
        return stretch(1 / scale, 1 / scale, (1 - 1 / scale) * c, (1 - 1 / scale) * r)
    if scale <= 1:
        return stretch(scale, 1, (1 - scale) * c, 0)
    return stretch(1, 1 / scale, 0, (1 - 1 / scale) * r)


def zoom_squish(size, arg):
    """fastai's rand_resize_crop with the same values in all attempts."""
    scale, squish, invert, row, col = arg
    s, r = 1 / math.sqrt(scale), math.sqrt(squish)
    if s * r <= 1 and s / r <= 1:
        w, h = (s / r, s * r) if invert else (s * r, s / r)
        return stretch(w, h, (1 - w) * (2 * col - 1), (1 - h) * (2 * row - 1))
    ratio = size[1] / size[0]
    return stretch(1 / ratio, 1, 0, 0) if ratio > 1 else stretch(1, ratio, 0, 0)


PAD = {"reflection": "reflect", "zeros": "constant", "border": "replicate"}


def warp(case, mask=False):
    x = torch.from_numpy(labels(*case["source"]))[None].double() if mask else torch.from_numpy(picture(*case["source"])).permute(2, 0, 1).double() / 255
    padding = case.get("padding_mode", "reflection")
    if "pad" in case:
        n, mode = case["pad"]
        x = F.pad(x[None], (n,) * 4, mode=PAD[mode])[0]
    h, w = x.shape[1:]
    size, method = case.get("size"), case.get("method", "crop")
    if size and "mult" in case:
        size = [int(n / case["mult"] + 0.5) * case["mult"] for n in size]
    target = (h, w)
    if size and method == "squish":
        target = tuple(size)
    elif size and method in ("crop", "pad"):
        ratio = {"crop": min, "pad": max}[method](h / size[0], w / size[1])
        target = (round(h / ratio), round(w / ratio))
    gy, gx = (torch.linspace(-1, 1, n, dtype=D) for n in target)
    grid = torch.stack([gx.expand(target[0], -1), gy[:, None].expand(-1, target[1])], -1)
    m = torch.eye(3, dtype=D)
    for name, arg in case["steps"]:
        if name in ("symmetric_warp", "perspective_warp", "tilt", "skew", "zoom_squish"):
            c = zoom_squish(target, arg) if name == "zoom_squish" else coefficients(targets(name, arg))
            p = torch.cat([grid, torch.ones(*target, 1, dtype=D)], -1) @ c.T
            grid = p[..., :2] / p[..., 2:]
        else:
            m = m @ affine(name, arg)
    m[0, 1] *= target[0] / target[1]
    m[1, 0] *= target[1] / target[0]
    grid = grid @ m[:2, :2].T + m[:2, 2]
    if not mask:
        shrink = min(h / target[0], w / target[1]) / 2
        if shrink > 1 and shrink > 2 / (grid.max() - grid.min()).item():
            x = F.interpolate(x[None], scale_factor=1 / shrink, mode="area")[0]
    x = F.grid_sample(x[None], grid[None], mode="nearest" if mask else "bilinear", padding_mode=padding, align_corners=True)[0]
    if mask:
        # Halfway between two pixels the last bit of the coordinate decides, so either is correct: -1.
        place = (grid + 1) / 2 * torch.tensor([w - 1, h - 1])
        x[0][((place % 1 - 0.5).abs() < 1e-9).any(-1)] = -1
    if size and method in ("crop", "pad"):
        (rows, cols), (h, w) = size, x.shape[1:]
        pads = [max((a - b + 1) // 2, 0) for a, b in ((cols, w), (rows, h))]
        x = F.pad(x[None], (pads[0], pads[0], pads[1], pads[1]), mode=PAD[padding])[0]
        row, col = (int((have - want + 1) * 0.5) for have, want in ((x.shape[1], rows), (x.shape[2], cols)))
        x = x[:, row : row + rows, col : col + cols]
    return x


WARPS = [
    {"source": [9, 7], "steps": [["perspective_warp", [0.1, -0.2, 0.15, 0.05, -0.1, 0.2, 0.3, -0.25]]]},
    {"source": [9, 7], "steps": [["symmetric_warp", [0.1, -0.2, 0.15, 0.05]], ["tilt", [2, 0.3]]]},
    *[{"source": [6, 7], "steps": [["tilt", [d, m]]]} for d, m in enumerate([0.4, -0.3, 0.2, -0.5])],
    *[{"source": [7, 6], "steps": [["skew", [d, (-1) ** d * 0.4]]]} for d in range(8)],
    {"source": [9, 12], "size": [6, 6], "steps": [["skew", [5, 0.3]], ["rotate", 33.0], ["zoom", [1.3, 0.2, 0.8]]]},
    {"source": [8, 8], "steps": [["squish", [0.6, 0.1, 0.9]]]},
    {"source": [8, 8], "steps": [["squish", [1.7, 0.1, 0.9]], ["flip_affine", 0]]},
    *[{"source": [5, 7], "steps": [["dihedral_affine", k]]} for k in range(8)],
    {"source": [20, 30], "size": [8, 8], "steps": [["zoom_squish", [1.6, 0.8, False, 0.3, 0.9]]]},
    {"source": [20, 30], "size": [8, 8], "steps": [["zoom_squish", [1.6, 0.8, True, 0.3, 0.9]]]},
    {"source": [20, 30], "size": [8, 8], "steps": [["zoom_squish", [1.0, 1.3, False, 0.3, 0.9]]]},
    {"source": [30, 20], "size": [8, 8], "steps": [["zoom_squish", [1.0, 1.3, False, 0.3, 0.9]]]},
    *[
        {"source": [7, 9], "padding_mode": mode, "steps": [["rotate", 40.0], ["zoom", [0.5, 0.5, 0.5]]]}
        for mode in PAD
    ],
    *[{"source": [8, 20], "size": [10, 10], "method": "pad", "padding_mode": mode, "steps": []} for mode in PAD],
    *[{"source": [50, 40], "size": [6, 6], "padding_mode": mode, "steps": [["rotate", 20.0]]} for mode in PAD],
    *[{"source": [5, 6], "pad": [3, mode], "steps": [["rotate", 15.0]]} for mode in PAD],
    {"source": [20, 30], "size": [9, 14], "mult": 4, "method": "squish", "steps": []},
    {"source": [20, 30], "size": [11, 11], "mult": 4, "steps": [["rotate", -12.0]]},
    {"source": [9, 7], "size": [4, 4], "method": "no", "steps": [["rotate", 5.0]]},
]


def warps():
    cases = []
    for case in WARPS:
        x = warp(case)
        mask = warp(case, mask=True)
        case = dict(case, shape=list(x.shape))
        case["expected"] = [round(v, 5) for v in x.flatten().tolist()]
        case["mask"] = [int(v) for v in mask.flatten().tolist()]
        cases.append(case)
    return cases


# ---- Pillow


def digest(image):
    return hashlib.sha256(np.asarray(image, dtype=np.uint8).tobytes()).hexdigest()


def resize(image, height, width):
    """Columns first, as in Pillow before version 13, which chooses the cheaper order."""
    result = image.resize((width, image.height), Image.BILINEAR).resize((width, height), Image.BILINEAR)
    at_once = image.resize((width, height), Image.BILINEAR)
    assert np.abs(np.asarray(result).astype(int) - np.asarray(at_once)).max() <= 1
    return result


def pillow():
    cases = []
    sizes = [([9, 14], [5, 6]), ([5, 6], [9, 14]), ([61, 97], [7, 50]), ([40, 40], [40, 13]), ([1, 1], [3, 3]), ([300, 200], [224, 224])]
    for source, size in sizes:
        result = resize(Image.fromarray(picture(*source)), *size)
        cases.append({"source": source, "size": size, "sha256": digest(result)})
    for source, size, extra in [([80, 60], 24, 8), ([60, 83], 24, 8), ([300, 200], 64, 32), ([30, 25], 40, 32)]:
        image = Image.fromarray(picture(*source))
        width, height = T.Resize(size + extra)(image).size
        result = T.CenterCrop(size)(resize(image, height, width))
        cases.append({"source": source, "size": [size, size], "extra": extra, "sha256": digest(result)})
    return cases


# ---- RandAugment and TrivialAugment


def operations():
    cases = []
    spaces = {"rand_augment": aa.RandAugment()._augmentation_space, "trivial_augment": lambda bins, _: aa.TrivialAugmentWide()._augmentation_space(bins)}
    for space, of in spaces.items():
        for source, bins in (([12, 17], 31), ([24, 24], 10)):
            image = Image.fromarray(picture(*source))
            # Not all shades, so that AutoContrast and Equalize have an effect.
            image = image.point([40 + i // 2 for i in range(256)] * 3)
            mask = Image.fromarray(labels(*source))
            for name, (magnitudes, signed) in of(bins, tuple(source)).items():
                strengths = [3, 6, 9, bins - 1] if magnitudes.ndim else [0]
                # 6 of 10 is a right angle in TrivialAugment.
                for i in sorted(set(strengths)):
                    for negative in (False, True) if signed else (False,):
                        magnitude = float(magnitudes[i]) if magnitudes.ndim else 0.0
                        magnitude *= -1 if negative else 1
                        apply = lambda x: aa._apply_op(x, name, magnitude, T.InterpolationMode.NEAREST, None)
                        case = {"space": space, "source": source, "bins": bins, "op": name, "bin": i, "negative": negative}
                        case.update(magnitude=magnitude, sha256=digest(apply(image)))
                        if name.startswith(("Shear", "Translate", "Rotate")):
                            case["mask"] = digest(apply(mask))
                        cases.append(case)
    return cases


def main():
    made = {"warps": warps(), "pillow": pillow(), "operations": operations()}
    for name, cases in made.items():
        path = OUT / f"{name}.json"
        path.write_text("[\n" + ",\n".join("  " + json.dumps(case) for case in cases) + "\n]\n")
        print(f"{name}: {len(cases)} cases, {path.stat().st_size} bytes")
    print(f"torch {torch.__version__}, torchvision {torchvision.__version__}, Pillow {Image.__version__}")


main()
