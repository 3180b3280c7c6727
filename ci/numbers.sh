#!/usr/bin/env bash
# Every figure that docs/numbers.md holds, into a folder, by the commands that it names: on a machine
# that does nothing else, for two hours or so. The comparison is three documents, two with charts;
# PEERS and ROUNDS make them smaller.
set -euo pipefail
cd "$(dirname "$0")/.."
folder="${1:?which folder the figures go to}"
mkdir -p "$folder"
compare=(-p bench-compare)
# A peer that asks for a newer compiler than the others, and may build with this one all the same.
newer=(--ignore-rust-version "${compare[@]}" --features mvcc-core)
if cargo build --release "${newer[@]}"; then
    compare=("${newer[@]}")
fi
peers=()
[ -z "${PEERS:-}" ] || peers=(--peers "$PEERS")
rates=(--workloads abcdefghiopqr --rounds "${ROUNDS:-15}" --millis 60 --threads 1,2 "${peers[@]}")
# What takes half an hour, most of it the slowest peers': a document of its own.
long=(--workloads jklns --rounds "${ROUNDS:-3}" "${peers[@]}")
stops=(--workloads m "${peers[@]}")
cargo run --release "${compare[@]}" -- "${rates[@]}" \
    --csv "$folder/compared.csv" --plots "$folder/plots" --markdown "$folder/compared.md" \
    | tee "$folder/compared.txt"
cargo run --release "${compare[@]}" -- "${long[@]}" --csv "$folder/compared-long.csv" \
    --plots "$folder/plots" --markdown "$folder/compared-long.md" | tee "$folder/compared-long.txt"
cargo run --release "${compare[@]}" -- "${stops[@]}" | tee "$folder/compared-stops.txt"
mimalloc=("${compare[@]}" --features mimalloc)
cargo run --release "${mimalloc[@]}" -- "${rates[@]}" \
    --csv "$folder/compared-mimalloc.csv" --markdown "$folder/compared-mimalloc.md" \
    | tee "$folder/compared-mimalloc.txt"
cargo run --release "${mimalloc[@]}" -- "${stops[@]}" | tee "$folder/compared-stops-mimalloc.txt"
cargo run --release -p skep-benches --bin tails -- --seconds 2 --rounds 1 --json "$folder/tails.json" \
    | tee "$folder/tails.txt"
cargo run --release -p skep-benches --bin watchers -- 3 | tee "$folder/watchers.txt"
for bench in cluster reclaim store operations watch; do
    cargo bench -p skep-benches --bench "$bench" | tee "$folder/$bench.txt"
done
# The state package by the time that threads run, as the document has it.
SKEP_CLOCK=cpu SKEP_BENCH=quick cargo bench -p skep-benches --bench cluster | tee "$folder/cluster-cpu.txt"
cargo run --release -p skep-benches --bin memory | tee "$folder/memory.txt"
cargo run --release -p skep-benches --bin memory -- --million | tee "$folder/memory-million.txt"
cargo run --release -p skep-benches --bin scaling | tee "$folder/scaling.txt"
# A store in Go, where what builds it is installed.
if command -v go >/dev/null && [ -d /usr/share/gocode/src/github.com/hashicorp/go-memdb ]; then
    cargo run --release -p skep-benches --bin memdb -- 3 | tee "$folder/memdb.txt"
else
    echo "skipped: memdb: golang-go or golang-github-hashicorp-go-memdb-dev is not installed" >&2
fi
bash ci/counts.sh counts | tee "$folder/counts.txt"
bash ci/counts.sh lines | tee "$folder/lines.txt"
cp -r "${CARGO_TARGET_DIR:-target}/criterion" "$folder/"
