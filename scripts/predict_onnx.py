"""Classifies images with a model of Learner::export_onnx_with_preprocessing.

    python scripts/predict_onnx.py model.onnx image.jpg [image.jpg ..]

Needs Pillow, numpy and onnxruntime. The graph does everything after decoding.
"""

import json
import sys

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
about = session.get_modelmeta().custom_metadata_map
classes = json.loads(about["classes"])
for path in sys.argv[2:]:
    image = ImageOps.exif_transpose(Image.open(path))
    if "background" in about:  # the color behind transparent pixels
        behind = Image.new("RGBA", image.size, tuple(json.loads(about["background"])) + (255,))
        image = Image.alpha_composite(behind, image.convert("RGBA"))
    (outputs,) = session.run(None, {"image": np.asarray(image.convert("RGB"))})
    best = int(outputs[0].argmax())
    print(path, classes[best] if classes else "", outputs[0].tolist())
