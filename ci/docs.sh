#!/usr/bin/env bash
# The documentation of every package, warnings denied; the root's also with what is for tests.
set -euo pipefail
cd "$(dirname "$0")/.."
RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --workspace
RUSTDOCFLAGS="-D warnings" cargo doc --no-deps -p skep --features testing
