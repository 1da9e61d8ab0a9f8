"""What all windows share: durations as they take them, and how they are copied and pickled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engagehub_core.copying import Copied
from engagehub_core.durations import LONGEST, parse_duration

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime, timedelta
    from typing import ClassVar, Self

    Duration = str | float | timedelta

    class _Native:
        from_bytes: ClassVar[Callable[..., Any]]

        @classmethod
        def _of(cls, native: Any) -> Self: ...
        @property
        def clock(self) -> Callable[[], float | datetime]: ...
        @property
        def late(self) -> int: ...
        @property
        def max_skew(self) -> float | None: ...
        @property
        def resolution(self) -> float: ...
        @property
        def span(self) -> float: ...
        def to_bytes(self) -> bytes: ...
        def _interval(self, window: int | None, at: float | datetime | None) -> tuple[float, float]: ...

else:
    _Native = object

__all__ = ["Window", "asked"]


def asked(window: Duration | None) -> int | None:
    """Return the microseconds of a query's window: a span, rounded up to whole buckets, may be of two hundred years."""
    return None if window is None else parse_duration(window, "window", longest=2 * LONGEST)


class Window(Copied, _Native):
    """The part in Python that the public windows have in common; the other one is a class of ``_native``."""

    __slots__ = ()

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
            (start, end) in Unix seconds: what came with start <= at < end is counted. Where the ring has given up older
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
        return self._interval(asked(window), at)

    def copy(self) -> Self:
        """Return an independent copy with the same clock and max_skew.

        Returns
        -------
        DistinctWindow or TotalWindow
            Equal to this one.

        Notes
        -----
        O(bytes).

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
    def _restore(cls, data: bytes, arguments: dict[str, Any]) -> Self:
        restored: Self = cls.from_bytes(data, **arguments)
        return restored

    def _arguments(self) -> dict[str, Any]:
        return {"clock": self.clock, "max_skew": self.max_skew}

    def _recipe(self) -> tuple[Callable[..., Self], tuple[Any, ...]]:
        return type(self)._restore, (self.to_bytes(), self._arguments())

    def __repr__(self) -> str:
        return f"<{type(self).__name__} span={self.span:g}s resolution={self.resolution:g}s late={self.late}>"
