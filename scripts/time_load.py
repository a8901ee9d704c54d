#!/usr/bin/env python3
"""Times `torch.load` plus `load_state_dict`, as `cargo run -p vision-models --example load_weights` times this library.

    pip install torch==2.11.0 torchvision==0.26.0
    python3 scripts/time_load.py resnet50 FILE
"""
import json, sys, time
import torch, torchvision


def resident(field):
    with open("/proc/self/status") as f:
        return next(int(line.split()[1]) * 1024 for line in f if line.startswith(field))


arch, path = sys.argv[1:3]
torch.set_num_threads(2)
model = getattr(torchvision.models, arch)()
before = resident("VmRSS")
begin = time.perf_counter()
state = torch.load(path, map_location="cpu", weights_only=True)
opened = time.perf_counter() - begin
model.load_state_dict(state)
seconds = time.perf_counter() - begin
print(json.dumps({"engine": f"torch {torch.__version__}", "arch": arch, "open_s": opened, "seconds": seconds,
                  "peak_bytes": resident("VmHWM") - before}))
