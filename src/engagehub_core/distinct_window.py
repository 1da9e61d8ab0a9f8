"""How many distinct members there were in the last minutes, hours or days."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from engagehub_core import _native
from engagehub_core.durations import parse_duration, parse_optional
from engagehub_core.windows import Window, asked

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from typing import Literal, Self

    from engagehub_core._native import _BytesLike
    from engagehub_core.windows import Duration

__all__ = ["DistinctWindow"]


class DistinctWindow(Window, _native.DistinctWindow):
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

    Memory: a bucket in which somebody came takes 72 bytes and up to 32 for its first eight members, then a HyperLogLog;
    others take none. A window of at most 64 buckets that holds up to 100 members takes less than 8 KiB, however often
    they come back, as long as p is at least 10 or they were never more than 128. 60 crowded buckets of p = 14 take less
    than 2 MiB with all unions. See nbytes.

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
            parse_optional(resolution, "resolution"),
            p,
            hash,
            ints,
            key,
            clock,
            parse_optional(max_skew, "max_skew"),
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
        return self._answer(asked(window), at, 2.0)[0]

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
        _, low, high = self._answer(asked(window), at, sigma)
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
        return self._answer(asked(window), at, 2.0)

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
        return self._series(asked(window), at)

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
        return cls._of(_native.DistinctWindow._from_bytes(data, key, clock, parse_optional(max_skew, "max_skew")))

    @classmethod
    def _of(cls, native: _native.DistinctWindow | _native.LiveWindow) -> Self:
        new = cls.__new__(cls)
        _native.DistinctWindow.__init__(new, native)
        return new

    def _arguments(self) -> dict[str, Any]:
        return {**super()._arguments(), "key": self._key}

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__} span={self.span:g}s resolution={self.resolution:g}s p={self.p} late={self.late}>"
        )
