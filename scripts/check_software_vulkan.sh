#!/usr/bin/env bash
# Checks the code for GPUs without one: on llvmpipe, Mesa's Vulkan driver that computes on the CPU. `cargo xtask ci --devices` runs it.
# Installs the driver with apt-get if there is none. The build takes about 25 minutes of processor time.
set -euo pipefail
cd "$(dirname "$0")/.."
if ! ls /usr/share/vulkan/icd.d/*lvp* >/dev/null 2>&1; then
    apt-get update -qq
    apt-get install -y -qq libvulkan1 mesa-vulkan-drivers >/dev/null
fi
# The driver wants a folder for its sockets; tuning kernels for a processor that is no GPU takes long and gains nothing.
export XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-$(mktemp -d)}" CUBECL_AUTOTUNE_LEVEL=minimal
cargo run -p xtask --features wgpu --locked -- device-check --device wgpu "$@"
