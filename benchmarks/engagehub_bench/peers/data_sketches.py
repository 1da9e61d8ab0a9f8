"""Apache DataSketches: its HyperLogLog, Count-Min and frequent strings, C++ behind nanobind."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from engagehub_bench.peers.distributions import line_of, missing_one
from engagehub_bench.sketches import DEPTH, PRECISION, WIDTH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from engagehub_bench.workloads import Keys

__all__ = ["SUMMARY", "CountMin", "FrequentStrings", "Hll", "missing", "version"]

SUMMARY = "hll_sketch(14, HLL_8), count_min_sketch and frequent_strings_sketch of DataSketches"

#: At most 3,072 texts: about the 64 KiB that the cells of the others take.
_LG_MOST_TEXTS = 12


def version() -> str:
    """Return the peer's line in the report."""
    return line_of("datasketches")


def missing() -> str | None:
    """Return why the peer can't take part, or None."""
    return missing_one("datasketches")


class Hll:
    """A HyperLogLog that keeps its estimate up to date as items come in, until it is united with another."""

    def __init__(self) -> None:
        import datasketches  # noqa: PLC0415 - only where this peer takes part

        self._library = datasketches
        self._sketch = datasketches.hll_sketch(PRECISION, datasketches.HLL_8)

    def adding(self, _keys: Keys, /) -> Callable[[Any], object]:
        """Return the call that takes an item."""
        call: Callable[[Any], object] = self._sketch.update
        return call

    def add_numbers(self, numbers: Any) -> None:
        """Add an array of int64."""
        deque(map(self._sketch.update, numbers.tolist()), maxlen=0)

    def merging(self, other: Hll) -> Callable[[], object]:
        """Return the call that makes the union of two."""

        def union() -> None:
            united = self._library.hll_union(PRECISION)
            united.update(self._sketch)
            united.update(other._sketch)
            self._sketch = united.get_result(self._library.HLL_8)

        return union

    def estimating(self) -> Callable[[], float]:
        """Return the call that answers."""
        call: Callable[[], float] = self._sketch.get_estimate
        return call


class CountMin:
    """A Count-Min sketch without conservative update."""

    def __init__(self) -> None:
        import datasketches  # noqa: PLC0415

        self._sketch = datasketches.count_min_sketch(DEPTH, WIDTH)

    def adding(self) -> Callable[[str], object]:
        """Return the call that takes a text."""
        call: Callable[[str], object] = self._sketch.update
        return call

    def add_all(self, texts: Sequence[str]) -> None:
        """Add the texts."""
        deque(map(self._sketch.update, texts), maxlen=0)

    def estimates(self, texts: Iterable[str]) -> list[float]:
        """Return how often each came."""
        return [*map(self._sketch.get_estimate, texts)]


class FrequentStrings:
    """Counters for some texts, all of which lose the same when there are too many (Misra, Gries, 1982)."""

    def __init__(self) -> None:
        import datasketches  # noqa: PLC0415

        self._errors = datasketches.frequent_items_error_type
        self._sketch = datasketches.frequent_strings_sketch(_LG_MOST_TEXTS)

    def add_all(self, texts: Sequence[str]) -> None:
        """Add the texts."""
        deque(map(self._sketch.update, texts), maxlen=0)

    def top(self, count: int) -> list[str]:
        """Return the most frequent texts, most frequent first."""
        rows = self._sketch.get_frequent_items(self._errors.NO_FALSE_NEGATIVES)
        return [row[0] for row in sorted(rows, key=lambda row: -row[1])[:count]]
