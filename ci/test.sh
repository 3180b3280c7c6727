#!/usr/bin/env bash
# All tests, by the README's command: the program brings the feature save. Again with a proposer;
# then those of the features stream and serde, and of what measures.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo test
# With a proposer under every test that asks the tests' common module for its store.
cargo test -p skep --features testing,save
cargo test -p skep --features stream --test watch_stream
cargo test -p skep-serde-tests
cargo test -p skep-measure -p bench-compare
