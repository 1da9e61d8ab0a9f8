#!/usr/bin/env bash
# clang-tidy over every header of cpp/include, each compiled on its own, and over bindings/.
# Configure the preset tidy first.
set -euo pipefail
cd "$(dirname "$0")/.."
jobs=${JOBS:-$(nproc)}
cmake --build --preset tidy --target all_verify_interface_header_sets --parallel "$jobs"
{
  find build/tidy -name '*.hpp.cxx'
  git ls-files 'bindings/*.cpp'
} | xargs -P "$jobs" -n 1 clang-tidy --quiet -p build/tidy
