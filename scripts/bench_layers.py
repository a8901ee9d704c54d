#!/usr/bin/env python3
"""Times single layers of vision-kernels beside PyTorch, channels last, on 2 threads (or THREADS).

    pip install torch
    cargo bench -p vision-kernels --no-default-features --bench layers --no-run      # prints the program's path
    python3 scripts/bench_layers.py PROGRAM [PART_OF_A_NAME ..]

Each of three rounds times this library and then PyTorch. Prints the least milliseconds of each, and their ratio.
"""
import os
import subprocess
import sys
import time

THREADS = int(os.environ.get("THREADS", 2))
B = int(os.environ.get("BATCH", 16))
CASES = [
    *(f"activation {f} {B * 56 * 56 * 144} {d}" for f in ("silu", "hardswish", "hardsigmoid", "sigmoid", "gelu") for d in ("forward", "backward")),
    *(f"batchnorm {f} {B * 56 * 56} 144 {d}" for f in ("relu6", "silu", "hardswish") for d in ("forward", "backward")),
    # EfficientNet-B0, then ConvNeXt-tiny: batch, height, width, channels, kernel, stride.
    *(f"depthwise {B} {s} {s} {c} {k} {t} {p}"
      for s, c, k, t in ((112, 32, 3, 1), (112, 96, 3, 2), (56, 144, 3, 1), (56, 144, 5, 2), (28, 240, 5, 1), (14, 480, 5, 1), (14, 672, 5, 1),
                         (14, 672, 5, 2), (7, 1152, 5, 1), (56, 96, 7, 1), (28, 192, 7, 1), (14, 384, 7, 1), (7, 768, 7, 1))
      for p in ("forward", "input", "weight")),
    # RegNetX-400MF (16 a group), RegNetY-400MF (8), RegNetY-1.6GF (24), RegNetY-3.2GF (24), ResNeXt-50 32x4d: .. groups, kernel, stride.
    *(f"grouped {B} {s} {s} {c} {g} 3 {t} {p}"
      for s, c, g, t in ((56, 64, 4, 1), (28, 160, 10, 1), (28, 104, 13, 1), (14, 208, 26, 1), (14, 336, 14, 1), (7, 888, 37, 1), (56, 128, 32, 1),
                         (56, 256, 32, 2), (28, 256, 32, 1), (14, 512, 32, 1), (7, 1024, 32, 1))
      for p in ("forward", "input", "weight")),
    # With scale, shift and activation: batch, height, width, channels in and out, kernel, stride.
    *(f"conv {B} {s} {s} {i} {o} {k} {t} {f}"
      for s, i, o, k, t, f in ((112, 16, 96, 1, 1, "silu"), (14, 112, 672, 1, 1, "silu"), (224, 3, 32, 3, 2, "hardswish"), (14, 384, 1536, 1, 1, "gelu"))),
    *(f"scale {B} {s} {s} {c} {d}" for s, c in ((56, 144), (14, 672)) for d in ("forward", "backward")),
    *(f"layernorm {p} {c} {d}" for p, c in ((B * 56 * 56, 96), (B * 14 * 14, 384), (B * 197, 192)) for d in ("forward", "backward")),
    *(f"attention {b} 197 {h} 64 {d}" for b, h in ((B, 3), (4, 12)) for d in ("forward", "backward")),
]


