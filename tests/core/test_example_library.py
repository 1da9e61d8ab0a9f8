"""The library example runs, and what it prints holds."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "examples" / "library.py"


@pytest.fixture(scope="module")
def printed() -> str:
    done = subprocess.run([sys.executable, SCRIPT, "--seed", "1"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_leaders_are_ranked_and_their_rows_lie_within_the_bounds(printed: str) -> None:
    rows = re.findall(
        r"^  (\d+)\. (m\d+) +([\d.]+) points +(\d+) to (\d+) rows \(exactly (\d+)\)$", printed, re.MULTILINE
    )
    assert [int(row[0]) for row in rows] == [1, 2, 3, 4, 5]
    scores = [float(row[2]) for row in rows]
    assert scores == sorted(scores, reverse=True)
    assert all(int(low) <= int(exact) <= int(high) for *_, low, high, exact in rows)


def test_trending_channels_are_in_order_within_their_bounds(printed: str) -> None:
    rows = re.findall(r"^  ([a-z]+) +([\d.]+) +from ([\d.]+) to ([\d.]+)$", printed, re.MULTILINE)
    assert rows[0][0] == "general"
    assert len(rows) == 5
    estimates = [float(row[1]) for row in rows]
    assert estimates == sorted(estimates, reverse=True)
    assert all(float(low) <= float(estimate) <= float(high) for _, estimate, low, high in rows)


def test_distinct_members_grow_with_the_window_and_hold_the_exact_number(printed: str) -> None:
    windows = re.findall(r"^  last (1h|1d|30d) +([\d.]+) +from ([\d.]+) to ([\d.]+)$", printed, re.MULTILINE)
    estimates = [float(row[1]) for row in windows]
    assert len(estimates) == 3
    assert 0 < estimates[0] < estimates[1] < estimates[2]
    total = re.search(r"^  in all +([\d.]+) +from ([\d.]+) to ([\d.]+) \(exactly (\d+)\)$", printed, re.MULTILINE)
    assert total is not None
    estimate, low, high, exact = map(float, total.groups())
    assert estimate >= estimates[2]
    assert low <= exact <= high  # deterministic: the seed and the hashes are fixed
