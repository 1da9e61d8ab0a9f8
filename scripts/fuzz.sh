#!/usr/bin/env bash
# Runs every fuzz target of build/fuzz over its corpus and RUNS seeded inputs. Usage: scripts/fuzz.sh RUNS [SEED]
# Findings stay in build/fuzz/findings; new inputs beside them, the corpus in cpp/fuzz is only read.
set -euo pipefail
cd "$(dirname "$0")/.."
runs=${1:?runs}
seed=${2:-1}
targets=0
mkdir -p build/fuzz/findings
for source in cpp/fuzz/fuzz_*.cpp; do
  name=$(basename "$source" .cpp)
  mkdir -p "build/fuzz/new/$name"
  corpora=("build/fuzz/new/$name")
  for folder in "cpp/fuzz/corpus/$name" "cpp/fuzz/corpus/${name#fuzz_}"; do
    if [ -d "$folder" ]; then corpora+=("$folder"); fi
  done
  echo "-- $name: $runs runs, seed $seed"
  "build/fuzz/$name" -runs="$runs" -seed="$seed" -timeout=20 -rss_limit_mb=2048 -verbosity=0 -print_final_stats=1 \
    -artifact_prefix="build/fuzz/findings/$name-" "${corpora[@]}"
  targets=$((targets + 1))
done
[ "$targets" -gt 0 ] || { echo "there is no fuzz target" >&2; exit 1; }
echo "$targets fuzz targets"
