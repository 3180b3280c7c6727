#!/usr/bin/env bash
# What takes longer than a push may: slow tests, long runs beside who stopped or died, every ordering
# weakened, deeper models, long histories, fuzzing, the sanitizer, valgrind, Miri, many schedules, a
# long soak, the benches and the comparison with peers. Runs all of it and says what failed.
set -uo pipefail
cd "$(dirname "$0")"
failed=()
export LOOM_MAX_PREEMPTIONS=3 LOOM_TIMEOUT=14400 SHUTTLE_EXECUTIONS=30000 SHUTTLE_TIMEOUT=7200
export SECONDS_EACH=1800 ALLOWED=1 SOAK=10m TRANSACTIONS=10000000 PROGRESS_TURNS=100000
for step in slow progress loom weaken shuttle spring histories fuzz sanitizer valgrind miri replay benches; do
    echo "=== $step"
    bash "./$step.sh" </dev/null || failed+=("$step")
done
[ "${#failed[@]}" -eq 0 ] || { echo "failed: ${failed[*]}" >&2; exit 1; }
