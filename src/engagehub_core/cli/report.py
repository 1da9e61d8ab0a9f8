"""Answers and accounts on a terminal."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from engagehub_core.replay.account import Account

__all__ = ["note", "print_account", "print_answers", "print_json", "print_rejections", "print_verdict", "table"]

_PLAIN_WIDTH = 120


def _console() -> Console:
    console = Console(file=sys.stdout, highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = _PLAIN_WIDTH
    return console


def shown(value: object) -> str:
    """Return a value as a table cell: numbers rounded, nothing that could move a terminal's cursor."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "NO"
    if isinstance(value, float):
        if value == int(value) if abs(value) < 1e15 else False:
            return f"{int(value):,}"
        return f"{value:,.1f}" if abs(value) >= 1_000 else f"{value:.4g}"
    if isinstance(value, int):
        return f"{value:,}"
    return "".join(letter if letter.isprintable() else f"\\u{ord(letter):04x}" for letter in str(value))


def table(title: str, columns: Mapping[str, str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Print rows under a title.

    Parameters
    ----------
    title : str
        What the rows are.
    columns : mapping of str to str
        Key of a row to the heading.
    rows : iterable of mapping
        The cells; numbers are set to the right.
    """
    rows = list(rows)
    console = _console()
    console.print(Text(title, style="bold"))
    grid = Table()
    for key, heading in columns.items():
        numeric = bool(rows) and all(isinstance(row.get(key), (int, float, type(None))) for row in rows)
        grid.add_column(Text(heading), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        grid.add_row(*(Text(shown(row.get(key))) for key in columns))
    console.print(grid)
    if not rows:
        console.print("  (none)")


def note(text: str) -> None:
    """Say something beside the answers, on standard error."""
    click.echo(shown(text), err=True)


def print_json(value: Mapping[str, Any]) -> None:
    """Print one object on standard output."""
    click.echo(json.dumps(value, indent=2, allow_nan=False))


def print_answers(report: Mapping[str, Any], parts: Sequence[str], verdict: Mapping[str, Any] | None = None) -> None:
    """Print the parts of a report that are asked for, beside the truth where it is known."""
    checked = verdict or {}
    as_of = f" at {report['at']}" if report["at"] else ""
    decay = f"half-life {report['half_life']}" if report["half_life"] else "no decay"
    truth = {"truth": "truth", "error": "error"} if verdict else {}
    if "leaderboard" in parts:
        rows = report["leaderboard"]
        if verdict:
            seen = {row["member"]: row["last_at"] for row in rows}
            rows = [{**row, "last_at": seen.get(row["member"])} for row in checked["leaderboard"]]
        headings = {"rank": "rank", "member": "member", "score": "score", "last_at": "last seen", **truth}
        table(f"Leaderboard of {shown(str(report['community']))}{as_of}, {decay}", headings, rows)
    if "trending" in parts:
        headings = {"item": "channel", "estimate": "estimate", "low": "lower bound", "high": "upper bound", **truth}
        table(f"Trending channels{as_of}, {decay}", headings, checked.get("trending", report["trending"]))
    if "distinct" in parts:
        exact = checked.get("distinct", {})
        rows = [
            {"window": name, **row, **exact.get(name, {}), "start": _short(row["start"]), "end": _short(row["end"])}
            for name, row in report["distinct"].items()
        ]
        headings = {"window": "window", "start": "from (UTC)", "end": "to (UTC)", "estimate": "estimate",
                    "low": "lower", "high": "upper", **truth}  # fmt: skip
        table(f"Distinct members{as_of}", headings, rows)


def _short(instant: str | None) -> str:
    """Return an instant so that the table fits a terminal of 80 columns: buckets end with a minute, mostly."""
    return (instant or "").replace("T", " ").removesuffix("Z").removesuffix(":00")


def print_verdict(verdict: Mapping[str, Any]) -> None:
    """Say whether the estimates stand the comparison."""
    order = "the rows of the board are the exact ones" if verdict["same_order"] else "THE ROWS OF THE BOARD ARE WRONG"
    bounds = "every truth is within its bounds" if verdict["bounds_hold"] else "A TRUTH IS OUTSIDE ITS BOUNDS"
    click.echo(f"verified: {order}; {bounds}")


def print_rejections(account: Account) -> None:
    """Name the first rows that were refused."""
    for rejection in account.rejections:
        note(f"rejected: {rejection}")
    more = account.rejected - len(account.rejections)
    if more:
        note(f"rejected: and {more:,} more")


def print_account(account: Account, events_per_second: float) -> None:
    """Print what became of the rows."""
    click.echo(
        f"read {account.read:,} = written {account.written:,} + duplicate {account.duplicate:,}"
        f" + rejected {account.rejected:,}"
        + (f" + not stored {account.missing:,}" if account.missing else "")
        + f"   ({events_per_second:,.0f} events per second)"
    )
    if account.duplicate:
        what = "row was a duplicate" if account.duplicate == 1 else "rows were duplicates"
        click.echo(f"{account.duplicate:,} {what} and wrote nothing")
