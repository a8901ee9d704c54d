#!/usr/bin/env python3
"""Numbers of torchvision's backbones, without a weights file: what `cargo xtask parity` and the tests compare with.

    pip install torch==2.11.0 torchvision==0.26.0 numpy
    python3 scripts/make_parity_reference.py OUT [--seed N] ARCH [ARCH ..]      # compute, in float64
    python3 scripts/make_parity_reference.py OUT --copy REFERENCE ARCH [ARCH ..]   # take from a file made earlier

The fixture of vision-models' tests:

    python3 scripts/make_parity_reference.py crates/vision-models/tests/fixtures/parity_resnets.json \\
        --copy ../shared/parity/reference.json resnet18 resnet34 resnet50 resnet101 resnet152

Every parameter and buffer is filled from its state-dict name (`fill`; in Rust: vision_models::parity::fill), and the
input from the name "input". For each architecture the file holds

  input    the shape of the input
  logits   the eval-mode output, [batch, 1000]
  body     shape, sum, sum of squares and the first eight values of the eval-mode output of fastai's body
  train    of one pass in train mode, dropout off, cross entropy against `targets`: the loss, the L2 norm of the
           gradient of every parameter, [sum, L2 norm] of every buffer afterwards
"""
import argparse, json, sys
import numpy as np

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
# fastai's cut of each family: direct children that belong to the body.
CUTS = {"resnet": -2, "squeezenet": -1, "densenet": -1, "vgg": -1, "alexnet": -1, "mobilenet": -1}
TARGETS = [1, 10, 100, 999]


def fnv1a(text):
    """64-bit FNV-1a."""
    value = 14695981039346656037
    for byte in text.encode():
        value = (value ^ byte) * 1099511628211 % 2**64
    return value


def uniform(name, count, seed=0):
    """`count` float64 in [-1, 1): the top 53 bits of SplitMix64, started at FNV-1a of the name plus the seed."""
    start = np.uint64((fnv1a(name) + seed) % 2**64)
    with np.errstate(over="ignore"):
        state = start + np.arange(1, count + 1, dtype=np.uint64) * GOLDEN
        state = (state ^ state >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ state >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
        state = state ^ state >> np.uint64(31)
    return (state >> np.uint64(11)) * 2.0**-52 - 1.0


def fill(name, shape, seed=0):
    """The values of a parameter or buffer: float64 that float32 can hold."""
    values = uniform(name, int(np.prod(shape, dtype=np.int64)), seed)
    kind = name.rsplit(".", 1)[-1]
    if kind == "running_var":
        values = 1.0 + 0.5 * values
    elif kind in ("running_mean", "bias"):
        values = 0.1 * values
    elif kind == "weight" and len(shape) == 1:  # of a batch norm
        values = 1.0 + 0.1 * values
    elif kind == "weight":  # of a convolution or linear layer: He's variance
        values = values * np.sqrt(3.0) * np.sqrt(2.0 / np.prod(shape[1:]))
    return values.reshape(shape).astype(np.float32).astype(np.float64)


def reference(arch, seed):
    import torch, torchvision

    model = getattr(torchvision.models, arch)(weights=None).double()
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point():
            tensor.copy_(torch.from_numpy(fill(name, tuple(tensor.shape), seed)))
    x = torch.from_numpy(fill("input", (4, 3, 64, 64), seed))

    cut = next(cut for family, cut in CUTS.items() if arch.startswith(family))
    model.eval()
    with torch.no_grad():
        logits = model(x)
        body = torch.nn.Sequential(*list(model.children())[:cut])(x)

    model.train()
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        if hasattr(module, "drop_rate"):
            module.drop_rate = 0.0
    loss = torch.nn.functional.cross_entropy(model(x), torch.tensor(TARGETS))
    loss.backward()
    buffers = {name: b for name, b in model.named_buffers() if b.is_floating_point()}
    return {
        "input": list(x.shape),
        "logits": logits.tolist(),
        "body": {"shape": list(body.shape), "sum": body.sum().item(), "sum_sq": body.square().sum().item(),
                 "first": body.flatten()[:8].tolist()},
        "train": {"targets": TARGETS, "loss": loss.item(),
                  "grad_l2": {name: p.grad.norm().item() for name, p in model.named_parameters()},
                  "buffers": {name: [b.sum().item(), b.norm().item()] for name, b in buffers.items()}},
    }


def rounded(value):
    """The same with nine significant digits, which is more than float32 holds."""
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    if isinstance(value, list):
        return [rounded(v) for v in value]
    return float(f"{value:.9g}") if isinstance(value, float) else value


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    parser.add_argument("archs", nargs="+", metavar="ARCH")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--copy", metavar="REFERENCE")
    args = parser.parse_args()
    if args.copy:
        with open(args.copy) as file:
            out = json.load(file)
        out["archs"] = {arch: out["archs"][arch] for arch in args.archs}
    else:
        import torch, torchvision

        out = {"torch": torch.__version__, "torchvision": torchvision.__version__, "archs": {}}
        for arch in args.archs:
            out["archs"][arch] = reference(arch, args.seed)
            print(arch, out["archs"][arch]["train"]["loss"], file=sys.stderr)
    with open(args.out, "w") as file:
        json.dump(rounded(out), file, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main()
