#!/usr/bin/env python3
"""Writes crates/vision-data/tests/fixtures/verify.json: images, and the results of fastai's verify_images with
max_size=27: `resize_to` (both sides times 27 / the longer side, truncated to integers), Pillow's bilinear
filter, RGB.

Needs numpy and Pillow. Run from the root of the repository.
"""

import io
import json
from pathlib import Path

import numpy as np
from PIL import Image

rng = np.random.default_rng(3)
cases = {}


def add(name, image, max_size=27):
    data = io.BytesIO()
    image.save(data, format="PNG")
    width, height = image.size
    ratio = max_size / max(width, height)
    small = image.resize((int(width * ratio), int(height * ratio)), resample=Image.BILINEAR).convert("RGB")
    cases[name] = {
        "png": data.getvalue().hex(),
        "width": small.width,
        "height": small.height,
        "rgb": np.asarray(small).tobytes().hex(),
    }


digit = np.zeros((28, 28), dtype=np.uint8)
digit[4:24, 8:12] = 250
digit[10:14, 5:22] = 180
add("digit.png", Image.fromarray(digit))
smooth = Image.fromarray(rng.integers(0, 256, (4, 5, 3), dtype=np.uint8))
add("wide.png", smooth.resize((41, 30), Image.BICUBIC))
add("tall.png", smooth.resize((33, 90), Image.BICUBIC))
Path("crates/vision-data/tests/fixtures/verify.json").write_text(json.dumps(cases, indent=1) + "\n")
