"""``engagehub replay``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from engagehub_core.cli import report
from engagehub_core.cli.options import (
    HALF_LIFE,
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
from engagehub_core.replay.run import Outcome, Replay
from engagehub_core.replay.verify import verified

if TYPE_CHECKING:
    from engagehub_core.replay.lines import Input

__all__ = ["replay", "replay_files", "replay_options"]

Function = TypeVar("Function", bound=Callable[..., Any])
INTERRUPTED = 130


def replay_options(function: Function) -> Function:
    """Add everything that says how to replay, but not what."""
    for option in reversed([
        database_option,
        click.option(
            "--community", metavar="NAME", callback=utf8,
            help="Community of rows that name none, and the one to answer for. [default: the file's base name]",
        ),
        click.option(
            "--map", "mapped", metavar="COLUMN=FIELD", multiple=True, callback=utf8,
            help="What a column means: time, member, kind, channel, id, value, data, community or ignore; repeatable.",
        ),
        points_option("1 for message, action and direct, 0 for others"),
        half_life_option(HALF_LIFE),
        window_option,
        top_option,
        at_option,
        format_option,
        click.option("--verify", is_flag=True, help="Recompute everything exactly and show the truth beside it."),
        click.option("--limit", metavar="N", type=click.IntRange(0), help="Read at most N rows."),
        click.option("--strict", is_flag=True, help="Stop at the first malformed row."),
    ]):  # fmt: skip
        function = option(function)
    return function


@click.command(no_args_is_help=True)
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@replay_options
def replay(files: tuple[str, ...], **options: Any) -> None:
    """Replay recorded events into the database and answer.

    FILE is CSV with a header or JSON Lines, plain or gzip; - is standard input. Replaying a file again writes nothing.
    """
    replay_files(files, **options)


def replay_files(
    files: tuple[str, ...],
    *,
    database: str,
    community: str | None,
    mapped: tuple[str, ...],
    points: tuple[str, ...],
    half_life: timedelta | str | None,
    windows: tuple[str, ...],
    top: int,
    at: int | None,
    layout: str,
    verify: bool,
    limit: int | None,
    strict: bool,
) -> None:
    """Replay, print what it came to, and leave with the code that says so."""
    if half_life is None:
        half_life = timedelta(days=7)
    question = Question(
        points=points_of(points),
        half_life_micros=half_life // timedelta(microseconds=1) if isinstance(half_life, timedelta) else None,
        windows=windows_of(windows),
        at=at,
        top=top,
    )
    with ExitStack() as bars:
        progress = bars.enter_context(_progress())
        with Replay(
            files, database, question, community=community, mapped=_pairs(mapped), limit=limit, strict=strict,
            note=report.note, progress=progress,
        ) as run:  # fmt: skip
            outcome = run.run()
            verdict = None
            try:
                if verify and outcome.answers is not None:
                    verdict = verified(run.store.columns(outcome.community), outcome.answers)
            except KeyboardInterrupt:
                outcome.interrupted = True
            bars.close()
            # While the replay is open: until it is closed, another Ctrl-C doesn't cut off the account.
            _print(outcome, verdict, layout)
    if outcome.failure is not None:
        raise click.ClickException(report.shown(outcome.failure))
    if outcome.interrupted:
        raise click.exceptions.Exit(INTERRUPTED)
    if verdict is not None and not verdict["passed"]:
        message = "the verification failed"
        raise click.ClickException(message)


def _pairs(texts: tuple[str, ...]) -> dict[str, str]:
    pairs = {}
    for text in texts:
        column, equals, field = text.rpartition("=")
        if not equals or not column.strip():
            message = f"--map {text}: COLUMN=FIELD is needed"
            raise BadUsage(message)
        pairs[column] = field
    return pairs


def _print(outcome: Outcome, verdict: dict[str, Any] | None, layout: str) -> None:
    report.print_rejections(outcome.account)
    if outcome.interrupted and outcome.failure is None:
        report.note("interrupted: what was read until then is stored; run it again to go on")
    if layout == "json":
        report.print_json(_json(outcome, verdict))
        return
    if outcome.answers is not None:
        answers = {"community": outcome.community, **outcome.answers.report()}
        report.print_answers(answers, ("leaderboard", "trending", "distinct"), verdict)
        if verdict is not None:
            report.print_verdict(verdict)
    report.print_account(outcome.account, outcome.events_per_second)
    if outcome.others:
        click.echo(f"events of other communities were stored too: {', '.join(map(report.shown, outcome.others))}")


def _json(outcome: Outcome, verdict: dict[str, Any] | None) -> dict[str, Any]:
    answers = {} if outcome.answers is None else outcome.answers.report()
    value: dict[str, Any] = {
        "community": outcome.community,
        **answers,
        "account": outcome.account.counts(),
        "events_per_second": outcome.events_per_second,
        "inputs": outcome.inputs,
        "other_communities": outcome.others,
    }
    if verdict is not None:
        value["verify"] = verdict
    if outcome.failure is not None:
        value["error"] = outcome.failure
    if outcome.interrupted:
        value["interrupted"] = True
    return value


@contextmanager
def _progress() -> Iterator[Callable[[Input], None]]:
    """Give something to call with the input being read: a bar on a terminal's standard error, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TransferSpeedColumn(),
               TimeRemainingColumn())  # fmt: skip
    with Progress(*columns, console=Console(stderr=True)) as bars:
        tasks: dict[int, Any] = {}

        def show(source: Input) -> None:
            task = tasks.get(id(source))
            if task is None:
                task = tasks[id(source)] = bars.add_task(report.shown(source.name), total=source.size or None)
            bars.update(task, completed=source.position)

        yield show
