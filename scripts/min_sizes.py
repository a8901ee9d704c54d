#!/usr/bin/env python3
"""The smallest square image for which torchvision's backbones have any output: `min_size` in crates/vision-models/src/arch.

    python3 scripts/min_sizes.py        (torch 2.11, torchvision 0.26)
"""
import torch
import torchvision


def main():
    for name in ["resnet18", "squeezenet1_0", "squeezenet1_1", "densenet121", "vgg11_bn", "alexnet", "mobilenet_v2"]:
        model = getattr(torchvision.models, name)(weights=None).eval()
        body = getattr(model, "features", None) or torch.nn.Sequential(*list(model.children())[:-2])
        for side in range(1, 100):
            try:
                with torch.no_grad():
                    shape = tuple(body(torch.zeros(1, 3, side, side)).shape)
            except RuntimeError:
                continue
            print(name, side, shape)
            break


if __name__ == "__main__":
    main()
