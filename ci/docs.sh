#!/usr/bin/env bash
# The documentation of every package, warnings denied; the root's also with what is for tests.
# And the table of orderings.
set -euo pipefail
cd "$(dirname "$0")/.."
RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --workspace
RUSTDOCFLAGS="-D warnings" cargo doc --no-deps -p skep --features testing
# Each ordering has a model that needs it, or a reason, and the table of them is the newest.
unknown=$(python3 ci/weaken.py --unknown --list)
[ -z "$unknown" ] || {
    printf 'no model is known to need these; ci/weaken.py --unknown --record finds it:\n%s\n' "$unknown" >&2
    exit 1
}
before=$(cat docs/orderings.md)
python3 ci/weaken.py --document
[ "$before" = "$(cat docs/orderings.md)" ] || {
    echo "docs/orderings.md was not the newest: it has been written anew" >&2
    exit 1
}
