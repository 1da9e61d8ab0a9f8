"""One call an item, from Python."""

from __future__ import annotations

import random
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from engagehub_bench.boards import empty_questions
from engagehub_bench.peers import bounter_package, data_sketches, hll_package, rhll_package
from engagehub_bench.peers.python_counter import CounterCounts
from engagehub_bench.rows import Case, Row, absent, against
from engagehub_bench.sketches import DEPTH, TOP, WIDTH, OurCounts, OurDistinct, OurTrends, call_each
from engagehub_bench.timing import Contestant, interleaved_by_processor_time
from engagehub_bench.workloads import members_of, names_of
from engagehub_bench.zipf import frequencies, stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from engagehub_bench.plan import Plan
    from engagehub_bench.sketches import Distinct, Frequencies
    from engagehub_bench.workloads import Keys

__all__ = ["counts", "distinct", "is_near", "trends"]

_NAMES = 100_000
_EXPONENT = 1.1
#: How far an estimate of different items may be off: five standard errors at the least.
_TOLERANCE = 0.03

#: The peers of HyperLogLog: how they are asked for, and what makes one.
_DISTINCT: dict[str, tuple[str, Callable[[], Distinct]]] = {
    "rhll": ("rhll", rhll_package.Rhll),
    "datasketches": ("datasketches HLL_8", data_sketches.Hll),
    "hll": ("HLL", hll_package.Hll),
}
#: How many times faster add must be, by the kind of items.
_FASTER: dict[Keys, dict[str, float]] = {
    "str": {"rhll": 1.5, "datasketches": 4.0, "hll": 4.0},
    "int": {"datasketches": 1.3},
}
_COUNTS: dict[str, tuple[str, Callable[[], Frequencies]]] = {
    "datasketches": ("datasketches count_min", data_sketches.CountMin),
    "bounter": ("bounter", bounter_package.CountMin),
}


def is_near(estimate: float, truth: int) -> bool:
    """Return whether an estimate of different items is believable."""
    return abs(estimate - truth) <= max(_TOLERANCE * truth, 1.0)


def distinct(plan: Plan, keys: Keys) -> Iterator[Case]:
    """Yield the case of new items for sketches that hold as many others."""
    count = plan.short_calls
    # Objects that lie in memory in the order in which they come, as new ones do.
    items = np.array(members_of("int", 2 * count, plan.seed)).tolist() if keys == "int" else names_of(2 * count)
    before, timed_items = items[:count], items[count:]
    peers = {name: _DISTINCT[name] for name in _FASTER[keys]}
    contenders = {"HyperLogLog": OurDistinct} | {
        label: make for name, (label, make) in peers.items() if name in plan.peers
    }
    current: dict[str, Distinct] = {}

    def contestant(name: str, make: Callable[[], Distinct]) -> Contestant:
        calls: list[Callable[[Any], object]] = []

        def prepare() -> None:
            current[name] = make()
            call = current[name].adding(keys)
            assert call is not None
            call_each(call, before)
            calls[:] = [call]

        return Contestant(
            name, lambda: call_each(calls[0], timed_items), count, partial(empty_questions, timed_items), prepare
        )

    timed = interleaved_by_processor_time([contestant(name, make) for name, make in contenders.items()], plan.repeats)
    rows = {
        name: Row.of(name, result, correct=is_near(current[name].estimating()(), 2 * count))
        for name, result in zip(contenders, timed, strict=True)
    }
    ours = rows["HyperLogLog"]
    for name, times in _FASTER[keys].items():
        label = peers[name][0]
        peer = rows.setdefault(label, absent(label))
        ours.claims.append(against(f"{times:g} × faster than {label}", ours, peer, at_most=1 / times))
    yield Case(f"sketches/HyperLogLog.add/{keys}", None, "ns", list(rows.values()))


