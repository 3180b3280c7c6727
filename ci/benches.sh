#!/usr/bin/env bash
# All benches in their quick profile, and a part of each program that measures.
set -euo pipefail
cd "$(dirname "$0")/.."
SKEP_BENCH=quick cargo bench
cargo run --release -p skep-benches --bin watchers -- 1 100
cargo run --release -p skep-benches --bin tails -- --seconds 1 --rounds 1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cargo run --release -p bench-compare -- --workloads ab --rounds 1 --records 10000 \
    --csv "$folder/samples.csv" --plots "$folder/plots" --markdown "$folder/compared.md"
