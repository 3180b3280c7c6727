#!/usr/bin/env bash
# Licences, sources and duplicates of all dependencies; advisories against them; and, once there is a
# release, whether the public face changed more than its version says.
set -euo pipefail
cd "$(dirname "$0")/.."
python3 ci/supply.py
# Advisories: their database is fetched, where the tool and the network are there.
if ! cargo deny --version >/dev/null 2>&1; then
    echo "skipped: cargo-deny is not there to look for advisories"
elif ! cargo deny fetch db; then
    echo "skipped: the database of advisories cannot be reached"
else
    cargo deny check --disable-fetch advisories
fi
last=$(git describe --tags --abbrev=0 2>/dev/null || true)
if [ -z "$last" ]; then
    echo "no release to compare the public face with"
elif cargo semver-checks --version >/dev/null 2>&1; then
    cargo semver-checks --package skep --baseline-rev "$last"
else
    echo "skipped: cargo-semver-checks is not there to compare the public face with $last"
fi
