#!/usr/bin/env bash
# Everything that wants a GPU, in one go, the most valuable first, each part under its own time limit:
#
#   cargo build --release -p xtask --features cuda --locked         # with LLVM 23, see docs/devices.md, and a glibc no newer than the GPU's machine has; CUDA is loaded at run time
#   cargo build --release -p xtask --features wgpu --locked         # without LLVM; then DEVICE is wgpu, through Vulkan
#   scripts/gpu_check.sh XTASK OUT [DEVICE [PYTHON]]
#
# XTASK is the program (target/release/xtask), OUT a folder for the results, DEVICE cuda (the default) or another name of
# `vision devices`, PYTHON one with torch and torchvision, for PyTorch's times in the same run. What each part printed is in OUT/*.out (JSON
# lines, and CSV for the machine and the kernels), what failed in OUT/*.err, the parts in OUT/parts.jsonl. The exit code is that of the check;
# a benchmark that fails or runs out of time does not stop the others.
#
# To try the script on a processor or a GPU in software, set BATCHES (default "64 256"), REPEATS (20), and PATIENCE, by which all time
# limits are multiplied (1):
#
#   BATCHES=2 REPEATS=2 scripts/gpu_check.sh target/debug/xtask OUT cpu python3
set -uo pipefail
cd "$(dirname "$0")/.."
xtask=$(realpath "$1") out=$2 device=${3:-cuda} python=${4:-}
read -ra batches <<<"${BATCHES:-64 256}"
repeats=${REPEATS:-20} patience=${PATIENCE:-1}
mkdir -p "$out"

part() { # SECONDS NAME COMMAND..
    local limit=$(($1 * patience)) name=$2 begin=$SECONDS
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
    part 60 "$1-$2-$3" "$xtask" bench --device "$device" --what "$1" --arch "$2" --batch "$3" --repeats "$repeats"
    [ -n "$python" ] || return 0
    local on=cuda precisions=(f32 tf32 bf16)
    # A GPU of NVIDIA is PyTorch's `cuda`, whatever drives it here.
    if [ "$device" = cpu ] || ! command -v nvidia-smi >/dev/null; then on=cpu precisions=(f32); fi
    for precision in "${precisions[@]}"; do
        part 60 "$1-$2-$3-torch-$precision" "$python" scripts/bench_torch.py "$1" "$2" "$3" 224 2 "$repeats" "$on" "$precision"
    done
}
for batch in "${batches[@]}"; do
    for arch in resnet50 resnet18; do
        bench train "$arch" "$batch"
        bench inference "$arch" "$batch"
    done
done

# Kernel by kernel, as the runtime itself times them.
part 120 logged env CUBECL_DEBUG_LOG="$(realpath "$out")/cubecl.log" CUBECL_DEBUG_OPTION=profile "$xtask" bench --once --device "$device" \
    --what train --arch resnet50 --batch "${batches[0]}" --repeats 5
[ ! -e "$out/cubecl.log" ] || part 20 kernels python3 scripts/kernel_times.py "$out/cubecl.log"
if command -v nsys >/dev/null; then
    part 90 profile nsys profile --force-overwrite true -o "$out/profile" "$xtask" bench --once --device "$device" \
        --what train --arch resnet50 --batch "${batches[0]}" --repeats 5
    part 60 nsys-kernels nsys stats --report cuda_gpu_kern_sum --format csv "$out/profile.nsys-rep"
fi
exit $((operations | networks | learning))
