"""How many events there were in the last minutes, hours or days, and what their values add up to."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from engagehub_core import _native
from engagehub_core.durations import parse_duration, parse_optional
from engagehub_core.windows import Window, asked

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from typing import Self

    from engagehub_core._native import _BytesLike
    from engagehub_core.windows import Duration

__all__ = ["TotalWindow"]


class TotalWindow(Window, _native.TotalWindow):
    """How many events there were in the last minutes, hours or days, and what their values add up to.

    Parameters
    ----------
    span : str, int, float or timedelta
        The longest window that can be asked for, such as ``"24h"``; rounded up to whole buckets.
    resolution : str, int, float, timedelta or None, default None
        The length of a bucket; None takes the largest of a day, an hour, a minute and a second of which the span holds
        at least 24, else a second. The span is at most 100,000 buckets.
    clock : callable, default time.time
        What «now» is: returns an instant.
    max_skew : str, int, float, timedelta or None, default "5m"
        How far ahead of the clock a stamp may be: one that is further is refused, so it can't push the others out. None
        trusts every stamp and needs no clock when stamps are given: for recorded streams.

    Raises
    ------
    InvalidType, InvalidArgument
        If an argument is refused.

    Notes
    -----
    Counts are exact. Sums are the same in whatever order events come and windows merge: those of ints are exact,
    however large; floats are taken in steps of 2 ** -64, so that each from 0.0003 on is added as it is, and a smaller
    one is off by 3e-20 at the most.

    Which buckets an answer covers, and which events are late, is as in DistinctWindow. There is no mean: it is total()
    over count(), and what it should be where nothing came, only the caller knows.

    Memory: 80 bytes for each bucket in which anything came.

    Thread safety: every method may be called from any thread; the clock is called outside the lock.

    Examples
    --------
    >>> points = TotalWindow("24h", resolution="1h", max_skew=None)
    >>> points.update([5, 1, 0.5], at=[0, 3600, 7200])
    3
    >>> points.total("1h", at=3600), points.total(at=7200), points.count(at=7200)
    (1, 6.5, 3)
    """

    __slots__ = ()

    def __init__(
        self,
        span: Duration,
        resolution: Duration | None = None,
        *,
        clock: Callable[[], float | datetime] = time.time,
        max_skew: Duration | None = "5m",
    ) -> None:
        super().__init__(
            parse_duration(span, "span"),
            parse_optional(resolution, "resolution"),
            clock,
            parse_optional(max_skew, "max_skew"),
        )

    def total(self, window: Duration | None = None, at: float | datetime | None = None) -> float:
        """Return the sum of the values of all events in a window.

        Parameters
        ----------
        window : str, int, float, timedelta or None, default None
            At most the span; None is the span. It covers whole buckets, the open one included.
        at : int, float, datetime or None, default None
            Where the window ends; None is now.

        Returns
        -------
        int or float
            An int where every value was one, and 0 where nothing came, as of sum(); else the nearest float.

        Raises
        ------
        InvalidType, InvalidArgument
            If an argument is refused.

        Notes
        -----
        O(buckets).

        Examples
        --------
        >>> points = TotalWindow("24h", max_skew=None)
        >>> points.update([2, 3], at=0)
        2
        >>> points.total("1h", at=0)
        5
        """
        return self._total(asked(window), at)

    def count(self, window: Duration | None = None, at: float | datetime | None = None) -> int:
        """Return the number of events in a window.

        Parameters
        ----------
        window : str, int, float, timedelta or None, default None
            At most the span; None is the span. It covers whole buckets, the open one included.
        at : int, float, datetime or None, default None
            Where the window ends; None is now.

        Returns
        -------
        int
            How many.

        Raises
        ------
        InvalidType, InvalidArgument
            If an argument is refused.

        Notes
        -----
        O(buckets).

        Examples
        --------
        >>> points = TotalWindow("24h", max_skew=None)
        >>> points.update([2, 3], at=0)
        2
        >>> points.count("1h", at=0)
        2
        """
        return self._count(asked(window), at)

    def series(self, window: Duration | None = None, at: float | datetime | None = None) -> list[float]:
        """Return the sum of the values of each bucket in a window.

        Parameters
        ----------
        window : str, int, float, timedelta or None, default None
            At most the span; None is the span. It covers whole buckets, the open one included.
        at : int, float, datetime or None, default None
            Where the window ends; None is now.

        Returns
        -------
        list of int or float
            The oldest first: the bucket from interval()[0] on, then one each resolution; each as of total().

        Raises
        ------
        InvalidType, InvalidArgument
            If an argument is refused.

        Notes
        -----
        O(buckets).

        Examples
        --------
        >>> points = TotalWindow("3h", resolution="1h", max_skew=None)
        >>> points.update([5, 1, 0.5], at=[0, 3600, 3600])
        3
        >>> points.series(at=7200)
        [5, 1.5, 0]
        """
        return self._series(asked(window), at)

    @classmethod
    def from_bytes(
        cls,
        data: _BytesLike,
        *,
        clock: Callable[[], float | datetime] = time.time,
        max_skew: Duration | None = "5m",
    ) -> Self:
        """Read what to_bytes wrote.

        Parameters
        ----------
        data : bytes, bytearray or memoryview
            All of it.
        clock : callable, default time.time
            The new window's clock.
        max_skew : str, int, float, timedelta or None, default "5m"
            The new window's limit for stamps ahead of the clock.

        Returns
        -------
        TotalWindow
            Equal to the one that was written.

        Raises
        ------
        InvalidType, InvalidArgument
            If an argument is refused.
        Corrupted
            If to_bytes didn't write it.
        Incompatible
            If a newer version did.

        Notes
        -----
        O(bytes).

        Examples
        --------
        >>> points = TotalWindow("24h")
        >>> points.add(5)
        True
        >>> TotalWindow.from_bytes(points.to_bytes()) == points
        True
        """
        return cls._of(_native.TotalWindow._from_bytes(data, clock, parse_optional(max_skew, "max_skew")))

    @classmethod
    def _of(cls, native: _native.TotalWindow) -> Self:
        new = cls.__new__(cls)
        _native.TotalWindow.__init__(new, native)
        return new
