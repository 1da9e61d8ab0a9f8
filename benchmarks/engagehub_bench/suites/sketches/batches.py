"""Arrays and lists in one call, beside bare loops of the same hash."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from engagehub_bench.peers import sketch_loops
from engagehub_bench.peers.sketch_loops import Texts
from engagehub_bench.rows import Case, Row, absent, against
from engagehub_bench.scale import HASH_LOOP, contestants, proven, rate_of_at_least
from engagehub_bench.sketches import DEPTH, WIDTH, call_all, call_each
from engagehub_bench.suites.sketches.adds import is_near
from engagehub_bench.timing import Contestant, interleaved_by_processor_time
from engagehub_bench.workloads import members_of, names_of
from engagehub_core import CountMinSketch, HyperLogLog

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engagehub_bench.peers.sketch_loops import Counts, Loop, Registers
    from engagehub_bench.plan import Plan

__all__ = ["counts", "distinct", "estimate_of"]

#: Nanoseconds an item where the hash loop costs its published figure: the dearest of the loops that were measured over
#: eight bytes and over texts of twelve, and the conservative one over cells of 32 bits. Medians, 24 November 2026.
_REGISTERS_NS = 6.0
_COUNTS_NS = 30.3
_LEAST_MILLIONS = 10.0

_LOOPS: dict[str, Registers] = {"UltraLogLog loop": "ultraloglog", "HyperLogLog loop": "hyperloglog"}
#: The loop that ours is held against first: its cells are those of ours.
_COUNT_LOOPS: dict[str, tuple[Counts, bool]] = {
    "conservative loop": ("counts64", False),
    "conservative loop, 32-bit cells": ("counts32", False),
    "conservative loop, all four cells written": ("counts64", True),
}
_DIFFERENT = 100_000
#: How often a list of texts is handed over in a repeat: its objects lie apart, and from the second time on in a cache.
_PASSES = 100


def estimate_of(registers: Any, *, known_below: int) -> float:
    """Return how many different items a bare loop's registers stand for, roughly (Flajolet and others, 2007).

    Parameters
    ----------
    registers : numpy.ndarray
        Its bytes.
    known_below : int
        0 where a byte is the largest rank; 2 where it is four times that and one more, and two bits.
    """
    ranks = registers if known_below == 0 else np.maximum(registers >> known_below, 1) - 1
    size = len(ranks)
    empty = np.count_nonzero(ranks == 0)
    raw = 0.7213 / (1 + 1.079 / size) * size**2 / np.sum(0.5 ** ranks.astype(np.float64))
    return float(size * np.log(size / empty) if raw < 2.5 * size and empty else raw)


def distinct(plan: Plan) -> Iterator[Case]:
    """Yield a case of int64 and one of texts: new items for sketches that hold as many others."""
    numbers = np.array(members_of("int", 2 * plan.long_batch, plan.seed), dtype=np.int64)
    before, items = np.split(numbers, 2)
    yield _distinct(plan, "int64 array", before, items, 1)
    count = plan.short_calls // _PASSES
    names = names_of(2 * plan.short_calls)
    yield _distinct(plan, "list of str", names[:-count], names[-count:], _PASSES)


def _distinct(plan: Plan, what: str, before: Any, items: Any, passes: int) -> Case:
    sketches: list[HyperLogLog] = []

    def prepare() -> None:
        sketches[:] = [HyperLogLog()]
        sketches[0].update(before)

    count = passes * len(items)
    handed = [items] * passes
    race = [Contestant("HyperLogLog", lambda: call_each(sketches[0].update, handed), count, prepare=prepare)]
    if "native" in plan.peers:
        for name, which in _LOOPS.items():
            race.append(_bare(name, which, _loop(which, before), _loop(which, items), count=count, passes=passes))
    race += contestants(plan)
    rows = {
        each.name: Row.of(each.name, timed, correct=None)
        for each, timed in zip(race, interleaved_by_processor_time(race, plan.repeats), strict=True)
    }
    truth = len(before) + len(items)
    ours = rows["HyperLogLog"]
    ours.correct = is_near(sketches[0].estimate(), truth)
    ours.note = f"{1e3 / (ours.median or 1):.1f} million a second here"
    for name, which in _LOOPS.items():
        if name in rows:
            known_below = 2 if which == "ultraloglog" else 0
            found = estimate_of(sketch_loops.bytes_of(which), known_below=known_below)
            rows[name].correct = is_near(found, truth)
            proven(rows[name], rows[HASH_LOOP], _REGISTERS_NS)
    yardstick = rows.setdefault("UltraLogLog loop", absent("UltraLogLog loop"))
    ours.claims.append(against("at most 1.3 × UltraLogLog loop", ours, yardstick, at_most=1.3))
    ours.claims.append(rate_of_at_least(_LEAST_MILLIONS, ours, rows.get(HASH_LOOP)))
    return Case(f"sketches/HyperLogLog.update/{what}", len(items), "ns", list(rows.values()), "items")


def _loop(which: Registers, items: Any) -> Loop:
    # Where texts lie is looked up here; arrays are what they are.
    return sketch_loops.texts(which, Texts(items)) if isinstance(items, list) else sketch_loops.integers(which, items)


def _bare(name: str, which: Registers | Counts, fill: Loop, loop: Loop, *, count: int, passes: int) -> Contestant:
    def prepare() -> None:
        sketch_loops.clear(which)
        fill.run()

    return Contestant(
        name, partial(call_all, [loop.run] * passes), count, partial(call_all, [loop.empty] * passes), prepare
    )


def counts(plan: Plan) -> Iterator[Case]:
    """Yield the case of int64 that are all as frequent."""
    draw = np.random.default_rng(plan.seed)
    different = np.array(members_of("int", min(_DIFFERENT, plan.long_batch), plan.seed), dtype=np.int64)
    # NumPy's types call arrays buffers from Python 3.12 on.
    before: Any = different[draw.integers(0, len(different), plan.long_batch)]
    items: Any = different[draw.integers(0, len(different), plan.long_batch)]
    sketches: list[CountMinSketch] = []

    def prepare() -> None:
        sketches[:] = [CountMinSketch(width=WIDTH, depth=DEPTH)]
        sketches[0].update(before)

    race = [Contestant("CountMinSketch", lambda: sketches[0].update(items), len(items), prepare=prepare)]
    if "native" in plan.peers:
        for name, (which, to_all) in _COUNT_LOOPS.items():
            fill, loop = (sketch_loops.integers(which, each, to_all=to_all) for each in (before, items))
            race.append(_bare(name, which, fill, loop, count=len(items), passes=1))
    bare = {each.name: each for each in race}
    race += contestants(plan)
    rows = {
        each.name: Row.of(each.name, timed, correct=None)
        for each, timed in zip(race, interleaved_by_processor_time(race, plan.repeats), strict=True)
    }
    ours = rows["CountMinSketch"]
    truth = np.bincount(np.searchsorted(np.sort(different), np.concatenate([before, items])), minlength=len(different))
    different.sort()
    ours.correct = _is_over(np.array([sketches[0].estimate(number) for number in different.tolist()]), truth)
    for name, (which, to_all) in _COUNT_LOOPS.items():
        if name in rows:
            if not to_all:
                proven(rows[name], rows[HASH_LOOP], _COUNTS_NS)
            else:
                rows[name].note = "nothing published: shows what branches cost"
            bare[name].prepare()  # another loop may have used these cells since
            bare[name].run()
            rows[name].correct = _is_over(sketch_loops.estimates(which, different).astype(np.int64), truth)
    yardstick = rows.setdefault("conservative loop", absent("conservative loop"))
    ours.claims.append(against("at most 1.3 × conservative loop", ours, yardstick, at_most=1.3))
    yield Case("sketches/CountMinSketch.update/int64 array", len(items), "ns", list(rows.values()), "items")


def _is_over(found: Any, truth: Any) -> bool:
    """Return whether no estimate is under the truth, and their mean within the error of a plain sketch."""
    over = found - truth
    return bool((over >= 0).all() and over.mean() <= np.e / WIDTH * truth.sum())
