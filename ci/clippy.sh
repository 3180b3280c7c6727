#!/usr/bin/env bash
# Lints of every package and target, warnings denied; the root also with its failpoints, bare, and with each feature alone.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo clippy --workspace --all-targets -- -D warnings
cargo clippy -p skep --all-targets --features failpoints -- -D warnings
cargo clippy -p skep --all-targets --features testing -- -D warnings
cargo clippy -p skep --no-default-features -- -D warnings
cargo clippy -p skep --no-default-features --features cluster -- -D warnings
cargo clippy -p skep --no-default-features --features serde -- -D warnings
cargo clippy -p skep --no-default-features --features cluster,serde -- -D warnings
cargo clippy -p skep --no-default-features --features save -- -D warnings
cargo clippy -p skep --all-targets --features save -- -D warnings
cargo clippy -p skep --no-default-features --features stream -- -D warnings
cargo clippy -p skep --all-targets --features stream -- -D warnings
