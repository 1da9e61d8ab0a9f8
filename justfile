# Daily work in one virtual environment; `just` alone lists the recipes.
set shell := ["bash", "-euo", "pipefail", "-c"]

jobs := env("JOBS", num_cpus())

_default:
    @just --list --unsorted

# install the package, editable, with every tool; run it in a virtual environment of its own
setup:
    python -m pip install --quiet --upgrade "pip>=25.1"
    python -m pip install --quiet --group dev --editable ".[cli]"

# Python tests; arguments go to pytest: just test tests/core -k board
test *args:
    python -m pytest {{ args }}

# C++ tests, warnings as errors
cpp:
    cmake --preset dev && cmake --build --preset dev --parallel {{ jobs }} && ctest --preset dev

# C++ tests under the address, leak and undefined behaviour sanitizers (needs clang 14 and libclang-rt-14-dev)
asan:
    cmake --preset asan-ubsan && cmake --build --preset asan-ubsan --parallel {{ jobs }} && ctest --preset asan-ubsan

# C++ tests under the thread sanitizer
tsan:
    cmake --preset tsan && cmake --build --preset tsan --parallel {{ jobs }} && ctest --preset tsan

# every fuzz target for some runs (needs clang 14 and libclang-rt-14-dev)
fuzz runs="200000":
    cmake --preset fuzz && cmake --build --preset fuzz --parallel {{ jobs }}
    scripts/fuzz.sh {{ runs }}

# everything that reads the code without running it
lint:
    ruff check
    ruff format --check
    lint-imports
    validate-pyproject pyproject.toml
    check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
    zizmor --offline --quiet .github
    clang-format --dry-run -Werror $(git ls-files '*.hpp' '*.cpp')

# clang-tidy over all headers and the bindings (minutes)
tidy:
    cmake --preset tidy
    scripts/tidy.sh

# write the formatting
fmt:
    ruff check --fix --exit-zero
    ruff format
    clang-format -i $(git ls-files '*.hpp' '*.cpp')

# mypy --strict, and the stub of the native module against the module
types:
    mypy
    MYPYPATH=src python -m mypy.stubtest --mypy-config-file pyproject.toml engagehub_core._native

# the documentation, warnings as errors; its examples run with the tests
docs:
    sphinx-build -W --keep-going -n -q -b html docs docs/_build/html

# sdist, wheel from the sdist, and what a wheel must be
wheel:
    scripts/wheel.sh dist

# the seeded slice of everything, from a clean checkout
ci:
    bash .ci/run
