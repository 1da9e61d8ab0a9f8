"""``engagehub demo``."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import click

from engagehub_core.cli import report
from engagehub_core.cli.options import utf8
from engagehub_core.cli.replay import replay_files, replay_options
from engagehub_core.demo import write_demo
from engagehub_core.replay.errors import BadUsage

__all__ = ["demo"]


def _utf8_path(context: click.Context, option: click.Parameter, value: Path | None) -> Path | None:
    utf8(context, option, None if value is None else str(value))
    return value


@click.command()
@click.option(
    "--members", metavar="N", type=click.IntRange(1), default=2_000, show_default=True, help="Members to invent."
)
@click.option(
    "--events", metavar="N", type=click.IntRange(1), default=100_000, show_default=True, help="Events to invent."
)
@click.option(
    "--seed", metavar="N", type=int, default=1, show_default=True, help="The same seed gives the same events."
)
@click.option(
    "--output",
    metavar="FILE",
    type=click.Path(path_type=Path),
    callback=_utf8_path,
    help="Where to write them. [default: a temporary folder]",
)
@replay_options
def demo(members: int, events: int, seed: int, output: Path | None, **options: Any) -> None:
    """Invent a community, write its events to a file and replay that."""
    name = "demo.csv" if (members, events, seed) == (2_000, 100_000, 1) else f"demo-{members}-{events}-{seed}.csv"
    path = output or Path(tempfile.mkdtemp(prefix="engagehub-")) / name
    if path.exists():
        message = f"--output {path}: is there already"
        raise BadUsage(message)
    try:
        write_demo(path, members=members, events=events, seed=seed)
    except OSError as error:
        message = f"--output {path}: {error.strerror or error}"
        raise BadUsage(message) from error
    report.note(f"wrote {events:,} events of {members:,} members to {path}")
    replay_files((str(path),), **options)
