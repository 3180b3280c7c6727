#!/usr/bin/env bash
# The examples in the documentation, the README among them.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo test --doc -p skep -p skep-derive
