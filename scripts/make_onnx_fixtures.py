"""Writes crates/vision-models/tests/fixtures/onnx: tiny networks exported by torch.onnx, and torch's outputs.

    python scripts/make_onnx_fixtures.py      (torch, onnx, onnxscript)

Every network is `Tiny` below; `tests/it/onnx_import.rs` builds the same layers and names. The files differ in their export:
with or without names, with batch norms folded into convolutions, by the old and the new exporter, with values inside the
file or in a second file, and in other number types.
"""

import json
import pathlib

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

OUT = pathlib.Path(__file__).parent.parent / "crates/vision-models/tests/fixtures/onnx"


class Tiny(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(4)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = nn.Sequential(
            nn.Sequential(nn.Conv2d(4, 4, 1, bias=False), nn.BatchNorm2d(4)),
            nn.Sequential(nn.Conv2d(4, 4, 1, bias=True), nn.BatchNorm2d(4)),
        )
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.flat = nn.Flatten()
        self.bn2 = nn.BatchNorm1d(4)
        self.fc = nn.Linear(4, 3)

    def forward(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        return self.fc(self.bn2(self.flat(self.avgpool(self.layer1(x)))))


def lively(model):
    torch.manual_seed(5)
    for name, t in model.state_dict().items():
        if name.endswith("running_var"):
            t.uniform_(0.5, 1.5)
        elif t.is_floating_point() and t.dim() == 1:
            t.uniform_(-0.5, 0.9)
    return model.eval()


def small(path):
    """Drops information for people (the new exporter writes stack traces)."""
    model = onnx.load(path, load_external_data=False)
    model.doc_string = ""
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in [*model.graph.value_info, *model.graph.input, *model.graph.output, *model.graph.initializer]:
        del value.metadata_props[:]
    del model.graph.metadata_props[:]
    del model.graph.value_info[:]
    onnx.save(model, path)
    return model


def typed(model, convert):
    model = onnx.ModelProto.FromString(model.SerializeToString())
    for i, t in enumerate(model.graph.initializer):
        if t.data_type == TensorProto.FLOAT:
            model.graph.initializer[i].CopyFrom(convert(t.name, numpy_helper.to_array(t)))
    return model


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    model = lively(Tiny())
    x = torch.randn(2, 3, 12, 10)
    with torch.no_grad():
        y = model(x)
    expected = {
        "torch": torch.__version__,
        "shape": list(x.shape),
        "input": x.flatten().tolist(),
        "output": y.flatten().tolist(),
        "state": {
            name: {"shape": list(t.shape), "bits": t.contiguous().view(torch.int32).flatten().tolist()}
            for name, t in model.state_dict().items()
            if t.is_floating_point()
        },
    }
    common = dict(input_names=["input"], output_names=["output"])
    axes = {"input": {0: "batch"}, "output": {0: "batch"}}
    old = dict(dynamo=False, opset_version=17, dynamic_axes=axes, **common)
    torch.onnx.export(model, (x,), OUT / "folded.onnx", **old)
    training = torch.onnx.TrainingMode.PRESERVE
    torch.onnx.export(
        model, (x,), OUT / "named.onnx", do_constant_folding=False, training=training, **old
    )
    for optimize, name in [(True, "dynamo_folded.onnx"), (False, "dynamo.onnx")]:
        torch.onnx.export(
            model, (x,), OUT / name, dynamo=True, optimize=optimize, external_data=False, verbose=False, **common
        )
    for name in ["folded", "named", "dynamo_folded", "dynamo"]:
        print(name, [n.op_type for n in small(OUT / f"{name}.onnx").graph.node])
        print("   ", [i.name for i in onnx.load(OUT / f"{name}.onnx").graph.initializer])

    # Equal tensors are written once, and the batch norms of a new network are all equal.
    torch.manual_seed(9)
    fresh = Tiny().eval()
    torch.onnx.export(fresh, (x,), OUT / "shared.onnx", do_constant_folding=False, training=training, **old)
    small(OUT / "shared.onnx")
    with torch.no_grad():
        expected["shared_output"] = fresh(x).flatten().tolist()

    named = onnx.load(OUT / "named.onnx")
    lists = lambda name, a: helper.make_tensor(name, TensorProto.FLOAT, a.shape, a.flatten().tolist())
    onnx.save(typed(named, lists), OUT / "float_data.onnx")
    double = lambda name, a: helper.make_tensor(name, TensorProto.DOUBLE, a.shape, a.astype(np.float64).flatten().tolist())
    onnx.save(typed(named, double), OUT / "double_data.onnx")
    raw64 = lambda name, a: numpy_helper.from_array(a.astype(np.float64), name)
    onnx.save(typed(named, raw64), OUT / "double_raw.onnx")
    half = lambda name, a: numpy_helper.from_array(a.astype(np.float16), name)
    onnx.save(typed(named, half), OUT / "half_raw.onnx")
    half32 = lambda name, a: helper.make_tensor(name, TensorProto.FLOAT16, a.shape, a.astype(np.float16).flatten())

    def ints(name, a, kind, bits):
        t = TensorProto(name=name, data_type=kind, dims=a.shape)
        t.int32_data.extend(bits(a).flatten().tolist())
        return t

    to_half = lambda a: a.astype(np.float16).view(np.uint16).astype(np.int32)
    to_bf16 = lambda a: (torch.from_numpy(a.copy()).to(torch.bfloat16).view(torch.int16).numpy().view(np.uint16).astype(np.int32))
    onnx.save(typed(named, lambda n, a: ints(n, a, TensorProto.FLOAT16, to_half)), OUT / "half_ints.onnx")
    onnx.save(typed(named, lambda n, a: ints(n, a, TensorProto.BFLOAT16, to_bf16)), OUT / "bfloat16_ints.onnx")
    for kind, dtype in [("half", torch.float16), ("bfloat16", torch.bfloat16)]:
        expected[kind] = {
            name: t.to(dtype).float().view(torch.int32).flatten().tolist()
            for name, t in model.state_dict().items()
            if t.is_floating_point()
        }
    external = onnx.ModelProto.FromString(named.SerializeToString())
    onnx.save(
        external, OUT / "external.onnx", save_as_external_data=True, all_tensors_to_one_file=True,
        location="external.bin", size_threshold=0,
    )

    # A linear layer as other exporters write it: a product and a sum, or a Gemm with an untransposed matrix.
    for op, name in [("MatMul", "matmul.onnx"), ("Gemm", "gemm.onnx"), ("Transpose", "transpose.onnx")]:
        m = onnx.load(OUT / "folded.onnx")
        gemm = next(i for i, n in enumerate(m.graph.node) if n.op_type == "Gemm")
        node = m.graph.node[gemm]
        weight = next(t for t in m.graph.initializer if t.name == node.input[1])
        array = numpy_helper.to_array(weight)
        if op != "Transpose":
            weight.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(array.T), "W"))
        data, w, bias, out = node.input[0], "W", node.input[2], node.output[0]
        del m.graph.node[gemm]
        if op == "Transpose":
            m.graph.node.insert(gemm, helper.make_node("Transpose", [weight.name], ["Wt"], perm=[1, 0]))
            w, gemm = "Wt", gemm + 1
        if op == "Gemm":
            m.graph.node.insert(gemm, helper.make_node("Gemm", [data, w, bias], [out]))
        else:
            m.graph.node.insert(gemm, helper.make_node("MatMul", [data, w], ["product"]))
            m.graph.node.insert(gemm + 1, helper.make_node("Add", ["product", bias], [out]))
        onnx.checker.check_model(m)
        onnx.save(m, OUT / name)
    # Another epsilon, with variances that compensate for it.
    m = onnx.load(OUT / "named.onnx")
    m = typed(m, lambda n, a: numpy_helper.from_array(a - np.float32(1e-3 - 1e-5) if n.endswith("var") else a, "x." + n))
    for node in m.graph.node:
        for i, name in enumerate(node.input):
            if any(t.name == "x." + name for t in m.graph.initializer):
                node.input[i] = "x." + name
        for a in node.attribute:
            if a.name == "epsilon":
                a.f = 1e-3
    onnx.checker.check_model(m)
    onnx.save(m, OUT / "epsilon.onnx")

    (OUT / "expected.json").write_text(json.dumps(expected))
    for f in sorted(OUT.iterdir()):
        print(f.name, f.stat().st_size)


main()
