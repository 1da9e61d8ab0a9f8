"""Heavy hitters of a stream, each with its bounds."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from engagehub_core import _native
from engagehub_core.durations import parse_duration

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime, timedelta
    from typing import Self

    from engagehub_core._native import _BytesLike

__all__ = ["Row", "TopK"]


def _skew(max_skew: str | float | timedelta | None) -> int | None:
    return None if max_skew is None else parse_duration(max_skew, "max_skew")


class Row(NamedTuple):
    """An item of :meth:`TopK.top` with its weight.

    Attributes
    ----------
    item : int, str or bytes
        What was counted.
    estimate : float
        The truth where low and high are equal.
    low, high : float
        Bounds: low <= truth <= high.
    """

    item: int | str | bytes
    estimate: float
    low: float
    high: float


class TopK(_native.TopK):
    """The heaviest items of a stream; with a half-life, the trending ones.

    Parameters
    ----------
    k : int, default 100
        How many items to keep, at most 2 ** 20.
    half_life : str, int, float, timedelta or None, default None
        After which time a weight counts half, such as ``"1h"``; None keeps plain counts.
    width : int, default 2048
        Cells in a row of the table that bounds all other items.
    depth : int, default 4
        Rows of that table, at most 64; width * depth is at most 2 ** 27.
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

    Memory: 8 bytes a cell, and about 100 bytes and the text for each of the k.

    Thread safety: every method may be called from any thread; the clock is called outside the lock.

    References
    ----------
    Roy, Khan, Alonso: Augmented sketch: faster and more accurate stream processing, 2016. Estan, Varghese: New
    directions in traffic measurement and accounting, 2002 (conservative update). Cormode, Shkapenyuk, Srivastava, Xu:
    Forward decay, 2009.

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
        width: int = 2048,
        depth: int = 4,
        clock: Callable[[], float | datetime] = time.time,
        max_skew: str | float | timedelta | None = "5m",
    ) -> None:
        micros = 0 if half_life is None else parse_duration(half_life, "half_life")
        super().__init__(k, micros, width, depth, clock, _skew(max_skew))

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

    @classmethod
    def from_bytes(
        cls,
        data: _BytesLike,
        *,
        clock: Callable[[], float | datetime] = time.time,
        max_skew: str | float | timedelta | None = "5m",
    ) -> Self:
        """Read what to_bytes wrote.

        Parameters
        ----------
        data : bytes, bytearray or memoryview
            All of it.
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
            If data isn't a buffer or the clock can't be called.
        Corrupted
            If to_bytes didn't write it.
        Incompatible
            If a newer version did.

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
        return cls._of(_native.TopK._from_bytes(data, clock, _skew(max_skew)))

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
    def _of(cls, native: _native.TopK) -> Self:
        new = cls.__new__(cls)
        _native.TopK.__init__(new, native)
        return new

    @classmethod
    def _restore(cls, data: bytes, clock: Callable[[], float | datetime], max_skew: float | None) -> Self:
        return cls.from_bytes(data, clock=clock, max_skew=max_skew)

    def __copy__(self) -> Self:
        return self.copy()

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self.copy()

    def __reduce__(self) -> tuple[Callable[..., Self], tuple[bytes, Callable[[], float | datetime], float | None]]:
        return type(self)._restore, (self.to_bytes(), self.clock, self.max_skew)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} k={self.k} half_life={self.half_life} len={len(self)}>"
