#!/usr/bin/env python3
"""Adds up the times of kernels in a log of CubeCL, the runtime of Burn's backends for GPUs:

    CUBECL_DEBUG_LOG=LOG CUBECL_DEBUG_OPTION=profile cargo xtask bench --once --device wgpu --what train --arch resnet18
    python3 scripts/kernel_times.py LOG

Prints a JSON line for each kernel, the slowest first. The log has all that the process did: the first step, and kernels that were tried to
choose among them. Each kernel waits for the one before, so that the sum is more than a step takes.
"""
import collections
import json
import re
import sys

LINE = re.compile(r"\| ([\d.]+)(ns|µs|ms|s) +\| ([A-Za-z].*)")
MS = {"ns": 1e-6, "µs": 1e-3, "ms": 1.0, "s": 1e3}

times, calls = collections.Counter(), collections.Counter()
with open(sys.argv[1], encoding="utf-8", errors="replace") as log:
    for line in log:
        found = LINE.match(line)
        if not found:
            continue
        # Without the hash and the types of its arguments: the settings of one kernel at different sizes.
        name = re.sub(r"_[0-9a-f]{8}\b.*", "", found[3]).split(" | TensorArgs")[0].strip()
        times[name] += float(found[1]) * MS[found[2]]
        calls[name] += 1
total = sum(times.values())
for name, ms in times.most_common():
    print(json.dumps({"kernel": name, "calls": calls[name], "ms": round(ms, 3), "share": round(ms / total, 4)}))
sys.exit(not times)
