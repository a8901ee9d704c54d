#!/usr/bin/env python3
"""Shards that WebDataset's own writer makes, and what its reader finds in them.

    pip install webdataset==1.0.2 pillow
    python scripts/make_shard_fixture.py crates/vision-data/tests/fixtures/shards

Writes 00000.tar and 00001.tar with small images of one color, and expected.json: [[shard, key, class, SHA-256 of the image], ..].
"""
import hashlib
import io
import json
import sys
from pathlib import Path

import webdataset
from PIL import Image

folder = Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)


def image(item, kind):
    bytes_ = io.BytesIO()
    Image.new("RGB", (4, 3), (20 * item, 255 - 20 * item, 7)).save(bytes_, kind)
    return bytes_.getvalue()


for shard in range(2):
    with webdataset.TarWriter(str(folder / f"{shard:05}.tar"), mtime=0, user="", group="") as writer:
        for i in range(5):
            item = 5 * shard + i
            kind, extension = ("PNG", "png") if item % 2 else ("JPEG", "jpg")
            # Numbers of classes, as WebDataset encodes them, and another file, which does not matter.
            writer.write({"__key__": f"part/{item:06}", f"seg.{extension}" if item == 7 else extension: image(item, kind),
                          "cls": item % 3, "json": {"item": item}})

found = []
for shard in range(2):
    reader = webdataset.WebDataset(str(folder / f"{shard:05}.tar"), shardshuffle=False)
    for sample in reader:
        (extension,) = [name for name in sample if name.split(".")[-1] in ("png", "jpg")]
        digits = hashlib.sha256(sample[extension]).hexdigest()
        found.append([f"{shard:05}.tar", sample["__key__"], sample["cls"].decode(), extension, digits])
(folder / "expected.json").write_text(json.dumps(found, indent=0) + "\n")
print(len(found), webdataset.__version__)
