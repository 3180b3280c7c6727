#!/usr/bin/env bash
# The traps that the shuttle scenarios are known to find: each must be found again.
set -euo pipefail
cd "$(dirname "$0")/.."
# Many: some traps are found by a scenario or two.
exec python3 ci/spring.py --executions 3000 --seconds 400
