"""How fast this machine is at this moment, by two loops whose cost elsewhere is known.

Absolute requirements were measured on one machine. A figure of another one is scaled by what the same loop costs here
and cost there: Python's figures by ``SimpleQueue.put`` of a tuple, native ones by the hash loop of the yardsticks.
"""

from __future__ import annotations

from queue import SimpleQueue
from time import perf_counter_ns

__all__ = ["HASH_LOOP_NS", "PUT_NS", "put_ns"]

#: Medians on the machine that the requirements come from.
PUT_NS = 174.0
HASH_LOOP_NS = 3.2

_PUTS = 20_000
_FIRST_MEMBER = 700_000_000_000_000_000


def put_ns(count: int = _PUTS) -> float:
    """Return what putting a new tuple of four into a ``SimpleQueue`` costs now, in nanoseconds, its loop included."""
    put = SimpleQueue[tuple[str, int, int, float]]().put
    members = range(_FIRST_MEMBER, _FIRST_MEMBER + count)
    began = perf_counter_ns()
    for member in members:
        put(("message", member, 42, 1.0))
    return (perf_counter_ns() - began) / count
