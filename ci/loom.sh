#!/usr/bin/env bash
# The loom models of the kernel's protocols. LOOM_MAX_PREEMPTIONS deepens them; LOOM_TIMEOUT: all of them,
# in seconds.
set -euo pipefail
cd "$(dirname "$0")/.."
export LOOM_MAX_PREEMPTIONS="${LOOM_MAX_PREEMPTIONS:-2}"
# Each crate as one unit: loom is many small functions, and calls across units are not inlined. Linking
# the whole graph as one costs more time than it saves the models.
export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=1
RUSTFLAGS="--cfg loom" CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/loom" \
    timeout "${LOOM_TIMEOUT:-1500}" cargo test --release -p loom-tests --lib