def torch_step(case):
    """A function that computes the same with PyTorch."""
    import torch
    from torch.nn import functional as F

    aten = torch.ops.aten
    words = case.split()
    n, last = [int(w) for w in words if w.isdigit()], words[-1]

    def maps(b, h, w, c):
        return torch.randn(b, c, h, w).to(memory_format=torch.channels_last)

    functions = {"silu": (F.silu, aten.silu_backward), "hardswish": (F.hardswish, aten.hardswish_backward),
                 "hardsigmoid": (F.hardsigmoid, aten.hardsigmoid_backward), "sigmoid": (torch.sigmoid, aten.sigmoid_backward),
                 "gelu": (F.gelu, aten.gelu_backward), "relu6": (F.relu6, None), "relu": (F.relu, None)}
    if words[0] == "activation":
        x = torch.randn(n[0]) * 2
        forward, backward = functions[words[1]]
        return (lambda: forward(x)) if last == "forward" else (lambda: backward(x, x))
    if words[0] in ("depthwise", "grouped"):
        b, h, w, c = n[:4]
        groups, (kernel, stride) = (c, n[4:6]) if words[0] == "depthwise" else (n[4], n[5:7])
        x, weight = maps(b, h, w, c), torch.randn(c, c // groups, kernel, kernel).to(memory_format=torch.channels_last)
        options = ([stride] * 2, [kernel // 2] * 2, [1, 1])
        y = F.conv2d(x, weight, None, *options, groups)
        if last == "forward":
            return lambda: F.conv2d(x, weight, None, *options, groups)
        mask = [last == "input", last == "weight", False]
        return lambda: aten.convolution_backward(y, x, weight, None, *options, False, [0, 0], groups, mask)
    if words[0] == "conv":
        b, h, w, i, o, kernel, stride = n
        x = maps(b, h, w, i)
        # With the folded normalization as a bias, which PyTorch computes in the convolution.
        conv = torch.nn.Conv2d(i, o, kernel, stride, kernel // 2, bias=True).to(memory_format=torch.channels_last)
        function = functions[last][0]
        return lambda: function(conv(x))
    if words[0] == "batchnorm":
        x = maps(n[0] // (56 * 56), 56, 56, n[1]).requires_grad_()
        norm, function = torch.nn.BatchNorm2d(n[1]), functions[words[1]][0]
        if last == "forward":
            return lambda: function(norm(x.detach()))
        y = function(norm(x))
        dy = torch.randn_like(y)
        return lambda: torch.autograd.grad(y, [x, *norm.parameters()], dy, retain_graph=True)
    if words[0] == "scale":
        x = maps(*n).requires_grad_()
        factors = torch.randn(n[0], n[3], 1, 1).requires_grad_()
        if last == "forward":
            return lambda: x.detach() * factors.detach()
        y = x * factors
        dy = torch.randn_like(y)
        return lambda: torch.autograd.grad(y, [x, factors], dy, retain_graph=True)
    if words[0] == "layernorm":
        x, norm = torch.randn(*n), torch.nn.LayerNorm(n[1], eps=1e-6)
        if last == "forward":
            return lambda: norm(x)
        x.requires_grad_()
        y = norm(x)
        dy = torch.randn_like(y)
        return lambda: torch.autograd.grad(y, [x, *norm.parameters()], dy, retain_graph=True)
    if words[0] == "attention":
        b, t, heads, size = n
        qkv = torch.randn(b, t, 3 * heads * size)

        def attend(qkv):
            q, k, v = qkv.reshape(b, t, 3, heads, size).permute(2, 0, 3, 1, 4).unbind(0)
            return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, t, heads * size)

        if last == "forward":
            return lambda: attend(qkv)
        qkv.requires_grad_()
        y = attend(qkv)
        dy = torch.randn_like(y)
        return lambda: torch.autograd.grad(y, qkv, dy, retain_graph=True)
    raise SystemExit(f"no layer {case}")


def torch_seconds(case):
    import torch

    step = torch_step(case)
    best, begin, count = float("inf"), time.perf_counter(), 0
    with torch.inference_mode(case.endswith(("forward", "silu", "gelu", "hardswish"))):
        while count < 5 or (time.perf_counter() - begin < 0.4 and count < 200):
            start = time.perf_counter()
            step()
            best, count = min(best, time.perf_counter() - start), count + 1
    return best


def main():
    if sys.argv[1] == "--torch":
        import torch

        torch.set_num_threads(THREADS)
        for case in sys.argv[2:]:
            print(f"{case}\t{torch_seconds(case)}", flush=True)
        return
    program, parts = sys.argv[1], sys.argv[2:]
    cases = [case for case in CASES if not parts or any(part in case for part in parts)]
    environment = {**os.environ, "RAYON_NUM_THREADS": str(THREADS)}
    best = {}
    for _ in range(3):
        for engine, command in ((0, [program]), (1, [sys.executable, __file__, "--torch"])):
            found = subprocess.run([*command, *cases], env=environment, check=True, stdout=subprocess.PIPE, text=True)
            for line in found.stdout.splitlines():
                case, seconds = line.split("\t")
                best[case, engine] = min(best.get((case, engine), float("inf")), float(seconds))
    for case in cases:
        ours, torchs = best[case, 0], best[case, 1]
        print(f"{case:45} {1e3 * ours:9.3f} {1e3 * torchs:9.3f}   {ours / torchs:.2f}")


main()
