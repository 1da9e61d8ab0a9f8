"""rhll, a HyperLogLog in Rust."""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any

from engagehub_bench.peers.distributions import line_of, missing_one
from engagehub_bench.sketches import PRECISION

if TYPE_CHECKING:
    from collections.abc import Callable

    from engagehub_bench.workloads import Keys

__all__ = ["SUMMARY", "Rhll", "missing", "version"]

SUMMARY = "HyperLogLog(14) of rhll"


def version() -> str:
    """Return the peer's line in the report."""
    return line_of("rhll")


def missing() -> str | None:
    """Return why the peer can't take part, or None."""
    return missing_one("rhll")


class Rhll:
    """Takes text and bytes, no integers."""

    def __init__(self) -> None:
        import rhll  # noqa: PLC0415 - only where this peer takes part

        self._sketch = rhll.HyperLogLog(PRECISION)

    def adding(self, keys: Keys) -> Callable[[Any], object] | None:
        """Return the call that takes a text."""
        return self._sketch.update_str if keys == "str" else None

    def add_numbers(self, numbers: Any) -> None:
        """Add the eight bytes of each int64; numbers above 2^56 have none of them cut off as trailing zeros."""
        deque(map(self._sketch.update, numbers.view("S8").tolist()), maxlen=0)

    def merging(self, other: Rhll) -> Callable[[], object]:
        """Return the call that merges the other."""
        return partial(self._sketch.merge, other._sketch)

    def estimating(self) -> Callable[[], float]:
        """Return the call that answers."""
        call: Callable[[], float] = self._sketch.count
        return call
