#!/usr/bin/env bash
# AddressSanitizer with its leak check over the whole test suite of the root package, where the nightly
# toolchain is installed: as it is, then what a proposer decides. Blocks are not pooled under
# `cfg(skep_sanitize)`, so that each use of freed memory is seen. Arguments choose tests instead:
# ci/sanitizer.sh --test snapshots
set -euo pipefail
cd "$(dirname "$0")/.."
host=$(rustc -vV | sed -n 's/^host: //p')
if ! cargo +nightly --version >/dev/null 2>&1; then
    echo "skipped: not installed (the nightly toolchain)"
    exit 0
fi
# Overflow checks and debug assertions are on: it is the profile of all tests.
export RUSTFLAGS="-Zsanitizer=address --cfg skep_sanitize"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/sanitizer"
export SKEP_HISTORY_TRANSACTIONS="${SKEP_HISTORY_TRANSACTIONS:-20000}"
suite=(timeout "${SANITIZER_TIMEOUT:-7200}" cargo +nightly test --target "$host" -p skep)
if [ "$#" -gt 0 ]; then
    "${suite[@]}" --features save,stream "$@"
    exit 0
fi
# One after the other whatever fails, so that a night tells all.
failed=0
"${suite[@]}" --features save,stream --no-fail-fast --lib --tests || failed=1
SKEP_PROPOSER=1 "${suite[@]}" --features save,stream,testing --no-fail-fast \
    --test propose --test propose_seam --test propose_laws --test histories \
    --test laws --test watch --test fork || failed=1
exit "$failed"
