#!/usr/bin/env bash
# Atomic read-modify-writes, fences and stores of each operation, counted on the real code in a build
# with a counting door to atomics. With the name of a table (counts, lines, machines; or: places NAME,
# where NAME CORES) prints that instead, for the documents.
set -euo pipefail
cd "$(dirname "$0")/.."
export RUSTFLAGS="--cfg skep_counted" CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/counted"
if [ "$#" -gt 0 ]; then
    exec cargo run --release --quiet -p skep-counts -- "$@"
fi
# As for the models: linking as one unit costs more than it saves.
export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16
# One after the other: all threads of a process have their blocks of the same slabs.
cargo test --release -p skep-counts -- --test-threads=1
# The tests of the store know nothing of the counting, and are linted as all others are.
cargo clippy -p skep-counts --all-targets -- -D warnings
cargo clippy -p skep --lib --profile test -- -D warnings
