#!/usr/bin/env bash
# The program's main job: the synthetic cluster always, the production trace when it is there, a soak
# (of the length SOAK), and bad input refused with exit code 2.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --release -p skep-cli
skep="${CARGO_TARGET_DIR:-target}/release/skep"
"$skep" replay --quiet
trace=../shared/trace
if [ -d "$trace" ]; then
    "$skep" replay --quiet \
        --nodes "$trace/openb_node_list_all_node.csv" --pods "$trace/openb_pod_list_default.csv"
else
    echo "skipped: no trace at $trace"
fi
"$skep" replay --quiet --soak "${SOAK:-20s}"
status=0
"$skep" replay --quiet --nodes no-such-file.csv --pods no-such-file.csv || status=$?
[ "$status" -eq 2 ] || { echo "bad input: exit code $status instead of 2" >&2; exit 1; }
