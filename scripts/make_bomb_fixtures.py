"""Writes small files that decode to large images, for vision-data's tests of limits.

    python scripts/make_bomb_fixtures.py

Needs Pillow and numpy. Output: crates/vision-data/tests/fixtures/bombs/: a few kilobytes each, and
4096 by 4096 pixels or more when decoded. The files of `LYING` only claim that size.
"""

import struct
import zlib
from io import BytesIO
from pathlib import Path

from PIL import Image

OUT = Path(__file__).resolve().parents[1] / "crates/vision-data/tests/fixtures/bombs"
SIDE = 4096


def saved(mode, size=(SIDE, SIDE), **options):
    out = BytesIO()
    Image.new(mode, size, 0).save(out, **options)
    return out.getvalue()


def png_with_text():
    """One pixel, after a compressed text of 64 MiB."""
    chunk = lambda tag, data: struct.pack(">I", len(data)) + tag + data + struct.pack(">I", zlib.crc32(tag + data))
    text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(64 << 20), 9))
    png = saved("RGB", (1, 1), format="PNG")
    return png[:33] + text + png[33:]


def jpeg_claiming(width, height):
    """A small JPEG with changed sizes in the header."""
    jpeg = bytearray(saved("RGB", (16, 16), format="JPEG"))
    at = jpeg.index(b"\xff\xc0") + 5
    jpeg[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(jpeg)


def bmp_claiming(width, height):
    """Run-length coded, with the end of the image at the start."""
    palette = bytes(1024)
    data = b"\x00\x01"
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(data), 0, 0, 256, 0)
    offset = 14 + len(info) + len(palette)
    return struct.pack("<2sIHHI", b"BM", offset + len(data), 0, 0, offset) + info + palette + data


def gif_frame_larger_than_its_screen():
    """A screen of 8 by 8 with a frame that claims 4096 by 4096."""
    gif = bytearray(saved("L", (8, 8), format="GIF"))
    at = gif.index(b",", 13 + 3 * 2 ** ((gif[10] & 7) + 1))
    gif[at + 5 : at + 9] = struct.pack("<HH", SIDE, SIDE)
    return bytes(gif)


def tiff_claiming(width, height):
    """One strip of four bytes for all rows."""
    entries = [
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, 1, 8),
        (259, 3, 1, 1),
        (262, 3, 1, 1),
        (273, 4, 1, 8),
        (277, 3, 1, 1),
        (278, 4, 1, height),
        (279, 4, 1, 4),
    ]
    directory = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *e) for e in entries) + bytes(4)
    return struct.pack("<2sHI", b"II", 42, 12) + bytes(4) + directory


BOMBS = {
    "gif.gif": saved("L", format="GIF"),
    "png.png": saved("1", (2 * SIDE, 2 * SIDE), format="PNG", optimize=True),
    "webp.webp": saved("RGB", format="WEBP", lossless=True),
    "tiff.tiff": saved("1", format="TIFF", compression="tiff_adobe_deflate"),
}
LYING = {
    "text.png": png_with_text(),
    "claim.jpg": jpeg_claiming(20_000, 20_000),
    "claim.bmp": bmp_claiming(20_000, 20_000),
    "claim.tiff": tiff_claiming(20_000, 20_000),
    "claim.ppm": b"P6 20000 20000 255\n1234",
    # So many that the number of bytes does not fit into 64 bits.
    "claim.pgm": b"P5 4294967295 4294967295 65535\n1234",
    "frame.gif": gif_frame_larger_than_its_screen(),
}

OUT.mkdir(parents=True, exist_ok=True)
for name, data in (BOMBS | LYING).items():
    (OUT / name).write_bytes(data)
    print(f"{name}: {len(data)} bytes")
