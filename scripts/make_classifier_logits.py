#!/usr/bin/env python3
"""What torchvision's classifiers with three classes say about one image, from weights that are filled by name.

    pip install torch==2.15.0 torchvision==0.29.2 numpy
    python3 scripts/make_classifier_logits.py > crates/vision-learner/tests/fixtures/classifiers.json

Weights are those of `make_parity_reference.fill`, the pixels floor(128 (1 + u)) of the uniform numbers of "image".
Computed in float64.
"""
import json
import numpy as np
import torch, torchvision
from make_parity_reference import fill, uniform

SIZE = 64
pixels = np.floor(128 * (1 + uniform("image", SIZE * SIZE * 3))).reshape(SIZE, SIZE, 3)
x = torch.from_numpy(pixels / 255).permute(2, 0, 1)
mean, std = (torch.tensor(v, dtype=torch.float64).reshape(3, 1, 1) for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
x = ((x - mean) / std)[None]
out = {}
for arch in ("resnet18", "squeezenet1_1", "mobilenet_v2"):
    net = torchvision.models.get_model(arch, num_classes=3).double().eval()
    with torch.no_grad():
        for name, value in net.state_dict().items():
            if value.is_floating_point():
                value.copy_(torch.from_numpy(fill(name, list(value.shape))))
        logits = net(x)
    out[arch] = {"logits": logits[0].tolist(), "probabilities": logits.softmax(1)[0].tolist()}
print(json.dumps({"torch": torch.__version__, "torchvision": torchvision.__version__, "size": SIZE, "models": out}, indent=1))
