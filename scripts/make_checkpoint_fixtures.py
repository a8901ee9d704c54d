#!/usr/bin/env python3
"""Writes small weights files with PyTorch, fastai and safetensors, and the values that PyTorch reads from them.

    pip install torch==2.11.0 torchvision==0.26.0 fastai==2.8.12 safetensors==0.8.0
    python3 scripts/make_checkpoint_fixtures.py crates/vision-models/tests/fixtures/weights

Each file is read back with `torch.load` or `safetensors.torch.load_file`. `expected.json` contains, per file, the
floating-point tensors of its state dict with their shape and, after `.float()`, the bits of each value (the only exact
notation for -0 and subnormal numbers), and the names of the other tensors. `outputs_of_zip.pth` is the output of that
model, in evaluation mode, for pixels 0/100, 1/100, .. 99/100 with the shape [2, 2, 5, 5].
`hostile_*.pth` call `os.system` when Python loads them with `weights_only=False`; this script does not load them.
"""
import argparse, collections, io, json, os, pickle, struct, sys, tarfile
import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn

EXPECTED = {}


def model():
    torch.manual_seed(0)
    net = nn.Sequential(collections.OrderedDict(
        conv=nn.Conv2d(2, 3, 2), bn=nn.BatchNorm2d(3), pool=nn.AdaptiveAvgPool2d(1), flat=nn.Flatten(), fc=nn.Linear(3, 2)))
    for _ in range(3):  # move running statistics and num_batches_tracked away from their initial values
        net(torch.randn(4, 2, 5, 5))
    return net


def edge(dtype):
    """Values at the edges of a type."""
    info = torch.finfo(dtype)
    values = [0.0, -0.0, 1 / 3, -1 / 3, info.max, info.min, info.tiny, info.smallest_normal / 3, info.eps, float("inf"), float("-inf")]
    if dtype == torch.float64:  # values for which rounding to 32 bits matters
        values += [1 + 2**-24, 1 + 3 * 2**-24, 1 + 2**-24 + 2**-50, 1e39, -1e39, 1e-46, 2**-150, 2**-149 * 1.5, 3.4028235677973366e38]
    return torch.tensor(values, dtype=torch.float64).to(dtype)


def describe(name, tensors):
    floats = {k: t for k, t in tensors.items() if t.is_floating_point()}
    EXPECTED[name] = {
        "tensors": {k: {"shape": list(t.shape), "bits": t.detach().float().contiguous().numpy().ravel().view(np.uint32).tolist()}
                    for k, t in floats.items()},
        "skipped": sorted(set(tensors) - set(floats)),
    }


def save(folder, name, obj, pick=lambda o: o, **how):
    path = os.path.join(folder, name)
    torch.save(obj, path, **how)
    describe(name, pick(torch.load(path, weights_only=False)))


def tar(folder, name, tensors):
    """The format of PyTorch before 0.1.10 (early 2017), which nothing writes any more, but which `torch.load` still reads."""
    def entry(archive, name, data):
        info = tarfile.TarInfo(name)
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))

    def dump(obj):
        return pickle.dumps(obj, protocol=2)

    class Saved:  # pickled as a persistent id
        def __init__(self, key):
            self.key = key

    class Pickler(pickle.Pickler):
        def persistent_id(self, obj):
            return obj.key if isinstance(obj, Saved) else None

    storages, table = dump(len(tensors)), dump(len(tensors))
    for key, t in enumerate(tensors.values()):
        kind = {torch.float32: torch.FloatStorage, torch.float64: torch.DoubleStorage}[t.dtype]
        base = t.untyped_storage()
        values = torch.empty(0, dtype=t.dtype).set_(base)
        storages += dump((key, "cpu", kind)) + struct.pack("<q", len(values)) + values.numpy().tobytes()
        table += dump((key, key, "torch.FloatTensor")) + struct.pack("<ii", t.dim(), 0)
        table += struct.pack(f"<{2 * t.dim() + 1}q", *t.shape, *t.stride(), t.storage_offset())
    storages += dump([])
    root = io.BytesIO()
    Pickler(root, protocol=2).dump(collections.OrderedDict((k, Saved(str(i))) for i, k in enumerate(tensors)))
    path = os.path.join(folder, name)
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
        entry(archive, "sys_info", dump({"protocol_version": 1000, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}))
        entry(archive, "pickle", root.getvalue())
        entry(archive, "tensors", table)
        entry(archive, "storages", storages)
    return path


class Attack:
    def __reduce__(self):
        return os.system, ("touch attacked",)


