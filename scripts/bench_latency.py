#!/usr/bin/env python3
"""The other engines of `cargo xtask bench --what latency --against-torch PYTHON`: one image from JPEG bytes to its class.

    python3 scripts/bench_latency.py ENGINE ARCH ONNX IMAGE SIZE EXTRA THREADS WARM_UP RUNS

ENGINE is torch (eager, channels last, inference mode), onnxruntime or openvino. Pillow decodes and resizes: the shorter side to
SIZE + EXTRA, then the center, then ImageNet's statistics. Prints the class after the first prediction, and then one JSON line with the
seconds of RUNS predictions after WARM_UP.
"""
import io
import json
import sys
import time

import numpy as np
from PIL import Image

engine, arch, onnx, path = sys.argv[1:5]
size, extra, threads, warm_up, runs = map(int, sys.argv[5:10])
mean = np.array([0.485, 0.456, 0.406], dtype=np.float32)
std = np.array([0.229, 0.224, 0.225], dtype=np.float32)


def prepared(encoded):
    """Height, width and channels, normalized."""
    image = Image.open(io.BytesIO(encoded)).convert("RGB")
    side, (width, height) = size + extra, image.size
    if width <= height:
        new = (side, side * height // width)
    else:
        new = (side * width // height, side)
    left, top = round((new[0] - size) / 2), round((new[1] - size) / 2)
    image = image.resize(new, Image.Resampling.BILINEAR).crop((left, top, left + size, top + size))
    return (np.asarray(image, dtype=np.float32) / 255 - mean) / std


if engine == "torch":
    import torch
    import torchvision

    torch.set_num_threads(threads)
    model = getattr(torchvision.models, arch)(weights=None).eval().to(memory_format=torch.channels_last)
    version = torch.__version__

    def outputs(pixels):
        with torch.inference_mode():
            # The memory of rows of pixels is the channels-last format already.
            batch = torch.from_numpy(pixels).permute(2, 0, 1).unsqueeze(0)
            return model(batch)[0].numpy()

elif engine == "onnxruntime":
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    version = onnxruntime.__version__

    def outputs(pixels):
        batch = np.ascontiguousarray(pixels.transpose(2, 0, 1))[None]
        return session.run(None, {name: batch})[0][0]

elif engine == "openvino":
    import openvino

    core = openvino.Core()
    model = core.read_model(onnx)
    model.reshape([1, 3, size, size])
    hints = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}
    # Some CPUs would compute in 16 bits.
    hints["INFERENCE_PRECISION_HINT"] = "f32"
    compiled = core.compile_model(model, "CPU", hints)
    version = openvino.__version__.split("-")[0]

    def outputs(pixels):
        batch = np.ascontiguousarray(pixels.transpose(2, 0, 1))[None]
        return compiled(batch)[0][0]

else:
    sys.exit(f"unknown engine {engine!r}: torch, onnxruntime or openvino")


def predict(encoded):
    found = outputs(prepared(encoded))
    powers = np.exp(found - found.max())
    probabilities = powers / powers.sum()
    return int(probabilities.argmax())


with open(path, "rb") as file:
    encoded = file.read()
print(predict(encoded), flush=True)
for _ in range(warm_up):
    predict(encoded)
seconds = []
for _ in range(runs):
    begin = time.perf_counter()
    predict(encoded)
    seconds.append(time.perf_counter() - begin)
print(json.dumps({"engine": f"{engine} {version}", "seconds": seconds}))
