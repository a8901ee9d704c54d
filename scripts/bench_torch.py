#!/usr/bin/env python3
"""PyTorch's side of `cargo xtask bench --against-torch PYTHON`: the same network, work and fields, channels last.

    python3 scripts/bench_torch.py WHAT ARCH BATCH SIZE THREADS REPEATS [DEVICE [PRECISION]]  (torch 2.11, torchvision 0.26, timm 1.0)

DEVICE is cpu (the default) or cuda; PRECISION is f32 (the default, without TF32), tf32, or bf16 (by autocast).

Prints one JSON line: the seconds of the first step, and of each of REPEATS steps after two warm-up steps, the peak memory of the
process (on a GPU that of PyTorch's allocator), and its memory before the model was created.
"""
import json
import sys
import time

import torch
import torchvision


def steps(what, arch, batch, size, device, precision):
    make = getattr(torchvision.models, arch, None)
    if make:
        model = make(weights=None, num_classes=2)
    else:
        import timm

        model = timm.create_model(arch, num_classes=2)
    model = model.to(device, memory_format=torch.channels_last)
    x = torch.randn(batch, 3, size, size).to(device, memory_format=torch.channels_last)

    def low():
        return torch.autocast(device, torch.bfloat16, enabled=precision == "bf16")

    if what == "inference":
        model.eval()

        def infer():
            with torch.inference_mode(), low():
                model(x)

        return infer
    y = (torch.arange(batch) % 2).to(device)
    model.train()
    if what == "train_frozen_body":
        # Frozen as in fastai: batch norms and the classifier train.
        for module in model.modules():
            if not isinstance(module, (torch.nn.BatchNorm2d, torch.nn.Linear)):
                for parameter in module.parameters(recurse=False):
                    parameter.requires_grad_(False)
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=1e-3)

    def train():
        optimizer.zero_grad(set_to_none=True)
        with low():
            loss = torch.nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()

    return train


def memory(field):
    # Not getrusage: its peak is inherited from the parent process.
    try:
        with open("/proc/self/status") as status:
            return next(1024 * int(line.split()[1]) for line in status if line.startswith(field))
    except OSError:
        return None


def main():
    what, arch = sys.argv[1:3]
    batch, size, threads, repeats = map(int, sys.argv[3:7])
    torch.set_num_threads(threads)
    device, precision = (sys.argv[7:] + ["cpu", "f32"][len(sys.argv) - 7 :])[:2]
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision == "tf32"
    torch.backends.cudnn.benchmark = True
    before = memory("VmRSS:")
    step = steps(what, arch, batch, size, device, precision)
    seconds = []
    for _ in range(2 + repeats):
        begin = time.perf_counter()
        step()
        if device == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - begin)
    peak = torch.cuda.max_memory_allocated() if device == "cuda" else memory("VmHWM:")
    print(json.dumps({"engine": f"torch {torch.__version__} {device} {precision}", "first_s": seconds[0], "seconds": seconds[2:],
                      "peak_memory_bytes": peak, "memory_before_bytes": 0 if device == "cuda" else before}))


if __name__ == "__main__":
    main()
