#!/usr/bin/env bash
# AddressSanitizer with its leak check over the tests that stress memory most, where the nightly
# toolchain is installed.
set -euo pipefail
cd "$(dirname "$0")/.."
host=$(rustc -vV | sed -n 's/^host: //p')
if ! cargo +nightly --version >/dev/null 2>&1; then
    echo "skipped: not installed (the nightly toolchain)"
    exit 0
fi
# Frees in a thread's last moments are reported by name only; the suite's own leaks are faults.
RUSTFLAGS="-Zsanitizer=address --cfg skep_sanitize" RUSTDOCFLAGS="-Zsanitizer=address" \
    CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/sanitizer" \
    timeout 1200 cargo +nightly test --target "$host" -p skep \
    --test laws --test panics --test snapshots --test transactions --test unique --test bounds
