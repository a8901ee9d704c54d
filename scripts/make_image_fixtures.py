"""Writes small images of many kinds, and Pillow's pixels of each, for vision-data's tests.

    python scripts/make_image_fixtures.py

Needs Pillow and numpy. Output: crates/vision-data/tests/fixtures/images/. The expected pixels are
those of `Image.open(f).convert("RGB")`, with the EXIF orientation applied, in hexadecimal; of
16-bit images they are the upper bytes.
"""

import json
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

OUT = Path(__file__).resolve().parents[1] / "crates/vision-data/tests/fixtures/images"
# For these, also the values of fastai's `open_image(f, div=False, convert_mode="I")`.
INTEGERS = [
    "gray.png", "gray16.png", "one_bit.png", "gray.tiff", "gray.gif",
    "gray.pgm", "plain.pgm", "one_bit.pbm", "gray16.pgm", "gray12.pgm",
]
expected = {}


def pattern(h, w, channels=3):
    """Every value differs from its neighbors, so an error of one pixel or channel is visible."""
    y, x, c = np.mgrid[0:h, 0:w, 0:channels]
    return ((x * 23 + y * 41 + c * 67 + x * y * 5) % 256).astype(np.uint8)


def smooth(h, w):
    """Slow changes, which a lossy codec preserves."""
    y, x = np.mgrid[0:h, 0:w]
    return np.stack([40 + x * 8, 200 - y * 7, 60 + x * 3 + y * 4], -1).astype(np.uint8)


def note(name, tolerance=0, pixels=None):
    if pixels is None:
        with Image.open(OUT / name) as im:
            pixels = np.asarray(ImageOps.exif_transpose(im).convert("RGB"))
    h, w, _ = pixels.shape
    expected[name] = {"width": w, "height": h, "tolerance": tolerance, "rgb": pixels.tobytes().hex()}


def save(name, image, tolerance=0, pixels=None, **options):
    image.save(OUT / name, **options)
    note(name, tolerance, pixels)


