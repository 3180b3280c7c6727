#!/usr/bin/env bash
# Weakens a few orderings, drawn by a seed, and expects a model to fail for each. All of them:
# python3 ci/weaken.py
set -euo pipefail
cd "$(dirname "$0")/.."
python3 ci/weaken.py --sample "${SAMPLE:-3}" --seed "${SEED:-1}"
