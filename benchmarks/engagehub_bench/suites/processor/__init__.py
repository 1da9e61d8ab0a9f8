"""Events on their way: calls that hand them over, sketches and a database that take them, queries that show them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, get_args

from engagehub_bench.events import Names
from engagehub_bench.rows import Planned
from engagehub_bench.suites.processor import database, lag, pushes, structures

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engagehub_bench.plan import Plan

__all__ = ["SUMMARY", "planned"]

SUMMARY = "pushes of events, their way into sketches, the SQLite sink and lag"


def planned(plan: Plan) -> Iterator[Planned]:
    """Yield the work, in the order in which it is done."""
    for names in get_args(Names):
        yield Planned(f"push, {names}", partial(pushes.cases, plan, names))
    yield Planned("into sketches", partial(structures.cases, plan))
    yield Planned("SqliteSink", partial(database.cases, plan))
    yield Planned("lag", partial(lag.cases, plan))
