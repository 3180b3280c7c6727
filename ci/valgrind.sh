#!/usr/bin/env bash
# Valgrind, where it is installed: memcheck on tests of transactions, snapshots, panics and watchers;
# drd on those that subscribe, sleep, are woken and shut down. What drd cannot see is in ci/drd.supp,
# with the reasons.
set -euo pipefail
cd "$(dirname "$0")/.."
if ! valgrind --version >/dev/null 2>&1; then
    echo "skipped: not installed (valgrind)"
    exit 0
fi
# Blocks are not pooled, so that each use of freed memory is seen; lines for what is found.
export RUSTFLAGS="--cfg skep_sanitize" CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/valgrind"
export CARGO_PROFILE_TEST_DEBUG=line-tables-only CARGO_PROFILE_DEV_OPT_LEVEL=1

# The program of a test file.
program() {
    cargo test -p skep --no-run --test "$1" 2>&1 | sed -n 's/.*Executable.*(\(.*\))/\1/p'
}

for test in ${MEMCHECK:-transactions snapshots unique panics watch watch_asleep}; do
    echo "--- memcheck: $test"
    # Threads of the test harness may still end when the process does: only what is lost counts.
    timeout 3600 valgrind --quiet --error-exitcode=9 --leak-check=full \
        --show-leak-kinds=definite --errors-for-leak-kinds=definite --fair-sched=yes \
        "$(program "$test")" --test-threads=2
done
for test in ${DRD:-watch_asleep}; do
    echo "--- drd: $test"
    timeout 3600 valgrind --quiet --tool=drd --error-exitcode=9 --check-stack-var=no \
        --suppressions=ci/drd.supp --fair-sched=yes "$(program "$test")" --test-threads=2
done
