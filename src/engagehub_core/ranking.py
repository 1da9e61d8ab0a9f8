"""Ordered members: a skip list with ranks, and a leaderboard whose scores may decay."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from engagehub_core import _native
from engagehub_core.durations import format_duration, parse_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engagehub_core.instants import Instant

__all__ = ["Entry", "Leaderboard", "Ranked", "SkipList"]

Ties: TypeAlias = Literal["competition", "dense", "ordinal"]
Order: TypeAlias = Literal["arrival", "member"]


class Ranked(NamedTuple):
    """A row of a :class:`SkipList`.

    Attributes
    ----------
    rank : int
        1-based, under the list's tie policy.
    member : int or str
        Who.
    score : float
        The score.
    """

    rank: int
    member: int | str
    score: float


class Entry(NamedTuple):
    """A row of a :class:`Leaderboard`.

    Attributes
    ----------
    rank : int
        1-based, under the board's tie policy.
    member : int or str
        Who.
    score : float
        The score as of the instant that was asked for.
    last_at : float
        The member's newest change, in Unix seconds.
    """

    rank: int
    member: int | str
    score: float
    last_at: float


class SkipList(_native.SkipList):
    """An ordered map from member to score, highest first, with ranks.

    Parameters
    ----------
    ties : {"competition", "dense", "ordinal"}, default "competition"
        Which ranks equal scores get: 1 2 2 4, 1 2 2 3 or 1 2 3 4.
    order : {"arrival", "member"}, default "arrival"
        How equal scores are listed: first to reach the present score first, or by member (integers ascending, text by
        its UTF-8 bytes).

    Raises
    ------
    InvalidArgument
        If ties or order is none of these.

    Notes
    -----
    Thread safety: each call is atomic; batches release the GIL. One object holds members of one kind, int or str.
    Expected cost: O(log n) for a change, a rank or a position, O(log n + k) for k rows.

    References
    ----------
    William Pugh, "Skip lists: a probabilistic alternative to balanced trees", CACM 33(6), 1990; spans: Pugh, "A skip
    list cookbook", 1990; blocks: Daniel Golovin, "The B-skip-list", arXiv:1005.0662, 2010.

    Examples
    --------
    >>> ranked = SkipList()
    >>> ranked.update(["ada", "bob", "cy"], [30, 10, 20])
    >>> ranked.rank("cy"), ranked.at(0).member
    (2, 'ada')
    >>> [row.member for row in ranked.range(0, 2)]
    ['ada', 'cy']
    """

    __slots__ = ()

    def __init__(self, *, ties: Ties = "competition", order: Order = "arrival") -> None:
        super().__init__(ties, order)

    def at(self, position: int) -> Ranked:
        """Return the row at a 0-based position; negative ones count from the end.

        Parameters
        ----------
        position : int
            From -len to len - 1.

        Returns
        -------
        Ranked
            Rank, member and score.

        Raises
        ------
        IndexError
            If there is no such position.

        Notes
        -----
        O(log n).

        Examples
        --------
        >>> ranked = SkipList()
        >>> ranked.update(["ada", "bob"], [30, 10])
        >>> ranked.at(-1)
        Ranked(rank=2, member='bob', score=10.0)
        """
        size = len(self)
        rows = self._rows(position + size if position < 0 else position, 1) if -size <= position < size else []
        if not rows:
            message = f"position must be from {-size} to {size - 1}, got {position}"
            raise IndexError(message)
        return Ranked._make(rows[0])

    def range(self, start: int, stop: int) -> list[Ranked]:
        """Return the rows at the 0-based positions from start up to, not including, stop.

        Parameters
        ----------
        start, stop : int
            At least 0; positions past the end give no rows.

        Returns
        -------
        list of Ranked
            Highest first.

        Raises
        ------
        InvalidType, InvalidArgument
            If a position isn't an int or is negative.

        Notes
        -----
        O(log n + k) for k rows.

        Examples
        --------
        >>> ranked = SkipList()
        >>> ranked.update(["ada", "bob", "cy"], [30, 10, 20])
        >>> [row.member for row in ranked.range(1, 3)]
        ['cy', 'bob']
        """
        return [Ranked._make(row) for row in self._rows(start, max(stop - start, 0))]

    def between(self, low: float | None = None, high: float | None = None) -> list[Ranked]:
        """Return the rows with low <= score <= high.

        Parameters
        ----------
        low, high : int, float or None, default None
            Inclusive limits; None is open.

        Returns
        -------
        list of Ranked
            Highest first.

        Raises
        ------
        InvalidType, InvalidArgument
            If a limit isn't a number or is NaN.

        Notes
        -----
        O(log n + k) for k rows.

        Examples
        --------
        >>> ranked = SkipList()
        >>> ranked.update(["ada", "bob", "cy"], [30, 10, 20])
        >>> [row.member for row in ranked.between(15)]
        ['ada', 'cy']
        """
        return [Ranked._make(row) for row in self._between(low, high)]

    def copy(self) -> SkipList:
        """Return an independent list with the same members, scores and order among ties.

        Returns
        -------
        SkipList
            The copy.

        Notes
        -----
        O(n log n).

        Examples
        --------
        >>> ranked = SkipList()
        >>> _ = ranked.set("ada", 1)
        >>> ranked.copy().score("ada")
        1.0
        """
        twin = type(self)(ties=self.ties, order=self.order)
        twin._load(self)
        return twin

    __copy__ = copy

    def __deepcopy__(self, memo: dict[int, object]) -> SkipList:
        return self.copy()

    def __iter__(self) -> Iterator[int | str]:
        return iter([row[1] for row in self._rows(0, len(self))])

    def __getitem__(self, member: int | str) -> float:
        return self.score(member)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self)} members, ties={self.ties!r}, order={self.order!r}>"


class Leaderboard(_native.Leaderboard):
    """Members ranked by score, highest first, exact under exponential decay.

    Parameters
    ----------
    half_life : str, int, float, timedelta or None, default None
        The time in which a score halves, as :func:`~engagehub_core.durations.parse_duration` takes it; None keeps
        scores.
    ties : {"competition", "dense", "ordinal"}, default "competition"
        Which ranks equal scores get: 1 2 2 4, 1 2 2 3 or 1 2 3 4. A tie means equal stored sums: the same changes at
        the same instants tie, other routes to the same sum may not.
    order : {"arrival", "member"}, default "arrival"
        How ties are listed: first to reach the present score first, or by member (integers ascending, text by its UTF-8
        bytes).
    clock : callable, default time.time
        What answers «now», as Unix seconds or an aware datetime.
    max_skew : str, int, float, timedelta or None, default "5m"
        How far ahead of the clock the instant of a change may be; None trusts every stamp, as for recorded streams.

    Raises
    ------
    InvalidType, InvalidArgument
        If an argument is refused.

    Notes
    -----
    Forward decay: the stored sum never changes with time, so no query re-scores anybody and the order is the same at
    every instant. Stored sums have a 64-bit exponent: no age overflows or loses the order, though a score may be shown
    as 0.0. Queries answer as of the later of ``at`` and the board's newest change.

    Thread safety: each call is atomic; batches release the GIL. One object holds members of one kind, int or str.
    Expected cost: O(log n) for a change or a rank, O(1) for a score, O(log n + k) for k rows.

    References
    ----------
    Cormode, Shkapenyuk, Srivastava, Xu, "Forward decay: a practical time decay model for streaming systems", ICDE 2009.

    Examples
    --------
    >>> board = Leaderboard(half_life="7d")
    >>> board.update(["ada", "bob"], [10, 6], at=0)
    >>> _ = board.add("bob", 6, at=7 * 86_400)
    >>> board.top(2, at=7 * 86_400)
    [Entry(rank=1, member='bob', score=9.0, last_at=604800.0), Entry(rank=2, member='ada', score=5.0, last_at=0.0)]
    """

    __slots__ = ()

    def __init__(
        self,
        half_life: str | float | timedelta | None = None,
        *,
        ties: Ties = "competition",
        order: Order = "arrival",
        clock: Callable[[], Instant] = time.time,
        max_skew: str | float | timedelta | None = "5m",
    ) -> None:
        super().__init__(
            0 if half_life is None else parse_duration(half_life, "half_life"),
            ties,
            order,
            clock,
            None if max_skew is None else parse_duration(max_skew, "max_skew"),
        )

    @property
    def half_life(self) -> float | None:
        """The time in which a score halves, in seconds, or None."""
        return self._half_life / 1e6 if self._half_life else None

    def top(self, n: int = 10, at: Instant | None = None) -> list[Entry]:
        """Return the first rows of the board.

        Parameters
        ----------
        n : int, default 10
            How many at the most.
        at : int, float, datetime or None, default None
            The instant to answer for, but never before the board's newest change; None is now.

        Returns
        -------
        list of Entry
            Highest first.

        Raises
        ------
        InvalidType, InvalidArgument
            If n isn't an int or is negative, or at is no instant.

        Notes
        -----
        O(log n + k) for k rows.

        Examples
        --------
        >>> board = Leaderboard()
        >>> board.update(["ada", "bob"], [1, 5], at=0)
        >>> [entry.member for entry in board.top(1)]
        ['bob']
        """
        return [Entry._make(row) for row in self._rows(0, n, at)]

    def page(self, offset: int, limit: int = 10, at: Instant | None = None) -> list[Entry]:
        """Return the rows from a 0-based position on.

        Parameters
        ----------
        offset : int
            How many rows to skip; past the end there are none.
        limit : int, default 10
            How many at the most.
        at : int, float, datetime or None, default None
            The instant to answer for, but never before the board's newest change; None is now.

        Returns
        -------
        list of Entry
            Highest first, with the same ranks as in :meth:`top`.

        Raises
        ------
        InvalidType, InvalidArgument
            If offset or limit isn't an int or is negative, or at is no instant.

        Notes
        -----
        O(log n + k) for k rows.

        Examples
        --------
        >>> board = Leaderboard()
        >>> board.update(["ada", "bob", "cy"], [1, 5, 3], at=0)
        >>> [(entry.rank, entry.member) for entry in board.page(1, 2)]
        [(2, 'cy'), (3, 'ada')]
        """
        return [Entry._make(row) for row in self._rows(offset, limit, at)]

    def around(self, member: int | str, n: int = 5, at: Instant | None = None) -> list[Entry]:
        """Return a member's row with up to n rows on either side.

        Parameters
        ----------
        member : int or str
            A member on the board.
        n : int, default 5
            How many neighbours above and below at the most.
        at : int, float, datetime or None, default None
            The instant to answer for, but never before the board's newest change; None is now.

        Returns
        -------
        list of Entry
            Highest first; fewer on the side where the board ends.

        Raises
        ------
        UnknownMember
            If the member isn't on the board.
        InvalidType, InvalidArgument
            If n isn't an int or is negative, or at is no instant.

        Notes
        -----
        O(log n + k) for k rows.

        Examples
        --------
        >>> board = Leaderboard()
        >>> board.update(["ada", "bob", "cy", "dee"], [1, 5, 3, 2], at=0)
        >>> [entry.member for entry in board.around("cy", 1)]
        ['bob', 'cy', 'dee']
        """
        return [Entry._make(row) for row in self._around(member, n, at)]

    def between(self, low: float | None = None, high: float | None = None, at: Instant | None = None) -> list[Entry]:
        """Return the rows with low <= score <= high.

        Parameters
        ----------
        low, high : int, float or None, default None
            Inclusive limits; None is open.
        at : int, float, datetime or None, default None
            The instant to answer for, but never before the board's newest change; None is now.

        Returns
        -------
        list of Entry
            Highest first.

        Raises
        ------
        InvalidType, InvalidArgument
            If a limit isn't a number or is NaN, or at is no instant.

        Notes
        -----
        O(log n + k) for k rows.

        Examples
        --------
        >>> board = Leaderboard()
        >>> board.update(["ada", "bob", "cy"], [1, 5, 3], at=0)
        >>> [entry.member for entry in board.between(2, 5)]
        ['bob', 'cy']
        """
        return [Entry._make(row) for row in self._between(low, high, at)]

    def copy(self) -> Leaderboard:
        """Return an independent board with the same members, scores and order among ties.

        Returns
        -------
        Leaderboard
            The copy, with the same half-life, policies and clock.

        Notes
        -----
        O(n log n).

        Examples
        --------
        >>> board = Leaderboard()
        >>> _ = board.add("ada", 1, at=0)
        >>> board.copy().score("ada")
        1.0
        """
        twin = type(self)(
            timedelta(microseconds=self._half_life) if self._half_life else None,
            ties=self.ties,
            order=self.order,
            clock=self.clock,
            max_skew=self.max_skew,
        )
        twin.merge(self)
        return twin

    __copy__ = copy

    def __deepcopy__(self, memo: dict[int, object]) -> Leaderboard:
        return self.copy()

    def __repr__(self) -> str:
        decay = f"half_life={format_duration(self._half_life)!r}" if self._half_life else "no decay"
        return f"<{type(self).__name__} of {len(self)} members, {decay}, ties={self.ties!r}>"
