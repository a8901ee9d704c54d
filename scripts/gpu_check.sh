#!/usr/bin/env bash
# Everything that wants a GPU, in one go, the most valuable first, each part under its own time limit:
#
#   cargo build --release -p xtask --features cuda --locked         # here, or anywhere with the same glibc: CUDA is loaded at run time
#   scripts/gpu_check.sh XTASK OUT [DEVICE [PYTHON]]
#
# XTASK is the program (target/release/xtask), OUT a folder for the results, DEVICE cuda (the default) or another name of
# `vision devices`, PYTHON one with torch and torchvision, for PyTorch's times in the same run. What each part printed is in OUT/*.out (JSON
# lines, and CSV for the machine and the kernels), what failed in OUT/*.err, the parts in OUT/parts.jsonl. The exit code is that of the check; a benchmark that fails or runs out of time does not stop the others.
set -uo pipefail
cd "$(dirname "$0")/.."
xtask=$(realpath "$1") out=$2 device=${3:-cuda} python=${4:-}
mkdir -p "$out"

part() { # SECONDS NAME COMMAND..
    local limit=$1 name=$2 begin=$SECONDS
    shift 2
    timeout "$limit" "$@" >"$out/$name.out" 2>"$out/$name.err"
    local code=$?
    [ $code = 0 ] && rm -f "$out/$name.err"
    echo "{\"part\": \"$name\", \"exit\": $code, \"seconds\": $((SECONDS - begin))}" | tee -a "$out/parts.jsonl"
    return $code
}

: >"$out/parts.jsonl"
part 20 machine nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.max.sm,clocks.max.mem --format=csv
part 120 operations "$xtask" device-check --json --device "$device" --only operations
operations=$?
part 240 networks "$xtask" device-check --json --device "$device" --only networks
networks=$?
part 120 learning "$xtask" device-check --json --device "$device" --only learning,memory
learning=$?

bench() { # WHAT ARCH BATCH
    part 60 "$1-$2-$3" "$xtask" bench --device "$device" --what "$1" --arch "$2" --batch "$3" --repeats 20
    [ -n "$python" ] || return 0
    for precision in f32 tf32 bf16; do
        part 60 "$1-$2-$3-torch-$precision" "$python" scripts/bench_torch.py "$1" "$2" "$3" 224 2 20 cuda "$precision"
    done
}
bench train resnet50 64
bench inference resnet50 64
bench train resnet18 64
bench inference resnet18 64
bench train resnet50 256
bench inference resnet50 256
bench train resnet18 256
bench inference resnet18 256

if command -v nsys >/dev/null; then
    part 90 profile nsys profile --force-overwrite true -o "$out/profile" "$xtask" bench --once --device "$device" \
        --what train --arch resnet50 --batch 64 --repeats 5
    part 60 kernels nsys stats --report cuda_gpu_kern_sum --format csv "$out/profile.nsys-rep"
fi
exit $((operations | networks | learning))
