#!/usr/bin/env bash
# Random transactions on several threads, recorded and proved strictly serializable: as many as
# TRANSACTIONS says. A history that fails is kept; the failure names the file.
set -euo pipefail
cd "$(dirname "$0")/.."
export SKEP_HISTORY_TRANSACTIONS="${TRANSACTIONS:-500000}"
cargo test --release -p skep --features testing --test histories -- --nocapture
