"""Checks an ONNX model with preprocessing against the predictions of vision.

    python scripts/check_onnx_image.py case.json

The case comes from a Rust test: {"onnx": path, "tolerance": 1e-4, "images": [{"file": path, "pixels": path of raw RGB
bytes as vision decodes the file, "size": [height, width], "outputs": [..]}, ..]}. Runs ONNX Runtime on vision's pixels
and on those of Pillow, which are the same. Both must agree within the tolerance.
"""

import json
import sys

import numpy as np
import onnx
import onnxruntime
from PIL import Image, ImageOps

with open(sys.argv[1]) as f:
    spec = json.load(f)
onnx.checker.check_model(spec["onnx"], full_check=True)
options = onnxruntime.SessionOptions()
options.log_severity_level = 3
session = onnxruntime.InferenceSession(spec["onnx"], options, providers=["CPUExecutionProvider"])
worst = {"same pixels": 0.0, "Pillow's pixels": 0.0}
classes = {"same pixels": 0, "Pillow's pixels": 0}
levels = 0
for image in spec["images"]:
    expected = np.array(image["outputs"], dtype=np.float32)
    ours = np.fromfile(image["pixels"], dtype=np.uint8).reshape(*image["size"], 3)
    pillow = np.asarray(ImageOps.exif_transpose(Image.open(image["file"])).convert("RGB"))
    assert pillow.shape == ours.shape, (pillow.shape, ours.shape)
    levels = max(levels, int(np.abs(pillow.astype(int) - ours.astype(int)).max()))
    for name, pixels in [("same pixels", ours), ("Pillow's pixels", pillow)]:
        (found,) = session.run(None, {"image": pixels})
        assert found.shape == (1, expected.size), found.shape
        difference = float(np.abs(found[0] - expected).max())
        worst[name] = max(worst[name], difference)
        classes[name] += int(found[0].argmax() != expected.argmax())
        if difference > spec["tolerance"]:
            print(f"{image['file']} {image['size']}: {difference:.3g} TOO LARGE")
n = len(spec["images"])
for name in worst:
    print(f"{spec['onnx']}: {n} images, {name}: largest difference {worst[name]:.3g}, {classes[name]} other classes")
print(f"decoders differ by up to {levels} levels")
sys.exit(levels > 0 or max(worst.values()) > spec["tolerance"] or sum(classes.values()) > 0)
