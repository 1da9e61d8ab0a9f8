"""Ordered members: a skip list with ranks, and a leaderboard whose scores may decay."""

from __future__ import annotations

import time
from array import array
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from engagehub_core import _native
from engagehub_core.copying import Copied
from engagehub_core.durations import format_duration, parse_optional
from engagehub_core.errors import InvalidType

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import timedelta
    from types import ModuleType
    from typing import Self

    from engagehub_core._native import _BytesLike, _Members
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


_native.set_row_types(Ranked, Entry)


def _half_life(given: str | float | timedelta | None) -> int:
    """Return it in microseconds, 0 for none."""
    return parse_optional(given, "half_life") or 0


@cache
def _numpy() -> ModuleType | None:
    try:
        return import_module("numpy")
    except ImportError:
        return None


def _columns(scores: Mapping[Any, float] | Iterable[tuple[Any, float]]) -> tuple[list[Any], list[float]]:
    expected = f"scores must be a mapping from member to score, or pairs of them, got {type(scores).__name__}"
    try:
        pairs = iter(scores.items() if isinstance(scores, Mapping) else scores)
    except TypeError as error:
        raise InvalidType(expected) from error
    members, values = [], []
    for pair in pairs:
        try:
            member, value = pair
        except (TypeError, ValueError) as error:
            raise InvalidType(expected) from error
        members.append(member)
        values.append(value)
    return members, values


def _as_array(data: bytearray, code: Literal["q", "d"]) -> Any:
    numpy = _numpy()
    if numpy is not None:
        return numpy.frombuffer(data, dtype=code)
    values = array(code)
    values.frombytes(data)
    return values


class SkipList(Copied, _native.SkipList):
    """An ordered map from member to score, highest first, with ranks.

    Parameters
    ----------
    scores : mapping from member to score, iterable of (member, score), or None, default None
        What the list begins with; built at once, faster than one by one. Of equal scores the first ones arrived first.
    ties : {"competition", "dense", "ordinal"}, default "competition"
        Which ranks equal scores get: 1 2 2 4, 1 2 2 3 or 1 2 3 4.
    order : {"arrival", "member"}, default "arrival"
        How equal scores are listed: first to reach the present score first, or by member (integers ascending, text by
        its UTF-8 bytes).

    Raises
    ------
    InvalidType, InvalidArgument
        If ties or order is none of these, or a member or score is refused.

    Notes
    -----
    Thread safety: each call is atomic; batches release the GIL. One object holds members of one kind, int or str.
    Iteration goes over a copy of the members, highest score first. Expected cost: O(log n) for a change, a rank or a
    position, O(log n + k) for k rows, O(n log n) to build.

    References
    ----------
    William Pugh, "Skip lists: a probabilistic alternative to balanced trees", CACM 33(6), 1990; spans: Pugh, "A skip
    list cookbook", 1990; blocks: Daniel Golovin, "The B-skip-list", arXiv:1005.0662, 2010.

    Examples
    --------
    >>> ranked = SkipList({"ada": 30, "bob": 10, "cy": 20})
    >>> ranked.rank("cy"), ranked.at(0).member
    (2, 'ada')
    >>> [row.member for row in ranked.range(0, 2)]
    ['ada', 'cy']
    """

    __slots__ = ()

    def __init__(
        self,
        scores: Mapping[int, float] | Mapping[str, float] | Iterable[tuple[int | str, float]] | None = None,
        *,
        ties: Ties = "competition",
        order: Order = "arrival",
    ) -> None:
        super().__init__(ties, order)
        if scores is not None:
            self.update(*_columns(scores))

    def ranks(self, members: _Members, *, missing: int | None = None) -> Any:
        """Return the ranks of many members at once; the GIL is released meanwhile.

        Parameters
        ----------
        members : sequence of int or str, or integer array
            All of one kind.
        missing : int or None, default None
            The answer for whom isn't present; None refuses them.

        Returns
        -------
        numpy.ndarray or array.array
            64-bit integers, as many as members: an ndarray where NumPy is installed, an ``array("q")`` elsewhere.

        Raises
        ------
        UnknownMember
            If a member isn't present and ``missing`` is None.
        InvalidType, InvalidArgument
            If a member is refused.

        Notes
        -----
        O(k log n) for k members.

        Examples
        --------
        >>> ranked = SkipList({"ada": 30, "bob": 10})
        >>> list(map(int, ranked.ranks(["bob", "ada", "cy"], missing=0)))
        [2, 1, 0]
        """
        return _as_array(self._ranks(members, missing), "q")

    def scores(self, members: _Members, *, missing: float | None = None) -> Any:
        """Return the scores of many members at once; the GIL is released meanwhile.

        Parameters
        ----------
        members : sequence of int or str, or integer array
            All of one kind.
        missing : float or None, default None
            The answer for whom isn't present, NaN for example; None refuses them.

        Returns
        -------
        numpy.ndarray or array.array
            Doubles, as many as members: an ndarray where NumPy is installed, an ``array("d")`` elsewhere.

        Raises
        ------
        UnknownMember
            If a member isn't present and ``missing`` is None.
        InvalidType, InvalidArgument
            If a member is refused.

        Notes
        -----
        O(k) for k members.

        Examples
        --------
        >>> ranked = SkipList({"ada": 30, "bob": 10})
        >>> list(map(float, ranked.scores(["bob", "ada"])))
        [10.0, 30.0]
        """
        return _as_array(self._scores(members, missing), "d")

    def copy(self) -> Self:
        """Return an independent list with the same members, scores and order among ties.

        Returns
        -------
        SkipList
            The copy.

        Notes
        -----
        O(n).

        Examples
        --------
        >>> ranked = SkipList({"ada": 1})
        >>> ranked.copy().score("ada")
        1.0
        """
        twin = type(self).__new__(type(self))
        _native.SkipList.__init__(twin, self)
        return twin

    @classmethod
    def _restore(cls, ties: Ties, order: Order, members: list[int] | list[str], scores: array[float]) -> Self:
        restored = cls.__new__(cls)
        _native.SkipList.__init__(restored, ties, order)
        restored.update(members, scores)
        return restored

    def _recipe(self) -> tuple[Callable[..., Self], tuple[Any, ...]]:
        snapshot = self.copy()
        members = snapshot._members()
        scores = array("d")
        scores.frombytes(snapshot._scores(members, None))
        return type(self)._restore, (snapshot.ties, snapshot.order, members, scores)

    def __iter__(self) -> Iterator[int | str]:
        return iter(self._members())

    def __getitem__(self, member: int | str) -> float:
        return self.score(member)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self)} members, ties={self.ties!r}, order={self.order!r}>"


