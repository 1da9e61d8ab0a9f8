"""Texts as instants: Unix seconds, milliseconds or microseconds, recognised by their size, or ISO 8601."""

from __future__ import annotations

import math
import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["TimeReader", "TimeUnit", "instant_of_text", "iso", "recognised"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
#: Where seconds end and milliseconds start, and so on by factors of a thousand: as seconds the year 11476, as
#: milliseconds July 1979. A wrong guess puts a stamp into 1970 or the far future, never a few years off.
_SECONDS_END = 3e11


#: Digits that can't be anything but a number of reasonable size.
_DIGITS = 18


class TimeUnit(Enum):
    """How an input writes its times."""

    SECONDS = "Unix seconds"
    MILLISECONDS = "Unix milliseconds"
    MICROSECONDS = "Unix microseconds"
    ISO = "ISO 8601"

    @property
    def micros(self) -> int:
        """Microseconds of one unit."""
        return {"SECONDS": 1_000_000, "MILLISECONDS": 1_000}.get(self.name, 1)


def _unit_of(text: str) -> TimeUnit | None:
    if _NUMBER.fullmatch(text):
        size = abs(float(text))
        if size < _SECONDS_END:
            return TimeUnit.SECONDS
        return TimeUnit.MILLISECONDS if size < _SECONDS_END * 1e3 else TimeUnit.MICROSECONDS
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return None
    return TimeUnit.ISO


def recognised(texts: Iterable[str]) -> TimeUnit:
    """Return the unit that most of the times are written in; seconds if there is none to tell by.

    Parameters
    ----------
    texts : iterable of str
        The times of the first rows.

    Returns
    -------
    TimeUnit
        One for the whole input.

    Examples
    --------
    >>> recognised(["1082040961", "253402300799", "soon"])
    <TimeUnit.SECONDS: 'Unix seconds'>
    >>> recognised(["1082040961000"]), recognised(["2004-04-15T14:56:01Z"])
    (<TimeUnit.MILLISECONDS: 'Unix milliseconds'>, <TimeUnit.ISO: 'ISO 8601'>)
    """
    votes = Counter(unit for text in texts if (unit := _unit_of(text.strip())) is not None)
    return max(votes, key=votes.__getitem__, default=TimeUnit.SECONDS)


class TimeReader:
    """Turns the times of one input into microseconds since 1970.

    Parameters
    ----------
    unit : TimeUnit
        How the input writes its times.
    latest : int
        The last microsecond that isn't refused as in the future.

    Notes
    -----
    An ISO 8601 time without an offset is taken as UTC; ``naive`` tells whether there was one.

    Examples
    --------
    >>> read = TimeReader(TimeUnit.ISO, latest=2_000_000_000_000_000)
    >>> read("2004-04-15T16:56:01+02:00"), read.naive
    (1082040961000000, False)
    """

    def __init__(self, unit: TimeUnit, latest: int) -> None:
        self.unit = unit
        self.latest = latest
        self.naive = False
        self._micros = unit.micros
        self._last_text: str | None = None
        self._last = 0

    def __call__(self, text: str) -> int:
        """Return the instant of a text.

        Raises
        ------
        ValueError
            Saying what is wrong with it.
        """
        if text == self._last_text:  # most streams are sorted, many have a resolution of seconds or minutes
            return self._last
        if self.unit is TimeUnit.ISO:
            micros = self._of_iso(text.strip())
        elif text.isdecimal() and text.isascii() and len(text) <= _DIGITS:
            micros = int(text) * self._micros
        else:
            micros = self._of_number(text.strip())
        if micros < 0:
            message = f"the time is negative, before 1970: {shortened(text)}"
            raise ValueError(message)
        if micros > self.latest:
            message = f"the time is in the future: {shortened(text)}{self._meaning(micros)}"
            raise ValueError(message)
        self._last_text, self._last = text, micros
        return micros

    def _of_iso(self, text: str) -> int:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise _refused(text, "ISO 8601") from None
        if moment.tzinfo is None:
            self.naive = True
            moment = moment.replace(tzinfo=UTC)
        return (moment - _EPOCH) // _MICROSECOND

    def _of_number(self, text: str) -> int:
        if _unit_of(text) is TimeUnit.ISO:
            message = f"the time is ISO 8601, those of this input are {self.unit.value}: {shortened(text)}"
            raise ValueError(message)
        if not _NUMBER.fullmatch(text) or not math.isfinite(number := float(text)):
            raise _refused(text, "a finite number")
        # Beyond every calendar; the product is far from what a double can't hold.
        return round(max(-1e30, min(number, 1e30)) * self._micros)

    def _meaning(self, micros: int) -> str:
        return "" if self.unit is TimeUnit.ISO else f" as {self.unit.value} is {iso(micros) or 'beyond the year 9999'}"


def _refused(text: str, wanted: str) -> ValueError:
    return ValueError(f"the time must be {wanted}, got {shortened(text)}" if text else "no time")


def shortened(text: str) -> str:
    """Return a text as an error shows it: quoted, of bounded length."""
    return repr(text if len(text) <= 40 else text[:37] + "...")


def iso(micros: int) -> str:
    """Return an instant as ISO 8601 in UTC, or "" beyond the years of the calendar.

    Examples
    --------
    >>> iso(1_082_040_961_000_000)
    '2004-04-15T14:56:01Z'
    """
    try:
        moment = _EPOCH + timedelta(microseconds=micros)
    except OverflowError:
        return ""
    return moment.replace(tzinfo=None).isoformat() + "Z"


def instant_of_text(text: str) -> int:
    """Return the instant of a single text, such as an option, in microseconds.

    Parameters
    ----------
    text : str
        A number, recognised by its size, or ISO 8601.

    Returns
    -------
    int
        Microseconds since 1970.

    Raises
    ------
    ValueError
        If it is neither, or before 1970 or beyond the year 9999.

    Examples
    --------
    >>> instant_of_text("2004-04-15T14:56:01Z") == instant_of_text("1082040961")
    True
    """
    reader = TimeReader(
        _unit_of(text.strip()) or TimeUnit.ISO, latest=(datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
    )
    return reader(text)
