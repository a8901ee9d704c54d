"""Writes small images of odd but valid kinds, and Pillow's pixels of each, for vision-data's tests.

    python scripts/make_odd_images.py

Needs Pillow 13, numpy and imagecodecs, and the programs tiffcp (libtiff), jpegtran and cjpeg (libjpeg-turbo).
Output: crates/vision-data/tests/fixtures/odd_images.tgz. `expected.json` in it holds for each file its size and
tolerance, or Pillow's reason to refuse it; a file named by the
hash in it holds the pixels of `Image.open(f).convert("RGB")`, with
the EXIF orientation applied. Where vision-data deliberately differs from Pillow, the pixels are computed here:
of gray with 12 or 16 bits they are the upper 8 bits, which Pillow clips at 255.
"""

import hashlib
import io
import json
import lzma
import shutil
import struct
import subprocess
import sys
import tarfile
import tempfile
import warnings
import zlib
from pathlib import Path

import imagecodecs
import numpy as np
from PIL import Image, ImageOps, TiffImagePlugin

OUT = Path(__file__).resolve().parents[1] / "crates/vision-data/tests/fixtures/odd_images.tgz"
WORK = Path(tempfile.mkdtemp())
W, H = 13, 11
files, expected, pixels = {}, {}, {}


def smooth(h, w, channels=3):
    """Slow changes, which a lossy codec preserves."""
    y, x = np.mgrid[0:h, 0:w]
    planes = [40 + x * 150 // w, 200 - y * 120 // h, 60 + x * 60 // w + y * 80 // h, 30 + x * 100 // w]
    return np.stack(planes[:channels], -1).astype(np.uint8)


def pattern(h, w, channels=3):
    """Every value differs from its neighbors, so an error of one pixel or channel is visible."""
    y, x, c = np.mgrid[0:h, 0:w, 0:channels]
    return ((x * 23 + y * 41 + c * 67 + x * y * 5) % 256).astype(np.uint8)


def add(name, data, tolerance=0, rgb=None):
    """Notes a file and its pixels: `rgb`, or what Pillow finds."""
    assert name not in files, name
    files[name] = data
    if rgb is None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                with Image.open(io.BytesIO(data)) as im:
                    im.load()
                    mode = im.mode
                    im = ImageOps.exif_transpose(im)
                    rgb = np.asarray(im.convert("RGB"))
                    if mode.startswith("I;16"):
                        raise AssertionError(f"{name}: give the upper bytes")
        except AssertionError:
            raise
        except Exception as error:
            expected[name] = {"refused": f"{type(error).__name__}: {error}".split("\n")[0].split("<_io")[0]}
            return
    h, w, _ = rgb.shape
    pixels[name] = np.ascontiguousarray(rgb).astype(np.uint8).tobytes()
    expected[name] = {"width": w, "height": h, "tolerance": tolerance, "pixels": digest_of(pixels[name])}


def digest_of(data):
    return hashlib.sha256(data).hexdigest()[:8]


def saved(image, format, **options):
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def run(*command, **kwargs):
    return subprocess.run(command, check=True, capture_output=True, **kwargs).stdout


def gray_rgb(values):
    return np.repeat(np.asarray(values, np.uint8)[..., None], 3, -1)


# ---------------------------------------------------------------- TIFF

RAW, RLE, G3, G4, LZW, OLD_JPEG, JPEG, DEFLATE = 1, 2, 3, 4, 5, 6, 7, 8
PACKBITS, OLD_DEFLATE, LZMA, ZSTD, WEBP = 32773, 32946, 34925, 50000, 50001


def packed(values, bits):
    """Rows of samples, each row padded to a byte."""
    if bits in (8, 16, 32):
        return [row.tobytes() for row in values]
    rows = []
    for row in values.reshape(len(values), -1):
        text = "".join(format(int(v), f"0{bits}b") for v in row)
        text += "0" * (-len(text) % 8)
        rows.append(bytes(int(text[i : i + 8], 2) for i in range(0, len(text), 8)))
    return rows


def pack_bits(data):
    """PackBits with both kinds of runs."""
    out, at = bytearray(), 0
    while at < len(data):
        run_ = 1
        while run_ < 128 and at + run_ < len(data) and data[at + run_] == data[at]:
            run_ += 1
        if run_ > 1:
            out += bytes([257 - run_, data[at]])
            at += run_
        else:
            part = data[at : at + 5]
            out += bytes([len(part) - 1]) + part
            at += len(part)
    return bytes(out) + b"\x80"


def compress(data, compression):
    if compression == RAW:
        return data
    if compression == LZW:
        return imagecodecs.lzw_encode(data)
    if compression in (DEFLATE, OLD_DEFLATE):
        return zlib.compress(data)
    if compression == PACKBITS:
        return pack_bits(data)
    if compression == ZSTD:
        return imagecodecs.zstd_encode(data)
    if compression == LZMA:
        return lzma.compress(data)
    raise ValueError(compression)


def tiff(values, photometric, *, order="<", big=False, bits=8, compression=RAW, rows=None, tile=None, planar=1,
         predictor=1, fill=1, extra=None, format=None, tags=(), chunks=None, samples=None, drop=(), lead=0):
    """A TIFF of one page. `values` is rows, columns and samples; `chunks` stands for encoded strips or tiles."""
    h, w = values.shape[:2]
    values = values.reshape(h, w, -1)
    samples = samples or values.shape[2]
    rows = rows or h
    kind = {12: "u2", 16: "u2", 32: "u4"}.get(bits, "u1")
    if values.dtype.kind in "fi":
        kind = values.dtype.kind + kind[1:]
    native = values.astype(kind)
    if chunks is None:
        planes = [native] if planar == 1 else [native[..., i : i + 1] for i in range(native.shape[2])]
        parts = []
        for plane in planes:
            if tile:
                tw, th = tile
                full = np.pad(plane, ((0, -h % th), (0, -w % tw), (0, 0)), mode="edge")
                parts += [full[y : y + th, x : x + tw] for y in range(0, h, th) for x in range(0, w, tw)]
            else:
                parts += [plane[y : y + rows] for y in range(0, h, rows)]
        chunks = []
        for part in parts:
            if predictor == 2:
                diff = part.copy()
                diff[:, 1:] -= part[:, :-1]
                part = diff
            if predictor == 3:
                big_endian = part.astype(">f4").view("u1").reshape(len(part), -1, 4)
                shuffled = np.moveaxis(big_endian, 2, 1).reshape(len(part), -1)
                step = part.shape[2]
                diff = shuffled.copy()
                diff[:, step:] -= shuffled[:, :-step]
                data = diff.tobytes()
            else:
                data = b"".join(packed(part.astype(part.dtype.newbyteorder(order)), bits))
            data = compress(data, compression)
            if fill == 2:
                data = bytes(int(format_(b), 2) for b in data)
            chunks.append(data)
    tag = {256: (4, [w]), 257: (4, [h]), 258: (3, [bits] * samples), 259: (3, [compression]), 262: (3, [photometric]),
           277: (3, [samples]), 284: (3, [planar])}
    if tile:
        tag |= {322: (4, [tile[0]]), 323: (4, [tile[1]]), 324: (4, None), 325: (4, [len(c) for c in chunks])}
    else:
        tag |= {278: (4, [rows]), 273: (4, None), 279: (4, [len(c) for c in chunks])}
    if predictor != 1:
        tag[317] = (3, [predictor])
    if fill != 1:
        tag[266] = (3, [fill])
    if extra is not None:
        tag[338] = (3, extra)
    if format is not None:
        tag[339] = (3, [format] * samples)
    tag |= dict(tags)
    for number in drop:
        tag.pop(number)
    header = 16 if big else 8
    header += lead
    at, places = header, []
    for chunk in chunks:
        places.append(at)
        at += len(chunk) + len(chunk) % 2
    body = b"".join(chunk + b"\0" * (len(chunk) % 2) for chunk in chunks)
    entries, after = b"", b""
    directory = (8 if big else 2) + len(tag) * (20 if big else 12) + (8 if big else 4)
    for number, (kind, content) in sorted(tag.items()):
        content = places if content is None else content
        if kind == 5:
            flat = [v for pair in content for v in pair]
            data = struct.pack(f"{order}{len(flat)}I", *flat)
        elif kind in (1, 2, 7):
            data = bytes(content)
        else:
            data = struct.pack(f"{order}{len(content)}{ {3: 'H', 4: 'I', 12: 'd', 16: 'Q'}[kind] }", *content)
        inline = 8 if big else 4
        if len(data) > inline:
            place = at + directory + len(after)
            after += data + b"\0" * (len(data) % 2)
            data = struct.pack(order + ("Q" if big else "I"), place)
        entries += struct.pack(order + ("HHQ" if big else "HHI"), number, kind, len(content)) + data.ljust(inline, b"\0")
    mark = b"II" if order == "<" else b"MM"
    if big:
        start = mark + struct.pack(order + "HHHQ", 43, 8, 0, at) + b"\0" * lead
        return start + body + struct.pack(order + "Q", len(tag)) + entries + bytes(8) + after
    start = mark + struct.pack(order + "HI", 42, at) + b"\0" * lead
    return start + body + struct.pack(order + "H", len(tag)) + entries + bytes(4) + after


def format_(byte):
    return format(byte, "08b")[::-1]


def tiff_files():
    rgb, gray = pattern(H, W), pattern(H, W, 1)
    named = {"raw": RAW, "lzw": LZW, "deflate": DEFLATE, "old_deflate": OLD_DEFLATE, "packbits": PACKBITS,
             "zstd": ZSTD, "lzma": LZMA}
    # Compressions, byte orders, and layouts.
    for label, compression in named.items():
        add(f"tiff_{label}_rgb.tif", tiff(rgb, 2, compression=compression, rows=4))
        add(f"tiff_{label}_gray_mm.tif", tiff(gray, 1, compression=compression, rows=5, order=">"))
        add(f"tiff_{label}_tiles.tif", tiff(rgb, 2, compression=compression, tile=(16, 16)))
        add(f"tiff_{label}_planes.tif", tiff(rgb, 2, compression=compression, planar=2, rows=6))
        if label in ("lzw", "deflate", "zstd", "lzma"):
            add(f"tiff_{label}_predictor.tif", tiff(rgb, 2, compression=compression, predictor=2, rows=4))
    add("tiff_lzw_planes_tiles_predictor.tif", tiff(rgb, 2, compression=LZW, planar=2, tile=(16, 16), predictor=2))
    add("tiff_big_raw.tif", tiff(rgb, 2, big=True))
    add("tiff_big_mm_lzw.tif", tiff(rgb, 2, big=True, order=">", compression=LZW, rows=3))
    add("tiff_big_tiles.tif", tiff(gray, 1, big=True, tile=(16, 16), compression=DEFLATE))
    add("tiff_no_rows_per_strip.tif", tiff(rgb, 2, drop=[278]))
    add("tiff_rows_per_strip_max.tif", tiff(rgb, 2, tags={278: (4, [2**32 - 1])}))
    add("tiff_no_byte_counts.tif", tiff(rgb, 2, drop=[279]))
    add("tiff_byte_counts_zero.tif", tiff(rgb, 2, tags={279: (4, [0])}))
    add("tiff_lzw_no_byte_counts.tif", tiff(rgb, 2, compression=LZW, drop=[279]))
    add("tiff_no_compression_tag.tif", tiff(rgb, 2, drop=[259]))
    add("tiff_no_planar_tag.tif", tiff(rgb, 2, drop=[284]))
    add("tiff_one_bits_value.tif", tiff(rgb, 2, tags={258: (3, [8])}))
    add("tiff_gray_no_samples.tif", tiff(gray, 1, drop=[277]))
    add("tiff_lead.tif", tiff(rgb, 2, lead=100))
    add("tiff_trailing.tif", tiff(rgb, 2) + b"trailing bytes" * 5)
    add("tiff_sizes_as_short.tif", tiff(rgb, 2, tags={256: (3, [W]), 257: (3, [H]), 278: (3, [H])}))
    add("tiff_resolution.tif", tiff(rgb, 2, tags={282: (5, [(72, 1)]), 283: (5, [(72, 1)]), 296: (3, [2])}))
    add("tiff_unknown_tags.tif", tiff(rgb, 2, tags={60000: (2, b"unknown\0"), 60001: (12, [1.5, 2.5])}))
    add("tiff_offsets_long8.tif", tiff(rgb, 2, big=True, rows=5, tags={256: (16, [W])}))
    # Bits and fill orders.
    for bits in (1, 2, 4, 8):
        values = gray.astype(int) * (2**bits) // 256
        for photometric, label in ((0, "white"), (1, "black")):
            for fill in (1, 2):
                name = f"tiff_gray{bits}_{label}_fill{fill}.tif"
                add(name, tiff(values, photometric, bits=bits, fill=fill, rows=4))
        add(f"tiff_gray{bits}_lzw_fill2.tif", tiff(values, 1, bits=bits, fill=2, compression=LZW))
        add(f"tiff_gray{bits}_white_deflate.tif", tiff(values, 0, bits=bits, compression=DEFLATE, order=">"))
        add(f"tiff_gray{bits}_tiles.tif", tiff(values, 1, bits=bits, tile=(16, 16), compression=PACKBITS))
        palette = (np.arange(3 * 2**bits) * 9973 % 65536).tolist()
        for compression, label in ((RAW, "raw"), (LZW, "lzw"), (PACKBITS, "packbits")):
            for order, mark in (("<", "ii"), (">", "mm")):
                add(f"tiff_palette{bits}_{label}_{mark}.tif",
                    tiff(values, 3, bits=bits, order=order, compression=compression, tags={320: (3, palette)}))
        add(f"tiff_palette{bits}_fill2.tif", tiff(values, 3, bits=bits, fill=2, tags={320: (3, palette)}))
    add("tiff_rgb_fill2.tif", tiff(rgb, 2, fill=2))
    palette = (np.arange(768) * 9973 % 65536).tolist()
    two = pattern(H, W, 2)
    add("tiff_palette_extra.tif", tiff(two, 3, extra=[0], tags={320: (3, palette)}))
    add("tiff_palette_alpha.tif", tiff(two, 3, extra=[2], tags={320: (3, palette)}))
    add("tiff_palette8_tiles.tif", tiff(gray, 3, tile=(16, 16), compression=DEFLATE, tags={320: (3, palette)}))
    rng = np.random.default_rng(0)
    wide = rng.integers(0, 65536, (H, W, 1))
    for compression, label in ((RAW, "raw"), (LZW, "lzw"), (DEFLATE, "deflate")):
        for order, mark in (("<", "ii"), (">", "mm")):
            add(f"tiff_gray16_{label}_{mark}.tif", tiff(wide, 1, bits=16, order=order, compression=compression, rows=5),
                rgb=gray_rgb(wide[..., 0] >> 8))
    add("tiff_gray16_predictor.tif", tiff(wide, 1, bits=16, compression=LZW, predictor=2), rgb=gray_rgb(wide[..., 0] >> 8))
    add("tiff_gray16_predictor_mm.tif", tiff(wide, 1, bits=16, order=">", compression=LZW, predictor=2),
        rgb=gray_rgb(wide[..., 0] >> 8))
    twelve = rng.integers(0, 4096, (H, W, 1))
    add("tiff_gray12.tif", tiff(twelve, 1, bits=12), rgb=gray_rgb(twelve[..., 0] >> 4))
    signed = rng.integers(-300, 600, (H, W, 1))
    for order, mark in (("<", "ii"), (">", "mm")):
        add(f"tiff_int16_{mark}.tif", tiff(signed.astype("i2"), 1, bits=16, format=2, order=order))
        add(f"tiff_int32_{mark}.tif", tiff(signed.astype("i4"), 1, bits=32, format=2, order=order))
        for photometric in (0, 1):
            add(f"tiff_float32_{photometric}_{mark}.tif",
                tiff((signed + 0.75).astype("f4"), photometric, bits=32, format=3, order=order))
    add("tiff_uint32.tif", tiff(np.abs(signed).astype("u4"), 1, bits=32))
    add("tiff_int8.tif", tiff(gray, 1, format=2))
    add("tiff_float32_lzw.tif", tiff((signed + 0.25).astype("f4"), 1, bits=32, format=3, compression=LZW, rows=4))
    add("tiff_float32_predictor3.tif",
        tiff((signed + 0.25).astype("f4"), 1, bits=32, format=3, compression=DEFLATE, predictor=3, rows=4))
    add("tiff_float32_predictor3_mm.tif",
        tiff((signed + 0.25).astype("f4"), 1, bits=32, format=3, compression=LZW, predictor=3, order=">"),
        rgb=gray_rgb(np.clip(signed[..., 0] + 0.25, 0, 255)))  # Pillow takes libtiff's numbers for big-endian ones
    add("tiff_int32_deflate_predictor.tif",
        tiff(signed.astype("i4"), 1, bits=32, format=2, compression=DEFLATE, predictor=2))
    # Colors with more samples.
    for samples, extras in ((4, ([0], [1], [2], None)), (5, ([0, 0], [1, 0], [2, 0])), (6, ([0, 0, 0], [2, 0, 0]))):
        values = pattern(H, W, samples)
        for extra in extras:
            label = "none" if extra is None else "".join(map(str, extra))
            add(f"tiff_rgb_extra_{label}.tif", tiff(values, 2, extra=extra))
    add("tiff_rgb_extra_1_lzw.tif", tiff(pattern(H, W, 4), 2, extra=[1], compression=LZW, predictor=2))
    add("tiff_rgb_extra_2_planes.tif", tiff(pattern(H, W, 4), 2, extra=[2], compression=LZW, planar=2))
    add("tiff_rgb_extra_0_planes_raw.tif", tiff(pattern(H, W, 4), 2, extra=[0], planar=2))
    for extra in (0, 1, 2):
        add(f"tiff_gray_extra_{extra}.tif", tiff(pattern(H, W, 2), 1, extra=[extra]))
    color16 = rng.integers(0, 65536, (H, W, 4))
    for order, mark in (("<", "ii"), (">", "mm")):
        add(f"tiff_rgb16_{mark}.tif", tiff(color16[..., :3], 2, bits=16, order=order))
        add(f"tiff_rgb16_lzw_predictor_{mark}.tif",
            tiff(color16[..., :3], 2, bits=16, order=order, compression=LZW, predictor=2))
        add(f"tiff_rgba16_{mark}.tif", tiff(color16, 2, bits=16, order=order, extra=[2]))
        add(f"tiff_rgba16_premultiplied_{mark}.tif", tiff(color16, 2, bits=16, order=order, extra=[1]))
        add(f"tiff_cmyk16_{mark}.tif", tiff(color16, 5, bits=16, order=order))
    add("tiff_rgb16_planes.tif", tiff(color16[..., :3], 2, bits=16, planar=2, compression=DEFLATE))
    cmyk = pattern(H, W, 4)
    for compression, label in ((RAW, "raw"), (LZW, "lzw"), (DEFLATE, "deflate"), (PACKBITS, "packbits")):
        add(f"tiff_cmyk_{label}.tif", tiff(cmyk, 5, compression=compression, rows=5))
    add("tiff_cmyk_planes.tif", tiff(cmyk, 5, compression=LZW, planar=2))
    add("tiff_cmyk_tiles.tif", tiff(cmyk, 5, compression=LZW, tile=(16, 16), predictor=2))
    add("tiff_cmyk_extra.tif", tiff(pattern(H, W, 5), 5, extra=[0]))
    lab = np.array(Image.fromarray(smooth(H, W)).convert("RGB"))
    lab = np.stack([lab[..., 0], lab[..., 1] // 3 - 20, lab[..., 2] // 3 - 20], -1).astype(np.uint8)
    # littleCMS interpolates between the colors of a coarse grid.
    for compression, label in ((RAW, "raw"), (LZW, "lzw"), (DEFLATE, "deflate")):
        add(f"tiff_lab_{label}.tif", tiff(lab, 8, compression=compression), tolerance=4)
    whole = np.frombuffer(pixels["tiff_lab_raw.tif"], np.uint8).reshape(H, W, 3)
    add("tiff_lab_planes.tif", tiff(lab, 8, compression=LZW, planar=2), tolerance=4, rgb=whole)  # Pillow takes a and b for unsigned
    # Brightness and color differences, not JPEG. Multiples of four, as subsampling asks for.
    ycc = np.asarray(Image.fromarray(smooth(16, 24)).convert("YCbCr"))
    one = {530: (3, [1, 1])}
    add("tiff_ycbcr_raw.tif", tiff(ycc, 6, tags=one), tolerance=1)
    for compression, label in ((LZW, "lzw"), (DEFLATE, "deflate"), (PACKBITS, "packbits")):
        add(f"tiff_ycbcr_{label}_1x1.tif", tiff(ycc, 6, compression=compression, tags=one), tolerance=1)
    video = {**one, 532: (5, [(16, 1), (235, 1), (128, 1), (240, 1), (128, 1), (240, 1)])}
    add("tiff_ycbcr_reference.tif", tiff(ycc, 6, compression=LZW, tags=video), tolerance=1)
    bt709 = {**one, 529: (5, [(2126, 10000), (7152, 10000), (722, 10000)])}
    add("tiff_ycbcr_bt709.tif", tiff(ycc, 6, compression=LZW, tags=bt709), tolerance=1)
    for across, down in ((2, 1), (2, 2), (4, 1), (4, 2), (4, 4), (1, 2)):
        units = []
        for y in range(0, 16, down):
            for x in range(0, 24, across):
                block = ycc[y : y + down, x : x + across]
                units += [block[..., 0].tobytes(), bytes([int(block[..., 1].mean()), int(block[..., 2].mean())])]
        data = imagecodecs.lzw_encode(b"".join(units))
        add(f"tiff_ycbcr_lzw_{across}x{down}.tif",
            tiff(ycc, 6, compression=LZW, chunks=[data], tags={530: (3, [across, down])}), tolerance=1)
    # CCITT.
    bits = Image.fromarray((smooth(H, 40, 1)[..., 0] // 9 % 2 * 255).astype(np.uint8)).convert("1")
    rare = Image.fromarray((pattern(H, 40, 1)[..., 0] > 200).astype(np.uint8) * 255).convert("1")
    for name, picture in (("smooth", bits), ("rare", rare)):
        for compression in ("tiff_ccitt", "group3", "group4", "packbits", "tiff_raw_16"):
            try:
                # libtiff reads back another image than it wrote with compression 32771.
                add(f"tiff_{compression}_{name}.tif", saved(picture, "TIFF", compression=compression),
                    rgb=gray_rgb(np.asarray(picture) * 255))
            except OSError as error:
                print("not written:", compression, error)
        for photometric in (0, 1):
            source, target = WORK / "in.tif", WORK / "out.tif"
            values = np.asarray(picture).astype(int)[..., None] ^ (1 - photometric)
            source.write_bytes(tiff(values, photometric, bits=1))
            for options, label in ((["-c", "g3:1d"], "g3_1d"), (["-c", "g3:2d"], "g3_2d"), (["-c", "g3:fill"], "g3_fill"),
                                   (["-c", "g3:2d:fill", "-f", "lsb2msb"], "g3_2d_lsb"), (["-c", "g4"], "g4"),
                                   (["-c", "g4", "-f", "lsb2msb", "-r", "4"], "g4_lsb"), (["-c", "g4", "-B", "-8"], "g4_big")):
                run("tiffcp", *options, source, target)
                add(f"tiff_{label}_{name}_{photometric}.tif", target.read_bytes())
    # JPEG in TIFF.
    photo = smooth(32, 32)
    picture = Image.fromarray(photo)
    source, target = WORK / "in.tif", WORK / "out.tif"
    def copied(name, values, photometric, *options, **tags):
        source.write_bytes(tiff(values, photometric, **tags))
        run("tiffcp", *options, source, target)
        add(name, target.read_bytes())
    copied("tiff_jpeg_gray.tif", photo[..., :1], 1, "-c", "jpeg:90")
    copied("tiff_jpeg_gray_strips.tif", photo[..., :1], 1, "-c", "jpeg:90", "-r", "8")
    copied("tiff_jpeg_rgb_raw.tif", photo, 2, "-c", "jpeg:r:90")
    copied("tiff_jpeg_ycbcr.tif", photo, 2, "-c", "jpeg:90")
    copied("tiff_jpeg_ycbcr_strips.tif", photo, 2, "-c", "jpeg:90", "-r", "16")
    copied("tiff_jpeg_ycbcr_tiles.tif", photo, 2, "-c", "jpeg:90", "-t", "-w", "16", "-l", "16")
    copied("tiff_jpeg_ycbcr_big.tif", photo, 2, "-c", "jpeg:90", "-8", "-B")
    copied("tiff_jpeg_rgb_planes.tif", photo, 2, "-c", "jpeg:r:90", "-p", "separate")
    copied("tiff_jpeg_cmyk.tif", smooth(32, 32, 4), 5, "-c", "jpeg:90")
    copied("tiff_jpeg_fill2.tif", photo, 2, "-c", "jpeg:90", "-f", "lsb2msb")
    add("tiff_jpeg_pillow.tif", saved(picture, "TIFF", compression="jpeg"))
    add("tiff_jpeg_pillow_gray.tif", saved(picture.convert("L"), "TIFF", compression="jpeg"))
    add("tiff_jpeg_pillow_cmyk.tif", saved(picture.convert("CMYK"), "TIFF", compression="jpeg"))
    add("tiff_jpeg_pillow_ycbcr.tif", saved(picture.convert("YCbCr"), "TIFF", compression="jpeg"))
    for sampling, label in (((1, 1), "444"), ((2, 1), "422"), ((2, 2), "420"), ((1, 2), "440"), ((4, 1), "411")):
        whole = jpeg_sampled(picture, f"{sampling[0]}x{sampling[1]}")
        data = tiff(photo, 6, compression=JPEG, chunks=[whole], tags={530: (3, list(sampling))})
        add(f"tiff_jpeg_whole_{label}.tif", data)
    progressive = saved(picture, "JPEG", quality=92, progressive=True, subsampling=0)
    add("tiff_jpeg_progressive.tif", tiff(photo, 6, compression=JPEG, chunks=[progressive], tags={530: (3, [1, 1])}))
    stream = saved(picture, "JPEG", quality=92, subsampling=0)
    old = {513: (4, [8]), 514: (4, [len(stream)]), 530: (3, [1, 1])}
    add("tiff_old_jpeg_whole.tif", tiff(photo, 6, compression=OLD_JPEG, chunks=[stream], tags=old))
    add("tiff_old_jpeg_no_length.tif", tiff(photo, 6, compression=OLD_JPEG, chunks=[stream], tags={513: (4, [8]), 530: (3, [1, 1])}))
    # Rare compressions.
    try:
        add("tiff_webp_pillow.tif", saved(picture, "TIFF", compression="webp"), 4)
        add("tiff_webp_lossless.tif",
            tiff(rgb, 2, compression=WEBP, chunks=[saved(Image.fromarray(rgb), "WEBP", lossless=True)]))
        add("tiff_webp_lossless_alpha.tif", tiff(pattern(H, W, 4), 2, compression=WEBP, extra=[2], chunks=[
            saved(Image.fromarray(pattern(H, W, 4)), "WEBP", lossless=True, exact=True)]))
    except OSError as error:
        print("not written: webp", error)
    # Orientations and pages.
    for orientation in range(1, 9):
        add(f"tiff_orientation_{orientation}.tif", tiff(rgb, 2, tags={274: (3, [orientation])}, compression=LZW))
    add("tiff_orientation_6_ycbcr.tif", tiff(ycc, 6, compression=LZW, tags={**one, 274: (3, [6])}), 1)
    pages = [Image.fromarray(pattern(H, W)), Image.fromarray(pattern(9, 8))]
    add("tiff_pages.tif", saved(pages[0], "TIFF", save_all=True, append_images=pages[1:]))
    add("tiff_pages_lzw.tif", saved(pages[0], "TIFF", save_all=True, append_images=pages[1:], compression="tiff_lzw"))
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "LAB", "I", "F"):
        source_mode = Image.fromarray(rgb)
        image = source_mode.quantize(16) if mode == "P" else (
            Image.fromarray(pattern(H, W, 4)) if mode in ("RGBA", "RGBX") else source_mode)
        if mode == "LAB":
            image = Image.frombytes("LAB", (W, H), lab.tobytes())
        elif mode == "RGBX":
            image = Image.frombytes("RGBX", (W, H), pattern(H, W, 4).tobytes())
        elif mode != "P":
            image = image.convert(mode)
        for compression in (None, "tiff_lzw"):
            tolerance = {"LAB": 4, "YCbCr": 1}.get(mode, 0)
            if mode == "YCbCr" and compression:
                continue
            add(f"tiff_pillow_{mode}_{compression or 'raw'}.tif", saved(image, "TIFF", compression=compression), tolerance)
    for order, mark in (("<", "ii"), (">", "mm")):
        add(f"tiff_truncated_{mark}.tif", tiff(rgb, 2, order=order, chunks=[rgb.tobytes()[:-40]],
                                              tags={279: (4, [W * H * 3])}, lead=0)[: 8 + W * H * 3 - 40 - 200])
    cut = tiff(rgb, 2, compression=LZW)
    add("tiff_lzw_cut.tif", tiff(rgb, 2, compression=LZW, chunks=[imagecodecs.lzw_encode(rgb.tobytes())[:-60]]))
    add("tiff_deflate_cut.tif", tiff(rgb, 2, compression=DEFLATE, chunks=[zlib.compress(rgb.tobytes())[:-60]]))
    add("tiff_no_directory.tif", cut[:200])


# ---------------------------------------------------------------- JPEG


def jpeg_sampled(picture, sampling, *options):
    """By cjpeg, which knows every sampling."""
    return run("cjpeg", "-quality", "92", "-sample", f"{sampling},1x1,1x1", *options, input=saved(picture, "PPM"))


def segments(jpeg):
    """The segments before the compressed data, and the rest."""
    at, parts = 2, []
    while jpeg[at + 1] != 0xDA:
        length = struct.unpack(">H", jpeg[at + 2 : at + 4])[0]
        parts.append(jpeg[at : at + 2 + length])
        at += 2 + length
    return parts, jpeg[at:]


def joined(parts, rest):
    return b"\xff\xd8" + b"".join(parts) + rest


def segment(marker, content):
    return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content


def jpeg_files():
    photo = Image.fromarray(smooth(24, 24))
    gray = photo.convert("L")
    plain = saved(photo, "JPEG", quality=92, subsampling=0)
    add("jpeg_plain.jpg", plain)
    for subsampling in (1, 2):
        add(f"jpeg_pillow_{subsampling}.jpg", saved(photo, "JPEG", quality=92, subsampling=subsampling))
    for sampling in ("1x2", "4x1", "2x4", "4x2", "1x4", "3x1", "2x1", "2x2", "1x1"):
        add(f"jpeg_{sampling}.jpg", jpeg_sampled(photo, sampling))
        add(f"jpeg_{sampling}_progressive.jpg", jpeg_sampled(photo, sampling, "-progressive"))
    add("jpeg_cb_cr_differ.jpg", run("cjpeg", "-quality", "92", "-sample", "2x2,1x2,2x1", input=saved(photo, "PPM")))
    add("jpeg_gray_sampled.jpg", run("cjpeg", "-quality", "92", "-sample", "2x2", "-grayscale", input=saved(photo, "PPM")))
    add("jpeg_restart.jpg", jpeg_sampled(photo, "2x2", "-restart", "1"))
    add("jpeg_restart_blocks.jpg", jpeg_sampled(photo, "1x1", "-restart", "2B"))
    add("jpeg_restart_progressive.jpg", jpeg_sampled(photo, "2x2", "-restart", "1", "-progressive"))
    add("jpeg_optimized.jpg", jpeg_sampled(photo, "1x1", "-optimize"))
    add("jpeg_rgb.jpg", run("cjpeg", "-quality", "92", "-rgb", input=saved(photo, "PPM")))
    add("jpeg_arithmetic.jpg", jpeg_sampled(photo, "1x1", "-arithmetic"))
    add("jpeg_arithmetic_progressive.jpg", jpeg_sampled(photo, "2x2", "-arithmetic", "-progressive"))
    add("jpeg_arithmetic_gray.jpg", run("cjpeg", "-quality", "92", "-arithmetic", "-grayscale", input=saved(photo, "PPM")))
    add("jpeg_arithmetic_restart.jpg", jpeg_sampled(photo, "1x1", "-arithmetic", "-restart", "1"))
    add("jpeg_scans_apart.jpg", scans(photo, "0;\n1;\n2;\n"))
    add("jpeg_scans_two.jpg", scans(photo, "0;\n1 2;\n"), 1)  # Another decoder than libjpeg-turbo's reads it.
    add("jpeg_progressive_dc_only_first.jpg", scans(photo, "0,1,2: 0-0, 0, 0;\n0: 1-63, 0, 0;\n1: 1-63, 0, 0;\n2: 1-63, 0, 0;\n"))
    add("jpeg_quality_1.jpg", saved(photo, "JPEG", quality=1))
    add("jpeg_quality_100.jpg", saved(photo, "JPEG", quality=100, subsampling=0))
    lossless = imagecodecs.ljpeg_encode(smooth(16, 16, 1)[..., 0])
    add("jpeg_lossless_gray.jpg", lossless)
    try:
        add("jpeg_12_bit.jpg", imagecodecs.jpeg8_encode((smooth(16, 16, 1)[..., 0].astype("u2") * 16), bitspersample=12))
    except Exception as error:
        print("not written: 12 bits", error)
    # Ends and beginnings.
    for name, data in (("plain", plain), ("420", saved(photo, "JPEG", quality=92)), ("gray", saved(gray, "JPEG", quality=92)),
                       ("progressive", saved(photo, "JPEG", quality=92, progressive=True)),
                       ("cmyk", saved(photo.convert("CMYK"), "JPEG", quality=92)),
                       ("restart", jpeg_sampled(photo, "2x2", "-restart", "1"))):
        assert data[-2:] == b"\xff\xd9"
        # Whether Pillow reads these depends on where its buffer ends; all pixels are there.
        whole = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
        add(f"jpeg_no_eoi_{name}.jpg", data[:-2], rgb=whole)
        add(f"jpeg_half_eoi_{name}.jpg", data[:-1], rgb=whole)
        add(f"jpeg_zeros_for_eoi_{name}.jpg", data[:-2] + bytes(2), rgb=whole)
        add(f"jpeg_zeros_at_end_{name}.jpg", data[:-2] + bytes(4096), rgb=whole)
        add(f"jpeg_trailing_{name}.jpg", data + b"\0\1\2trailing bytes" * 3)
        add(f"jpeg_trailing_jpeg_{name}.jpg", data + plain)
        for missing in (3, 12, 40):
            add(f"jpeg_cut_{missing}_{name}.jpg", data[:-missing])
    # Two frames in one file, as cameras write them.
    add("jpeg_mpo.jpg", saved(photo, "MPO", save_all=True, append_images=[photo.rotate(180)], quality=92))
    add("jpeg_leading_zeros.jpg", bytes(4) + plain)
    parts, rest = segments(plain)
    add("jpeg_fill_bytes.jpg", joined([b"\xff\xff" + p if i else p for i, p in enumerate(parts)], rest))
    add("jpeg_garbage_between.jpg", joined([parts[0], b"\0\0\0"] + parts[1:], rest))
    add("jpeg_no_jfif.jpg", joined(parts[1:], rest))
    add("jpeg_jfif_late.jpg", joined(parts[1:] + parts[:1], rest))
    add("jpeg_comment.jpg", joined([segment(0xFE, b"a comment")] + parts, rest))
    add("jpeg_many_comments.jpg", joined(parts + [segment(0xFE, b"x" * 300)] * 20, rest))
    add("jpeg_empty_segments.jpg", joined(parts + [segment(0xED, b""), segment(0xE5, b"")], rest))
    icc = Path(__file__)
    from PIL import ImageCms
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    add("jpeg_icc.jpg", saved(photo, "JPEG", quality=92, subsampling=0, icc_profile=profile))
    odd_icc = segment(0xE2, b"ICC_PROFILE\0\x02\x03part")
    add("jpeg_icc_part_missing.jpg", joined(parts[:1] + [odd_icc] + parts[1:], rest))
    for label, content in (("empty", b"Exif\0\0"), ("short", b"Exif\0\0II*\0"), ("not_tiff", b"Exif\0\0nonsense"),
                           ("endless", b"Exif\0\0II*\0\x08\0\0\0\xff\xff"), ("no_tag", b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0")):
        add(f"jpeg_exif_{label}.jpg", joined([segment(0xE1, content)] + parts[1:], rest))
    for orientation in (0, 9, 3, 6):
        exif = Image.Exif()
        exif[0x0112] = orientation
        add(f"jpeg_exif_orientation_{orientation}.jpg", saved(photo, "JPEG", quality=92, subsampling=0, exif=exif))
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    add("jpeg_exif_big_endian.jpg", joined([segment(0xE1, exif)] + parts[1:], rest))
    add("jpeg_exif_after_jfif.jpg", joined(parts[:1] + [segment(0xE1, exif)] + parts[1:], rest))
    xmp = b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta/>"
    add("jpeg_xmp.jpg", joined(parts[:1] + [segment(0xE1, xmp)] + parts[1:], rest))
    # Adobe's marker: 0 RGB or CMYK, 1 YCbCr, 2 YCCK.
    adobe = lambda transform: segment(0xEE, b"Adobe\0\x64\0\0\0\0" + bytes([transform]))
    for transform in (0, 1, 2):
        add(f"jpeg_adobe_{transform}.jpg", joined([adobe(transform)] + parts[1:], rest))
        add(f"jpeg_adobe_{transform}_jfif.jpg", joined(parts[:1] + [adobe(transform)] + parts[1:], rest))
    four = saved(Image.fromarray(smooth(24, 24, 4), "CMYK"), "JPEG", quality=95)
    parts, rest = segments(four)
    without = [p for p in parts if p[1] != 0xEE]
    add("jpeg_cmyk_adobe_0.jpg", four)
    add("jpeg_cmyk_no_adobe.jpg", joined(without, rest))
    add("jpeg_ycck.jpg", joined([adobe(2)] + without, rest))
    add("jpeg_cmyk_progressive.jpg", saved(Image.fromarray(smooth(24, 24, 4), "CMYK"), "JPEG", quality=95, progressive=True))
    # Component names that say RGB, and others.
    parts, rest = segments(run("cjpeg", "-quality", "92", "-rgb", input=saved(photo, "PPM")))
    add("jpeg_rgb_names_no_adobe.jpg", joined([p for p in parts if p[1] != 0xEE], rest))
    parts, rest = segments(plain)
    renamed = []
    for part in parts:
        if part[1] == 0xC0:
            part = bytearray(part)
            part[10], part[13], part[16] = 0, 1, 2
        renamed.append(bytes(part))
    rest = bytearray(rest)
    rest[5], rest[7], rest[9] = 0, 1, 2
    add("jpeg_names_0_1_2.jpg", joined(renamed, bytes(rest)))
    add("jpeg_names_0_1_2_no_jfif.jpg", joined(renamed[1:], bytes(rest)))
    add("jpeg_extended.jpg", plain.replace(b"\xff\xc0", b"\xff\xc1"))
    add("jpeg_lines_later.jpg", lines_later(plain))
    for w, h in ((1, 1), (1, 9), (9, 1), (2, 2), (7, 5), (8, 8), (17, 3)):
        add(f"jpeg_{w}_by_{h}.jpg", saved(Image.fromarray(smooth(h, w)), "JPEG", quality=92, subsampling=0))


def lines_later(jpeg):
    """The height is 0 in the header and follows the compressed data (DNL)."""
    data = bytearray(jpeg)
    at = data.index(b"\xff\xc0") + 5
    height = bytes(data[at : at + 2])
    data[at : at + 2] = b"\0\0"
    return bytes(data[:-2]) + b"\xff\xdc\0\x04" + height + b"\xff\xd9"


def scans(picture, script):
    path = WORK / "scans.txt"
    path.write_text(script)
    return run("cjpeg", "-quality", "92", "-sample", "1x1,1x1,1x1", "-scans", path, input=saved(picture, "PPM"))


# ---------------------------------------------------------------- PNG


def chunk(tag, data, crc=None):
    crc = zlib.crc32(tag + data) if crc is None else crc
    return struct.pack(">I", len(data)) + tag + data + struct.pack(">I", crc)


PNG = b"\x89PNG\r\n\x1a\n"
KINDS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
PASSES = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def png_rows(values, bits, filters):
    """Rows of one pass, each with its filter (None to Paeth, in turn)."""
    samples = values.shape[2]
    step = max(1, samples * bits // 8)
    before, out = None, b""
    kind = ">u2" if bits == 16 else "u1"
    for number, row in enumerate(packed(values.astype(kind), bits)):
        row = np.frombuffer(row, np.uint8).astype(int)
        above = np.zeros_like(row) if before is None else before
        left = np.concatenate([np.zeros(step, int), row[:-step]])[: len(row)]
        corner = np.concatenate([np.zeros(step, int), above[:-step]])[: len(row)]
        filter_ = number % 5 if filters else 0
        guess = left + above - corner
        pa, pb, pc = abs(guess - left), abs(guess - above), abs(guess - corner)
        paeth = np.where((pa <= pb) & (pa <= pc), left, np.where(pb <= pc, above, corner))
        prediction = [0 * row, left, above, (left + above) // 2, paeth][filter_]
        out += bytes([filter_]) + ((row - prediction) % 256).astype(np.uint8).tobytes()
        before = row
    return out


def png(values, kind, bits, *, interlaced=False, before=(), after=(), filters=True, parts=1, end=True):
    h, w = values.shape[:2]
    if interlaced:
        passes = [values[y0::dy, x0::dx] for x0, y0, dx, dy in PASSES]
        data = b"".join(png_rows(p, bits, filters) for p in passes if p.size)
    else:
        data = png_rows(values, bits, filters)
    data = zlib.compress(data, 9)
    size = -(-len(data) // parts)
    body = b"".join(chunk(b"IDAT", data[i : i + size]) for i in range(0, len(data), size))
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, bits, kind, 0, 0, int(interlaced)))
    return PNG + header + b"".join(before) + body + b"".join(after) + (chunk(b"IEND", b"") if end else b"")


def png_files():
    rng = np.random.default_rng(2)
    for kind, allowed in ((0, (1, 2, 4, 8, 16)), (2, (8, 16)), (3, (1, 2, 4, 8)), (4, (8, 16)), (6, (8, 16))):
        for bits in allowed:
            samples = KINDS[kind]
            values = rng.integers(0, 2**bits, (H, W, samples))
            entries = min(2**bits, 256)
            palette = chunk(b"PLTE", (np.arange(3 * entries) * 41 % 256).astype(np.uint8).tobytes())
            trns = {0: struct.pack(">H", 1), 2: struct.pack(">HHH", 1, 2, 3), 3: bytes(range(0, entries, 1))[:entries]}
            before = [palette] if kind == 3 else []
            rgb = None
            if bits == 16 and kind in (0, 4):
                rgb = gray_rgb(values[..., 0] >> 8)
            for interlaced in (False, True):
                label = "interlaced" if interlaced else "plain"
                add(f"png_{kind}_{bits}_{label}.png", png(values, kind, bits, interlaced=interlaced, before=before), rgb=rgb)
                if kind in trns:
                    add(f"png_{kind}_{bits}_{label}_trns.png",
                        png(values, kind, bits, interlaced=interlaced, before=before + [chunk(b"tRNS", trns[kind])]), rgb=rgb)
    rgb = pattern(H, W)
    make = lambda **options: png(rgb, 2, 8, **options)
    add("png_parts.png", make(parts=9))
    add("png_no_iend.png", make(end=False))
    add("png_trailing.png", make() + b"trailing bytes")
    add("png_trailing_no_iend.png", make(end=False) + b"\0\0\0\x09no")
    add("png_iend_bad_crc.png", make()[:-1] + b"\0")
    add("png_iend_cut.png", make()[:-4])
    data = make(end=False)
    add("png_idat_no_crc.png", data[:-4])
    add("png_idat_bad_crc.png", data[:-4] + bytes(4) + chunk(b"IEND", b""))
    add("png_idat_cut.png", data[:-20])
    damaged = bytearray(make())
    damaged[60] ^= 0x55
    add("png_idat_damaged.png", bytes(damaged))
    add("png_palette_short.png", png(pattern(H, W, 1) % 5, 3, 8, before=[chunk(b"PLTE", bytes(range(15)))]))
    add("png_palette_too_short.png", png(pattern(H, W, 1) % 9, 3, 8, before=[chunk(b"PLTE", bytes(range(15)))]))
    add("png_palette_long.png", png(pattern(H, W, 1) % 4, 3, 2, before=[chunk(b"PLTE", bytes(range(48)))]))
    add("png_palette_in_rgb.png", make(before=[chunk(b"PLTE", bytes(range(48)))]))
    add("png_no_palette.png", png(pattern(H, W, 1) % 4, 3, 8))
    add("png_trns_before_palette.png", png(pattern(H, W, 1) % 4, 3, 8,
        before=[chunk(b"tRNS", b"\0\x80"), chunk(b"PLTE", bytes(range(48)))]))
    add("png_trns_long.png", png(pattern(H, W, 1) % 4, 3, 8, before=[chunk(b"PLTE", bytes(range(12))), chunk(b"tRNS", bytes(50))]))
    unknown = chunk(b"teSt", b"unknown")
    add("png_unknown.png", make(before=[unknown], after=[unknown]))
    add("png_unknown_bad_crc.png", make(before=[chunk(b"teSt", b"unknown", 5)]))
    add("png_unknown_bad_crc_after.png", make(after=[chunk(b"teSt", b"unknown", 5)]))
    add("png_private_critical.png", make(before=[chunk(b"TESt", b"unknown")]))
    text = chunk(b"tEXt", b"Comment\0text")
    add("png_text_everywhere.png", make(before=[text] * 3, after=[text] * 3))
    add("png_text_bad_crc.png", make(before=[chunk(b"tEXt", b"Comment\0text", 7)]))
    add("png_ztxt_damaged.png", make(before=[chunk(b"zTXt", b"Comment\0\0nonsense")]))
    add("png_itxt_odd.png", make(before=[chunk(b"iTXt", b"a")]))
    add("png_gamma.png", make(before=[chunk(b"gAMA", struct.pack(">I", 45455)), chunk(b"sRGB", b"\0"),
                                      chunk(b"cHRM", bytes(32)), chunk(b"pHYs", struct.pack(">IIB", 1, 1, 1))]))
    add("png_gamma_late.png", make(after=[chunk(b"gAMA", struct.pack(">I", 45455))]))
    add("png_icc_damaged.png", make(before=[chunk(b"iCCP", b"name\0\0nonsense")]))
    add("png_short_phys.png", make(before=[chunk(b"pHYs", b"\0")]))
    add("png_time_background.png", make(before=[chunk(b"bKGD", bytes(6)), chunk(b"tIME", bytes([7, 208, 1, 1, 0, 0, 0]))]))
    add("png_significant_bits.png", make(before=[chunk(b"sBIT", b"\5\6\5")]))
    add("png_two_headers.png", PNG + make()[8:33] + make()[8:])
    exif = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    add("png_exif.png", make(before=[chunk(b"eXIf", exif)]))
    add("png_exif_late.png", make(after=[chunk(b"eXIf", exif)]))
    add("png_exif_damaged.png", make(before=[chunk(b"eXIf", b"nonsense")]))
    add("png_empty_idat.png", make(before=[chunk(b"IDAT", b"")]))
    add("png_text_between_idat.png", between(make(parts=3), text))
    frames = [Image.fromarray(pattern(H, W)), Image.fromarray(smooth(H, W))]
    add("png_animated.png", saved(frames[0], "PNG", save_all=True, append_images=frames[1:]))
    add("png_animated_default.png", saved(frames[0], "PNG", save_all=True, append_images=frames[1:], default_image=True))
    add("png_1x1.png", png(rgb[:1, :1], 2, 8))
    add("png_interlaced_1x1.png", png(rgb[:1, :1], 2, 8, interlaced=True))
    add("png_interlaced_3x2.png", png(rgb[:2, :3], 2, 8, interlaced=True))
    add("png_cgbi_like.png", PNG + chunk(b"CgBI", bytes(4)) + make()[8:])
    add("png_extra_rows.png", png_more_data(rgb))


def between(data, extra):
    """A chunk between the first two chunks of pixels."""
    at = data.index(b"IDAT") - 4
    at += 12 + struct.unpack(">I", data[at : at + 4])[0]
    return data[:at] + extra + data[at:]


def png_more_data(rgb):
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", W, H, 8, 2, 0, 0, 0))
    data = zlib.compress(png_rows(rgb, 8, True) + bytes(500))
    return PNG + header + chunk(b"IDAT", data) + chunk(b"IEND", b"")


# ---------------------------------------------------------------- WebP, BMP, GIF, PNM


def webp_files():
    rgb, rgba = Image.fromarray(smooth(H, W)), Image.fromarray(pattern(H, W, 4))
    add("webp_lossy.webp", saved(rgb, "WEBP", quality=90), 4)
    add("webp_lossy_low.webp", saved(rgb, "WEBP", quality=5), 4)
    add("webp_lossy_method_0.webp", saved(rgb, "WEBP", quality=50, method=0), 4)
    add("webp_lossy_method_6.webp", saved(rgb, "WEBP", quality=50, method=6), 4)
    add("webp_lossy_alpha.webp", saved(Image.fromarray(smooth(H, W, 4)), "WEBP", quality=90), 4)
    add("webp_lossy_alpha_quality.webp", saved(Image.fromarray(smooth(H, W, 4)), "WEBP", quality=90, alpha_quality=20, exact=True), 4)
    add("webp_lossless.webp", saved(Image.fromarray(pattern(H, W)), "WEBP", lossless=True))
    add("webp_lossless_alpha.webp", saved(rgba, "WEBP", lossless=True, exact=True))
    add("webp_lossless_palette.webp", saved(Image.fromarray(pattern(H, W)).quantize(7).convert("RGB"), "WEBP", lossless=True))
    add("webp_lossless_two_colors.webp", saved(Image.fromarray(pattern(H, W)).convert("1").convert("RGB"), "WEBP", lossless=True))
    add("webp_gray.webp", saved(rgb.convert("L").convert("RGB"), "WEBP", lossless=True))
    exif = Image.Exif()
    exif[0x0112] = 6
    add("webp_exif.webp", saved(rgb, "WEBP", quality=90, exif=exif), 4)
    add("webp_exif_lossless.webp", saved(Image.fromarray(pattern(H, W)), "WEBP", lossless=True, exif=exif))
    add("webp_exif_damaged.webp", saved(rgb, "WEBP", quality=90, exif=b"nonsense"), 4)
    add("webp_xmp_icc.webp", saved(rgb, "WEBP", quality=90, xmp=b"<x/>", icc_profile=b"not a profile"), 4)
    frames = [Image.fromarray(pattern(H, W)), Image.fromarray(smooth(H, W))]
    add("webp_animated.webp", saved(frames[0], "WEBP", lossless=True, save_all=True, append_images=frames[1:]))
    add("webp_animated_lossy.webp", saved(frames[1], "WEBP", quality=90, save_all=True, append_images=frames[:1]), 4)
    add("webp_animated_alpha.webp", saved(rgba, "WEBP", lossless=True, exact=True, save_all=True, append_images=frames))
    whole = saved(rgb, "WEBP", quality=90)
    add("webp_trailing.webp", whole + b"trailing bytes", 4)
    add("webp_trailing_odd.webp", whole + b"x", 4)
    unknown = b"teSt" + struct.pack("<I", 5) + b"12345\0"
    lossless = saved(Image.fromarray(pattern(H, W)), "WEBP", lossless=True)
    for name, data, tolerance in (("lossy", whole, 4), ("lossless", lossless, 0)):
        longer = data[:4] + struct.pack("<I", len(data) - 8 + len(unknown)) + data[8:] + unknown
        add(f"webp_unknown_chunk_{name}.webp", longer, tolerance)
        extended = b"VP8X" + struct.pack("<IB3x", 10, 0) + struct.pack("<I", W - 1)[:3] + struct.pack("<I", H - 1)[:3]
        body = extended + unknown + data[12:]
        add(f"webp_extended_{name}.webp", b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body, tolerance)
        add(f"webp_cut_{name}.webp", data[:-20], tolerance)
    for w, h in ((1, 1), (1, 17), (17, 1), (16, 16)):
        add(f"webp_{w}_by_{h}.webp", saved(Image.fromarray(smooth(h, w)), "WEBP", quality=90), 4)


def bmp(w, h, bits, rows, *, header=40, palette=b"", compression=0, masks=b"", top_down=False, colors=0, offset=None):
    """`rows` are the bytes of the pixels as they stand in the file."""
    height = -h if top_down else h
    if header == 12:
        info = struct.pack("<IHHHH", 12, w, h, 1, bits)
    else:
        info = struct.pack("<IiiHHIIiiII", header, w, height, 1, bits, compression, len(rows), 2835, 2835, colors, 0)
        if header > 40:
            info += masks.ljust(header - 40, b"\0")[: header - 40]
    after = masks if header == 40 else b""
    start = 14 + len(info) + len(after) + len(palette)
    return struct.pack("<2sIHHI", b"BM", start + len(rows), 0, 0, start if offset is None else offset) + info + after + palette + rows


def bmp_rows(values, bits, top_down=False):
    rows = [row + bytes(-len(row) % 4) for row in packed(values, bits)]
    return b"".join(rows if top_down else rows[::-1])


def bmp_files():
    rgb, gray = pattern(H, W), pattern(H, W, 1)
    colors = lambda n, size: b"".join(bytes([i * 37 % 256, i * 91 % 256, i * 53 % 256, 0][:size]) for i in range(n))
    for bits in (1, 4, 8):
        values = gray.astype(int) * 2**bits // 256
        add(f"bmp_{bits}.bmp", bmp(W, H, bits, bmp_rows(values, bits), palette=colors(2**bits, 4)))
        add(f"bmp_{bits}_top_down.bmp", bmp(W, H, bits, bmp_rows(values, bits, True), palette=colors(2**bits, 4), top_down=True))
        add(f"bmp_{bits}_os2.bmp", bmp(W, H, bits, bmp_rows(values, bits), palette=colors(2**bits, 3), header=12))
        few = values % min(2**bits, 3)
        add(f"bmp_{bits}_short_palette.bmp", bmp(W, H, bits, bmp_rows(few, bits), palette=colors(min(2**bits, 3), 4), colors=min(2**bits, 3)))
    gray_palette = b"".join(bytes([i, i, i, 0]) for i in range(256))
    add("bmp_8_gray.bmp", bmp(W, H, 8, bmp_rows(gray, 8), palette=gray_palette))
    bgr = rgb[..., ::-1]
    add("bmp_24.bmp", bmp(W, H, 24, bmp_rows(bgr, 8)))
    add("bmp_24_top_down.bmp", bmp(W, H, 24, bmp_rows(bgr, 8, True), top_down=True))
    add("bmp_24_os2.bmp", bmp(W, H, 24, bmp_rows(bgr, 8), header=12))
    for header in (52, 56, 64, 108, 124):
        add(f"bmp_24_header_{header}.bmp", bmp(W, H, 24, bmp_rows(bgr, 8), header=header))
    add("bmp_24_trailing.bmp", bmp(W, H, 24, bmp_rows(bgr, 8)) + b"trailing bytes")
    add("bmp_24_palette.bmp", bmp(W, H, 24, bmp_rows(bgr, 8), palette=colors(16, 4)))
    add("bmp_24_cut.bmp", bmp(W, H, 24, bmp_rows(bgr, 8))[:-30])
    add("bmp_24_size_0.bmp", bmp(W, H, 24, bmp_rows(bgr, 8))[:2] + bytes(4) + bmp(W, H, 24, bmp_rows(bgr, 8))[6:])
    bgra = pattern(H, W, 4)
    add("bmp_32.bmp", bmp(W, H, 32, bmp_rows(bgra, 8)))
    add("bmp_32_top_down.bmp", bmp(W, H, 32, bmp_rows(bgra, 8, True), top_down=True))
    masks = lambda *m: struct.pack(f"<{len(m)}I", *m)
    for label, mask in (("bgrx", (0xFF0000, 0xFF00, 0xFF)), ("rgbx", (0xFF, 0xFF00, 0xFF0000)), ("xbgr", (0xFF000000, 0xFF0000, 0xFF00)),
                        ("xrgb", (0xFF00, 0xFF0000, 0xFF000000))):
        add(f"bmp_32_fields_{label}.bmp", bmp(W, H, 32, bmp_rows(bgra, 8), compression=3, masks=masks(*mask)))
    for header in (56, 108, 124):
        add(f"bmp_32_fields_alpha_{header}.bmp", bmp(W, H, 32, bmp_rows(bgra, 8), compression=3, header=header,
                                                   masks=masks(0xFF0000, 0xFF00, 0xFF, 0xFF000000)))
    words = np.random.default_rng(3).integers(0, 65536, (H, W, 1))
    rows16 = b"".join(row.astype("<u2").tobytes() + bytes(-2 * W % 4) for row in words[::-1, :, 0])
    add("bmp_16.bmp", bmp(W, H, 16, rows16))
    add("bmp_16_fields_565.bmp", bmp(W, H, 16, rows16, compression=3, masks=masks(0xF800, 0x7E0, 0x1F)))
    add("bmp_16_fields_555.bmp", bmp(W, H, 16, rows16, compression=3, masks=masks(0x7C00, 0x3E0, 0x1F)))
    add("bmp_16_fields_444.bmp", bmp(W, H, 16, rows16, compression=3, masks=masks(0xF00, 0xF0, 0xF)))
    # Runs: of one color, of several, and the end of each line.
    index = (gray[..., 0] // 52).astype(np.uint8)
    index[:, 4:9] = index[:, 4:5]
    rle8 = b""
    for row in index[::-1]:
        at = 0
        while at < W:
            length = 1
            while at + length < W and row[at + length] == row[at]:
                length += 1
            if length == 1 and at + 3 <= W:
                rle8 += b"\0\x03" + row[at : at + 3].tobytes() + b"\0"
                at += 3
            else:
                rle8 += bytes([length, row[at]])
                at += length
        rle8 += b"\0\0"
    add("bmp_rle8.bmp", bmp(W, H, 8, rle8 + b"\0\1", palette=colors(256, 4), compression=1))
    add("bmp_rle8_no_end.bmp", bmp(W, H, 8, rle8, palette=colors(256, 4), compression=1))
    add("bmp_rle8_delta.bmp", bmp(W, H, 8, b"\x05\x01\0\x02\x03\x02\x04\x02\0\1", palette=colors(256, 4), compression=1))
    add("bmp_rle8_short_rows.bmp", bmp(W, H, 8, b"\x05\x01\0\0" * H + b"\0\1", palette=colors(256, 4), compression=1))
    rle4 = b"".join(bytes([W, (i % 16) << 4 | (i * 5 % 16)]) + b"\0\0" for i in range(H)) + b"\0\1"
    add("bmp_rle4.bmp", bmp(W, H, 4, rle4, palette=colors(16, 4), compression=2))
    rle4 = b"".join(b"\0\x05\x12\x34\x50\0" + bytes([W - 5, 0x67]) + b"\0\0" for _ in range(H)) + b"\0\1"
    add("bmp_rle4_absolute.bmp", bmp(W, H, 4, rle4, palette=colors(16, 4), compression=2))
    add("bmp_gap_before_pixels.bmp", gap(bmp(W, H, 24, bmp_rows(bgr, 8)), 54, 20))
    for mode in ("1", "L", "P", "RGB", "RGBA"):
        image = Image.fromarray(pattern(H, W, 4)) if mode == "RGBA" else Image.fromarray(rgb)
        image = image.quantize(9) if mode == "P" else image.convert(mode)
        add(f"bmp_pillow_{mode}.bmp", saved(image, "BMP"))
    add("bmp_jpeg_inside.bmp", bmp(W, H, 24, saved(Image.fromarray(rgb), "JPEG"), compression=4))


def gap(data, at, length):
    data = data[:at] + bytes(length) + data[at:]
    return data[:10] + struct.pack("<I", at + length) + data[14:]


def gif(screen, frames, *, palette=None, background=0, trailer=True, version=b"GIF89a"):
    flags = 0 if palette is None else 0x80 | (len(palette) // 3).bit_length() - 2
    out = version + struct.pack("<HHBBB", *screen, flags, background, 0) + (palette or b"")
    for frame in frames:
        out += frame
    return out + (b";" if trailer else b"")


def gif_frame(values, at=(0, 0), *, palette=None, interlaced=False, transparent=None, disposal=0, bits=8, control=True):
    h, w = values.shape
    if interlaced:
        order = [*range(0, h, 8), *range(4, h, 8), *range(2, h, 4), *range(1, h, 2)]
        values = values[order]
    flags = (0 if palette is None else 0x80 | (len(palette) // 3).bit_length() - 2) | (0x40 if interlaced else 0)
    head = b""
    if control:
        head = b"!\xf9\4" + struct.pack("<BHBB", disposal << 2 | (transparent is not None), 0, transparent or 0, 0)
    return head + b"," + struct.pack("<HHHHB", *at, w, h, flags) + (palette or b"") + bytes([bits]) + gif_data(values, bits)


def gif_data(values, bits):
    """Codes without compression: a clear code before the table grows."""
    clear, text, width = 1 << bits, "", bits + 1
    codes = []
    for number, value in enumerate(values.ravel()):
        if number % (2**bits - 2 if bits > 2 else 2) == 0:
            codes.append(clear)
        codes.append(int(value))
    codes.append(clear + 1)
    number = count = 0
    for code in codes:
        number |= code << count
        count += width
    data = number.to_bytes(-(-count // 8), "little")
    out = b""
    for at in range(0, len(data), 255):
        part = data[at : at + 255]
        out += bytes([len(part)]) + part
    return out + b"\0"


def gif_files():
    rgb = Image.fromarray(pattern(H, W))
    index = (pattern(H, W, 1)[..., 0] % 16).astype(np.uint8)
    palette = (np.arange(48) * 37 % 256).astype(np.uint8).tobytes()
    other = (np.arange(48) * 91 % 256).astype(np.uint8).tobytes()
    size = (W, H)
    frame = lambda **options: gif_frame(index, bits=4, **options)
    add("gif_plain.gif", gif(size, [frame()], palette=palette))
    add("gif_87a.gif", gif(size, [frame(control=False)], palette=palette, version=b"GIF87a"))
    add("gif_interlaced.gif", gif(size, [frame(interlaced=True)], palette=palette))
    add("gif_local_palette.gif", gif(size, [frame(palette=other)], palette=palette))
    add("gif_local_palette_only.gif", gif(size, [frame(palette=other)]))
    add("gif_local_interlaced.gif", gif(size, [frame(palette=other, interlaced=True)], palette=palette))
    add("gif_no_palette.gif", gif(size, [frame()]))
    add("gif_transparent.gif", gif(size, [frame(transparent=3)], palette=palette))
    add("gif_transparent_background.gif", gif(size, [frame(transparent=3)], palette=palette, background=5))
    add("gif_no_trailer.gif", gif(size, [frame()], palette=palette, trailer=False))
    add("gif_trailing.gif", gif(size, [frame()], palette=palette) + b"trailing bytes")
    add("gif_cut.gif", gif(size, [frame()], palette=palette)[:-80])
    comment = b"!\xfe\7comment\0"
    add("gif_comment.gif", gif(size, [comment, frame(), comment], palette=palette))
    loop = b"!\xff\x0bNETSCAPE2.0\3\1\0\0\0"
    add("gif_animated.gif", gif(size, [loop, frame(), frame(palette=other)], palette=palette))
    add("gif_plain_text.gif", gif(size, [b"!\1\x0c" + bytes(12) + b"\4text\0", frame()], palette=palette))
    small = gif_frame(index[:7, :9], (4, 3), bits=4)
    add("gif_smaller.gif", gif(size, [small], palette=palette))
    add("gif_smaller_background.gif", gif(size, [small], palette=palette, background=7))
    add("gif_smaller_transparent.gif", gif(size, [gif_frame(index[:7, :9], (4, 3), bits=4, transparent=2)], palette=palette, background=7))
    add("gif_smaller_local.gif", gif(size, [gif_frame(index[:7, :9], (4, 3), bits=4, palette=other)], palette=palette, background=7))
    add("gif_smaller_two.gif", gif(size, [small, frame()], palette=palette, background=7))
    add("gif_outside.gif", gif((10, 8), [frame()], palette=palette))
    add("gif_offset_outside.gif", gif((12, 10), [gif_frame(index[:7, :9], (8, 6), bits=4)], palette=palette, background=7))
    add("gif_screen_0.gif", gif((0, 0), [frame()], palette=palette))
    add("gif_2_colors.gif", gif(size, [gif_frame(index % 2, bits=2)], palette=palette[:6]))
    add("gif_palette_short.gif", gif(size, [gif_frame(index, bits=4)], palette=palette[:24]))
    add("gif_8_bits.gif", saved(rgb.quantize(256), "GIF"))
    add("gif_gray.gif", saved(rgb.convert("L"), "GIF"))
    add("gif_one_bit.gif", saved(rgb.convert("1"), "GIF"))
    add("gif_pillow_interlaced.gif", saved(rgb.quantize(30), "GIF", interlace=1))
    add("gif_pillow_not_interlaced.gif", saved(rgb.quantize(30), "GIF", interlace=0))
    rgba = Image.fromarray(pattern(H, W, 4))
    add("gif_pillow_rgba.gif", saved(rgba, "GIF"))


def pnm_files():
    rgb, gray = pattern(H, W), pattern(H, W, 1)
    flat = lambda values: " ".join(map(str, np.asarray(values).ravel()))
    size = f"{W} {H}\n"
    bits = gray[..., 0] % 2
    row_bits = b"".join(packed(bits[..., None], 1))
    add("pnm_p1.pbm", f"P1\n{size}{flat(bits)}\n".encode())
    add("pnm_p1_no_spaces.pbm", ("P1\n" + size + "\n".join("".join(map(str, row)) for row in bits) + "\n").encode())
    add("pnm_p1_comment.pbm", f"P1\n# a comment\n{W} # width\n{H}\n{flat(bits)}\n".encode())
    add("pnm_p1_comment_inside.pbm", f"P1\n{size}{flat(bits[:5])}\n# a comment\n{flat(bits[5:])}\n".encode())
    add("pnm_p4.pbm", f"P4\n{size}".encode() + row_bits)
    add("pnm_p4_one_line.pbm", f"P4 {W} {H} ".encode() + row_bits)
    for largest in (1, 15, 100, 255):
        values = gray.astype(int) * largest // 255
        color = rgb.astype(int) * largest // 255
        add(f"pnm_p2_{largest}.pgm", f"P2\n{size}{largest}\n{flat(values)}\n".encode(), 1)
        add(f"pnm_p5_{largest}.pgm", f"P5\n{size}{largest}\n".encode() + values.astype("u1").tobytes(), 1)
        add(f"pnm_p3_{largest}.ppm", f"P3\n{size}{largest}\n{flat(color)}\n".encode(), 1)
        add(f"pnm_p6_{largest}.ppm", f"P6\n{size}{largest}\n".encode() + color.astype("u1").tobytes(), 1)
    rng = np.random.default_rng(4)
    for largest in (256, 1000, 4095, 65535):
        values = rng.integers(0, largest + 1, (H, W, 1))
        color = rng.integers(0, largest + 1, (H, W, 3))
        upper = gray_rgb(values[..., 0] * 65535 // largest >> 8)
        add(f"pnm_p2_{largest}.pgm", f"P2\n{size}{largest}\n{flat(values)}\n".encode(), 1, rgb=upper)
        add(f"pnm_p5_{largest}.pgm", f"P5\n{size}{largest}\n".encode() + values.astype(">u2").tobytes(), 1, rgb=upper)
        add(f"pnm_p3_{largest}.ppm", f"P3\n{size}{largest}\n{flat(color)}\n".encode(), 1)
        add(f"pnm_p6_{largest}.ppm", f"P6\n{size}{largest}\n".encode() + color.astype(">u2").tobytes(), 1)
    add("pnm_comments.ppm", f"P6\n# one\n# two\n{W}# width\n {H}\n#\n255\n".encode() + rgb.tobytes())
    add("pnm_comment_after_magic.ppm", f"P6#c\n{W} {H} 255\n".encode() + rgb.tobytes())
    add("pnm_crlf.ppm", f"P6\r\n{W} {H}\r\n255\n".encode() + rgb.tobytes())
    add("pnm_tabs.ppm", f"P6\t{W}\t{H}\t255\t".encode() + rgb.tobytes())
    add("pnm_leading_zeros.ppm", f"P6 00{W} 000{H} 0255\n".encode() + rgb.tobytes())
    add("pnm_trailing.ppm", f"P6 {W} {H} 255\n".encode() + rgb.tobytes() + b"trailing bytes")
    add("pnm_two_images.pgm", (f"P5 {W} {H} 255\n".encode() + gray.tobytes()) * 2)
    add("pnm_p3_trailing.ppm", f"P3\n{size}255\n{flat(rgb)}\n5 5 5".encode())
    add("pnm_p2_comment_inside.pgm", f"P2\n{size}255\n{flat(gray[:5])}\n# a comment\n{flat(gray[5:])}\n".encode())
    add("pnm_p2_above.pgm", f"P2\n{size}100\n{flat(gray)}\n".encode())
    add("pnm_p5_above.pgm", f"P5\n{size}100\n".encode() + gray.tobytes(), 1)
    add("pnm_p6_cut.ppm", f"P6 {W} {H} 255\n".encode() + rgb.tobytes()[:-9])
    add("pnm_p3_cut.ppm", f"P3\n{size}255\n{flat(rgb.ravel()[:-9])}\n".encode())
    add("pnm_p1_cut.pbm", f"P1\n{size}{flat(bits[:-1])}\n".encode())
    for tuple_type, samples in (("BLACKANDWHITE", 1), ("GRAYSCALE", 1), ("GRAYSCALE_ALPHA", 2), ("RGB", 3), ("RGB_ALPHA", 4)):
        largest = 1 if tuple_type == "BLACKANDWHITE" else 255
        values = pattern(H, W, samples).astype(int) % (largest + 1)
        head = f"P7\nWIDTH {W}\nHEIGHT {H}\nDEPTH {samples}\nMAXVAL {largest}\nTUPLTYPE {tuple_type}\nENDHDR\n"
        add(f"pnm_p7_{tuple_type}.pam", head.encode() + values.astype("u1").tobytes())
    floats = (gray[..., 0].astype("f4") * 1.5 - 20)[::-1]
    add("pnm_pf_little.pfm", f"Pf\n{size}-1.0\n".encode() + floats.astype("<f4").tobytes())
    add("pnm_pf_big.pfm", f"Pf\n{size}1.0\n".encode() + floats.astype(">f4").tobytes())
    add("pnm_pf_color.pfm", f"PF\n{size}-1.0\n".encode() + rgb.astype("<f4").tobytes())
    add("pnm_pillow_F.pfm", saved(Image.fromarray(pattern(H, W, 1)[..., 0]).convert("F"), "PPM"))
    add("pnm_pillow_I.pgm", saved(Image.fromarray(pattern(H, W, 1)[..., 0]).convert("I"), "PPM"),
        rgb=gray_rgb(np.zeros((H, W))))


def main():
    tiff_files()
    jpeg_files()
    png_files()
    webp_files()
    bmp_files()
    gif_files()
    pnm_files()
    # One stream, so that what files have in common is stored once; pixels that files share are, too.
    lines = (f"  {json.dumps(name)}: {json.dumps(expected[name])}" for name in sorted(expected))
    contents = {"expected.json": ("{\n" + ",\n".join(lines) + "\n}\n").encode()}
    contents |= {name: files[name] for name in sorted(files, key=lambda name: (name.split("_")[0], len(files[name])))}
    contents |= {digest + ".rgb": data for digest, data in sorted({(digest_of(p), p) for p in pixels.values()})}
    with tarfile.open(OUT, "w:gz", compresslevel=9) as archive:
        for name, data in contents.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    shutil.rmtree(WORK)
    refused = [name for name in expected if "refused" in expected[name]]
    print(f"{len(files)} images, of which Pillow refuses {len(refused)}; {OUT.stat().st_size} bytes")
    if "-v" in sys.argv:
        for name in refused:
            print(" ", name, expected[name]["refused"])


main()