def main(folder):
    os.makedirs(folder, exist_ok=True)
    net = model()
    state = net.state_dict()

    save(folder, "zip.pth", state)
    save(folder, "legacy.pth", state, _use_new_zipfile_serialization=False)
    save(folder, "protocol4.pth", state, pickle_protocol=4)
    save(folder, "whole_model.pth", net, pick=lambda o: o.state_dict())
    with torch.no_grad():
        outputs = net.eval()(torch.arange(100, dtype=torch.float32).reshape(2, 2, 5, 5) / 100).flatten().tolist()
    net.train()

    sgd = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    net(torch.ones(2, 2, 5, 5)).sum().backward()
    sgd.step()
    state = net.state_dict()
    checkpoint = {"epoch": 3, "arch": "tiny", "best_acc1": np.float64(0.5), "args": argparse.Namespace(lr=0.1),
                  "state_dict": state, "optimizer": sgd.state_dict()}
    save(folder, "state_dict.pth", checkpoint, pick=lambda o: o["state_dict"])
    save(folder, "state_dict_legacy.pth", checkpoint, pick=lambda o: o["state_dict"], _use_new_zipfile_serialization=False)
    save(folder, "model_state_dict.pth", {"model_state_dict": state, "loss": torch.tensor(1.0)}, pick=lambda o: o["model_state_dict"])
    save(folder, "module_prefix.pth", {"state_dict": nn.DataParallel(net).state_dict()},
         pick=lambda o: {k.removeprefix("module."): v for k, v in o["state_dict"].items()})
    # Names that look like a wrapper or a prefix, but are neither.
    save(folder, "model_child.pth", {"model.weight": state["fc.weight"], "module.weight": state["fc.bias"]})

    from fastai.optimizer import Adam  # imported late, because it takes seconds
    opt = Adam([list(net.parameters())[:2], list(net.parameters())[2:]], lr=1e-3)
    net(torch.ones(2, 2, 5, 5)).sum().backward()
    opt.step()
    # As fastai's save_model writes it with with_opt=True.
    save(folder, "fastai.pth", {"model": net.state_dict(), "opt": opt.state_dict()}, pick=lambda o: o["model"])

    for name, dtype in {"f16": torch.float16, "bf16": torch.bfloat16, "f64": torch.float64}.items():
        save(folder, f"{name}.pth", {"edge": edge(dtype), "weight": state["conv.weight"].to(dtype)})
    w = torch.arange(24, dtype=torch.float32).reshape(4, 6) / 7
    save(folder, "strided.pth", {
        "transposed": w.t(), "window": w[1:3, ::2], "scalar": torch.tensor(1.5), "empty": torch.zeros(0, 3),
        "channels_last": state["conv.weight"].to(memory_format=torch.channels_last), "expanded": w[0, :1].expand(3, 5)})
    save(folder, "strided_legacy.pth", {"transposed": w.t(), "window": w[1:3, ::2]}, _use_new_zipfile_serialization=False)
    save(folder, "shared.pth", {"a": w, "b": w, "row": w[2], "parameter": nn.Parameter(w[:2])})

    tensors = {"conv.weight": state["conv.weight"], "transposed": w.t(), "double": edge(torch.float64)}
    describe("tar.pth", torch.load(tar(folder, "tar.pth", tensors), weights_only=False))

    path = os.path.join(folder, "plain.safetensors")
    save_file({k: v for k, v in state.items()}, path, metadata={"format": "pt", "made by": "safetensors"})
    describe("plain.safetensors", load_file(path))
    path = os.path.join(folder, "types.safetensors")
    save_file({"f16": edge(torch.float16), "bf16": edge(torch.bfloat16), "f32": edge(torch.float32), "f64": edge(torch.float64),
               "ids": torch.arange(3), "mask": torch.tensor([True, False]), "scalar": torch.tensor(2.5), "empty": torch.zeros(0, 3)}, path)
    describe("types.safetensors", load_file(path))

    weight = state["fc.weight"]
    torch.save({"fc.weight": weight, "note": Attack()}, os.path.join(folder, "hostile_zip.pth"))
    torch.save({"fc.weight": weight, "note": Attack()}, os.path.join(folder, "hostile_legacy.pth"), _use_new_zipfile_serialization=False)
    torch.save({"fc.weight": weight, "note": Attack()}, os.path.join(folder, "hostile_protocol4.pth"), pickle_protocol=4)
    torch.save(Attack(), os.path.join(folder, "hostile_root.pth"))

    with open(os.path.join(folder, "expected.json"), "w") as f:
        json.dump({"torch": torch.__version__, "outputs_of_zip.pth": outputs, "files": EXPECTED}, f, separators=(",", ":"))
        f.write("\n")


if __name__ == "__main__":
    main(sys.argv[1])
