#!/usr/bin/env bash
# All tests, by the README's command; then those of the features serde and save.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo test
cargo test -p skep-serde-tests
cargo test -p skep --features save --lib \
    --test save --test save_damage --test save_memory --test apply_encoded
cargo test -p skep --features save --doc save
