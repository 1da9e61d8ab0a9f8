"""Native analytics for communities: live leaderboards, trends, distinct counts and an event stream processor.

A class is imported when it is first asked for, so that a program pays at its start for what it uses only.
"""

from __future__ import annotations

from importlib import import_module

try:
    from engagehub_core import _native
except ImportError as error:
    error.add_note("The compiled half of engagehub-core is missing: install a wheel, or build one with pip install .")
    raise

from engagehub_core._version import __version__

TYPE_CHECKING = False  # what typing.TYPE_CHECKING says, without importing typing
if TYPE_CHECKING:
    from engagehub_core.count_min import CountMinSketch
    from engagehub_core.distinct_window import DistinctWindow
    from engagehub_core.hyperloglog import HyperLogLog
    from engagehub_core.processor import Event, EventBatch, EventProcessor, ProcessorStats
    from engagehub_core.projections import BoardSpec, ProjectionStats, TrendSpec, WindowSpec
    from engagehub_core.queues import MpmcQueue
    from engagehub_core.ranking import Entry, Leaderboard, Ranked, SkipList
    from engagehub_core.top_k import Growth, Row, TopK
    from engagehub_core.total_window import TotalWindow

_MODULES = {
    "count_min": ("CountMinSketch",),
    "distinct_window": ("DistinctWindow",),
    "hyperloglog": ("HyperLogLog",),
    "processor": ("Event", "EventBatch", "EventProcessor", "ProcessorStats"),
    "projections": ("BoardSpec", "ProjectionStats", "TrendSpec", "WindowSpec"),
    "queues": ("MpmcQueue",),
    "ranking": ("Entry", "Leaderboard", "Ranked", "SkipList"),
    "top_k": ("Growth", "Row", "TopK"),
    "total_window": ("TotalWindow",),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "BoardSpec",
    "CountMinSketch",
    "DistinctWindow",
    "Entry",
    "Event",
    "EventBatch",
    "EventProcessor",
    "Growth",
    "HyperLogLog",
    "Leaderboard",
    "MpmcQueue",
    "ProcessorStats",
    "ProjectionStats",
    "Ranked",
    "Row",
    "SkipList",
    "TopK",
    "TotalWindow",
    "TrendSpec",
    "WindowSpec",
    "__version__",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    value = globals()[name] = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    return value


def __dir__() -> list[str]:
    return [*__all__, "errors", "prometheus", "sinks", "testing"]
