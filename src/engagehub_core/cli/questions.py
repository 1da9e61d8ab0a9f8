"""``engagehub top``, ``trending`` and ``uniques``: answers from the database."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, TypeVar

import click

from engagehub_core.cli import report
from engagehub_core.cli.options import (
    at_option,
    database_option,
    format_option,
    half_life_option,
    points_option,
    top_option,
    utf8,
    window_option,
    windows_of,
)
from engagehub_core.replay.answers import Question, points_of
from engagehub_core.replay.errors import BadUsage
from engagehub_core.replay.remembered import Remembered
from engagehub_core.replay.run import recomputed
from engagehub_core.sinks.sqlite import SqliteSink

__all__ = ["top", "trending", "uniques"]

Function = TypeVar("Function", bound=Callable[..., Any])
_REMEMBERED = "as in the last replay"


def _common(function: Function) -> Function:
    community = click.option(
        "--community", metavar="NAME", callback=utf8, help="Which one, if the database holds several."
    )
    for option in (format_option, at_option, community, database_option):
        function = option(function)
    return function


def _answer(
    part: str,
    *,
    database: str,
    community: str | None,
    at: int | None,
    layout: str,
    top: int = 10,
    points: tuple[str, ...] = (),
    half_life: timedelta | str | None = None,
    windows: tuple[str, ...] = (),
) -> None:
    with SqliteSink(database, create=False, read_only=True) as store:
        name = _chosen(store, community)
        remembered, kept = Remembered(store).of(name)
        if half_life is not None:
            kept = half_life // timedelta(microseconds=1) if isinstance(half_life, timedelta) else None
        question = Question(points=remembered, half_life_micros=kept, windows=windows_of(windows), at=at, top=top)
        if points:
            question = replace(question, points=points_of(points, remembered))
        answers = recomputed(store, name, question).report()
    value = {"community": name, **answers}
    if layout == "json":
        left_out = {"leaderboard", "trending", "distinct"} - {part}
        report.print_json({key: entry for key, entry in value.items() if key not in left_out})
    else:
        report.print_answers(value, (part,))


def _chosen(store: SqliteSink, community: str | None) -> int | str:
    found = store.communities()
    # An option is a text: of 1 and '1' it means the text.
    by_text: dict[str, int | str] = {str(name): name for name in found} | {n: n for n in found if isinstance(n, str)}
    names = ", ".join(map(str, found))
    if community is not None:
        if community in by_text:
            return by_text[community]
        message = f"there is no community {community!r} in {store.path}; there are: {names or 'none'}"
        raise BadUsage(message)
    if len(found) == 1:
        return found[0]
    message = f"{store.path} holds {len(found)} communities"
    raise BadUsage(message + (f"; choose one with --community: {names}" if found else ": replay a file first"))


@click.command()
@_common
@top_option
@points_option(_REMEMBERED)
@half_life_option(_REMEMBERED)
def top(**options: Any) -> None:
    """Print the leaderboard of a community."""
    _answer("leaderboard", **options)


@click.command()
@_common
@top_option
@points_option(_REMEMBERED)
@half_life_option(_REMEMBERED)
def trending(**options: Any) -> None:
    """Print the channels with most activity lately, with bounds."""
    _answer("trending", **options)


@click.command()
@_common
@window_option
def uniques(**options: Any) -> None:
    """Print how many members did anything in each window, with bounds."""
    _answer("distinct", **options)
