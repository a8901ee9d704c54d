"""What PyTorch gets with clipped gradients and averaged weights, and its rates on a plateau.

    python scripts/make_callback_fixtures.py      # needs torch and numpy

A small net (tests/it/small.rs with fastai's head of one layer and no dropout) trains on the images of
make_training_fixture.py, which are one batch, for eight epochs with SGD at a constant rate, in 64 bits. Each parameter
and buffer is filled from its name. Recorded per scenario: the loss of each step, the validation loss of the average
after each epoch, and all values of the trained and of the averaged model. Writes
crates/vision-learner/tests/fixtures/callbacks.json.
"""

import json
from pathlib import Path

import torch
from make_parity_reference import fill
from make_training_fixture import ConcatPool, N, pixels
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, update_bn

OUT = Path(__file__).parent.parent / "crates/vision-learner/tests/fixtures/callbacks.json"
EPOCHS, LR = 8, 0.1


def model():
    body = nn.Sequential(nn.Conv2d(3, 6, 3, 2, bias=False), nn.BatchNorm2d(6), nn.ReLU(),
                         nn.Conv2d(6, 8, 3, 2, bias=False), nn.ReLU())
    net = nn.Sequential(body, nn.Sequential(ConcatPool(), nn.Flatten(), nn.BatchNorm1d(16), nn.Linear(16, 2))).double()
    for name, value in net.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            value.copy_(torch.from_numpy(fill(name, tuple(value.shape), 0)))
    return net


def values(net):
    state = {k: v for k, v in net.state_dict().items() if not k.endswith("num_batches_tracked")}
    return {k: v.reshape(-1).tolist() for k, v in state.items()}


X = torch.from_numpy(pixels()).permute(0, 3, 1, 2).double() / 255
Y = torch.arange(N) % 2


def valid_loss(net):
    net.eval()
    with torch.no_grad():
        loss = nn.functional.cross_entropy(net(X), Y).item()
    net.train()
    return loss


def run(clip=None, average=None):
    """`average(net, epoch)` returns the averaged model after the step of an epoch, or None."""
    net = model().train()
    sgd = torch.optim.SGD(net.parameters(), lr=LR, momentum=0.9)
    losses, averaged, last = [], [], None
    for epoch in range(EPOCHS):
        loss = nn.functional.cross_entropy(net(X), Y)
        losses.append(loss.item())
        sgd.zero_grad()
        loss.backward()
        if clip:
            clip(net.parameters())
        sgd.step()
        if average:
            last = average(net, epoch)
            averaged.append(valid_loss(last) if last else None)
    out = {"losses": losses, "values": values(net)}
    if last:
        out |= {"averaged_losses": averaged, "averaged": values(last)}
    return out


def ema(decay, warmup):
    """Parameters and statistics by PyTorch's rule, from the beginning on; at the end the statistics are computed anew."""
    mean = model()

    def average(net, epoch):
        n = epoch + 1
        now = min(decay, (1 + n) / (10 + n)) if warmup else decay
        names = [k for k in mean.state_dict() if not k.endswith("num_batches_tracked")]
        with torch.no_grad():
            get_ema_multi_avg_fn(now)([mean.state_dict()[k] for k in names], [net.state_dict()[k] for k in names], None)
        if n == EPOCHS:
            update_bn([X], mean)
        return mean

    return average


def swa(first):
    net_of = {}

    def average(net, epoch):
        if epoch < first:
            return None
        mean = net_of.setdefault("mean", AveragedModel(net))
        mean.update_parameters(net)
        update_bn([X], mean)
        return mean.module

    return average


def plateau(sequence, patience, factor, min_lr, mode):
    params = [torch.nn.Parameter(torch.zeros(1)) for _ in range(2)]
    sgd = torch.optim.SGD([{"params": [p], "lr": lr} for p, lr in zip(params, (1e-3, 1e-2))])
    rule = torch.optim.lr_scheduler.ReduceLROnPlateau(
        sgd, mode, factor=factor, patience=patience, threshold=0.0, threshold_mode="abs", min_lr=min_lr, eps=0)
    rates = []
    for value in sequence:
        rates.append([group["lr"] for group in sgd.param_groups])
        rule.step(value)
    return {"values": sequence, "patience": patience, "factor": factor, "min_lr": min_lr, "rates": rates,
            "higher": mode == "max"}


if __name__ == "__main__":
    out = {
        "before": values(model()),
        "plain": run(),
        "clip_norm": run(clip=lambda p: nn.utils.clip_grad_norm_(p, 0.3)),
        "clip_value": run(clip=lambda p: nn.utils.clip_grad_value_(p, 0.02)),
        "ema": run(average=ema(0.8, False)),
        "ema_warmup": run(average=ema(0.6, True)),
        "swa": run(average=swa(4)),
        "plateaus": [
            plateau([1.0, 0.9, 0.9, 0.95, 0.8, 0.8, 0.8, 0.8, 0.8], 0, 0.2, 0.0, "min"),
            plateau([1.0, 0.9, 0.9, 0.95, 0.8, 0.8, 0.8, 0.8, 0.8], 1, 0.1, 5e-4, "min"),
            plateau([0.5, 0.6, 0.6, 0.55, 0.7, 0.7, 0.7, 0.7, 0.7], 2, 0.5, 0.0, "max"),
        ],
    }
    def short(o):
        if isinstance(o, float): return float(f"{o:.9g}")
        if isinstance(o, dict): return {k: short(v) for k, v in o.items()}
        if isinstance(o, list): return [short(v) for v in o]
        return o
    OUT.write_text(json.dumps(short(out), separators=(",", ":")) + "\n")
