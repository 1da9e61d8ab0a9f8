"""A dictionary of sums: the least that any leaderboard must pay, without any order."""

from __future__ import annotations

import platform
from time import perf_counter_ns
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from engagehub_bench.workloads import Changes

__all__ = ["SUMMARY", "DictScores", "missing", "version"]

SUMMARY = "d[k] = d.get(k, 0) + x"


def version() -> str:
    """Return the peer's line in the report."""
    return f"dict of {platform.python_implementation()} {platform.python_version()}"


def missing() -> str | None:
    """Return why the peer can't take part, or None."""
    return None


class DictScores:
    """Sums by member."""

    def __init__(self, members: Sequence[int] | Sequence[str], scores: Sequence[float]) -> None:
        self._sums: dict[int | str, float] = dict(zip(members, scores, strict=True))

    def add_each(self, changes: Changes) -> None:
        """Add the points to the members, one statement a change."""
        sums = self._sums
        for member, points in zip(changes.members, changes.points, strict=True):
            sums[member] = sums.get(member, 0) + points

    def add_timed(self, changes: Changes) -> list[int]:
        """Add the points to the members, and return the nanoseconds of each time, the clock's own included."""
        sums, clock, taken = self._sums, perf_counter_ns, list[int]()
        for member, points in zip(changes.members, changes.points, strict=True):
            began = clock()
            sums[member] = sums.get(member, 0) + points
            taken.append(clock() - began)
        return taken

    def scores(self, members: Iterable[int | str], at: float) -> list[float]:  # noqa: ARG002 - nothing decays here
        """Return the sums."""
        return [self._sums[member] for member in members]
