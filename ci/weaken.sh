#!/usr/bin/env bash
# Weakens the kernel's orderings and expects a model to fail for each. SAMPLE: only so many, drawn by
# SEED. ALLOWED: also those that no model is expected to catch.
set -euo pipefail
cd "$(dirname "$0")/.."
options=()
[ -z "${SAMPLE:-}" ] || options+=(--sample "$SAMPLE" --seed "${SEED:-1}")
[ -z "${ALLOWED:-}" ] || options+=(--allowed)
python3 ci/weaken.py "${options[@]}"
