#!/usr/bin/env bash
# Plays the corpus by a plain test. With SECONDS_EACH set: each fuzz target for that long, where
# cargo-fuzz and the nightly toolchain are installed.
set -euo pipefail
cd "$(dirname "$0")/../fuzz"
cargo test --release
if [ -z "${SECONDS_EACH:-}" ]; then
    exit 0
fi
if ! cargo +nightly fuzz --version >/dev/null 2>&1; then
    echo "skipped: not installed (cargo-fuzz)"
    exit 0
fi
for target in $(cargo +nightly fuzz list); do
    cargo +nightly fuzz run "$target" -- -max_total_time="$SECONDS_EACH"
done
