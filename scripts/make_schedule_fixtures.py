"""Learning rates and momenta by fastai 2 and PyTorch, step by step.

    python scripts/make_schedule_fixtures.py      # needs fastai 2 and torch

fastai's are read from its own recorder while a net of one linear layer per group trains; PyTorch's from its schedulers.
Writes crates/vision-learner/tests/fixtures/schedules.json.
"""

import json
from pathlib import Path

import torch
from fastai.basics import DataLoaders, Learner, L, params
from fastai.callback.schedule import *  # noqa: F403 (fit_one_cycle and others become methods)
from fastai.optimizer import Adam
from torch import nn

OUT = Path(__file__).parent.parent / "crates/vision-learner/tests/fixtures/schedules.json"
BATCHES = 7


class Rates:
    pass


def learner():
    items = [(torch.zeros(2), torch.zeros(2))] * (BATCHES * 4)
    dls = DataLoaders.from_dsets(items, items[:4], bs=4, num_workers=0, device="cpu")
    net = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 3), nn.Linear(3, 2))
    split = lambda m: L(m[0], m[1], m[2]).map(params)  # noqa: E731
    return Learner(dls, net, loss_func=nn.MSELoss(), splitter=split, opt_func=Adam)


def record(train):
    """The rates of all groups and the momentum of each step."""
    from fastai.callback.core import Callback

    steps = []

    class Spy(Callback):
        order = 100

        def before_step(self):
            hypers = self.opt.hypers
            steps.append([[h["lr"] for h in hypers], hypers[-1]["mom"]])

    learn = learner()
    learn.add_cb(Spy())
    with learn.no_bar(), learn.no_logging():
        train(learn)
    return steps


def cosine(epochs, warmup, cycles, mult, start):
    """A linear warm-up, then PyTorch's cosine annealing with warm restarts."""
    weight = nn.Parameter(torch.zeros(1))
    sgd = torch.optim.SGD([weight], lr=0.1)
    total, warm = epochs * BATCHES, warmup * BATCHES
    first = (total - warm) // sum(mult**c for c in range(cycles))
    rule = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(sgd, first, mult)
    if warm:
        rise = torch.optim.lr_scheduler.LinearLR(sgd, start, 1.0, warm)
        rule = torch.optim.lr_scheduler.SequentialLR(sgd, [rise, rule], [warm])
    rates = []
    for _ in range(total):
        rates.append(sgd.param_groups[0]["lr"])
        sgd.step()
        rule.step()
    return rates


if __name__ == "__main__":
    out = {
        "batches": BATCHES,
        "fine_tune": record(lambda learn: learn.fine_tune(3, 2e-3)),
        "fine_tune, other numbers": record(
            lambda learn: learn.fine_tune(2, 1e-2, freeze_epochs=2, lr_mult=50, pct_start=0.4, div=10.0)),
        "fit_flat_cos": record(lambda learn: learn.fit_flat_cos(3, 1e-3)),
        "fit_flat_cos, other numbers": record(lambda learn: learn.fit_flat_cos(2, 1e-3, div_final=100, pct_start=0.3)),
        "fit_one_cycle of fastai 2": record(lambda learn: learn.fit_one_cycle(2, slice(1e-4, 1e-2))),
        "cosine": cosine(3, 0, 1, 1, 1.0),
        "cosine with restarts": cosine(6, 0, 3, 1, 1.0),
        "cosine with warm-up and longer cycles": cosine(10, 1, 2, 2, 0.01),
    }
    OUT.write_text(json.dumps(out) + "\n")
