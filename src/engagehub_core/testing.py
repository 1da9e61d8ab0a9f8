"""Doubles for the tests of programs that use engagehub-core."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engagehub_core.durations import parse_duration

if TYPE_CHECKING:
    from datetime import timedelta

__all__ = ["ManualClock"]


class ManualClock:
    """A clock that stands still until it is told to go on; give it as ``clock=`` to any structure.

    Parameters
    ----------
    now : int or float, default 0
        Unix seconds.

    Notes
    -----
    Thread safety: any thread may read it; two that advance it at once may lose one of the steps.

    Examples
    --------
    >>> from engagehub_core import Leaderboard
    >>> clock = ManualClock(1_000_000)
    >>> board = Leaderboard(half_life="1h", clock=clock)
    >>> board.add("ada", 8)
    8.0
    >>> clock.advance("3h")
    >>> board.score("ada")
    1.0
    """

    def __init__(self, now: float = 0) -> None:
        self.now = now

    def __call__(self) -> float:
        """Return the present instant."""
        return self.now

    def advance(self, duration: str | float | timedelta) -> None:
        """Go on by a duration.

        Parameters
        ----------
        duration : str, int, float or timedelta
            As :func:`~engagehub_core.durations.parse_duration` takes it.

        Raises
        ------
        InvalidType, InvalidArgument
            If it isn't a positive duration.

        Examples
        --------
        >>> clock = ManualClock(5)
        >>> clock.advance("1m")
        >>> clock()
        65.0
        """
        self.now += parse_duration(duration) / 1e6
