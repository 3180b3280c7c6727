#!/usr/bin/env bash
# All tests, by the README's command.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo test
