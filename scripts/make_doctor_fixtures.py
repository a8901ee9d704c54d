#!/usr/bin/env python3
"""Writes crates/vision-data/tests/fixtures/doctor: images with oddities, photos with variants made by Pillow, and
their hashes and similarities computed with numpy (doctor.json).

Needs numpy and Pillow. Run from the root of the repository.
"""

import json
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

OUT = Path("crates/vision-data/tests/fixtures/doctor")
OUT.mkdir(parents=True, exist_ok=True)
rng = np.random.default_rng(7)


def photo(width, height):
    """Smooth colors, a few edges, some noise."""
    base = Image.fromarray(rng.integers(0, 256, (4, 5, 3), dtype=np.uint8))
    pixels = np.asarray(base.resize((width, height), Image.BICUBIC), dtype=np.float32).copy()
    for _ in range(6):
        x, y = int(rng.integers(0, width)), int(rng.integers(0, height))
        w, h = int(rng.integers(width // 10, width // 2)), int(rng.integers(height // 10, height // 2))
        pixels[y : y + h, x : x + w] = 0.5 * pixels[y : y + h, x : x + w] + 0.5 * rng.integers(0, 256, 3)
    pixels += rng.normal(0, 6, pixels.shape)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(0.6))


def weights(length, cells=32):
    """The share of each cell that each pixel fills, [cells, length]."""
    w = np.zeros((cells, length))
    for i in range(length):
        a, b = i * cells / length, (i + 1) * cells / length
        for c in range(int(a), min(cells, int(np.ceil(b)))):
            w[c, i] = max(0.0, min(b, c + 1) - max(a, c))
    return w


def gray32(image):
    rgb = np.asarray(image.convert("RGB"), dtype=np.float64)
    small = np.einsum("yi,ijc,xj->yxc", weights(rgb.shape[0]), rgb, weights(rgb.shape[1]))
    return small @ [0.299, 0.587, 0.114]


def phash(image):
    """The hash of the ImageHash library: cosine transform, 8 x 8 lowest frequencies, their median."""
    n = np.arange(32)
    table = np.cos(np.pi * np.arange(8)[:, None] * (2 * n + 1) / 64)
    low = table @ gray32(image) @ table.T
    bits = (low > np.median(low)).flatten()
    return int("".join("1" if bit else "0" for bit in bits), 2)


def likeness(a, b):
    small = lambda image: np.round(gray32(image).reshape(16, 2, 16, 2).mean((1, 3))).flatten()
    return float(np.corrcoef(small(a), small(b))[0, 1])


def main():
    # Unrelated photos.
    for i in range(24):
        photo(72, 54).save(OUT / f"photo_{i:02}.jpg", quality=80)

    base = photo(160, 120)
    base.save(OUT / "base.jpg", quality=90)
    base = Image.open(OUT / "base.jpg")
    base.save(OUT / "variant_encoded_again.jpg", quality=50)
    base.resize((96, 72), Image.LANCZOS).save(OUT / "variant_smaller.png")
    base.resize((240, 180), Image.BILINEAR).save(OUT / "variant_larger.jpg", quality=75)
    ImageEnhance.Brightness(base).enhance(1.12).save(OUT / "variant_brighter.jpg", quality=90)
    base.save(OUT / "variant_lossless.webp", lossless=True)
    base.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(OUT / "other_mirrored.jpg", quality=90)
    red, green, blue = base.split()
    Image.merge("RGB", (blue, green, red)).save(OUT / "other_colors.jpg", quality=90)

    expected = {"hashes": {}, "likeness": {}}
    for path in sorted(OUT.glob("*.jpg")) + sorted(OUT.glob("variant_*")):
        if path.name.startswith(("photo", "base", "variant", "other")):
            expected["hashes"][path.name] = f"{phash(Image.open(path)):016x}"
    for path in sorted(OUT.glob("variant_*")):
        expected["likeness"][path.name] = likeness(base, Image.open(path))
    Path(OUT / "doctor.json").write_text(json.dumps(expected, indent=1) + "\n")

    # Each has an oddity.
    small = photo(40, 30)
    small.convert("CMYK").save(OUT / "odd_cmyk.jpg", quality=80)
    Image.fromarray((np.arange(600, dtype=np.uint16).reshape(20, 30) * 100)).save(OUT / "odd_gray16.png")
    frames = [photo(24, 18) for _ in range(2)]
    for suffix in ("gif", "png", "webp"):
        frames[0].save(OUT / f"odd_animated.{suffix}", save_all=True, append_images=frames[1:], duration=100)
        frames[0].save(OUT / f"plain_still.{suffix}")
    exif = Image.Exif()
    exif[0x0112] = 6
    small.save(OUT / "odd_rotated.jpg", quality=80, exif=exif)
    small.save(OUT / "odd_png_inside.jpg", format="PNG")
    Image.new("RGB", (20, 20), (200, 10, 10)).save(OUT / "odd_blank.png")
    data = (OUT / "base.jpg").read_bytes()
    (OUT / "odd_truncated.jpg").write_bytes(data[: len(data) // 2])
    data = (OUT / "variant_smaller.png").read_bytes()
    (OUT / "odd_damaged.png").write_bytes(data[:200] + bytes(100) + data[300:])
    (OUT / "odd_empty.jpg").write_bytes(b"")
    (OUT / "odd_page.jpg").write_bytes(b"<html>404</html>")


main()
