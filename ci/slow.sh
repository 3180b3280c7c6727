#!/usr/bin/env bash
# Tests that a debug build is too slow for: as many proposals in flight, and handles of one object, as
# there may be.
set -euo pipefail
cd "$(dirname "$0")/.."
export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16
cargo test --release -p skep --features testing --test bounds
