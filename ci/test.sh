#!/usr/bin/env bash
# All tests, by the README's command; then those of the feature serde.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo test
cargo test -p skep-serde-tests
