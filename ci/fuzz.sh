#!/usr/bin/env bash
# Plays the corpus by a plain test. With SECONDS_EACH set: each fuzz target for that long, where
# cargo-fuzz and the nightly toolchain are installed, from the corpus on. What is found interesting is
# left in fuzz/target/new; what is checked in stays as it is.
set -euo pipefail
cd "$(dirname "$0")/../fuzz"
cargo test --release
if [ -z "${SECONDS_EACH:-}" ]; then
    exit 0
fi
if ! cargo +nightly fuzz --version >/dev/null 2>&1; then
    echo "skipped: not installed (cargo-fuzz)"
    exit 0
fi
# One after the other whatever fails, so that a night tells all.
failed=()
for target in $(cargo +nightly fuzz list); do
    mkdir -p "target/new/$target"
    cargo +nightly fuzz run "$target" "target/new/$target" "corpus/$target" -- \
        -max_total_time="$SECONDS_EACH" -rss_limit_mb=1500 -timeout=60 || failed+=("$target")
done
[ "${#failed[@]}" -eq 0 ] || { echo "failed: ${failed[*]}" >&2; exit 1; }
