#!/usr/bin/env python3
"""Loads exported state dicts strictly into the models of torchvision and timm.

    pip install torch==2.11.0 torchvision==0.26.0 timm==1.0.31 safetensors==0.8.0
    python3 scripts/check_state_dicts.py FILES.json

FILES.json: [[file, "torchvision" or "timm", this library's name of the architecture, number of classes], ..]. Prints a line for each;
exits with 1 if a model refuses one. A model that the program does not have is said to be missing, and is no error.
"""
import json
import sys

import timm
import torch
import torchvision
from safetensors.torch import load_file

TIMM = {"mobilenet_v2": "mobilenetv2_100", "mobilenet_v3_large": "mobilenetv3_large_100", "mobilenet_v3_small": "mobilenetv3_small_100",
        "efficientnet_v2_s": "efficientnetv2_s", "regnet_y_800mf": "regnety_008_tv", "regnet_y_8gf": "regnety_080_tv"}
TORCHVISION = {"regnety_004": "regnet_y_400mf", "regnety_016": "regnet_y_1_6gf", "regnety_032": "regnet_y_3_2gf",
               "mobilenetv3_large_100": "mobilenet_v3_large", "mobilenetv3_small_100": "mobilenet_v3_small",
               "tf_efficientnetv2_s": "efficientnet_v2_s"}
failed = False
with open(sys.argv[1]) as file:
    files = json.load(file)
for path, program, arch, classes in files:
    state = load_file(path)
    # torchvision computes a RegNet's widths with tensors, which have no values on "meta".
    computed = program == "torchvision" and arch.startswith("regnet")
    with torch.device("cpu" if computed else "meta"):
        if program == "timm":
            name = TIMM.get(arch, arch)
            model = timm.create_model(name, num_classes=classes) if timm.is_model(name) else None
        else:
            name = TORCHVISION.get(arch, arch)
            make = getattr(torchvision.models, name, None)
            model = make(num_classes=classes) if make else None
    if model is None:
        print(f"{program} {name}: missing")
        continue
    try:
        model.load_state_dict(state, strict=True, assign=True)
        print(f"{program} {name}: {len(state)} tensors")
    except RuntimeError as error:
        failed = True
        print(f"{program} {name}: {error}")
sys.exit(failed)