class _Stream:
    """Texts whose frequencies fall as Zipf's law says: some that are counted before, and some that are timed."""

    def __init__(self, plan: Plan) -> None:
        count = plan.short_calls
        self.names = names_of(min(_NAMES, count))
        random.Random(plan.seed).shuffle(self.names)  # so that frequent ones don't lie side by side in memory
        of_before = frequencies(_EXPONENT, len(self.names), 10 * count, plan.seed)
        of_timed = frequencies(_EXPONENT, len(self.names), count, plan.seed + 1)
        self.before = [self.names[index] for index in stream(of_before, "random", plan.seed).tolist()]
        self.timed = [self.names[index] for index in stream(of_timed, "random", plan.seed).tolist()]
        #: What each repeat adds, and the one that warms up.
        self.counts = of_before + (plan.repeats + 1) * of_timed

    def has(self, estimates: Callable[[Iterable[str]], Sequence[float]]) -> bool:
        """Return whether estimates are never under the truth, and on average within the error of a plain sketch."""
        over = np.array(estimates(self.names)) - self.counts
        return bool((over >= 0).all() and over.mean() <= np.e / WIDTH * self.counts.sum())


class _Adding(Protocol):
    def adding(self) -> Callable[[str], object]: ...


def _adding(name: str, contender: _Adding, texts: _Stream) -> Contestant:
    call_each(contender.adding(), texts.before)
    run = partial(call_each, contender.adding(), texts.timed)
    return Contestant(name, run, len(texts.timed), partial(empty_questions, texts.timed))


def counts(plan: Plan) -> Iterator[Case]:
    """Yield the case of Count-Min sketches with conservative update."""
    texts = _Stream(plan)
    contenders: dict[str, Frequencies] = {"CountMinSketch": OurCounts()}
    contenders |= {label: make() for name, (label, make) in _COUNTS.items() if name in plan.peers}
    timed = interleaved_by_processor_time(
        [_adding(name, each, texts) for name, each in contenders.items()], plan.repeats
    )
    rows = {
        name: Row.of(name, result, correct=texts.has(each.estimates))
        for (name, each), result in zip(contenders.items(), timed, strict=True)
    }
    ours = rows["CountMinSketch"]
    for label, _ in _COUNTS.values():
        peer = rows.setdefault(label, absent(label))
        ours.claims.append(against(f"3 × faster than {label}", ours, peer, at_most=1 / 3))
    yield Case(f"sketches/CountMinSketch.add/str, {DEPTH} × {WIDTH:,}", None, "ns", list(rows.values()))


def trends(plan: Plan) -> Iterator[Case]:
    """Yield the case of heavy hitters beside an exact counter."""
    texts = _Stream(plan)
    ours, counter = OurTrends(), CounterCounts()
    contestants = [_adding("TopK", ours, texts)]
    if "counter" in plan.peers:
        counter.add_each(texts.before)
        run = partial(counter.add_each, texts.timed)
        contestants.append(Contestant("Counter", run, len(texts.timed), partial(empty_questions, texts.timed)))
    timed = interleaved_by_processor_time(contestants, plan.repeats)
    rows = [Row.of("TopK", timed[0], correct=_has_top(ours, texts))]
    if "counter" in plan.peers:
        rows.append(Row.of("Counter", timed[1], correct=counter.estimates(texts.names) == texts.counts.tolist()))
    else:
        rows.append(absent("Counter"))
    rows[0].claims.append(against("no slower than Counter", rows[0], rows[1], at_most=1))
    rows[0].claims.append(against("aimed at: half of Counter", rows[0], rows[1], at_most=1 / 2))
    yield Case(f"sketches/TopK.add/str, k = {TOP}", None, "ns", rows)


def _has_top(ours: OurTrends, texts: _Stream) -> bool:
    """Return whether the ten most frequent texts are found, ties aside, and none of these is under-estimated."""
    least = np.sort(texts.counts)[-10]
    truth = dict(zip(texts.names, texts.counts.tolist(), strict=True))
    top = ours.top(10)
    over = [estimate - truth[text] for text, estimate in zip(top, ours.estimates(top), strict=True)]
    return len(set(top)) == 10 and all(truth[text] >= least for text in top) and min(over) >= 0
