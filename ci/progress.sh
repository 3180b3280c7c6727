#!/usr/bin/env bash
# A thread that stops, or dies, at any step of its commit and collection stops nobody.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo test --release -p skep --features failpoints --test progress --test killed
