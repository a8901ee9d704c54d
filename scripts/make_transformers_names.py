#!/usr/bin/env python3
"""transformers' names of the tensors of ResNets, beside torchvision's: layers are paired in the order in which they run.

    pip install torch==2.15.0 torchvision==0.29.2 transformers==5.24.0
    python3 scripts/make_transformers_names.py > crates/vision-models/tests/fixtures/weights/transformers_names.json
"""
import json
import torch, torchvision, transformers
from transformers import ResNetConfig, ResNetForImageClassification

MODELS = {"resnet18": dict(layer_type="basic", depths=[2, 2, 2, 2], hidden_sizes=[64, 128, 256, 512]),
          "resnet50": dict(layer_type="bottleneck", depths=[3, 4, 6, 3], hidden_sizes=[256, 512, 1024, 2048])}


def in_order(net):
    """The names and shapes of the floating-point tensors, layer by layer as they run."""
    names = []

    def note(name, module):
        own = {**dict(module.named_parameters(recurse=False)), **dict(module.named_buffers(recurse=False))}
        names.extend((f"{name}.{k}", list(v.shape)) for k, v in own.items() if v.is_floating_point())

    for name, module in net.named_modules():
        if not list(module.children()):
            module.register_forward_hook(lambda module, *_, name=name: note(name, module))
    net.eval()(torch.zeros(1, 3, 64, 64))
    return names


out = {}
for arch, config in MODELS.items():
    ours = in_order(getattr(torchvision.models, arch)())
    theirs = in_order(ResNetForImageClassification(ResNetConfig(num_labels=1000, **config)))
    assert [shape for _, shape in ours] == [shape for _, shape in theirs]
    out[arch] = [[a, b] for (a, _), (b, _) in zip(ours, theirs, strict=True)]
print(json.dumps({"transformers": transformers.__version__, "models": out}, separators=(",", ":")))
