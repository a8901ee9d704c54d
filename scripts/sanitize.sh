#!/usr/bin/env bash
# Runs the tests of vision-kernels with a checker of `unsafe` code, and on an instruction set that an x86 machine
# does not have:
#
#   scripts/sanitize.sh miri      the unsafe blocks, under Miri (a nightly toolchain with miri and rust-src)
#   scripts/sanitize.sh neon      everything, for aarch64 under QEMU (qemu-user, gcc-aarch64-linux-gnu,
#                                 libc6-dev-arm64-cross, `rustup target add aarch64-unknown-linux-gnu`)
#
# `miri` and `neon` compile Burn again, into separate folders in TARGET_DIR or target/sanitize, which can be deleted
# afterwards. PROPTEST_CASES=8 shortens slow tests. The results are in docs/design/kernels.md.
set -euo pipefail
cd "$(dirname "$0")/.."
mode=${1:?miri or neon}
args=(-p vision-kernels --target-dir "${TARGET_DIR:-target/sanitize}/$mode")
case $mode in
miri)
    export MIRIFLAGS="-Zmiri-ignore-leaks -Zmiri-disable-isolation"
    cargo +nightly miri test "${args[@]}" --lib
    # Under Miri, a machine has the features that are compiled for: the two calls in isa.rs need them.
    for features in +avx2,+fma +avx512f,+avx2,+fma; do
        RUSTFLAGS="-Ctarget-feature=$features" \
            cargo +nightly miri test "${args[@]}" --no-default-features --lib -- --nocapture
    done
    # Tensors through the operations and rayon's threads. rayon's queue does not satisfy Stacked Borrows.
    MIRIFLAGS="$MIRIFLAGS -Zmiri-tree-borrows" \
        cargo +nightly miri test "${args[@]}" --test it -- ops::a_convolution_with ops::a_frozen
    ;;
neon)
    export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
    export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="qemu-aarch64 -L /usr/aarch64-linux-gnu"
    cargo test "${args[@]}" --target aarch64-unknown-linux-gnu
    ;;
*)
    echo "miri or neon, not $mode" >&2
    exit 2
    ;;
esac
