#!/usr/bin/env bash
# Scenarios of the public face under schedules drawn at random: as many of each as SHUTTLE_EXECUTIONS
# says, or the one of SHUTTLE_SEED. Arguments choose scenarios by their names.
set -euo pipefail
cd "$(dirname "$0")/.."
export SHUTTLE_EXECUTIONS="${SHUTTLE_EXECUTIONS:-1000}"
# As for the models: linking as one unit costs more than it saves.
export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16
RUSTFLAGS="--cfg shuttle" CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/shuttle" \
    timeout "${SHUTTLE_TIMEOUT:-900}" cargo test --release -p shuttle-tests --lib -- --nocapture "$@"
