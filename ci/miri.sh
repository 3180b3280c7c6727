#!/usr/bin/env bash
# Miri on the kernel's small tests, where it is installed.
set -euo pipefail
cd "$(dirname "$0")/.."
if ! cargo +nightly miri --version >/dev/null 2>&1; then
    echo "skipped: not installed (miri)"
    exit 0
fi
MIRIFLAGS="-Zmiri-strict-provenance -Zmiri-disable-isolation" \
    timeout 900 cargo +nightly miri test -p skep --test batches
