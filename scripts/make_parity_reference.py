#!/usr/bin/env python3
"""Reference numbers of the backbones, without a weights file, for `cargo xtask parity` and the tests.

    pip install torch==2.11.0 torchvision==0.26.0 numpy
    python3 scripts/make_parity_reference.py OUT ARCH [ARCH ..] [--seed N]        # compute, in float64
    python3 scripts/make_parity_reference.py OUT [ARCH ..] --copy REFERENCE       # also copy all of REFERENCE
    python3 scripts/make_parity_reference.py REFERENCE [ARCH ..] --measure        # deviation of float32 from it

The fixture of vision-models' tests (torchvision's 17 were computed by the same rules; fastai's are computed here):

    python3 scripts/make_parity_reference.py crates/vision-models/tests/fixtures/parity.json \\
        xresnet18 xresnet34 xresnet50 xresnet101 xresnet152 xresnet18_deep xresnet34_deep xresnet50_deep \\
        --copy REFERENCE.json

Every parameter and buffer is filled from its state-dict name (`fill`; in Rust: vision_models::parity::fill), and the
input from the name "input". ARCH@SIDE is the architecture for two images of that size. For each architecture the file contains

  input    the shape of the input
  gain     the factor of the weights of convolutions and linear layers, if any (GAINS)
  logits   the eval-mode output, [batch, classes]
  body     shape, sum, sum of squares and the first eight values of the eval-mode output of fastai's body
  train    one pass in train mode without dropout, cross-entropy with `targets`: the loss, the L2 norm of the
           gradient of every parameter, [sum, L2 norm] of every buffer afterwards
"""
import argparse, json, sys
import numpy as np

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
# fastai's cut of each family: the number of direct children in the body.
CUTS = {"xresnet": -3, "resnet": -2, "resnext": -2, "wide_resnet": -2, "squeezenet": -1, "densenet": -1, "vgg": -1, "alexnet": -1, "mobilenet": -1}
CONVNEXTS = [f"convnext{v}_{size}" for v in ("", "v2") for size in ("atto", "femto", "pico", "nano", "tiny", "small", "base")]
TRANSFORMERS = ["vit_tiny_patch16_224", "vit_small_patch16_224", "vit_base_patch16_224", "deit3_small_patch16_224",
                "deit3_base_patch16_224", "vit_small_patch14_dinov2", "vit_base_patch14_dinov2"]
# timm's, whose body is the whole network without pool and classifier. Those of torchvision that have timm's names here are
# built by timm with torchvision's settings.
TIMM = {name: (name, {}) for name in CONVNEXTS + """
    tf_efficientnet_lite0 efficientnet_b0 efficientnet_b1 efficientnet_b2 efficientnet_b3 efficientnet_b4 tf_efficientnetv2_s
    mobilenetv3_large_100 mobilenetv3_small_100 mobilenetv4_conv_small mobilenetv4_conv_medium
    regnety_004 regnety_008 regnety_016 regnety_032 regnety_040 regnety_064 regnety_080
    resnet18d resnet34d resnet50d resnet101d seresnet50 seresnext50_32x4d""".split()}
TIMM |= {name: (name, {"dynamic_img_size": True}) for name in TRANSFORMERS}
TIMM["efficientnet_v2_s"] = ("efficientnetv2_s", {"bn_eps": 1e-3})
TIMM["mobilenet_v3_large"] = ("mobilenetv3_large_100", {"bn_eps": 1e-3, "bn_momentum": 0.01})
TIMM["mobilenet_v3_small"] = ("mobilenetv3_small_100", {"bn_eps": 1e-3, "bn_momentum": 0.01})
TIMM["regnet_y_800mf"] = ("regnety_008_tv", {})
TIMM["regnet_y_8gf"] = ("regnety_080_tv", {})
# Factors of the weights of convolutions and linear layers, where He's variance lets the values grow until the sigmoids of squeeze
# and excitation are steps. Exact in float32.
GAINS = {"efficientnet_v2_s": 0.75, "tf_efficientnetv2_s": 0.75}
# The class of each image, modulo the number of classes. Files of ten classes are smaller.
TARGETS = [1, 10, 100, 999]
# fastai v1's xresnets: expansion of the blocks, and the number of blocks of each stage.
XRESNETS = {
    "xresnet18": (1, [2, 2, 2, 2]), "xresnet34": (1, [3, 4, 6, 3]), "xresnet50": (4, [3, 4, 6, 3]),
    "xresnet101": (4, [3, 4, 23, 3]), "xresnet152": (4, [3, 8, 36, 3]), "xresnet18_deep": (1, [2, 2, 2, 2, 1, 1]),
    "xresnet34_deep": (1, [3, 4, 6, 3, 1, 1]), "xresnet50_deep": (4, [3, 4, 6, 3, 1, 1]),
}


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
    """The values of a parameter or buffer: float64 values that are exact in float32."""
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


