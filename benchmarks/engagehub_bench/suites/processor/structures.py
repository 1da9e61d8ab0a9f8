"""One producer, until everything that it handed over is in the sketches."""

from __future__ import annotations

import time
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from engagehub_bench.events import KIND, Events
from engagehub_bench.rows import Case, Row
from engagehub_bench.scale import HASH_LOOP, contestants, rate_of_at_least
from engagehub_bench.suites.processor.pushes import call_each
from engagehub_bench.suites.sketches.adds import is_near
from engagehub_bench.timing import Contestant, interleaved
from engagehub_core import EventProcessor, TrendSpec, WindowSpec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engagehub_bench.plan import Plan

__all__ = ["OURS", "Into", "cases"]

_BATCH = 1_000
_HALF_LIFE = 3_600.0
#: What pushes, and how many million events a second it must reach.
OURS = {"push": 5.0, "push_many of columns": 30.0}


class Into:
    """A processor without a sink that keeps a trend and a window, and waits where there is no room.

    Parameters
    ----------
    events : Events
        The events of each repeat, into new structures.
    """

    def __init__(self, events: Events) -> None:
        self.events = events
        self._batches: list[dict[str, Any]] = [
            {
                "kind": KIND,
                "member": np.array(events.members[start : start + _BATCH]),
                "channel": np.array(events.channels[start : start + _BATCH]),
                "at": np.array(events.instants[start : start + _BATCH]),
            }
            for start in range(0, events.size, _BATCH)
        ]
        self.prepare()

    def prepare(self) -> None:
        """Begin anew."""
        self.processor = EventProcessor(
            overflow="block",
            trends={"channels": TrendSpec(100, half_life=_HALF_LIFE)},
            windows={"active": WindowSpec("24h", "1h")},
        )

    def push_each(self) -> None:
        """Push event by event, and wait until all are in."""
        call_each(self.processor.push, self.events)
        self.processor.flush()

    def push_columns(self) -> None:
        """Push column by column, and wait until all are in."""
        for columns in self._batches:
            self.processor.push_many(columns)
        self.processor.flush()

    def is_correct(self) -> bool:
        """Return whether all were accepted, all members are in the window, and every channel has its decayed count."""
        events, stats = self.events, self.processor.stats()
        weights: defaultdict[int | str, float] = defaultdict(float)
        now = time.time()
        for channel, at in zip(events.channels, events.instants, strict=True):
            weights[channel] += 0.5 ** ((now - at) / _HALF_LIFE)
        found = {row.item: row.estimate for row in self.processor.trend("channels").top(100)}
        return (
            (stats.offered, stats.accepted) == (events.size, events.size)
            and is_near(self.processor.window("active").estimate("24h"), len(set(events.members)))
            and found.keys() == weights.keys()
            and all(abs(found[channel] - weight) < 0.01 * weight for channel, weight in weights.items())
        )

    def close(self) -> None:
        """End the threads."""
        self.processor.close()


def cases(plan: Plan) -> Iterator[Case]:
    """Yield the case."""
    events = Events("int", plan.streamed, plan.seed)
    each, columns = Into(events), Into(events)
    runs = dict(zip(OURS, ((each, each.push_each), (columns, columns.push_columns)), strict=True))

    def contestant(name: str) -> Contestant:
        into, run = runs[name]

        def prepare() -> None:
            into.close()
            into.prepare()

        return Contestant(name, run, events.size, prepare=prepare)

    race = [*map(contestant, OURS), *contestants(plan)]
    rows = {each.name: Row.of(each.name, timed, correct=None)
            for each, timed in zip(race, interleaved(race, plan.repeats), strict=True)}  # fmt: skip
    for name, millions in OURS.items():
        into, row = runs[name][0], rows[name]
        row.correct = into.is_correct()
        row.note = f"{1e3 / (row.median or 1):.1f} million a second here"
        row.claims.append(rate_of_at_least(millions, row, rows.get(HASH_LOOP)))
        into.close()
    yield Case("processor/until all is in a trend and a window", events.size, "ns", list(rows.values()), "events")
