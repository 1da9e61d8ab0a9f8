"""What the leaderboard suite asks of a contender, and our own board as one.

A method named ``*_each`` is a whole loop: it is what the clock sees. Each has its empty twin here, which is subtracted.
"""

from __future__ import annotations

from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, Protocol

from engagehub_core import Leaderboard

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from engagehub_bench.workloads import Changes

__all__ = ["Adding", "OurBoard", "Ranking", "empty_changes", "empty_questions", "empty_timed"]


class Adding(Protocol):
    """Keeps scores that points are added to."""

    def add_each(self, changes: Changes) -> None:
        """Add the points to the members, one call a change."""

    def add_timed(self, changes: Changes) -> list[int]:
        """Add the points to the members, and return the nanoseconds of each call, the clock's own included."""

    def scores(self, members: Iterable[int | str], at: float) -> list[float]:
        """Return the scores as of an instant."""


class Ranking(Adding, Protocol):
    """Keeps members in order, too."""

    def rank_each(self, members: Sequence[int | str]) -> None:
        """Ask for the rank of each member."""

    def top_each(self, instants: Sequence[float]) -> None:
        """Ask for the first ten, as of each instant."""

    def page_each(self, offset: int, instants: Sequence[float]) -> None:
        """Ask for ten rows from an offset on, as of each instant."""

    def around_each(self, members: Sequence[int | str]) -> None:
        """Ask for each member with five neighbours on either side."""

    def ranks(self, members: Iterable[int | str]) -> list[int]:
        """Return the 1-based ranks."""

    def page(self, offset: int, limit: int, at: float) -> list[int | str]:
        """Return the members of a page."""

    def around(self, member: int | str) -> list[int | str]:
        """Return the member and five neighbours on either side."""


def empty_changes(changes: Changes, *, with_instants: bool) -> None:
    """Go through the changes as an ``add_each`` does."""
    if with_instants:
        for _member, _points, _at in zip(changes.members, changes.points, changes.instants, strict=True):
            pass
    else:
        for _member, _points in zip(changes.members, changes.points, strict=True):
            pass


def empty_timed(changes: Changes) -> list[int]:
    """Take the time of nothing, as an ``add_timed`` does."""
    clock, taken = perf_counter_ns, list[int]()
    for _ in changes.members:
        began = clock()
        taken.append(clock() - began)
    return taken


def empty_questions(items: Sequence[Any]) -> None:
    """Go through the items as every other ``*_each`` does."""
    for _item in items:
        pass


class OurBoard:
    """The library's leaderboard, with its usual options."""

    def __init__(self, members: Sequence[int] | Sequence[str], scores: Sequence[float], at: float,
                 half_life: float | None = None) -> None:  # fmt: skip
        self.board = Leaderboard(half_life=half_life)
        self.board.update(members, scores, at=at)

    def add_each(self, changes: Changes) -> None:
        """See :class:`Adding`."""
        add = self.board.add
        for member, points, at in zip(changes.members, changes.points, changes.instants, strict=True):
            add(member, points, at=at)

    def add_timed(self, changes: Changes) -> list[int]:
        """See :class:`Adding`."""
        add, clock, taken = self.board.add, perf_counter_ns, list[int]()
        for member, points, at in zip(changes.members, changes.points, changes.instants, strict=True):
            began = clock()
            add(member, points, at=at)
            taken.append(clock() - began)
        return taken

    def rank_each(self, members: Sequence[int | str]) -> None:
        """See :class:`Ranking`."""
        rank = self.board.rank
        for member in members:
            rank(member)

    def top_each(self, instants: Sequence[float]) -> None:
        """See :class:`Ranking`."""
        top = self.board.top
        for at in instants:
            top(10, at=at)

    def page_each(self, offset: int, instants: Sequence[float]) -> None:
        """See :class:`Ranking`."""
        page = self.board.page
        for at in instants:
            page(offset, 10, at=at)

    def around_each(self, members: Sequence[int | str]) -> None:
        """See :class:`Ranking`."""
        around = self.board.around
        for member in members:
            around(member, 5)

    def scores(self, members: Iterable[int | str], at: float) -> list[float]:
        """See :class:`Adding`."""
        return [self.board.score(member, at=at) for member in members]

    def ranks(self, members: Iterable[int | str]) -> list[int]:
        """See :class:`Ranking`."""
        return [self.board.rank(member) for member in members]

    def page(self, offset: int, limit: int, at: float) -> list[int | str]:
        """See :class:`Ranking`."""
        return [entry.member for entry in self.board.page(offset, limit, at=at)]

    def around(self, member: int | str) -> list[int | str]:
        """See :class:`Ranking`."""
        return [entry.member for entry in self.board.around(member, 5)]
