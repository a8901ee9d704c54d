#!/usr/bin/env python3
"""Grad-CAM, Grad-CAM++ and occlusion maps by hooks in PyTorch, for `Learner::grad_cam` and `Learner::occlusion`.

    pip install torch==2.15.0 torchvision==0.29.2 numpy
    python3 scripts/make_cam_fixtures.py     # writes crates/vision-learner/tests/fixtures/cam.json

Each model is a body under fastai's default head for three classes, filled from names (make_parity_reference.py), in eval
mode in float64. The image is drawn by `image`, and normalized with ImageNet's statistics.

A map can hang on rounding: where an activation is close to 0 or 6, the next bit decides whether a gradient passes. So the
script also computes each map in float32, and twice in float64 with relative noise of 3e-7 (a few roundings of float32) after
each convolution and linear layer, and leaves out a case that one of these moves by more than a fifth of the test's tolerance.
"""
import json
from pathlib import Path

import numpy as np
import torch
import torchvision
from torch import nn

from make_parity_reference import fill, uniform
from make_training_fixture import ConcatPool

OUT = Path(__file__).parent.parent / "crates/vision-learner/tests/fixtures/cam.json"
CLASSES = 3
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def image(height, width):
    """u8 [height, width, 3]: smooth shapes over noise, so that places differ."""
    noise = uniform("picture", height * width * 3).reshape(height, width, 3)
    y, x = np.mgrid[0:height, 0:width]
    # Integers, so that every language gets the same bits.
    shape = (((x // 8) * (y // 8)) % 5 * 50)[..., None]
    return np.minimum(np.floor((noise + 1.0) * 20.0).astype(np.int64) + shape, 255).astype(np.uint8)


def tensor(pixels, dtype):
    x = torch.from_numpy(pixels).permute(2, 0, 1)[None].to(dtype) / 255
    mean, std = (torch.tensor(v, dtype=dtype).view(1, 3, 1, 1) for v in (MEAN, STD))
    return (x - mean) / std


def head(features):
    return nn.Sequential(ConcatPool(), nn.Flatten(), nn.BatchNorm1d(2 * features), nn.Linear(2 * features, 512), nn.ReLU(),
                         nn.BatchNorm1d(512), nn.Linear(512, CLASSES))


def model(name, dtype):
    if name == "small":
        body, features = nn.Sequential(nn.Conv2d(3, 6, 3, 2, bias=False), nn.BatchNorm2d(6), nn.ReLU(),
                                       nn.Conv2d(6, 8, 3, 2, bias=False), nn.ReLU()), 8
    else:
        cut, features = {"resnet18": (-2, 512), "densenet121": (-1, 1024), "mobilenet_v2": (-1, 1280)}[name]
        body = nn.Sequential(*list(getattr(torchvision.models, name)(weights=None).children())[:cut])
    net = nn.Sequential(body, head(features)).to(dtype).eval()
    for k, v in net.state_dict().items():
        if not k.endswith("num_batches_tracked"):
            v.copy_(torch.from_numpy(fill(k, tuple(v.shape), 0)))
    for module in net.modules():
        if isinstance(module, (nn.ReLU, nn.ReLU6)):
            module.inplace = False  # or it would change what a hook has kept
    return net


def noisy(net, seed):
    """Adds noise to the outputs of convolutions and linear layers; returns the hooks that do."""
    generator = torch.Generator().manual_seed(seed)

    def hook(_module, _inputs, out):
        return out * (1 + 3e-7 * torch.randn(out.shape, generator=generator, dtype=out.dtype))

    return [m.register_forward_hook(hook) for m in net.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]


def cam(net, x, layer, class_, method):
    """The class, its probability and the map [h, w]."""
    kept = {}

    def hook(_module, _inputs, out):
        out.retain_grad()
        kept["out"] = out

    handle = dict(net.named_modules())[layer].register_forward_hook(hook)
    logits = net(x.clone().requires_grad_())[0]
    handle.remove()
    class_ = int(logits.argmax()) if class_ is None else class_
    logits[class_].backward()
    maps, grads = kept["out"].detach()[0], kept["out"].grad[0]
    if method == "grad_cam":
        weights = grads.mean((1, 2))
    else:
        below = 2 * grads ** 2 + maps.sum((1, 2), keepdim=True) * grads ** 3
        alpha = torch.where(below != 0, grads ** 2 / torch.where(below != 0, below, 1), 0)
        weights = (alpha * grads.clamp(min=0)).sum((1, 2))
    return class_, logits.softmax(0)[class_].item(), (weights[:, None, None] * maps).sum(0).clamp(min=0)


def cams():
    cases = [(name, size, layer, class_, method)
             for name, size, layers in [
                 ("resnet18", (128, 128), ["0", "0.5.1", "0.6.0.bn1", "0.5.0.downsample.0"]),
                 ("densenet121", (96, 128), ["0", "0.0.denseblock3.denselayer4.relu1", "0.0.transition2"]),
                 ("mobilenet_v2", (64, 96), ["0", "0.0.3.conv.1", "0.0.7.conv.1", "0.0.14.conv.0"]),
                 ("small", (40, 56), ["0", "0.2"])]
             for layer in layers for class_ in [None, 0, 1, 2] for method in ["grad_cam", "grad_cam_plus_plus"]]
    nets, found = {}, {}
    for name, size, layer, class_, method in cases:
        slot = (name, layer, method, class_ is None)
        if slot in found:
            continue
        net, net32 = (nets.setdefault((name, dtype), model(name, dtype)) for dtype in (torch.float64, torch.float32))
        x = tensor(image(*size), torch.float64)
        class_found, probability, map_ = cam(net, x, layer, class_, method)
        others = [cam(net32, tensor(image(*size), torch.float32), layer, class_found, method)[2].double()]
        for seed in range(2):
            hooks = noisy(net, seed)
            others.append(cam(net, x, layer, class_found, method)[2])
            for hook in hooks:
                hook.remove()
        most = map_.max().item()
        offs = [(map_ - other).abs().max().item() / most if most else float("inf") for other in others]
        ok = max(offs) <= 2e-5
        print(f"{name:13} {layer:36} {class_} {method:19} {tuple(map_.shape)} largest {most:.3e}, float32 and noise off by",
              " ".join(f"{off:.1e}" for off in offs), "" if ok else "left out", flush=True)
        # One class beside the predicted one is enough.
        if ok:
            found[slot] = {
                "model": name, "image": list(size), "layer": layer, "class": class_, "method": method, "found": class_found,
                "probability": probability, "size": list(map_.shape), "values": map_.flatten().tolist()}
    return list(found.values())


def occlusions():
    """Zeiler and Fergus: a square over each cell of a grid."""
    found = []
    for name, size, side, stride, fill_, class_ in [
            ("small", (40, 56), 10, 5, "mean", None), ("small", (40, 56), 13, 6, "gray", 0)]:
        net = model(name, torch.float64)
        x = tensor(image(*size), torch.float64)
        color = x.mean((2, 3)) if fill_ == "mean" else tensor(np.full((1, 1, 3), 127.5), torch.float64)[:, :, 0, 0]
        with torch.no_grad():
            whole = net(x).softmax(1)[0]
            class_found = int(whole.argmax()) if class_ is None else class_

            def spans(length):
                cells = -(-length // stride)
                starts = [int(np.floor((i + 0.5) * length / cells - side / 2)) for i in range(cells)]
                return [(max(start, 0), min(start + side, length)) for start in starts]

            rows, columns = spans(size[0]), spans(size[1])
            drops = []
            for top, bottom in rows:
                for left, right in columns:
                    hidden = x.clone()
                    hidden[:, :, top:bottom, left:right] = color[:, :, None, None]
                    drops.append((whole - net(hidden).softmax(1)[0])[class_found].item())
        found.append({"model": name, "image": list(size), "side": side, "stride": stride, "fill": fill_, "class": class_,
                      "found": class_found, "probability": whole[class_found].item(), "size": [len(rows), len(columns)],
                      "values": drops})
        print(name, size, side, stride, fill_, "largest drop", max(drops), "least", min(drops))
    return found


def short(o):
    if isinstance(o, float):
        return float(f"{o:.7g}")
    if isinstance(o, dict):
        return {k: short(v) for k, v in o.items()}
    return [short(v) for v in o] if isinstance(o, list) else o


json.dump(short({"torch": torch.__version__, "pixels": image(40, 56).flatten()[:24].tolist(), "cams": cams(),
                 "occlusions": occlusions()}), OUT.open("w"), separators=(",", ":"))
print(OUT, OUT.stat().st_size, "bytes")