class Leaderboard(Copied, _native.Leaderboard):
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
    max_members : int or None, default None
        How many members the board holds at the most. Where one more comes, the one with the lowest present score
        leaves, of equal ones the last listed, and ``evicted`` counts it. None is without a bound.
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
        max_members: int | None = None,
        clock: Callable[[], Instant] = time.time,
        max_skew: str | float | timedelta | None = "5m",
    ) -> None:
        super().__init__(
            _half_life(half_life),
            ties,
            order,
            max_members,
            clock,
            parse_optional(max_skew, "max_skew"),
        )

    @property
    def half_life(self) -> float | None:
        """The time in which a score halves, in seconds, or None."""
        return self._half_life / 1e6 if self._half_life else None

    @property
    def newest_at(self) -> float | None:
        """The newest instant of any change, in Unix seconds, or None."""
        newest = self._newest
        return None if newest is None else newest / 1e6

    def as_of(self, at: Instant | None = None) -> float:
        """Return the instant that a question with this ``at`` is answered for.

        Parameters
        ----------
        at : int, float, datetime or None, default None
            The instant that is asked for; None is now.

        Returns
        -------
        float
            The later of ``at`` and the board's newest change, in Unix seconds.

        Raises
        ------
        InvalidType, InvalidArgument
            If at is no instant.

        Notes
        -----
        O(1).

        Examples
        --------
        >>> board = Leaderboard(half_life="7d")
        >>> _ = board.add("ada", 10, at=1_000)
        >>> board.as_of(at=500), board.as_of(at=2_000)
        (1000.0, 2000.0)
        """
        return self._as_of(at) / 1e6

    def ranks(self, members: _Members, *, missing: int | None = None) -> Any:
        """Return the ranks of many members at once; the GIL is released meanwhile.

        Parameters
        ----------
        members : sequence of int or str, or integer array
            All of one kind.
        missing : int or None, default None
            The answer for whom isn't on the board; None refuses them.

        Returns
        -------
        numpy.ndarray or array.array
            64-bit integers, as many as members: an ndarray where NumPy is installed, an ``array("q")`` elsewhere. Decay
            never changes the order, so they hold for every instant.

        Raises
        ------
        UnknownMember
            If a member isn't on the board and ``missing`` is None.
        InvalidType, InvalidArgument
            If a member is refused.

        Notes
        -----
        O(k log n) for k members.

        Examples
        --------
        >>> board = Leaderboard()
        >>> board.update(["ada", "bob"], [1, 5], at=0)
        >>> list(map(int, board.ranks(["ada", "bob", "cy"], missing=0)))
        [2, 1, 0]
        """
        return _as_array(self._ranks(members, missing), "q")

    def scores(self, members: _Members, at: Instant | None = None, *, missing: float | None = None) -> Any:
        """Return the scores of many members at once; the GIL is released meanwhile.

        Parameters
        ----------
        members : sequence of int or str, or integer array
            All of one kind.
        at : int, float, datetime or None, default None
            The instant to answer for, but never before the board's newest change; None is now.
        missing : float or None, default None
            The answer for whom isn't on the board, NaN for example; None refuses them.

        Returns
        -------
        numpy.ndarray or array.array
            Doubles, as many as members: an ndarray where NumPy is installed, an ``array("d")`` elsewhere.

        Raises
        ------
        UnknownMember
            If a member isn't on the board and ``missing`` is None.
        InvalidType, InvalidArgument
            If a member is refused, or at is no instant.

        Notes
        -----
        O(k) for k members.

        Examples
        --------
        >>> board = Leaderboard(half_life="1h")
        >>> board.update(["ada", "bob"], [2, 8], at=0)
        >>> list(map(float, board.scores(["ada", "bob"], at=3600)))
        [1.0, 4.0]
        """
        return _as_array(self._scores(members, at, missing), "d")

    def prune(self, below: float, at: Instant | None = None) -> int:
        """Take off the members who show less than a score.

        Parameters
        ----------
        below : int or float
            Who shows exactly this much stays.
        at : int, float, datetime or None, default None
            The instant of the scores, but never before the board's newest change; None is now.

        Returns
        -------
        int
            How many members were taken off.

        Raises
        ------
        InvalidType, InvalidArgument
            If below isn't a finite number, or at is no instant.

        Notes
        -----
        O(log n) for each member that leaves, O(n) at the most.

        Examples
        --------
        >>> board = Leaderboard(half_life="1h")
        >>> board.update(["ada", "bob"], [2, 8], at=0)
        >>> board.prune(below=1.5, at=3600), "ada" in board
        (1, False)
        """
        return self._prune(below, at)

    def rebuild(self, half_life: str | float | timedelta | None) -> None:
        """Go on with another half-life.

        Each member keeps the score as of the board's newest change; from then on it decays anew.

        Parameters
        ----------
        half_life : str, int, float, timedelta or None
            As for the constructor; None keeps scores from now on.

        Raises
        ------
        InvalidType, InvalidArgument
            If half_life is refused; nothing is changed.

        Notes
        -----
        O(n). A score that has faded beyond what a double can show may become zero.

        Examples
        --------
        >>> board = Leaderboard(half_life="1h")
        >>> _ = board.add("ada", 8, at=0)
        >>> board.rebuild("2h")
        >>> board.score("ada", at=4 * 3600)
        2.0
        """
        self._rebuild(_half_life(half_life))

    def to_bytes(self) -> bytes:
        """Return the board as bytes that :meth:`from_bytes` reads: everything but the clock and its limit.

        Returns
        -------
        bytes
            The format of docs/formats/leaderboard.md: versioned, checksummed, the same on every platform.

        Notes
        -----
        O(n). Arrivals aren't numbered in it: the order of the rows says who came first among ties.

        Examples
        --------
        >>> board = Leaderboard()
        >>> _ = board.add("ada", 3, at=0)
        >>> Leaderboard.from_bytes(board.to_bytes()).score("ada")
        3.0
        """
        return self._to_bytes()

    @classmethod
    def from_bytes(
        cls,
        data: _BytesLike,
        *,
        clock: Callable[[], Instant] = time.time,
        max_skew: str | float | timedelta | None = "5m",
    ) -> Self:
        """Read what to_bytes wrote.

        Parameters
        ----------
        data : bytes, bytearray or memoryview
            All of it.
        clock : callable, default time.time
            The new board's clock.
        max_skew : str, int, float, timedelta or None, default "5m"
            The new board's limit for stamps ahead of the clock.

        Returns
        -------
        Leaderboard
            With the same rows to the last bit.

        Raises
        ------
        InvalidType
            If data isn't a buffer or the clock can't be called.
        Corrupted
            If to_bytes didn't write it.
        Incompatible
            If a newer version did.

        Notes
        -----
        O(n).

        Examples
        --------
        >>> board = Leaderboard(half_life="7d", order="member")
        >>> board.update(["bob", "ada"], 3, at=0)
        >>> Leaderboard.from_bytes(board.to_bytes()).top() == board.top()
        True
        """
        board = cls.__new__(cls)
        _native.Leaderboard.__init__(board, data, clock, parse_optional(max_skew, "max_skew"))
        return board

    def to_json(self, *, indent: int | None = None) -> str:
        """Return the board as JSON that :meth:`from_json` reads back to the last bit.

        Parameters
        ----------
        indent : int or None, default None
            Spaces for each level, as for json.dumps(); None writes one line.

        Returns
        -------
        str
            The layout of docs/formats/leaderboard.md. ``score`` is for people, as of the newest change; ``sum`` is
            exact.

        Notes
        -----
        O(n). Any text may be a member.

        Examples
        --------
        >>> board = Leaderboard()
        >>> _ = board.add("ada \u2728", 3, at=0)
        >>> Leaderboard.from_json(board.to_json()).score("ada \u2728")
        3.0
        """
        from engagehub_core import board_json  # noqa: PLC0415 - with json, which a bot may never need

        return board_json.dumps(self, indent)

    @classmethod
    def from_json(
        cls,
        text: str | _BytesLike,
        *,
        clock: Callable[[], Instant] = time.time,
        max_skew: str | float | timedelta | None = "5m",
    ) -> Self:
        """Read what to_json wrote.

        Parameters
        ----------
        text : str, bytes, bytearray or memoryview
            All of it; bytes are its UTF-8.
        clock : callable, default time.time
            The new board's clock.
        max_skew : str, int, float, timedelta or None, default "5m"
            The new board's limit for stamps ahead of the clock.

        Returns
        -------
        Leaderboard
            With the same rows to the last bit.

        Raises
        ------
        InvalidType
            If text is neither text nor bytes, or the clock can't be called.
        Corrupted
            If it isn't the JSON of a board; the message names what is wrong.
        Incompatible
            If a newer version wrote it.

        Notes
        -----
        O(n).

        Examples
        --------
        >>> board = Leaderboard(half_life="1h")
        >>> _ = board.add("ada", 0.1, at=0)
        >>> Leaderboard.from_json(board.to_json()).to_bytes() == board.to_bytes()
        True
        """
        board = cls.__new__(cls)
        from engagehub_core import board_json  # noqa: PLC0415

        _native.Leaderboard.__init__(board, *board_json.loads(text), clock, parse_optional(max_skew, "max_skew"))
        return board

    def copy(self) -> Self:
        """Return an independent board with the same members, scores and order among ties.

        Returns
        -------
        Leaderboard
            The copy, with the same half-life, policies and clock.

        Notes
        -----
        O(n).

        Examples
        --------
        >>> board = Leaderboard()
        >>> _ = board.add("ada", 1, at=0)
        >>> board.copy().score("ada")
        1.0
        """
        return self._of(self)

    @classmethod
    def _of(cls, native: _native.Leaderboard | _native.LiveBoard) -> Self:
        new = cls.__new__(cls)
        _native.Leaderboard.__init__(new, native)
        return new

    @classmethod
    def _restore(cls, data: bytes, clock: Callable[[], Instant], max_skew: float | None) -> Self:
        return cls.from_bytes(data, clock=clock, max_skew=max_skew)

    def _recipe(self) -> tuple[Callable[..., Self], tuple[Any, ...]]:
        return type(self)._restore, (self.to_bytes(), self.clock, self.max_skew)

    def __repr__(self) -> str:
        decay = f"half_life={format_duration(self._half_life)!r}" if self._half_life else "no decay"
        return f"<{type(self).__name__} of {len(self)} members, {decay}, ties={self.ties!r}>"
