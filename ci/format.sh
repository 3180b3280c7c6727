#!/usr/bin/env bash
# The formatting of every package; of the program in Go where its formatter is installed.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo fmt --all --check
cargo fmt --manifest-path fuzz/Cargo.toml --check
if command -v gofmt >/dev/null; then
    unformatted=$(gofmt -l benches/go-memdb)
    [ -z "$unformatted" ] || { echo "gofmt changes: $unformatted" >&2; exit 1; }
fi
