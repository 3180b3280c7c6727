#!/usr/bin/env bash
# All tests, by the README's command; again with a proposer; then those of the features serde and
# save.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo test
# With a proposer under every test that asks the tests' common module for its store.
cargo test -p skep --features testing
cargo test -p skep-serde-tests
cargo test -p skep --features save --lib \
    --test save --test save_damage --test save_memory --test apply_encoded
cargo test -p skep --features save --doc save
