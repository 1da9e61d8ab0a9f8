"""The heaviest items of a stream, those that are trending, and those that grow."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from engagehub_core import _native
from engagehub_core.copying import Copied
from engagehub_core.durations import parse_optional

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime, timedelta
    from typing import Self

    from engagehub_core._native import _BytesLike

__all__ = ["Growth", "Row", "TopK"]


class Row(NamedTuple):
    """An item of :meth:`TopK.top` with its weight.

    Attributes
    ----------
    item : int, str or bytes
        What was counted.
    estimate : float
        Between low and high; the truth where they are equal.
    low, high : float
        Bounds: low <= truth <= high. The low one is what was counted since the item became a candidate.
    """

    item: int | str | bytes
    estimate: float
    low: float
    high: float


class Growth(NamedTuple):
    """An item of :meth:`TopK.growth`: how fast it comes, and how sure it is that this is more than before.

    Attributes
    ----------
    item : int, str or bytes
        What was counted.
    rate : float
        Its weight an hour now, under the half-life.
    baseline : float
        Its weight an hour before that: what the longer half-life remembers and the shorter one has forgotten.
    ratio : float
        The rate to the baseline after smoothing, so that an item without a past has a finite one.
    score : float
        How many standard deviations the rate is above the baseline; negative below it.
    """

    item: int | str | bytes
    rate: float
    baseline: float
    ratio: float
    score: float


class TopK(Copied, _native.TopK):
    """The heaviest items of a stream; with a half-life, the trending ones.

    Parameters
    ----------
    k : int, default 100
        How many items to keep, at most 2 ** 20.
    half_life : str, int, float, timedelta or None, default None
        After which time a weight counts half, such as ``"1h"``; None keeps plain counts.
    baseline : str, int, float, timedelta or None, default None
        A longer half-life, such as ``"1d"``, beside the first: :meth:`growth` tells who comes faster than that says.
    width : int, default 2048
        Cells in a row of the table that bounds all other items.
    depth : int, default 4
        Rows of that table, at most 64; width * depth is at most 2 ** 27.
    key : bytes, bytearray, memoryview or None, default None
        16 secret bytes: items are hashed under them (SipHash-1-3), so that who doesn't know them can't choose items
        that spoil the counts or make them slow. Such sketches merge under the same key only.
    clock : callable, default time.time
        What «now» is: returns an instant. Without a half-life it is never called.
    max_skew : str, int, float, timedelta or None, default "5m"
        How far ahead of the clock an event may be, where there is a half-life; None trusts every stamp, as for recorded
        streams.

    Raises
    ------
    InvalidType, InvalidArgument
        If an argument is refused.

    Notes
    -----
    Items are int (signed 64 bits), str or bytes; one sketch holds one kind, and bytes count as the text of which they
    are the UTF-8 (bytes that aren't UTF-8 come back as bytes).

    Answers are as of the instant asked for, but never before the newest event. Integer weights without a half-life are
    exact while they sum up to less than 2 ** 53; otherwise bounds are rounded outwards, so low and high differ in the
    last digits at least. What is more than about 1,000 half-lives behind the newest event counts as 0 in low, and in
    high as 2 ** -1022 of what it would be now.

    There are 2 * k candidates, whose weights are counted one by one; the last item added is always one of them. The
    estimate of an item is what was counted since it became a candidate and, of what the table says about the time
    before, what is above the mean of its neighbours there.

    Memory: 6 bytes a cell (12 with a baseline), and about 80 bytes for each of the 2 * k candidates, a text of at most
    23 bytes included: 64 KiB at the defaults. See :attr:`nbytes`.

    The bytes of a keyed sketch hold a fingerprint of the key, not the key; a pickle holds the key.

    Thread safety: every method may be called from any thread; the clock is called outside the lock.

    References
    ----------
    Roy, Khan, Alonso: Augmented sketch: faster and more accurate stream processing, 2016. Metwally, Agrawal, El Abbadi:
    Efficient computation of frequent and top-k elements in data streams, 2005 (who becomes a candidate). Estan,
    Varghese: New directions in traffic measurement and accounting, 2002 (conservative update). Cormode, Shkapenyuk,
    Srivastava, Xu: Forward decay, 2009. Li, Ma: Analysis methods for results in gamma-ray astronomy, 1983 (the score of
    growth).

    Examples
    --------
    >>> trends = TopK(100, half_life="1h")
    >>> trends.update(["general", "help", "general"], at=0)
    >>> for row in trends.top(1, at=3600):
    ...     print(row.item, row.estimate)
    general 1.0
    """

    __slots__ = ()

    def __init__(
        self,
        k: int = 100,
        *,
        half_life: str | float | timedelta | None = None,
        baseline: str | float | timedelta | None = None,
        width: int = 2048,
        depth: int = 4,
        key: _BytesLike | None = None,
        clock: Callable[[], float | datetime] = time.time,
        max_skew: str | float | timedelta | None = "5m",
    ) -> None:
        micros = parse_optional(half_life, "half_life") or 0
        longer = parse_optional(baseline, "baseline") or 0
        super().__init__(k, micros, longer, width, depth, key, clock, parse_optional(max_skew, "max_skew"))

    def top(self, n: int = 10, at: float | datetime | None = None) -> list[Row]:
        """Return the items with the largest estimates, the largest first.

        Parameters
        ----------
        n : int, default 10
            How many at the most; never more than k.
        at : int, float, datetime or None, default None
            As of when, but never before the newest event; None is now.

        Returns
        -------
        list of Row
            Of equal estimates the smaller item comes first: ints by value, texts by their UTF-8.

        Raises
        ------
        InvalidType, InvalidArgument
            If an argument is refused.

        Notes
        -----
        O(k log n).

        Examples
        --------
        >>> trends = TopK(10)
        >>> trends.update(["general", "help", "general"])
        >>> trends.top(1)
        [Row(item='general', estimate=2.0, low=2.0, high=2.0)]
        """
        return [Row(*row) for row in self._top(n, at)]

    def growth(self, n: int = 10, at: float | datetime | None = None) -> list[Growth]:
        """Return the items whose rate is most surely above their own baseline.

        Parameters
        ----------
        n : int, default 10
            How many at the most; never more than k.
        at : int, float, datetime or None, default None
            As of when, but never before the newest event; None is now.

        Returns
        -------
        list of Growth
            The highest score first; of equal scores the smaller item. Who falls has a negative one.

        Raises
        ------
        InvalidType, InvalidArgument
            If an argument is refused, or the sketch has no baseline.

        Notes
        -----
        O(k log n). Only candidates are compared, 2 * k of them.

        Rates are a weight an hour. A sketch that is younger than its half-lives divides by the time since its oldest
        event, at least a second.

        The score is the significance of a likelihood-ratio test of two Poisson counts, each unit of weight being an
        event. For it and for the ratio one event more is taken to be in the baseline, at the rate of both together:
        that decides what an item without a past is worth, and hardly matters for others.

        Examples
        --------
        >>> trends = TopK(10, half_life="1h", baseline="1d")
        >>> for hour in range(240):
        ...     trends.add("general", 20, at=3600 * hour)
        >>> trends.add("release day", 30, at=3600 * 239)
        >>> for row in trends.growth(at=3600 * 240):
        ...     print(f"{row.item}: {row.rate:.1f} an hour, {row.baseline:.1f} before, {row.score:.1f} deviations")
        release day: 10.4 an hour, 0.4 before, 10.6 deviations
        general: 13.9 an hour, 20.0 before, -2.4 deviations
        """
        return [Growth(*row) for row in self._growth(n, at)]

    @classmethod
    def from_bytes(
        cls,
        data: _BytesLike,
        key: _BytesLike | None = None,
        *,
        clock: Callable[[], float | datetime] = time.time,
        max_skew: str | float | timedelta | None = "5m",
    ) -> Self:
        """Read what to_bytes wrote.

        Parameters
        ----------
        data : bytes, bytearray or memoryview
            All of it.
        key : bytes, bytearray, memoryview or None, default None
            The key of a keyed sketch, for the bytes don't hold it.
        clock : callable, default time.time
            The new sketch's clock.
        max_skew : str, int, float, timedelta or None, default "5m"
            The new sketch's limit for stamps ahead of the clock.

        Returns
        -------
        TopK
            Equal to the one that was written.

        Raises
        ------
        InvalidType
            If data or key isn't a buffer or the clock can't be called.
        InvalidArgument
            If key isn't 16 bytes.
        Corrupted
            If to_bytes didn't write it.
        Incompatible
            If a newer version did, or under another key.

        Notes
        -----
        O(bytes).

        Examples
        --------
        >>> trends = TopK(10)
        >>> trends.add("general", 3)
        >>> TopK.from_bytes(trends.to_bytes()).estimate("general")
        3.0
        """
        return cls._of(_native.TopK._from_bytes(data, key, clock, parse_optional(max_skew, "max_skew")))

    def copy(self) -> Self:
        """Return an independent copy with the same clock.

        Returns
        -------
        TopK
            Equal to this one.

        Notes
        -----
        O(width * depth + k).

        Examples
        --------
        >>> trends = TopK(10)
        >>> later = trends.copy()
        >>> later.add("general")
        >>> len(trends)
        0
        """
        return self._of(self)

    @classmethod
    def _of(cls, native: _native.TopK | _native.LiveTrend) -> Self:
        new = cls.__new__(cls)
        _native.TopK.__init__(new, native)
        return new

    @classmethod
    def _restore(
        cls, data: bytes, clock: Callable[[], float | datetime], max_skew: float | None, key: bytes | None = None
    ) -> Self:
        return cls.from_bytes(data, key, clock=clock, max_skew=max_skew)

    def _recipe(self) -> tuple[Callable[..., Self], tuple[Any, ...]]:
        return type(self)._restore, (self.to_bytes(), self.clock, self.max_skew, self._key)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} k={self.k} half_life={self.half_life} len={len(self)}>"
