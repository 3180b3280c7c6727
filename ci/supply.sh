#!/usr/bin/env bash
# Licences, sources and duplicates of all dependencies; and, once there is a release, whether the public
# face changed more than its version says.
set -euo pipefail
cd "$(dirname "$0")/.."
python3 ci/supply.py
last=$(git describe --tags --abbrev=0 2>/dev/null || true)
if [ -z "$last" ]; then
    echo "no release to compare the public face with"
elif cargo semver-checks --version >/dev/null 2>&1; then
    cargo semver-checks --package skep --baseline-rev "$last"
else
    echo "skipped: cargo-semver-checks is not there to compare the public face with $last"
fi
