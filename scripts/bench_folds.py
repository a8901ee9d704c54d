#!/usr/bin/env python3
"""fastai's accuracy in the cross-validation that `vision train --folds` has done: same images, folds, weights, epochs and rates.

    pip install fastai==2.8.12 timm==1.0.31
    vision train DATA --arch tf_efficientnet_lite0 --pretrained WEIGHTS --freeze-norms --folds 5 --size 224 --resize squish \\
        --batch-size 16 --no-augment --freeze-epochs 12 --epochs 2 --lr 1e-3 --seed 0 --out RUN
    python3 scripts/bench_folds.py DATA RUN/cross-validation.csv --weights WEIGHTS --freeze-norms --seed 0

WEIGHTS: a file of EfficientNet-PyTorch's EfficientNet-Lite0, whose tensors are in timm's order. Without it the network is random.
Trains with `fine_tune`, without augmentation, channels last. Prints the accuracy over all images
and for each fold, the seconds, and those of the processor.
"""
import argparse
import csv
import json
import os
import time
import warnings
from pathlib import Path

warnings.filterwarnings("ignore")
import timm  # noqa: E402
import torch  # noqa: E402
from fastai.callback.channelslast import ChannelsLast  # noqa: E402
from fastai.vision.all import (Callback, CategoryBlock, DataBlock, IndexSplitter, ImageBlock, Normalize, Resize,  # noqa: E402
                               TrainEvalCallback, accuracy, set_seed, vision_learner)

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("data", type=Path)
parser.add_argument("folds", type=Path)
parser.add_argument("--weights", type=Path)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--size", type=int, default=224)
parser.add_argument("--batch-size", type=int, default=16)
parser.add_argument("--resize", choices=["crop", "pad", "squish"], default="squish")
parser.add_argument("--freeze-norms", action="store_true", help="batch norms of the body stay as they are")
parser.add_argument("--freeze-epochs", type=int, default=12)
parser.add_argument("--epochs", type=int, default=2)
parser.add_argument("--lr", type=float, default=1e-3)
parser.add_argument("--only", type=int, help="one fold alone")
args = parser.parse_args()


class FreezeNorms(Callback):
    """Keeps the body's batch norms in evaluation mode, without gradients, also once the body is unfrozen."""

    run_after = TrainEvalCallback

    def norms(self):
        return [module for module in self.learn.model[0].modules() if isinstance(module, torch.nn.BatchNorm2d)]

    def before_fit(self):
        for norm in self.norms():
            norm.requires_grad_(False)

    def before_train(self):
        for norm in self.norms():
            norm.eval()


torch.set_num_threads(len(os.sched_getaffinity(0)))
with open(args.folds) as file:
    rows = [(row["image"], int(row["fold"]), row["label"]) for row in csv.DictReader(file)]
labels = {image: label for image, _, label in rows}
begin, right, folds = time.time(), 0, []
for fold in sorted({fold for _, fold, _ in rows}) if args.only is None else [args.only]:
    set_seed(args.seed * 100 + fold, reproducible=True)
    images = [image for image, _, _ in rows]
    held_out = [i for i, (_, f, _) in enumerate(rows) if f == fold]
    block = DataBlock(
        blocks=(ImageBlock, CategoryBlock),
        get_x=lambda image: args.data / image,
        get_y=lambda image: labels[image],
        splitter=IndexSplitter(held_out),
        item_tfms=Resize(args.size, method=args.resize),
        batch_tfms=Normalize.from_stats([0.5] * 3, [0.5] * 3, cuda=False),
    )
    data = block.dataloaders(images, bs=args.batch_size, num_workers=0, device=torch.device("cpu"))
    learner = vision_learner(data, "tf_efficientnet_lite0", pretrained=False, normalize=False, metrics=accuracy,
                             cbs=[ChannelsLast(), *([FreezeNorms()] if args.freeze_norms else [])])
    if args.weights:
        theirs = torch.load(args.weights, map_location="cpu", weights_only=True)
        whole = timm.create_model("tf_efficientnet_lite0").state_dict()
        whole = {name: value for (name, _), value in zip(whole.items(), theirs.values(), strict=True)}
        body = {k: v for k, v in whole.items() if not k.startswith("classifier.")}
        learner.model[0].model.load_state_dict(body, strict=True)
    with learner.no_bar(), learner.no_logging():
        if args.weights:
            learner.fine_tune(args.epochs, args.lr, freeze_epochs=args.freeze_epochs)
        else:
            learner.unfreeze()
            learner.fit_one_cycle(args.freeze_epochs + args.epochs, args.lr)
    predictions, targets = learner.get_preds()
    hits = int((predictions.argmax(1) == targets).sum())
    right += hits
    folds.append(hits / len(held_out))
    print(json.dumps({"fold": fold, "accuracy": folds[-1], "seconds": round(time.time() - begin, 1)}), flush=True)
print(json.dumps({"seed": args.seed, "accuracy": right / (len(rows) if args.only is None else len(held_out)), "folds": folds, "seconds": round(time.time() - begin, 1),
                  "processor_seconds": round(time.process_time(), 1)}))
