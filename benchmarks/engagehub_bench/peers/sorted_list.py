"""A dictionary and ``sortedcontainers.SortedList``: what a Python developer reaches for where ranks are needed."""

from __future__ import annotations

from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from engagehub_bench.peers.distributions import line_of, missing_one

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from engagehub_bench.workloads import Changes

__all__ = ["SUMMARY", "SortedScores", "missing", "version"]

SUMMARY = "a dict of sums beside a SortedList of (-sum, member)"


def version() -> str:
    """Return the peer's line in the report."""
    return line_of("sortedcontainers")


def missing() -> str | None:
    """Return why the peer can't take part, or None."""
    return missing_one("sortedcontainers")


class SortedScores:
    """Sums by member, and (-sum, member) in order."""

    def __init__(self, members: Sequence[int] | Sequence[str], scores: Sequence[float]) -> None:
        from sortedcontainers import SortedList  # noqa: PLC0415 - only where this peer takes part

        self._sums: dict[int | str, float] = dict(zip(members, scores, strict=True))
        self._order: Any = SortedList((-total, member) for member, total in self._sums.items())

    def add_each(self, changes: Changes) -> None:
        """Take each member's row out and put it in again with its new sum."""
        sums, remove, put = self._sums, self._order.remove, self._order.add
        for member, points in zip(changes.members, changes.points, strict=True):
            total = sums[member]
            remove((-total, member))
            sums[member] = total = total + points
            put((-total, member))

    def add_timed(self, changes: Changes) -> list[int]:
        """Add the points to the members, and return the nanoseconds of each time, the clock's own included."""
        remove, put = self._order.remove, self._order.add
        sums, clock, taken = self._sums, perf_counter_ns, list[int]()
        for member, points in zip(changes.members, changes.points, strict=True):
            began = clock()
            total = sums[member]
            remove((-total, member))
            sums[member] = total = total + points
            put((-total, member))
            taken.append(clock() - began)
        return taken

    def rank_each(self, members: Sequence[int | str]) -> None:
        """Find each member's row by bisection."""
        sums, bisect = self._sums, self._order.bisect_left
        for member in members:
            bisect((-sums[member], member))

    def top_each(self, instants: Sequence[float]) -> None:
        """Slice the first ten rows off."""
        order = self._order
        for _ in instants:
            order[:10]

    def page_each(self, offset: int, instants: Sequence[float]) -> None:
        """Slice ten rows out."""
        order = self._order
        for _ in instants:
            order[offset : offset + 10]

    def around_each(self, members: Sequence[int | str]) -> None:
        """Find each member's row by bisection and slice its neighbourhood out."""
        sums, order, bisect = self._sums, self._order, self._order.bisect_left
        for member in members:
            place = bisect((-sums[member], member))
            order[max(place - 5, 0) : place + 6]

    def scores(self, members: Iterable[int | str], at: float) -> list[float]:  # noqa: ARG002 - nothing decays here
        """Return the sums."""
        return [self._sums[member] for member in members]

    def ranks(self, members: Iterable[int | str]) -> list[int]:
        """Return the 1-based ranks."""
        return [self._order.bisect_left((-self._sums[member], member)) + 1 for member in members]

    def page(self, offset: int, limit: int, at: float) -> list[int | str]:  # noqa: ARG002 - nothing decays here
        """Return the members of a page."""
        return [member for _, member in self._order[offset : offset + limit]]

    def around(self, member: int | str) -> list[int | str]:
        """Return the member and five neighbours on either side."""
        place = self._order.bisect_left((-self._sums[member], member))
        return [each for _, each in self._order[max(place - 5, 0) : place + 6]]
