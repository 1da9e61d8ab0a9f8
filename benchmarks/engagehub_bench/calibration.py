"""How fast this machine is at this moment, by two loops whose cost elsewhere is known.

Absolute requirements were measured on one machine. A figure of another one is scaled by what the hash loop of the
yardsticks costs here and cost there. ``SimpleQueue.put`` of a tuple, the loop in Python, shows how steady a run is.
"""

from __future__ import annotations

import gc
import random
from functools import cache
from queue import SimpleQueue
from time import perf_counter_ns

__all__ = ["HASH_LOOP_NS", "PUT_NS", "put_ns"]

#: Medians on the machine that the requirements come from.
PUT_NS = 174.0
HASH_LOOP_NS = 3.2

_PUTS = 100_000


@cache
def _columns() -> tuple[list[str], list[int], list[int], list[float]]:
    draw = random.Random(1)
    channels = [draw.getrandbits(60) for _ in range(50)]
    return (
        ["message"] * _PUTS,
        [draw.getrandbits(60) for _ in range(_PUTS)],
        draw.choices(channels, k=_PUTS),
        [draw.random() for _ in range(_PUTS)],
    )


def put_ns() -> float:
    """Return what putting a new tuple of four into a ``SimpleQueue`` costs now, in nanoseconds.

    The published figure is that of a program as it usually runs: the garbage collector is on and visits the tuples,
    which are new memory. The empty loop is subtracted.
    """
    columns = _columns()
    put = SimpleQueue[tuple[str, int, int, float]]().put
    was_enabled = gc.isenabled()
    gc.enable()
    began = perf_counter_ns()
    for kind, member, channel, value in zip(*columns, strict=True):
        put((kind, member, channel, value))
    between = perf_counter_ns()
    for _kind, _member, _channel, _value in zip(*columns, strict=True):
        pass
    ended = perf_counter_ns()
    if not was_enabled:
        gc.disable()
    return max((between - began) - (ended - between), 1) / _PUTS
