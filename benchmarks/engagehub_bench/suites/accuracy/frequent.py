"""How far frequencies are over-estimated, and how many of the most frequent names are found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from engagehub_bench.peers import bounter_package, data_sketches
from engagehub_bench.rows import Case, Row, absent
from engagehub_bench.sketches import DEPTH, TOP, WIDTH, OurCounts, OurTrends
from engagehub_bench.workloads import names_of
from engagehub_bench.zipf import frequencies, stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engagehub_bench.plan import Plan
    from engagehub_bench.sketches import Frequencies, Trends
    from engagehub_bench.zipf import Order

__all__ = ["EXPONENTS", "MOST_NAMES", "ORDERS", "counts", "recall", "trends"]

EXPONENTS = (1.0, 1.25, 1.5)
ORDERS: tuple[Order, ...] = ("random", "rising")
#: More would be names that hardly come at all.
MOST_NAMES = 1_000_000
_TOP_EXPONENT = 1.1
#: Of as many streams the mean recall is taken: one of a hundred names is a whole percent.
_STREAMS = 3
#: Texts that are handed over at once.
_PART = 1_000_000

_COUNTS: dict[str, tuple[str, Callable[[], Frequencies]]] = {
    "datasketches": ("datasketches count_min, plain", data_sketches.CountMin),
    "bounter": ("bounter", bounter_package.CountMin),
}
_TRENDS: dict[str, tuple[str, Callable[[], Trends]]] = {
    "datasketches": ("datasketches frequent_strings", data_sketches.FrequentStrings),
}


def counts(plan: Plan, exponent: float, size: int) -> Iterator[Case]:
    """Yield the case of so many names: the mean of what estimates are over the truth, as a share of all items."""
    names = names_of(size)
    truth = frequencies(exponent, size, plan.long_stream, plan.seed)
    order = stream(truth, "random", plan.seed)
    contenders: dict[str, Callable[[], Frequencies]] = {"CountMinSketch": OurCounts}
    contenders |= {label: make for name, (label, make) in _COUNTS.items() if name in plan.peers}
    rows = []
    for label, make in contenders.items():
        sketch = make()
        _add(sketch, names, order)
        over = np.array(sketch.estimates(names)) - truth
        row = Row(label, [100 * float(over.mean()) / len(order)], correct=bool((over >= 0).all()))
        row.note = f"{over.mean():,.0f} of {len(order):,} items"
        rows.append(row)
    rows += [absent(label) for label, _ in _COUNTS.values() if label not in contenders]
    title = f"accuracy/Count-Min, {DEPTH} × {WIDTH:,}, mean error, Zipf {exponent:g}"
    yield Case(title, size, "%", rows, "names")


def trends(plan: Plan, order: Order, size: int) -> Iterator[Case]:
    """Yield the case of so many names: how many of the hundred most frequent ones are found."""
    names = names_of(size)
    wanted = min(TOP, size)
    contenders: dict[str, Callable[[], Trends]] = {"TopK": OurTrends}
    contenders |= {label: make for name, (label, make) in _TRENDS.items() if name in plan.peers}
    found: dict[str, list[float]] = {label: [] for label in contenders}
    for seed in range(plan.seed, plan.seed + _STREAMS):
        truth = frequencies(_TOP_EXPONENT, size, plan.long_stream, seed)
        indices = stream(truth, order, seed)
        for label, make in contenders.items():
            sketch = make()
            _add(sketch, names, indices)
            found[label].append(100 * recall(sketch.top(wanted), wanted, names, truth))
    rows = [
        Row(label, [sum(each) / len(each)], note=f"{min(each):g} at the least, {len(each)} streams")
        for label, each in found.items()
    ]
    rows += [absent(label) for label, _ in _TRENDS.values() if label not in contenders]
    yield Case(f"accuracy/recall of the top {TOP}, Zipf {_TOP_EXPONENT:g}, {order} order", size, "%", rows, "names")


def recall(found: list[str], wanted: int, names: list[str], truth: Any) -> float:
    """Return the share of the most frequent names that were found; any of those that share the last place counts.

    Examples
    --------
    >>> recall(["a", "c"], 2, ["a", "b", "c", "d"], np.array([9, 5, 5, 1]))
    1.0
    >>> recall(["a", "d"], 2, ["a", "b", "c", "d"], np.array([9, 5, 5, 1]))
    0.5
    """
    least = np.sort(truth)[-wanted]
    right = {name for name, count in zip(names, truth.tolist(), strict=True) if count >= least}
    return len(right & set(found)) / wanted


def _add(sketch: Frequencies | Trends, names: list[str], order: Any) -> None:
    objects = np.array(names, dtype=object)
    for start in range(0, len(order), _PART):
        sketch.add_all(objects[order[start : start + _PART]].tolist())
