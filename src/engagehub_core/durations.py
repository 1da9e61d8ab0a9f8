"""Lengths of time as people write them: ``"7d"``, ``"90m"``, seconds, or a timedelta; inside, whole microseconds."""

from __future__ import annotations

import math
import numbers
import re
from datetime import timedelta

from engagehub_core.errors import InvalidArgument, InvalidType

__all__ = ["format_duration", "parse_duration", "parse_optional"]

_UNITS = {
    "us": 1,
    "ms": 1_000,
    "s": 1_000_000,
    "m": 60_000_000,
    "h": 3_600_000_000,
    "d": 86_400_000_000,
    "w": 604_800_000_000,
}
_TEXT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(us|ms|s|m|h|d|w)\s*")
#: A hundred years: what a duration may be at the most.
LONGEST = 36_525 * _UNITS["d"]


def parse_duration(value: str | float | timedelta, argument: str = "duration", longest: int = LONGEST) -> int:
    """Return a positive duration in whole microseconds.

    Parameters
    ----------
    value : str, int, float or datetime.timedelta
        Text is a number and a unit of us, ms, s, m, h, d or w, such as ``"7d"`` or ``"1.5h"``; a number, NumPy's too,
        is seconds.
    argument : str, default "duration"
        The name that an error shows.
    longest : int, default a hundred years
        How many microseconds it may be, in whole years.

    Returns
    -------
    int
        Microseconds; of a float the nearest number, so that the seconds of any duration are read as that duration.

    Raises
    ------
    InvalidType
        If the value is of another type.
    InvalidArgument
        If it can't be understood, isn't positive, or is too long.

    Examples
    --------
    >>> parse_duration("7d")
    604800000000
    >>> parse_duration(0.5)
    500000
    """
    if isinstance(value, str):
        match = _TEXT.fullmatch(value)
        if match is None:
            message = f"{argument} must be a number and a unit (us, ms, s, m, h, d, w) such as '7d', got {value!r}"
            raise InvalidArgument(message)
        micros = float(match[1]) * _UNITS[match[2]]
    elif isinstance(value, timedelta):
        micros = value // timedelta(microseconds=1)
    elif _is_number(value):
        seconds = value if isinstance(value, int) else float(value)  # an int may be too long for a float
        micros = _micros_of(seconds) if abs(seconds) <= longest else math.inf
    else:
        message = f"{argument} must be seconds, a timedelta or text such as '7d', got {type(value).__name__}"
        raise InvalidType(message)
    if not 1 <= micros <= longest:
        years = longest * 100 // LONGEST
        message = f"{argument} must be between 1 microsecond and {years} years, got {value!r}"
        raise InvalidArgument(message)
    return round(micros)


def _micros_of(seconds: float) -> float:
    # In two parts: one product of floats would be off by one from seventy years on.
    whole = math.floor(seconds)
    part = (seconds - whole) * 1e6
    return whole * _UNITS["s"] + round(part) if whole else part


def parse_optional(value: str | float | timedelta | None, argument: str = "duration") -> int | None:
    """Return a positive duration in whole microseconds, or None for None.

    Parameters
    ----------
    value : str, int, float, datetime.timedelta or None
        As :func:`parse_duration` takes it.
    argument : str, default "duration"
        The name that an error shows.

    Returns
    -------
    int or None
        Microseconds, from 1 to a hundred years.

    Raises
    ------
    InvalidType, InvalidArgument
        As by :func:`parse_duration`.

    Examples
    --------
    >>> parse_optional("1h"), parse_optional(None)
    (3600000000, None)
    """
    return None if value is None else parse_duration(value, argument)


def _is_number(value: object) -> bool:
    if isinstance(value, (int, float)):
        return not isinstance(value, bool)
    # NumPy's scalars, of whose classes its durations come, too: those aren't seconds.
    kind = getattr(getattr(value, "dtype", None), "kind", None)
    return isinstance(value, numbers.Real) and kind in ("i", "u", "f")


def format_duration(micros: int) -> str:
    """Return the shortest text that :func:`parse_duration` reads back.

    Parameters
    ----------
    micros : int
        A duration in microseconds.

    Returns
    -------
    str
        A whole number of the largest unit that divides it.

    Examples
    --------
    >>> format_duration(604_800_000_000), format_duration(90_000_000)
    ('7d', '90s')
    """
    for unit in ("d", "h", "m", "s", "ms"):
        if micros % _UNITS[unit] == 0:
            return f"{micros // _UNITS[unit]}{unit}"
    return f"{micros}us"
