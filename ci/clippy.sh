#!/usr/bin/env bash
# Lints of every package and target, warnings denied; the root also with its failpoints, bare, and with
# each feature alone.
set -euo pipefail
cd "$(dirname "$0")/.."
# The root's tests with the features save, stream and testing, which other packages bring; then with
# none of these. What else they say by a feature says it by both save and testing.
cargo clippy --workspace --all-targets -- -D warnings
cargo clippy -p skep --all-targets --features failpoints -- -D warnings
cargo clippy -p skep --features save --lib --test apply_encoded -- -D warnings
# The store alone.
cargo clippy -p skep --features testing -- -D warnings
cargo clippy -p skep --features stream -- -D warnings
cargo clippy -p skep --no-default-features -- -D warnings
cargo clippy -p skep --no-default-features --features cluster -- -D warnings
cargo clippy -p skep --no-default-features --features serde -- -D warnings
cargo clippy -p skep --no-default-features --features cluster,serde -- -D warnings
cargo clippy -p skep --no-default-features --features save -- -D warnings
cargo clippy -p skep --no-default-features --features stream -- -D warnings
# The models and scenarios, in the builds that have them: the kernel's sizes are 1 there now and then,
# and what goes between a model's threads is not Send by itself.
explorers=(--all-targets -- -D warnings -A clippy::modulo_one -A clippy::reversed_empty_ranges
    -A clippy::arc_with_non_send_sync)
RUSTFLAGS="--cfg loom" CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/loom" \
    cargo clippy -p loom-tests "${explorers[@]}"
RUSTFLAGS="--cfg shuttle" CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/shuttle" \
    cargo clippy -p shuttle-tests "${explorers[@]}"
