#!/usr/bin/env bash
# A thread that stops, or dies, at any step of a transaction, of collection or of watching stops nobody,
# and keeps no watcher from what it is to be told. PROGRESS_TURNS: of each of the two threads that go on,
# two commits, a read, a snapshot and a watcher a turn (10,000; at night 100,000).
set -euo pipefail
cd "$(dirname "$0")/.."
# As for the models: linking as one unit costs more than it saves.
export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16
cargo test --release -p skep --features failpoints,testing --test progress --test killed \
    --test watch_stopped -- --nocapture
# Watchers again, where a proposer's thread is the one that delivers: the same build.
SKEP_PROPOSER=1 cargo test --release -p skep --features failpoints,testing --test watch_stopped