def xresnet(arch, classes):
    """From the layer list: three 3x3 convolutions, a max pool, the stages, mean, flatten, linear; each convolution with
    a batch norm and, unless it ends a block's branch, a ReLU; a block's shortcut is a mean pool, then a projection."""
    from torch import nn

    def unit(inputs, outputs, kernel, stride=1, relu=True):
        layers = [nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(outputs)]
        return nn.Sequential(*layers, *[nn.ReLU()] * relu)

    class Block(nn.Module):
        def __init__(self, inputs, width, stride, expansion):
            super().__init__()
            outputs = width * expansion
            if expansion == 1:
                units = [unit(inputs, width, 3, stride), unit(width, outputs, 3, relu=False)]
            else:
                units = [unit(inputs, width, 1), unit(width, width, 3, stride), unit(width, outputs, 1, relu=False)]
            self.convs = nn.Sequential(*units)
            self.idconv = nn.Identity() if inputs == outputs else unit(inputs, outputs, 1, relu=False)
            self.pool = nn.Identity() if stride == 1 else nn.AvgPool2d(stride, ceil_mode=True)

        def forward(self, x):
            return (self.convs(x) + self.idconv(self.pool(x))).relu()

    expansion, depths = XRESNETS[arch]
    channels, stages = 64, []
    for i, (depth, width) in enumerate(zip(depths, [64, 128, 256, 512, 256, 256])):
        blocks = []
        for j in range(depth):
            blocks.append(Block(channels, width, 2 if i > 0 and j == 0 else 1, expansion))
            channels = width * expansion
        stages.append(nn.Sequential(*blocks))
    return nn.Sequential(unit(3, 32, 3, 2), unit(32, 32, 3), unit(32, 64, 3), nn.MaxPool2d(3, 2, 1), *stages,
                         nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes))


def build(arch, classes):
    """The whole model."""
    if arch in XRESNETS:
        return xresnet(arch, classes)
    if arch in TIMM:
        import timm

        name, settings = TIMM[arch]
        return timm.create_model(name, num_classes=classes, **settings)
    import torchvision

    return getattr(torchvision.models, arch)(weights=None, num_classes=classes)


