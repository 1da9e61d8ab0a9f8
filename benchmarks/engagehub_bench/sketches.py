"""What the suites of sketches ask of a contender, and our own sketches as contenders.

Contenders hand out the very call that takes an item, so that loops are the same for all and no wrapper stands in one.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from engagehub_core import CountMinSketch, HyperLogLog, TopK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Self

    from engagehub_bench.workloads import Keys

__all__ = [
    "DEPTH",
    "PRECISION",
    "TOP",
    "WIDTH",
    "Distinct",
    "Frequencies",
    "OurCounts",
    "OurDistinct",
    "OurTrends",
    "Trends",
    "call_all",
    "call_each",
]

PRECISION = 14
WIDTH, DEPTH = 2_048, 4
TOP = 100


def call_each(call: Callable[[Any], object], items: Iterable[Any]) -> None:
    """Call with one item after the other."""
    for item in items:
        call(item)


def call_all(calls: Iterable[Callable[[], object]]) -> None:
    """Make one call after the other."""
    for call in calls:
        call()


class Distinct(Protocol):
    """Counts different items with 2^14 registers."""

    def adding(self, keys: Keys, /) -> Callable[[Any], object] | None:
        """Return the call that takes an item, or None where it takes no such items."""

    def add_numbers(self, numbers: Any) -> None:
        """Add an array of int64 above 2^56, in whichever form the contender takes them."""

    def merging(self, other: Self) -> Callable[[], object]:
        """Return the call that unites this one with the other."""

    def estimating(self) -> Callable[[], float]:
        """Return the call that answers."""


class OurDistinct:
    """The library's HyperLogLog, with its usual options."""

    def __init__(self) -> None:
        self.sketch = HyperLogLog(p=PRECISION)

    def adding(self, _keys: Keys, /) -> Callable[[Any], object]:
        """See :class:`Distinct`."""
        return self.sketch.add

    def add_numbers(self, numbers: Any) -> None:
        """See :class:`Distinct`."""
        self.sketch.update(numbers)

    def merging(self, other: OurDistinct) -> Callable[[], object]:
        """See :class:`Distinct`."""
        return partial(self.sketch.merge, other.sketch)

    def estimating(self) -> Callable[[], float]:
        """See :class:`Distinct`."""
        return self.sketch.estimate


class Frequencies(Protocol):
    """Counts how often each text came, in 4 × 2,048 cells."""

    def adding(self) -> Callable[[str], object]:
        """Return the call that takes a text."""

    def add_all(self, texts: Sequence[str]) -> None:
        """Add texts by the fastest way that there is."""

    def estimates(self, texts: Iterable[str]) -> list[float]:
        """Return how often each came."""


class OurCounts:
    """The library's Count-Min sketch, with its usual options."""

    def __init__(self) -> None:
        self.sketch = CountMinSketch(width=WIDTH, depth=DEPTH)

    def adding(self) -> Callable[[str], object]:
        """See :class:`Frequencies`."""
        return self.sketch.add

    def add_all(self, texts: Sequence[str]) -> None:
        """See :class:`Frequencies`."""
        self.sketch.update(texts)

    def estimates(self, texts: Iterable[str]) -> list[float]:
        """See :class:`Frequencies`."""
        return [*map(self.sketch.estimate, texts)]


class Trends(Protocol):
    """Knows the texts that came most often."""

    def add_all(self, texts: Sequence[str]) -> None:
        """Add texts by the fastest way that there is."""

    def top(self, count: int) -> list[str]:
        """Return the most frequent ones, most frequent first."""


class OurTrends:
    """The library's heavy hitters, with its usual options."""

    def __init__(self) -> None:
        self.sketch = TopK(TOP)

    def adding(self) -> Callable[[str], object]:
        """Return the call that takes a text."""
        return self.sketch.add

    def add_all(self, texts: Sequence[str]) -> None:
        """See :class:`Trends`."""
        self.sketch.update(texts)

    def top(self, count: int) -> list[str]:
        """See :class:`Trends`."""
        return [str(row.item) for row in self.sketch.top(count)]

    def estimates(self, texts: Iterable[str]) -> list[float]:
        """Return how often each came."""
        return [*map(self.sketch.estimate, texts)]
