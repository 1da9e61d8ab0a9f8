"""Native analytics for communities: live leaderboards, trends, distinct counts and an event stream processor."""

from __future__ import annotations

try:
    from engagehub_core import _native
except ImportError as error:
    error.add_note("The compiled half of engagehub-core is missing: install a wheel, or build one with pip install .")
    raise

from engagehub_core._version import __version__
from engagehub_core.processor import Event, EventBatch, EventProcessor, ProcessorStats
from engagehub_core.queues import MpmcQueue
from engagehub_core.ranking import Entry, Leaderboard, Ranked, SkipList
from engagehub_core.sketches import CountMinSketch, HyperLogLog, Row, TopK
from engagehub_core.windows import DistinctWindow

__all__ = [
    "CountMinSketch",
    "DistinctWindow",
    "Entry",
    "Event",
    "EventBatch",
    "EventProcessor",
    "HyperLogLog",
    "Leaderboard",
    "MpmcQueue",
    "ProcessorStats",
    "Ranked",
    "Row",
    "SkipList",
    "TopK",
    "__version__",
]


def __dir__() -> list[str]:
    return [*__all__, "errors", "sinks", "testing"]
