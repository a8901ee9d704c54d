"""Writes JPEGs, and libjpeg's decodings of them at 1/2, 1/4 and 1/8 (Pillow's `draft`).

    python scripts/make_reduced_fixtures.py

Needs Pillow and numpy. Output: crates/vision-data/tests/fixtures/reduced/: for each image the JPEG and
PNGs of libjpeg's pixels. Also a PNG, and a smaller version of it made by Pillow.
"""

from pathlib import Path

import numpy as np
from PIL import Image

OUT = Path(__file__).resolve().parents[1] / "crates/vision-data/tests/fixtures/reduced"
OUT.mkdir(parents=True, exist_ok=True)

# Smooth colors with an edge, 173 by 131: neither side is a multiple of the block size.
y, x = np.mgrid[0:131, 0:173]
waves = [127 + 90 * np.sin(x / (17 + 3 * c)) * np.cos(y / (23 - 2 * c)) for c in range(3)]
pixels = np.stack(waves, -1)
pixels[40:90, 60:120] *= 0.4
picture = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
for name, image, options in [
    ("420", picture, {"subsampling": 2}),
    ("444", picture, {"subsampling": 0}),
    ("gray", picture.convert("L"), {}),
    ("progressive", picture, {"progressive": True}),
]:
    path = OUT / f"{name}.jpg"
    image.save(path, quality=90, **options)
    for part in (2, 4, 8):
        with Image.open(path) as jpeg:
            jpeg.draft(None, (173 // part, 131 // part))
            jpeg.load()
            assert jpeg.size == (-(-173 // part), -(-131 // part)), jpeg.size
            jpeg.convert("RGB").save(OUT / f"{name}_{part}.png")

# The same image without loss, and with its shorter side reduced to 64 by Pillow's bilinear filter.
picture.save(OUT / "picture.png")
picture.resize((173 * 64 // 131, 64), Image.BILINEAR).save(OUT / "picture_64.png")
