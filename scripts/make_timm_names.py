#!/usr/bin/env python3
"""The names and shapes of timm's models that are torchvision's, in the order of their state dicts.

    pip install torch==2.15.0 timm==1.0.31
    python3 scripts/make_timm_names.py > crates/vision-models/tests/fixtures/weights/timm_names.json
"""
import json
import timm, torch

# torchvision's name (and this library's), timm's name. timm's other ResNets and DenseNets are built by the same code.
MODELS = {"resnet18": "resnet18", "resnet50": "resnet50", "densenet121": "densenet121", "vgg11_bn": "vgg11_bn", "vgg13_bn": "vgg13_bn",
          "vgg16_bn": "vgg16_bn", "vgg19_bn": "vgg19_bn", "mobilenet_v2": "mobilenetv2_100"}
out = {}
with torch.device("meta"):
    for ours, theirs in MODELS.items():
        state = timm.create_model(theirs).state_dict()
        out[ours] = [[k, list(v.shape)] for k, v in state.items() if v.is_floating_point()]
print(json.dumps({"timm": timm.__version__, "models": out}, separators=(",", ":")))
