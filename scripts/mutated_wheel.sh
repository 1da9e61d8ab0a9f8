#!/usr/bin/env bash
# Shows that the self-test notices: builds the sdist with one constant altered (the seed that every hash starts from) and
# expects the self-test of that build to fail. Usage: scripts/mutated_wheel.sh SDIST
set -euo pipefail
sdist=$(realpath "${1:?sdist}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/source"
tar xzf "$sdist" -C "$work/source" --strip-components 1
header=$work/source/cpp/include/engagehub/codec/murmur64a.hpp
sed -i 's/0xadc83b19/0xadc83b1a/I' "$header"
tar xzf "$sdist" -C "$work" --wildcards '*/cpp/include/engagehub/codec/murmur64a.hpp'
if cmp -s "$header" "$work"/*/cpp/include/engagehub/codec/murmur64a.hpp; then
  echo "the constant to alter isn't in murmur64a.hpp" >&2
  exit 1
fi
python -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --no-deps --config-settings=cmake.build-type=Debug \
  --config-settings=install.strip=false "$work/source"
cd "$work"
"$work/venv/bin/python" -c "import engagehub_core"
status=0
"$work/venv/bin/python" -m engagehub_core.selftest >"$work/out" 2>&1 || status=$?
cat "$work/out"
if [ "$status" -ne 1 ]; then
  echo "the self-test exits with $status where a constant is altered; 1 is wanted" >&2
  exit 1
fi
echo "caught: the self-test fails where the hash seed is altered"
