#!/usr/bin/env bash
# Builds sdist and wheel, the wheel from the sdist, and checks what each must be. Usage: scripts/wheel.sh FOLDER
# Needs the group dev on the PATH.
set -euo pipefail
cd "$(dirname "$0")/.."
out=$(realpath -m "${1:?folder}")
most=$((1500 * 1000))
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

rm -rf "$out"
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH
python -m build --outdir "$out" .
python -m build --sdist --outdir "$work/again" .
sdist=$(basename "$out"/*.tar.gz)
cmp "$out/$sdist" "$work/again/$sdist" || { echo "two sdists of one commit differ" >&2; exit 1; }
if tar tzf "$out/$sdist" | grep -E '/(\.ci|\.github|build|dist|docs/_build)/|\.(so|db)$'; then
  echo "the sdist holds what it must not" >&2
  exit 1
fi

wheel=$(echo "$out"/*.whl)
check-wheel-contents --toplevel engagehub_bench,engagehub_core,engagehub_discord,engagehub_django "$wheel"
size=$(stat -c %s "$wheel")
echo "wheel: $size bytes, at most $most"
[ "$size" -le "$most" ] || { echo "the wheel is too large" >&2; exit 1; }
if unzip -Z1 "$wheel" | grep -E '\.(cpp|hpp|cmake|a|o)$'; then
  echo "the wheel holds sources" >&2
  exit 1
fi

if [ "$(uname -s)" = Linux ]; then
  auditwheel show "$wheel"
  unzip -q "$wheel" -d "$work/unpacked"
  needed=$(readelf -d "$work"/unpacked/engagehub_core/_native*.so | grep NEEDED)
  if echo "$needed" | grep -E 'libstdc\+\+|libgcc'; then
    echo "the extension needs the compiler's libraries at run time" >&2
    exit 1
  fi
fi

# An empty environment and a PATH without a compiler: what a user of the wheel has.
python -m venv "$work/empty"
"$work/empty/bin/python" -m pip install --quiet --no-index --no-deps "$wheel"
cd "$work"
env -i PATH="$work/empty/bin" HOME="$work" "$work/empty/bin/python" -W error -m engagehub_core.selftest
