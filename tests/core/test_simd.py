"""The code for vector units and the plain one: chosen by the environment, and with the same answers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROWS = """
import hashlib
from engagehub_core import Leaderboard, _native
board = Leaderboard("7d", ties="dense", max_skew=None)
state = 1
for step in range(20_000):
    state = state * 48_271 % 0x7FFFFFFF
    board.add(state % 3_000, state % 17 - 8, at=step * 60)
board.update(range(3_000), 1, at=20_000 * 60)
print(_native.simd_path(), hashlib.sha256(repr(board.top(3_000)).encode() + board.to_bytes()).hexdigest())
"""


def answers(**environment):
    """Return the path and a digest of the answers of an interpreter with this in its environment."""
    plain = {name: value for name, value in os.environ.items() if name != "ENGAGEHUB_SIMD"}
    command = [sys.executable, "-c", ROWS]
    return subprocess.run(
        command, env={**plain, **environment}, check=True, capture_output=True, text=True
    ).stdout.split()


def test_the_plain_code_is_forced_by_the_environment_and_answers_the_same():
    best, digest = answers()
    assert best in ("avx2", "neon", "plain")
    assert answers(ENGAGEHUB_SIMD="plain") == ["plain", digest]
    assert answers(ENGAGEHUB_SIMD="") == [best, digest]


def test_a_processor_with_avx2_uses_it():
    try:
        has_it = " avx2 " in Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        has_it = False
    if not has_it:
        pytest.skip("this processor has no AVX2, or doesn't say so in /proc/cpuinfo")
    assert answers()[0] == "avx2"


@pytest.mark.parametrize("environment", [{}, {"ENGAGEHUB_SIMD": "plain"}])
def test_the_self_test_passes_on_either_path(environment):
    command = [sys.executable, "-m", "engagehub_core.selftest"]
    subprocess.run(command, env={**os.environ, **environment}, check=True, capture_output=True)
