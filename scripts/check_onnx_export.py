"""Checks ONNX files written by vision, with onnx's checker, shape inference, and ONNX Runtime's outputs.

    python scripts/check_onnx_export.py case.json [case.json ..]

A case is a JSON file of the Rust tests: {"onnx": path, "opset": 17, "cases": [{"shape": [..], "input": [..],
"output": [..]}, ..], "tolerance": 1e-4}. Prints one line per case with the largest difference. The exit status
is 1 if a difference exceeds the tolerance or a file is rejected.
"""

import json
import sys

import numpy as np
import onnx
import onnxruntime

failed = False
for path in sys.argv[1:]:
    with open(path) as f:
        spec = json.load(f)
    onnx.checker.check_model(spec["onnx"], full_check=True)
    model = onnx.load(spec["onnx"])
    opset = {o.domain: o.version for o in model.opset_import}[""]
    assert opset >= spec["opset"], opset
    batch = model.graph.input[0].type.tensor_type.shape.dim[0]
    assert batch.HasField("dim_param"), batch
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(spec["onnx"], options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    for case in spec["cases"]:
        x = np.array(case["input"], dtype=np.float32).reshape(case["shape"])
        (y,) = session.run(None, {name: x})
        expected = np.array(case["output"], dtype=np.float32)
        assert y.size == expected.size, (y.shape, expected.size)
        difference = float(np.abs(y.reshape(-1) - expected).max())
        ok = difference <= spec["tolerance"]
        failed |= not ok
        scale = float(np.abs(expected).max())
        print(f"{spec['onnx']}: input {case['shape']}, output {list(y.shape)}, opset {opset}: largest difference "
              f"{difference:.3g} of {scale:.3g}{'' if ok else ' TOO LARGE'}")
sys.exit(failed)