def png16(name, values):
    """Pillow cannot write 16-bit color."""
    h, w, channels = values.shape
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    chunk = lambda tag, data: struct.pack(">I", len(data)) + tag + data + struct.pack(">I", zlib.crc32(tag + data))
    header = struct.pack(">IIBBBBB", w, h, 16, kind, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    (OUT / name).write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    upper = (values >> 8).astype(np.uint8)
    color = upper[..., :1] if channels < 3 else upper[..., :3]
    pixels = np.broadcast_to(color, (h, w, 3))
    if channels >= 3:  # Pillow too keeps the upper bytes of color, but clips gray at 255
        with Image.open(OUT / name) as im:
            assert (np.asarray(im.convert("RGB")) == pixels).all(), name
    note(name, pixels=np.ascontiguousarray(pixels))


def pnm(name, values, magic, largest, tolerance=0):
    """Written by hand: Pillow writes no text, and no values except 8 bits (and 16 bits in gray)."""
    h, w = values.shape[:2]
    header = f"P{magic}\n# a comment\n{w} {h}\n" + ("" if magic in (1, 4) else f"{largest}\n")
    if magic <= 3:
        rows = values.reshape(h, -1)
        data = "\n".join(" ".join(map(str, row)) for row in rows).encode() + b"\n"
    else:
        data = values.astype(">u2" if largest > 255 else "u1").tobytes()
    (OUT / name).write_bytes(header.encode() + data)
    with Image.open(OUT / name) as im:
        # Pillow clips gray of more than 8 bits at 255, as with PNG.
        upper = np.asarray(im) >> 8 if im.mode == "I" else None
    pixels = None if upper is None else np.repeat(upper.astype(np.uint8)[..., None], 3, -1)
    note(name, tolerance, pixels)


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    for old in OUT.iterdir():
        old.unlink()
    rgb = Image.fromarray(pattern(7, 9))
    gray = Image.fromarray(pattern(7, 9, 1)[..., 0])
    rgba = Image.fromarray(pattern(7, 9, 4))
    gray_alpha = Image.fromarray(pattern(7, 9, 2))
    palette = rgb.quantize(11)
    photo = Image.fromarray(smooth(24, 24))

    save("rgb.png", rgb)
    save("gray.png", gray)
    save("gray_alpha.png", gray_alpha)
    save("rgba.png", rgba)
    save("palette.png", palette)
    save("palette_transparent.png", palette, transparency=3)
    save("one_bit.png", gray.convert("1"))
    rng = np.random.default_rng(0)
    for name, channels in [("gray16", 1), ("gray_alpha16", 2), ("rgb16", 3), ("rgba16", 4)]:
        png16(name + ".png", rng.integers(0, 65536, (7, 9, channels)))
    save("rgb.bmp", rgb)
    save("palette.bmp", palette)
    save("rgb.tiff", rgb)
    save("rgb_lzw.tiff", rgb, compression="tiff_lzw")
    save("gray.tiff", gray)
    save("gray.gif", gray)
    save("two_frames.gif", palette, save_all=True, append_images=[palette.rotate(180)])
    save("transparent.gif", palette, transparency=3)
    save("rgb.ppm", rgb)
    save("gray.pgm", gray)
    save("one_bit.pbm", gray.convert("1"))
    save("rgb.pnm", rgb)
    pnm("plain.pbm", pattern(7, 9, 1)[..., 0] % 2, 1, 1)
    pnm("plain.pgm", pattern(7, 9, 1), 2, 255)
    pnm("plain.ppm", pattern(7, 9), 3, 255)
    pnm("gray4.pgm", pattern(7, 9, 1) % 16, 5, 15)
    rng = np.random.default_rng(1)
    pnm("gray16.pgm", rng.integers(0, 65536, (7, 9, 1)), 5, 65535)
    pnm("gray12.pgm", rng.integers(0, 4096, (7, 9, 1)), 5, 4095)
    pnm("plain16.pgm", rng.integers(0, 65536, (7, 9, 1)), 2, 65535)
    # Pillow rounds these to 8 bits. The library takes the upper byte, as of every 16-bit value.
    pnm("rgb16.ppm", rng.integers(0, 65536, (7, 9, 3)), 6, 65535, tolerance=1)
    pnm("rgb10.ppm", rng.integers(0, 1024, (7, 9, 3)), 6, 1023, tolerance=1)
    save("rgb.webp", rgb, lossless=True)
    save("rgba.webp", rgba, lossless=True, exact=True)
    save("two_frames.webp", rgb, lossless=True, save_all=True, append_images=[rgb.rotate(180)])
    save("lossy.webp", photo, tolerance=3, quality=90)
    save("444.jpg", photo, tolerance=2, quality=90, subsampling=0)
    save("420.jpg", photo, tolerance=3, quality=90, subsampling=2)
    save("progressive.jpg", photo, tolerance=3, quality=90, progressive=True)
    save("gray.jpg", photo.convert("L"), tolerance=2, quality=90)
    save("cmyk.jpg", photo.convert("CMYK"), tolerance=3, quality=95)
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        name = f"orientation_{orientation}.jpg"
        save(name, photo.crop((0, 0, 16, 8)), tolerance=3, quality=90, subsampling=0, exif=exif)
    exif = Image.Exif()
    exif[0x0112] = 6
    save("orientation_6.png", rgb, exif=exif)
    save("orientation_6.webp", rgb, lossless=True, exif=exif)
    # A thumbnail in the EXIF data has its own end marker.
    thumbnail = (OUT / "gray.jpg").read_bytes()
    tiff = b"II*\0\x08\0\0\0" + struct.pack("<H", 0) + struct.pack("<I", 0) + thumbnail
    data = (OUT / "444.jpg").read_bytes()
    app1 = b"\xff\xe1" + struct.pack(">H", len(tiff) + 8) + b"Exif\0\0" + tiff
    (OUT / "thumbnail.jpg").write_bytes(data[:2] + app1 + data[2:])
    note("thumbnail.jpg", tolerance=2)

    for name in INTEGERS:
        with Image.open(OUT / name) as im:
            expected[name]["integers"] = np.asarray(im.convert("I")).ravel().tolist()

    lines = (f"  {json.dumps(name)}: {json.dumps(expected[name])}" for name in sorted(expected))
    (OUT / "expected.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(f"{len(expected)} pictures, {sum(f.stat().st_size for f in OUT.iterdir())} bytes")


main()