def reference(arch, seed, classes, dtype=None, memory_format=None, noise=None):
    """`noise`: a seed for rounding errors of float32's size, which are added to the output of every convolution."""
    import torch

    arch, _, side = arch.partition("@")
    shape = (4, 3, 64, 64)
    if side:
        shape = (2, 3, int(side), int(side))
    elif arch in TRANSFORMERS:  # another size than in training, and not a square
        shape = (4, 3, 70, 98) if "patch14" in arch else (4, 3, 64, 96)
    dtype = dtype or torch.float64
    memory_format = memory_format or torch.preserve_format
    model = build(arch, classes).to(dtype).to(memory_format=memory_format)
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point():
            tensor.copy_(torch.from_numpy(fill(name, tuple(tensor.shape), seed)))
            if name.endswith(".weight") and tensor.dim() > 1:
                tensor.mul_(GAINS.get(arch, 1.0))
    x = torch.from_numpy(fill("input", shape, seed)).to(dtype).to(memory_format=memory_format)
    if noise is not None:
        torch.manual_seed(noise)
        for module in model.modules():
            if isinstance(module, (torch.nn.Conv2d, torch.nn.Linear)):
                module.register_forward_hook(lambda m, i, y: y + 1e-7 * y.abs().mean() * torch.randn_like(y))

    model.eval()
    with torch.no_grad():
        logits = model(x)
        if arch in TRANSFORMERS:
            body = model.forward_head(model.forward_features(x), pre_logits=True).double()[:, :, None, None]
        elif arch in TIMM:
            body = model.forward_features(x).double()
        else:
            cut = next(cut for family, cut in CUTS.items() if arch.startswith(family))
            body = torch.nn.Sequential(*list(model.children())[:cut])(x).double()

    model.train()
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        if hasattr(module, "drop_rate"):
            module.drop_rate = 0.0
    targets = [target % classes for target in TARGETS[:len(x)]]
    loss = torch.nn.functional.cross_entropy(model(x), torch.tensor(targets))
    loss.backward()
    grads = {name: p.grad.double() for name, p in model.named_parameters()}
    buffers = {name: b.double() for name, b in model.named_buffers() if b.is_floating_point()}
    return {
        "input": list(x.shape),
        **({"gain": GAINS[arch]} if arch in GAINS else {}),
        "logits": logits.tolist(),
        "body": {"shape": list(body.shape), "sum": body.sum().item(), "sum_sq": body.square().sum().item(),
                 "first": body.contiguous().flatten()[:8].tolist()},
        "train": {"targets": targets, "loss": loss.item(),
                  "grad_l2": {name: grad.norm().item() for name, grad in grads.items()},
                  "buffers": {name: [b.sum().item(), b.norm().item()] for name, b in buffers.items()}},
    }


def measure(arch, expected, seed):
    """The largest relative errors of PyTorch's own float32, with its three ways to compute convolutions, and of float64
    with rounding errors of float32's size, eight times, because a single run may be lucky (a value at the kink of a ReLU
    may fall on either side). Logits are relative to the largest logit. The norm of a gradient is relative to itself or to a
    thousandth of the largest norm, because that of a bias before a batch norm is zero except for rounding."""
    import torch

    def errors(dtype=torch.float32, **how):
        logits = np.array(expected["logits"])
        found = reference(arch, seed, logits.shape[1], dtype, **how)
        train, ours = expected["train"], found["train"]
        floor = max(train["grad_l2"].values()) / 1000
        return {
            "logits": np.abs(logits - np.array(found["logits"])).max() / np.abs(logits).max(),
            "loss": abs(ours["loss"] / train["loss"] - 1),
            "gradients": max(abs(ours["grad_l2"][k] - v) / max(v, floor) for k, v in train["grad_l2"].items()),
            "buffers": max((abs(ours["buffers"][k][1] / v[1] - 1) for k, v in train["buffers"].items()), default=0.0),
        }

    ways = [errors(), errors(memory_format=torch.channels_last)]
    with torch.backends.mkldnn.flags(enabled=False):
        ways.append(errors())
    ways += [errors(torch.float64, noise=noise) for noise in range(8)]
    return {quantity: max(way[quantity] for way in ways) for quantity in ways[0]}


def rounded(value):
    """The same with eight significant digits, the precision of float32."""
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    if isinstance(value, list):
        return [rounded(v) for v in value]
    return float(f"{value:.8g}") if isinstance(value, float) else value


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    parser.add_argument("archs", nargs="*", metavar="ARCH")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--classes", type=int, default=1000)
    parser.add_argument("--copy", metavar="REFERENCE")
    parser.add_argument("--measure", action="store_true")
    args = parser.parse_args()
    if args.measure:
        with open(args.out) as file:
            archs = json.load(file)["archs"]
        for arch in args.archs or archs:
            errors = measure(arch, archs[arch], args.seed)
            print(arch, *(f"{quantity} {error:.1e}" for quantity, error in errors.items()))
        return
    if args.copy:
        with open(args.copy) as file:
            out = json.load(file)
    else:
        import torch, torchvision

        out = {"torch": torch.__version__, "torchvision": torchvision.__version__, "archs": {}}
    for arch in args.archs:
        out["archs"][arch] = reference(arch, args.seed, args.classes)
        print(arch, out["archs"][arch]["train"]["loss"], file=sys.stderr)
    with open(args.out, "w") as file:
        json.dump(rounded(out), file, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main()
