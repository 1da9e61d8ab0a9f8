"""Events that a database takes, beside rows that are stored by ``executemany`` alone."""

from __future__ import annotations

import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engagehub_bench.events import KIND, Events
from engagehub_bench.peers.bare_sqlite import BareSqlite
from engagehub_bench.rows import Case, Row, absent, against
from engagehub_bench.scale import HASH_LOOP, contestants, proven
from engagehub_bench.timing import Contestant, interleaved
from engagehub_core import EventProcessor
from engagehub_core.sinks import SqliteSink

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engagehub_bench.plan import Plan

__all__ = ["cases"]

OURS, BARE = "EventProcessor with SqliteSink", "bare executemany"
_BATCH = 1_000
_LEAST_SHARE = 0.6
#: Nanoseconds a row where the hash loop costs its published figure: 242,000 a second, 24 November 2026.
_PUBLISHED_NS = 1e9 / 242_000


class _Ours:
    """Pushes columns, a call a batch, and waits until the sink has them."""

    def __init__(self, events: Events, folder: Path) -> None:
        self._folder = folder
        self._number = 0
        # Ready before the clock runs, as the rows of the other are.
        self._batches: list[dict[str, Any]] = [
            {
                "kind": KIND,
                "member": events.members[start : start + _BATCH],
                "channel": events.channels[start : start + _BATCH],
                "at": events.instants[start : start + _BATCH],
                "id": events.ids[start : start + _BATCH],
            }
            for start in range(0, events.size, _BATCH)
        ]

    def prepare(self) -> None:
        self._number += 1
        self._path = self._folder / f"ours-{self._number}.db"
        self._sink = SqliteSink(self._path)

    def run(self) -> None:
        with EventProcessor(self._sink, batch_size=_BATCH, flush_interval=60, overflow="block") as processor:
            for columns in self._batches:
                processor.push_many(columns)

    def rows(self) -> list[tuple[Any, ...]]:
        with SqliteSink(self._path, create=False) as sink:
            return sink.execute("SELECT id, kind, member, channel, at, value, data FROM events ORDER BY seq")


def cases(plan: Plan) -> Iterator[Case]:
    """Yield the case."""
    events = Events("int", plan.stored, plan.seed)
    rows = events.rows()
    batches = [rows[start : start + _BATCH] for start in range(0, len(rows), _BATCH)]
    bare: list[BareSqlite] = []
    with tempfile.TemporaryDirectory(prefix="engagehub-bench-") as folder:
        ours = _Ours(events, Path(folder))
        race = [Contestant(OURS, ours.run, events.size, prepare=ours.prepare)]
        if "bare_sqlite" in plan.peers:

            def prepare() -> None:
                while bare:
                    bare.pop().close()
                bare.append(BareSqlite(Path(tempfile.mkdtemp(dir=folder)) / "bare.db"))

            race.append(Contestant(BARE, lambda: bare[0].store(batches), events.size, prepare=prepare))
        race += contestants(plan)
        measured = {
            each.name: Row.of(each.name, timed, correct=None)
            for each, timed in zip(race, interleaved(race, plan.repeats), strict=True)
        }
        measured[OURS].correct = ours.rows() == rows
        if bare:
            with closing(bare[0]):
                measured[BARE].correct = bare[0].rows() == rows
    yardstick = measured.setdefault(BARE, absent(BARE))
    if bare and HASH_LOOP in measured:
        proven(yardstick, measured[HASH_LOOP], _PUBLISHED_NS)
    row = measured[OURS]
    row.note = f"{1e9 / (row.median or 1):,.0f} a second here"
    text = f"at least {_LEAST_SHARE:g} of the rate of a {BARE}"
    row.claims.append(against(text, row, yardstick, at_most=1 / _LEAST_SHARE))
    yield Case("processor/SqliteSink", events.size, "ns", list(measured.values()), "events")
