"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from time import time
from typing import Any, TypeVar

import click

from engagehub_core import Leaderboard
from engagehub_core.durations import parse_duration
from engagehub_core.errors import EngageHubError
from engagehub_core.replay.answers import WINDOWS
from engagehub_core.replay.databases import DEFAULT, database_path
from engagehub_core.replay.times import instant_of_text

__all__ = ["HALF_LIFE", "at_option", "database_option", "format_option", "half_life_option", "points_option",
           "top_option", "utf8", "window_option", "windows_of"]  # fmt: skip

Function = TypeVar("Function", bound=Callable[..., Any])
HALF_LIFE = "7d"


def utf8(
    _context: click.Context, _option: click.Parameter, value: str | tuple[str, ...] | None
) -> str | tuple[str, ...] | None:
    """Refuse bytes that aren't UTF-8, which Python hands over as lone surrogates."""
    for text in (value,) if isinstance(value, str) else value or ():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            message = f"{text!r} isn't UTF-8"
            raise click.BadParameter(message) from error
    return value


def _database(context: click.Context, option: click.Parameter, value: str) -> str:
    utf8(context, option, value)
    return database_path(value)


def _instant(_context: click.Context, _option: click.Parameter, value: str | None) -> int | None:
    if value is None:
        return None
    if value.strip().lower() == "now":
        return round(time() * 1e6)
    try:
        return instant_of_text(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def _half_life(_context: click.Context, _option: click.Parameter, value: str | None) -> timedelta | str | None:
    """Return a length of time, "none", or None where nothing was said."""
    if value is None or value.strip().lower() == "none":
        return value and "none"
    try:
        half_life = timedelta(microseconds=parse_duration(value, "half-life"))
        Leaderboard(half_life)  # which knows what is too short
    except EngageHubError as error:
        raise click.BadParameter(str(error)) from error
    return half_life


def _windows(_context: click.Context, _option: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    for text in value:
        try:
            parse_duration(text, "window")
        except EngageHubError as error:
            raise click.BadParameter(str(error)) from error
    return value


def windows_of(given: tuple[str, ...]) -> tuple[str, ...]:
    """Return the usual windows and those given."""
    return (*WINDOWS, *given)


def database_option(function: Function) -> Function:
    """Add ``--db``."""
    return click.option(
        "--db", "database", metavar="URL", default=DEFAULT, show_default=True, callback=_database,
        help="Database: sqlite:///PATH or a plain path.",
    )(function)  # fmt: skip


def at_option(function: Function) -> Function:
    """Add ``--at``."""
    return click.option(
        "--at", metavar="TIME|now", callback=_instant,
        help="Answer for this instant, UTC without an offset, by the events until then. [default: the newest event]",
    )(function)  # fmt: skip


def half_life_option(default: str) -> Callable[[Function], Function]:
    """Add ``--half-life``."""
    return click.option(
        "--half-life", metavar="DURATION|none", callback=_half_life,
        help=f"Time in which scores and trends halve. [default: {default}]",
    )  # fmt: skip


def points_option(default: str) -> Callable[[Function], Function]:
    """Add ``--points``."""
    return click.option(
        "--points",
        metavar="KIND=N",
        multiple=True,
        callback=utf8,
        help=f"What an event of a kind earns; repeatable. [default: {default}]",
    )


def window_option(function: Function) -> Function:
    """Add ``--window``."""
    return click.option(
        "--window", "windows", metavar="DURATION", multiple=True, callback=_windows,
        help=f"Count distinct members in this window too, beside {', '.join(WINDOWS)} and all time; repeatable.",
    )(function)  # fmt: skip


def top_option(function: Function) -> Function:
    """Add ``--top``."""
    return click.option(
        "--top", metavar="N", type=click.IntRange(1, 10_000), default=10, show_default=True, help="Rows of each list."
    )(function)


def format_option(function: Function) -> Function:
    """Add ``--format``."""
    return click.option(
        "--format", "layout", type=click.Choice(["table", "json"]), default="table", show_default=True,
        help="Tables for people, or one JSON object on standard output.",
    )(function)  # fmt: skip
