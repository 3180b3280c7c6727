#!/usr/bin/env bash
# Each fuzz target for a few seconds (SECONDS_EACH, default 20), where cargo-fuzz and the nightly
# toolchain are installed; else the corpus is played by a plain test.
set -euo pipefail
cd "$(dirname "$0")/../fuzz"
if ! cargo +nightly fuzz --version >/dev/null 2>&1; then
    echo "cargo-fuzz is not installed: playing the corpus only"
    cargo test --release
    exit 0
fi
for target in $(cargo +nightly fuzz list); do
    cargo +nightly fuzz run "$target" -- -max_total_time="${SECONDS_EACH:-20}"
done
