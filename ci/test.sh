#!/usr/bin/env bash
# All tests, by the README's command: the program brings the feature save, the benches bring stream and
# testing. Again with a proposer; then those of the feature serde, and of what measures.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo test
# With a proposer under every test that asks the tests' common module for its store: the programs that
# are built already.
programs=()
for file in $(grep -l '^mod common;' tests/*.rs | xargs grep -L '^#!\[cfg(feature = "failpoints")\]'); do
    program=${file##*/}
    programs+=(--test "${program%.rs}")
done
SKEP_PROPOSER=1 cargo test "${programs[@]}"
cargo test -p skep-serde-tests
cargo test -p skep-measure -p bench-compare
