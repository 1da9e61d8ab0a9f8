"""Merges of full sketches, and estimates with and without a change before them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from engagehub_bench.boards import empty_questions
from engagehub_bench.peers import data_sketches, hll_package, rhll_package
from engagehub_bench.rows import Case, Row, absent
from engagehub_bench.scale import HASH_LOOP, contestants, no_more_than
from engagehub_bench.sketches import OurDistinct, call_all
from engagehub_bench.suites.sketches.adds import is_near
from engagehub_bench.timing import Contestant, interleaved_by_processor_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engagehub_bench.plan import Plan
    from engagehub_bench.sketches import Distinct

__all__ = ["cases"]

OURS = "HyperLogLog"
_PEERS: dict[str, tuple[str, Callable[[], Distinct]]] = {
    "hll": ("HLL", hll_package.Hll),
    "datasketches": ("datasketches HLL_8", data_sketches.Hll),
    "rhll": ("rhll", rhll_package.Rhll),
}
_MERGED = 100
_ITEMS = 20_000


def cases(plan: Plan) -> Iterator[Case]:
    """Yield a case of merges, one of estimates after a change, and one of estimates without."""
    contenders: dict[str, Callable[[], Distinct]] = {OURS: OurDistinct}
    contenders |= {label: make for name, (label, make) in _PEERS.items() if name in plan.peers}
    count = 10 if plan.quick else _MERGED
    unchanged_count = 20 * count  # one of the peers computes each answer anew
    # Half of what the second sketch holds is new to the first.
    numbers = np.random.default_rng(plan.seed).integers(1 << 56, 1 << 62, _ITEMS * 3 // 2)
    first, second = numbers[:_ITEMS], numbers[_ITEMS // 2 :]
    others = {name: _filled(make, second) for name, make in contenders.items()}
    targets: dict[str, list[Distinct]] = {}

    def fill(name: str) -> None:
        targets[name] = [_filled(contenders[name], first) for _ in range(count)]

    def merging(name: str) -> list[Callable[[], object]]:
        fill(name)
        return [each.merging(others[name]) for each in targets[name]]

    def cold(name: str) -> list[Callable[[], object]]:
        fill(name)  # which nobody has asked yet
        return [each.estimating() for each in targets[name]]

    def unchanged(name: str) -> list[Callable[[], object]]:
        return [targets[name][0].estimating()] * unchanged_count

    def has(truth: int) -> Callable[[str], bool]:
        return lambda name: all(is_near(each.estimating()(), truth) for each in targets[name])

    names = list(contenders)
    merged, asked = has(len(numbers)), has(_ITEMS)
    yield _case(plan, names, "merge", merging, merged, demand=("at most 3 µs, scaled", 3_000), count=count)
    what = "estimate after a change"
    yield _case(plan, names, what, cold, asked, demand=("at most 15 µs, scaled", 15_000), count=count)
    what = "estimate, nothing changed"
    yield _case(plan, names, what, unchanged, asked, demand=("at most 200 ns, scaled", 200), count=unchanged_count)


def _filled(make: Callable[[], Distinct], numbers: Any) -> Distinct:
    sketch = make()
    sketch.add_numbers(numbers)
    return sketch


def _case(
    plan: Plan,
    names: list[str],
    what: str,
    calls_of: Callable[[str], list[Callable[[], object]]],
    is_correct: Callable[[str], bool],
    *,
    demand: tuple[str, float],
    count: int,
) -> Case:
    calls: dict[str, list[Callable[[], object]]] = {}

    def contestant(name: str) -> Contestant:
        def prepare() -> None:
            calls[name] = calls_of(name)

        return Contestant(name, lambda: call_all(calls[name]), count, lambda: empty_questions(calls[name]), prepare)

    race = [*map(contestant, names), *contestants(plan)]
    rows = {
        each.name: Row.of(each.name, timed, correct=is_correct(each.name) if each.name in names else None)
        for each, timed in zip(race, interleaved_by_processor_time(race, plan.repeats), strict=True)
    }
    text, limit = demand
    rows[OURS].claims.append(no_more_than(text, rows[OURS], rows.get(HASH_LOOP), limit))
    for label, _ in _PEERS.values():
        rows.setdefault(label, absent(label))
    return Case(f"sketches/HyperLogLog, {what}", None, "ns", list(rows.values()))
