"""Writes ONNX files of torchvision's ResNet-18 and 50 with every exporter of torch, and torch's logits.

    python scripts/export_torchvision_onnx.py FOLDER      (torch, torchvision, onnx, onnxscript)

`tests/it/onnx_import.rs` runs this script and compares. Random weights, batch norms that are not the identity, ten
classes, 64 pixels.
"""

import json
import pathlib
import sys

import onnx
import torch
import torchvision

out = pathlib.Path(sys.argv[1])


def reordered(path):
    """The same network as an optimizer may leave it: without names, and with each shortcut before the branch that it skips."""
    model = onnx.load(path)
    names = {t.name: f"w{i}" for i, t in enumerate(reversed(model.graph.initializer))}
    for t in model.graph.initializer:
        t.name = names[t.name]
    makers = {o: node for node in model.graph.node for o in node.output}
    order, seen = [], set()

    def visit(value):
        node = makers.get(value)
        if node is None or id(node) in seen:
            return
        seen.add(id(node))
        for value in reversed(node.input):
            visit(value)
        order.append(node)

    sys.setrecursionlimit(10_000)
    visit(model.graph.output[0].name)
    order = [onnx.NodeProto.FromString(n.SerializeToString()) for n in order]
    for node in order:
        node.input[:] = [names.get(i, i) for i in node.input]
    del model.graph.node[:]
    model.graph.node.extend(order)
    onnx.checker.check_model(model)
    return model


for arch in ["resnet18", "resnet50"]:
    torch.manual_seed(3)
    model = torchvision.models.get_model(arch, num_classes=10).eval()
    for name, t in model.state_dict().items():
        if name.endswith("running_var"):
            t.uniform_(0.6, 1.4)
        elif "bn" in name and name.endswith("weight"):
            t.uniform_(0.3, 0.8)
        elif t.is_floating_point() and t.dim() == 1:
            t.uniform_(-0.3, 0.3)
    x = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        y = model(x)
    json.dump(
        {"shape": list(x.shape), "input": x.flatten().tolist(), "output": y.flatten().tolist()},
        (out / f"{arch}.json").open("w"),
    )
    old = dict(dynamo=False, opset_version=17, input_names=["input"], dynamic_axes={"input": {0: "batch"}})
    torch.onnx.export(model, (x,), out / f"{arch}_folded.onnx", **old)
    onnx.save(reordered(out / f"{arch}_folded.onnx"), out / f"{arch}_reordered_folded.onnx")
    training = torch.onnx.TrainingMode.PRESERVE
    torch.onnx.export(model, (x,), out / f"{arch}_named.onnx", do_constant_folding=False, training=training, **old)
    for optimize, name in [(True, "dynamo_folded"), (False, "dynamo")]:
        # Large models store their values in a second file, model.onnx.data.
        torch.onnx.export(model, (x,), out / f"{arch}_{name}.onnx", dynamo=True, optimize=optimize, verbose=False)
