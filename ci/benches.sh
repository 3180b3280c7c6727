#!/usr/bin/env bash
# The benches and the comparison with peers build, and a part of each runs.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo bench -p skep-benches --bench store -- --quick get
cargo bench -p skep-benches --bench cluster -- --quick slot
cargo bench -p skep-benches --bench watch -- --quick '/(100|5000)$'
cargo run --release -p skep-benches --bin watchers -- 1 100
cargo run --release -p bench-compare -- --workloads ab --rounds 1 --records 10000
