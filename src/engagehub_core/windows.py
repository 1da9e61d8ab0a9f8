"""What happened in the last minutes, hours or days, in memory that doesn't grow with the number of events."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from engagehub_core import _native
from engagehub_core.durations import parse_duration

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime, timedelta
    from typing import Literal, Self

    from engagehub_core._native import _BytesLike

    Duration = str | float | timedelta

__all__ = ["DistinctWindow", "TotalWindow"]


def _micros(duration: Duration | None, argument: str) -> int | None:
    return None if duration is None else parse_duration(duration, argument)


class DistinctWindow(_native.DistinctWindow):
    """How many distinct members there were in the last minutes, hours or days.

    Parameters
    ----------
    span : str, int, float or timedelta
        The longest window that can be asked for, such as ``"24h"``; rounded up to whole buckets.
    resolution : str, int, float, timedelta or None, default None
        The length of a bucket; None takes the largest of a day, an hour, a minute and a second of which the span holds
        at least 24, else a second. The span is at most 100,000 buckets.
    p : int, default 14
        The precision of each bucket, as in HyperLogLog.
    hash : {"redis", "postgresql"}, default "redis"
        Whose hash, as in HyperLogLog.
    ints : {"bytes", "decimal"}, default "bytes"
        What of an int is hashed, as in HyperLogLog.
    key : bytes or None, default None
        16 secret bytes under which members are hashed, as in HyperLogLog: where strangers choose who they are.
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
    Members are int (signed 64 bits), str or bytes; one window holds one kind.

    Buckets begin at multiples of the resolution since the Unix epoch. An answer covers whole buckets: the one of the
    instant asked for, also what is later in it, and those before it, as many as the window needs. interval() says
    exactly which stretch of time that is. An instant before the newest event is answered from the buckets that are
    still held. Events may come in any order; one that is a span or more before the newest event's bucket is late:
    counted in late, not among the members.

    Unions of the buckets that were asked for are kept and grow as members come, so a question that is asked again
    merges nothing, and another one a few of them. No answer, comparison or copy depends on what is kept.

    Memory: a bucket in which somebody came takes 40 to 50 bytes and 8 to 16 for each of its first eight members, then a
    HyperLogLog; others take none. 60 crowded buckets of p = 14 take less than 2 MiB with all unions. See nbytes.

    The bytes of a keyed window hold a fingerprint of the key, not the key; a pickle holds the key.

    Thread safety: every method may be called from any thread; the clock is called outside the lock.

    References
    ----------
    As HyperLogLog.

    Examples
    --------
    >>> window = DistinctWindow("24h", resolution="1h", max_skew=None)
    >>> window.update(["ada", "bob", "ada"], at=[0, 3600, 7200])
    3
    >>> round(window.estimate("1h", at=7200)), round(window.estimate(at=7200))
    (1, 2)
    """

    __slots__ = ()

    def __init__(
        self,
        span: Duration,
        resolution: Duration | None = None,
        *,
        p: int = 14,
        hash: Literal["redis", "postgresql"] = "redis",
        ints: Literal["bytes", "decimal"] = "bytes",
        key: bytes | None = None,
        clock: Callable[[], float | datetime] = time.time,
        max_skew: Duration | None = "5m",
    ) -> None:
        super().__init__(
            parse_duration(span, "span"),
            _micros(resolution, "resolution"),
            p,
            hash,
            ints,
            key,
            clock,
            _micros(max_skew, "max_skew"),
        )

    def estimate(self, window: Duration | None = None, at: float | datetime | None = None) -> float:
        """Return the estimated number of distinct members in a window.

        Parameters
        ----------
        window : str, int, float, timedelta or None, default None
            At most the span; None is the span. It covers whole buckets, the open one included.
        at : int, float, datetime or None, default None
            Where the window ends; None is now.

        Returns
        -------
        float
            Off by 0.761 / sqrt(2 ** p) of the truth (one standard error): 0.59 % at p = 14.

        Raises
        ------
        InvalidType, InvalidArgument
            If an argument is refused.

        Notes
        -----
        O(2^p), and O(2^p log buckets) if none of the last four questions was about the same buckets; less while they
        hold few members.

        Examples
        --------
        >>> window = DistinctWindow("24h")
        >>> window.add("ada")
        True
        >>> round(window.estimate("1h"))
        1
        """
        return self._answer(_micros(window, "window"), at, 2.0)[0]

    def bounds(
        self, window: Duration | None = None, at: float | datetime | None = None, sigma: float = 2
    ) -> tuple[float, float]:
        """Return bounds of the number of distinct members in a window.

        Parameters
        ----------
        window : str, int, float, timedelta or None, default None
            At most the span; None is the span. It covers whole buckets, the open one included.
        at : int, float, datetime or None, default None
            Where the window ends; None is now.
        sigma : float, default 2
            How many standard errors either way, as in HyperLogLog.bounds.

        Returns
        -------
        tuple of float
            (low, high).

        Raises
        ------
        InvalidType, InvalidArgument
            If an argument is refused.

        Notes
        -----
        As estimate.

        Examples
        --------
        >>> window = DistinctWindow("24h")
        >>> window.update(range(1000))
        1000
        >>> low, high = window.bounds(sigma=3)
        >>> low <= 1000 <= high
        True
        """
        _, low, high = self._answer(_micros(window, "window"), at, sigma)
        return low, high

    def answer(self, window: Duration | None = None, at: float | datetime | None = None) -> tuple[float, float, float]:
        """Return the estimate for a window with its bounds of two standard errors.

        Parameters
        ----------
        window : str, int, float, timedelta or None, default None
            At most the span; None is the span. It covers whole buckets, the open one included.
        at : int, float, datetime or None, default None
            Where the window ends; None is now.

        Returns
        -------
        tuple of float
            (estimate, low, high).

        Raises
        ------
        InvalidType, InvalidArgument
            If an argument is refused.

        Notes
        -----
        As estimate.

        Examples
        --------
        >>> DistinctWindow("24h").answer("1h")
        (0.0, 0.0, 0.0)
        """
        return self._answer(_micros(window, "window"), at, 2.0)

    def series(self, window: Duration | None = None, at: float | datetime | None = None) -> list[float]:
        """Return the estimated number of distinct members of each bucket in a window.

        Parameters
        ----------
        window : str, int, float, timedelta or None, default None
            At most the span; None is the span. It covers whole buckets, the open one included.
        at : int, float, datetime or None, default None
            Where the window ends; None is now.

        Returns
        -------
        list of float
            The oldest first: the bucket from interval()[0] on, then one each resolution. A member of several buckets is
            in each.

        Raises
        ------
        InvalidType, InvalidArgument
            If an argument is refused.

        Notes
        -----
        O(buckets * 2^p), less while they hold few members.

        Examples
        --------
        >>> window = DistinctWindow("3h", resolution="1h", max_skew=None)
        >>> window.update(["ada", "bob", "ada"], at=[0, 3600, 3600])
        3
        >>> [round(members) for members in window.series(at=7200)]
        [1, 2, 0]
        """
        return self._series(_micros(window, "window"), at)

    def interval(self, window: Duration | None = None, at: float | datetime | None = None) -> tuple[float, float]:
        """Return the stretch of time that an answer covers.

        Parameters
        ----------
        window : str, int, float, timedelta or None, default None
            At most the span; None is the span.
        at : int, float, datetime or None, default None
            Where the window ends; None is now.

        Returns
        -------
        tuple of float
            (start, end) in Unix seconds: members with start <= at < end are counted. Where the ring has given up older
            buckets, start is later, at the most equal to end.

        Raises
        ------
        InvalidType, InvalidArgument
            If an argument is refused.

        Notes
        -----
        O(1).

        Examples
        --------
        >>> window = DistinctWindow("24h", resolution="1h")
        >>> window.interval("3h", at=10_000)
        (0.0, 10800.0)
        """
        return self._interval(_micros(window, "window"), at)

    @classmethod
    def from_bytes(
        cls,
        data: _BytesLike,
        key: bytes | None = None,
        *,
        clock: Callable[[], float | datetime] = time.time,
        max_skew: Duration | None = "5m",
    ) -> Self:
        """Read what to_bytes wrote.

        Parameters
        ----------
        data : bytes, bytearray or memoryview
            All of it.
        key : bytes or None, default None
            The key of a keyed window, for the bytes don't hold it.
        clock : callable, default time.time
            The new window's clock.
        max_skew : str, int, float, timedelta or None, default "5m"
            The new window's limit for stamps ahead of the clock.

        Returns
        -------
        DistinctWindow
            Equal to the one that was written.

        Raises
        ------
        InvalidType, InvalidArgument
            If an argument is refused.
        Corrupted
            If to_bytes didn't write it.
        Incompatible
            If a newer version did, or under another key.

        Notes
        -----
        O(bytes).

        Examples
        --------
        >>> window = DistinctWindow("24h")
        >>> window.add("ada")
        True
        >>> DistinctWindow.from_bytes(window.to_bytes()) == window
        True
        """
        return cls._of(_native.DistinctWindow._from_bytes(data, key, clock, _micros(max_skew, "max_skew")))

    def copy(self) -> Self:
        """Return an independent copy with the same clock and max_skew.

        Returns
        -------
        DistinctWindow
            Equal to this one.

        Notes
        -----
        O(buckets * 2^p), less while they hold few members.

        Examples
        --------
        >>> window = DistinctWindow("24h")
        >>> later = window.copy()
        >>> later.add("ada")
        True
        >>> window.estimate()
        0.0
        """
        return self._of(self)

    @classmethod
    def _of(cls, native: _native.DistinctWindow) -> Self:
        new = cls.__new__(cls)
        _native.DistinctWindow.__init__(new, native)
        return new

    @classmethod
    def _restore(
        cls, data: bytes, key: bytes | None, clock: Callable[[], float | datetime], max_skew: float | None
    ) -> Self:
        return cls.from_bytes(data, key, clock=clock, max_skew=max_skew)

    def __copy__(self) -> Self:
        return self.copy()

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self.copy()

    def __reduce__(
        self,
    ) -> tuple[Callable[..., Self], tuple[bytes, bytes | None, Callable[[], float | datetime], float | None]]:
        return type(self)._restore, (self.to_bytes(), self._key, self.clock, self.max_skew)

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__} span={self.span:g}s resolution={self.resolution:g}s p={self.p} late={self.late}>"
        )


class TotalWindow(_native.TotalWindow):
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
            parse_duration(span, "span"), _micros(resolution, "resolution"), clock, _micros(max_skew, "max_skew")
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
        return self._total(_micros(window, "window"), at)

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
        return self._count(_micros(window, "window"), at)

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
        return self._series(_micros(window, "window"), at)

    def interval(self, window: Duration | None = None, at: float | datetime | None = None) -> tuple[float, float]:
        """Return the stretch of time that an answer covers.

        Parameters
        ----------
        window : str, int, float, timedelta or None, default None
            At most the span; None is the span.
        at : int, float, datetime or None, default None
            Where the window ends; None is now.

        Returns
        -------
        tuple of float
            (start, end) in Unix seconds: events with start <= at < end are counted. Where the ring has given up older
            buckets, start is later, at the most equal to end.

        Raises
        ------
        InvalidType, InvalidArgument
            If an argument is refused.

        Notes
        -----
        O(1).

        Examples
        --------
        >>> points = TotalWindow("24h", resolution="1h")
        >>> points.interval("3h", at=10_000)
        (0.0, 10800.0)
        """
        return self._interval(_micros(window, "window"), at)

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
        return cls._of(_native.TotalWindow._from_bytes(data, clock, _micros(max_skew, "max_skew")))

    def copy(self) -> Self:
        """Return an independent copy with the same clock and max_skew.

        Returns
        -------
        TotalWindow
            Equal to this one.

        Notes
        -----
        O(buckets).

        Examples
        --------
        >>> points = TotalWindow("24h")
        >>> later = points.copy()
        >>> later.add(5)
        True
        >>> points.total()
        0
        """
        return self._of(self)

    @classmethod
    def _of(cls, native: _native.TotalWindow) -> Self:
        new = cls.__new__(cls)
        _native.TotalWindow.__init__(new, native)
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
        return f"<{type(self).__name__} span={self.span:g}s resolution={self.resolution:g}s late={self.late}>"
