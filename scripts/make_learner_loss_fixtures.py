"""Losses of vision-learner and their gradients, by PyTorch's autograd in 64 bits.

    python scripts/make_learner_loss_fixtures.py      # needs torch and torchvision

Focal loss over the softmax has no function in PyTorch: it is the paper's formula here, and for two classes the script
checks it against torchvision's `sigmoid_focal_loss` of the difference of the logits. Writes
crates/vision-learner/tests/fixtures/losses.json.
"""

import json
from pathlib import Path

import torch
import torch.nn.functional as F
import torchvision

OUT = Path(__file__).parent.parent / "crates/vision-learner/tests/fixtures/losses.json"
torch.manual_seed(0)


def case(name, logits, targets, loss, mean, **options):
    logits = logits.float().double().requires_grad_()
    per_item, mean = loss(logits), mean(logits)
    mean.backward()
    return {"name": name, "classes": logits.shape[1], "logits": logits.flatten().tolist(),
            "targets": torch.as_tensor(targets).double().flatten().tolist(), "options": options,
            "losses": per_item.tolist(), "mean": mean.item(), "gradients": logits.grad.flatten().tolist()}


def focal(targets, gamma, weights=None):
    def loss(logits):
        log = F.log_softmax(logits, 1).gather(1, targets[:, None])[:, 0]
        w = 1 if weights is None else weights[targets]
        return -w * (1 - log.exp()) ** gamma * log
    total = len(targets) if weights is None else weights[targets].sum()
    return loss, lambda logits: loss(logits).sum() / total


two = torch.randn(6, 2, dtype=torch.float64)
classes = torch.tensor([0, 1, 1, 0, 1, 0])
ours = focal(classes, 2.0)[0](two)
theirs = torchvision.ops.sigmoid_focal_loss(two[:, 1] - two[:, 0], classes.double(), alpha=-1, gamma=2.0)
assert torch.allclose(ours, theirs), (ours, theirs)

y = torch.tensor([0, 2, 2, 3, 1])
w = torch.tensor([0.5, 2.0, 1.0, 3.0], dtype=torch.float64)
soft = torch.softmax(torch.randn(5, 4, dtype=torch.float64), 1).float().double()
hot = (torch.rand(5, 4) < 0.4).double()
smooth = hot * 0.9 + 0.05
logits = [torch.randn(5, 4) * 3 for _ in range(6)]
cases = [
    case("focal", logits[0], y, *focal(y, 2.0), gamma=2.0),
    case("focal", logits[1], y, *focal(y, 0.5), gamma=0.5),
    case("focal", logits[2], y, *focal(y, 0.0), gamma=0.0),
    case("focal", logits[3], y, *focal(y, 2.0, w), gamma=2.0, weights=w.tolist()),
    case("soft_targets", logits[4], soft, lambda x: F.cross_entropy(x, soft, reduction="none"),
         lambda x: F.cross_entropy(x, soft)),
    case("binary", logits[5], hot,
         lambda x: F.binary_cross_entropy_with_logits(x, smooth, reduction="none").mean(1),
         lambda x: F.binary_cross_entropy_with_logits(x, smooth), smoothing=0.1),
]
OUT.write_text(json.dumps({"versions": {"torch": torch.__version__, "torchvision": torchvision.__version__},
                           "cases": cases}))
print(OUT, OUT.stat().st_size, "bytes")
