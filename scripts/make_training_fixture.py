#!/usr/bin/env python3
"""What PyTorch gets when it trains as fastai v1 does: crates/vision-learner/tests/fixtures for whole training runs.

    pip install torch==2.15.0 torchvision==0.29.2 numpy
    python3 scripts/make_training_fixture.py crates/vision-learner/tests/fixtures/training.json

Eight images of 32 x 32 px in two classes, one batch an epoch, so that order plays no part. The classifier is
torchvision's ResNet-18 cut at -2 under fastai's default head without dropout; each parameter and buffer is filled
from its name by `fill` (make_parity_reference.py). Ten steps of one-cycle with decoupled weight decay and Adam
(betas from the schedule and 0.99, eps 1e-8), computed in float64. Recorded per scenario: the loss of each step, the
validation loss afterwards (eval mode, same images), and of every parameter and running statistic how far it moved
(the L2 norm of its difference from the start) and `SAMPLES` of its values, at places chosen by a hash of its name.
The same values before training stand beside the scenarios.
"""
import json, math, sys
import numpy as np
import torch, torchvision
from torch import nn
from make_parity_reference import fill, uniform

N, SIZE, STEPS, SAMPLES = 8, 32, 10, 16


def pixels():
    """u8 images, as the Rust side writes them to PNG files: class = index % 2."""
    u = uniform("pictures", N * SIZE * SIZE * 3, 0)
    return np.floor((u + 1.0) * 127.999).astype(np.uint8).reshape(N, SIZE, SIZE, 3)


class ConcatPool(nn.Module):
    def forward(self, x):
        return torch.cat([nn.functional.adaptive_max_pool2d(x, 1), nn.functional.adaptive_avg_pool2d(x, 1)], 1)


def model():
    body = nn.Sequential(*list(torchvision.models.resnet18(weights=None).children())[:-2])
    head = nn.Sequential(ConcatPool(), nn.Flatten(), nn.BatchNorm1d(1024), nn.Linear(1024, 512), nn.ReLU(),
                         nn.BatchNorm1d(512), nn.Linear(512, 2))
    m = nn.Sequential(body, head).double()
    for k, v in m.state_dict().items():
        if not k.endswith("num_batches_tracked"):
            v.copy_(torch.from_numpy(fill(k, tuple(v.shape), 0)))
    return m


def tensors(m):
    """Parameters and running statistics by name; the counter of batches is none."""
    return {k: v.clone() for k, v in m.state_dict().items() if not k.endswith("num_batches_tracked")}


def samples(name, tensor):
    """`SAMPLES` values of a tensor: the same places for whoever knows its name and size."""
    places = np.floor((uniform(name + " samples", SAMPLES) + 1) / 2 * tensor.numel()).astype(np.int64)
    return tensor.reshape(-1)[torch.from_numpy(places)].tolist()


def cosine(a, b, p):
    return b + (a - b) / 2 * (math.cos(math.pi * p) + 1)


def one_cycle(step, total, top):
    """fastai v1's learning rate and momentum for a step."""
    a1 = int(total * 0.3)
    a2 = total - a1
    if step < a1:
        return cosine(top / 25, top, step / a1), cosine(0.95, 0.85, step / a1)
    p = (step - a1) / a2
    return cosine(top, top / 25e4, p), cosine(0.85, 0.95, p)


def group_of(name):
    if name.startswith("1."):
        return 2
    return 1 if int(name.split(".")[1]) >= 6 else 0


def run(frozen, tops, wd):
    torch.manual_seed(0)
    m = model()
    start = tensors(m)
    x = torch.from_numpy(pixels()).permute(0, 3, 1, 2).double() / 255
    y = torch.arange(N) % 2
    bn = {n + "." + k for n, mod in m.named_modules() if isinstance(mod, (nn.BatchNorm1d, nn.BatchNorm2d))
          for k in ("weight", "bias")}
    if frozen:
        for n, p in m.named_parameters():
            if group_of(n) < 2 and n not in bn:
                p.requires_grad_(False)
    state, losses = {}, []
    m.train()
    for step in range(STEPS):
        loss = nn.functional.cross_entropy(m(x), y)
        losses.append(loss.item())
        m.zero_grad()
        loss.backward()
        with torch.no_grad():
            for n, p in m.named_parameters():
                if p.grad is None:
                    continue
                lr, b1 = one_cycle(step, STEPS, tops[group_of(n)])
                p.mul_(1 - lr * wd)
                a, v, t = state.get(n, (torch.zeros_like(p), torch.zeros_like(p), 0))
                t += 1
                a = b1 * a + (1 - b1) * p.grad
                v = 0.99 * v + 0.01 * p.grad ** 2
                state[n] = (a, v, t)
                p.sub_(lr / (1 - b1 ** t) * a / (v.sqrt() / math.sqrt(1 - 0.99 ** t) + 1e-8))
    m.eval()
    with torch.no_grad():
        valid = nn.functional.cross_entropy(m(x), y).item()
    trained = {k: {"moved": (v - start[k]).norm().item(), "values": samples(k, v)} for k, v in tensors(m).items()}
    return {"losses": losses, "valid_loss": valid, "tensors": trained,
            "trainable": sum(p.numel() for p in m.parameters() if p.requires_grad)}


if __name__ == "__main__":
    out = {"torch": torch.__version__,
           "pixels": [int(v) for v in pixels().reshape(-1)[:16]],
           "before": {k: samples(k, v) for k, v in tensors(model()).items()},
           "full": run(False, (1e-3, 1e-3, 1e-3), 0.01),
           "frozen": run(True, (1e-4, 1e-4, 1e-3), 0.01),
           "discriminative": run(False, (1e-5, 1e-4, 1e-3), 0.1)}
    def short(o):
        if isinstance(o, float): return float(f"{o:.9g}")
        if isinstance(o, dict): return {k: short(v) for k, v in o.items()}
        if isinstance(o, list): return [short(v) for v in o]
        return o
    json.dump(short(out), open(sys.argv[1], "w"), separators=(",", ":"))
