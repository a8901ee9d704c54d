#!/usr/bin/env python3
"""Round trip from PyTorch to this library and back: compares every bit of every weight, in each format of the PyTorch world.

    pip install torch==2.11.0 torchvision==0.26.0 safetensors==0.8.0 fastai==2.8.12
    cargo build --workspace --example load_weights
    python3 scripts/check_round_trip.py target/debug/examples/load_weights [ARCH..]

If fastai is installed, also checks its checkpoint of a classifier on the architecture, whose body must be loaded. Each file
goes through `examples/load_weights.rs`; the output must load with `strict=True` and be equal bit for bit.
"""
import json, os, subprocess, sys, tempfile
import torch, torchvision
from safetensors.torch import load_file, save_file


def bits(t):
    return t.contiguous().view({2: torch.int16, 4: torch.int32, 8: torch.int64}[t.element_size()])


def floats(state):
    return {k: v for k, v in state.items() if v.is_floating_point()}


def fastai_checkpoint(arch, model, path):
    """A classifier of 5 classes that contains the modules of `model`, saved by fastai with an optimizer."""
    from fastai.learner import save_model
    from fastai.optimizer import Adam
    from fastai.vision.learner import create_body, create_head, model_meta
    body = create_body(model, pretrained=False, cut=model_meta[getattr(torchvision.models, arch)]["cut"])
    head = create_head(body(torch.zeros(1, 3, 64, 64)).shape[1], 5)
    classifier = torch.nn.Sequential(body, head)
    save_model(path, classifier, Adam([list(classifier.parameters())], lr=1e-3), with_opt=True)


def check(example, arch, folder):
    make = getattr(torchvision.models, arch)
    torch.manual_seed(0)
    model = make()
    for t in model.buffers():  # away from 0 and 1
        if t.is_floating_point():
            t.add_(torch.rand_like(t))
    state = model.state_dict()
    first = next(iter(floats(state).values())).view(-1)  # values that arithmetic would not preserve
    first[:6] = torch.tensor([-0.0, float("inf"), float("-inf"), 1e-45, 3.4028235e38, 1.17549435e-38])
    half = {k: v.half() if v.is_floating_point() else v for k, v in state.items()}
    sharded = os.path.join(folder, "model.safetensors.index.json")
    names, shards = list(state), {}
    for i, name in enumerate(names):
        shards.setdefault(f"model-{i * 3 // len(names)}.safetensors", {})[name] = state[name]

    def write_shards(path):
        for file, part in shards.items():
            save_file(part, os.path.join(folder, file))
        with open(path, "w") as f:
            json.dump({"metadata": {}, "weight_map": {n: file for file, part in shards.items() for n in part}}, f)

    ways = {
        "zip .pth": ("zip.pth", lambda p: torch.save(state, p), state),
        "older .pth": ("legacy.pth", lambda p: torch.save(state, p, _use_new_zipfile_serialization=False), state),
        "{'model', 'opt'}": ("model.pth", lambda p: torch.save({"model": state, "opt": {}}, p), state),
        "state_dict, module.": ("module.pth", lambda p: torch.save({"state_dict": {"module." + k: v for k, v in state.items()}}, p), state),
        "f16 .pth": ("half.pth", lambda p: torch.save(half, p), {k: v.float() if v.is_floating_point() else v for k, v in half.items()}),
        "f64 .pth": ("double.pth", lambda p: torch.save({k: v.double() if v.is_floating_point() else v for k, v in state.items()}, p), state),
        "safetensors": ("plain.safetensors", lambda p: save_file(state, p), state),
        "fastai": ("fastai.pth", lambda p: fastai_checkpoint(arch, model.eval(), p), state),
        "sharded": (os.path.basename(sharded), write_shards, state),
    }
    for what, (name, write, expected) in ways.items():
        path, out = os.path.join(folder, name), os.path.join(folder, "out.safetensors")
        write(path)
        subprocess.run([example, arch, path, out], check=True, capture_output=True)
        back = make()
        back.load_state_dict(load_file(out), strict=True)
        found, wanted = floats(back.state_dict()), floats(expected)
        if what == "fastai":  # it has another head
            last = list(model.named_children())[-1][0] + "."
            found, wanted = ({k: v for k, v in d.items() if not k.startswith(last)} for d in (found, wanted))
        assert found.keys() == wanted.keys(), (arch, what)
        for key in wanted:
            assert torch.equal(bits(found[key]), bits(wanted[key])), (arch, what, key)
        print(f"{arch}: {what}: {len(wanted)} tensors, every bit")


if __name__ == "__main__":
    for arch in sys.argv[2:] or ["resnet18", "resnet50"]:
        with tempfile.TemporaryDirectory() as folder:
            check(sys.argv[1], arch, folder)
