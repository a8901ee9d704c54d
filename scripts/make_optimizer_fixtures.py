"""Twenty steps of each optimizer, computed in 64 bits by PyTorch, and by timm for LAMB and Lion.

    python scripts/make_optimizer_fixtures.py      # needs torch and timm

Two parameters of 5 and 3 values (LAMB looks at the norm of each). The rate and the momentum change at every step, as a
schedule changes them. Weight decay is decoupled in the cases named so, and an L2 term in the others. Writes
crates/vision-learner/tests/fixtures/optimizers.json.
"""

import json
from pathlib import Path

import timm
import timm.optim
import torch

OUT = Path(__file__).parent.parent / "crates/vision-learner/tests/fixtures/optimizers.json"
STEPS = 20


def optimizers(params):
    o = torch.optim
    return {
        "sgd": (o.SGD(params, lr=1, momentum=0.9), False),
        "sgd, L2": (o.SGD(params, lr=1, momentum=0.9, weight_decay=0.1), False),
        "sgd_nesterov, L2": (o.SGD(params, lr=1, momentum=0.9, nesterov=True, weight_decay=0.1), False),
        "rms_prop, L2": (o.RMSprop(params, lr=1, alpha=0.95, momentum=0.9, weight_decay=0.1), False),
        "adam, L2": (o.Adam(params, lr=1, betas=(0.9, 0.99), weight_decay=0.1), False),
        "adam, decoupled": (o.AdamW(params, lr=1, betas=(0.9, 0.99), weight_decay=0.1), True),
        "radam, L2": (o.RAdam(params, lr=1, betas=(0.9, 0.99), weight_decay=0.1), False),
        "radam, decoupled": (
            o.RAdam(params, lr=1, betas=(0.9, 0.99), weight_decay=0.1, decoupled_weight_decay=True), True),
        "lamb, decoupled": (
            timm.optim.Lamb(params, lr=1, betas=(0.9, 0.999), weight_decay=0.1, max_grad_norm=None), True),
        "lion, decoupled": (timm.optim.Lion(params, lr=1, betas=(0.9, 0.99), weight_decay=0.1), True),
    }


torch.manual_seed(0)
start = [torch.randn(5, dtype=torch.float64), torch.randn(3, dtype=torch.float64)]
grads = [[torch.randn_like(p) for p in start] for _ in range(STEPS)]
# A gradient of 0 has no sign, and moves nothing in some rules.
grads[0][0][2] = 0.0
rates = [0.01 + 0.002 * step for step in range(STEPS)]
moms = [0.95 - 0.01 * step for step in range(STEPS)]
runs = {}
for name in optimizers([torch.nn.Parameter(p.clone()) for p in start]):
    params = [torch.nn.Parameter(p.clone()) for p in start]
    optimizer, decoupled = optimizers(params)[name]
    values = []
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = rates[step]
            if "betas" in group:
                group["betas"] = (moms[step], group["betas"][1])
            else:
                group["momentum"] = moms[step]
        for param, grad in zip(params, grads[step]):
            param.grad = grad.clone()
        optimizer.step()
        values.append([p.detach().tolist() for p in params])
    runs[name] = {"decoupled": decoupled, "wd": 0.1 if "," in name else 0.0, "values": values}
OUT.write_text(json.dumps({
    "versions": {"torch": torch.__version__, "timm": timm.__version__},
    "start": [p.tolist() for p in start],
    "grads": [[g.tolist() for g in step] for step in grads],
    "rates": rates,
    "moms": moms,
    "runs": runs,
}))
print(OUT, OUT.stat().st_size, "bytes")
