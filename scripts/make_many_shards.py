#!/usr/bin/env python3
"""Shards as large a data set has them, from few images: by default 1,000 with 1.3 million images, in 2.7 GB.

    python scripts/make_many_shards.py FOLDER [--shards 1000] [--each 1300] [--classes 1000] [--images FOLDER_OF_JPEGS]

Each sample is 000000000.png (or .jpg) and 000000000.cls, as WebDataset writes them. Without --images, the images are 16 PNGs of
8 x 8 pixels, so that what is measured is the work for each item and not the decoding.
"""
import argparse
import struct
import zlib
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("folder", type=Path)
parser.add_argument("--shards", type=int, default=1000)
parser.add_argument("--each", type=int, default=1300)
parser.add_argument("--classes", type=int, default=1000)
parser.add_argument("--images", type=Path)
options = parser.parse_args()


def png(gray, side=8):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    rows = bytes([0] + [gray] * side) * side
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def entry(name, content):
    """A file as ustar has it: a header and whole blocks."""
    header = bytearray(512)
    header[0:len(name)] = name
    header[100:107], header[108:115], header[116:123] = b"0000644", b"0000000", b"0000000"
    header[124:135], header[136:147] = b"%011o" % len(content), b"00000000000"
    header[148:156], header[156:157], header[257:265] = b" " * 8, b"0", b"ustar\x0000"
    header[148:155] = b"%06o\0" % sum(header)
    return bytes(header) + content + bytes(-len(content) % 512)


if options.images:
    files = sorted(path for path in options.images.rglob("*.jpg"))
    images, extension = [path.read_bytes() for path in files], "jpg"
else:
    images, extension = [png(16 * i) for i in range(16)], "png"
options.folder.mkdir(parents=True, exist_ok=True)
item = 0
for shard in range(options.shards):
    with open(options.folder / f"train-{shard:06}.tar", "wb") as out:
        for _ in range(options.each):
            # Neither the image nor the class follows from the place: Knuth's multiplicative hash.
            mixed = item * 2654435761 % 2**32 >> 8
            out.write(entry(b"%09d." % item + extension.encode(), images[mixed % len(images)]))
            out.write(entry(b"%09d.cls" % item, b"%d" % (mixed % options.classes)))
            item += 1
        out.write(bytes(1024))
print(item, "images in", options.shards, "shards")
