"""bounter's Count-Min sketch with conservative update, in C."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from engagehub_bench.peers.distributions import line_of, missing_one
from engagehub_bench.sketches import DEPTH, WIDTH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

__all__ = ["SUMMARY", "CountMin", "missing", "version"]

SUMMARY = "CountMinSketch(width=2048, depth=4) of bounter; compiled when it is installed"


def version() -> str:
    """Return the peer's line in the report."""
    return line_of("bounter")


def missing() -> str | None:
    """Return why the peer can't take part, or None."""
    return missing_one("bounter")


class CountMin:
    """Cells of 32 bits."""

    def __init__(self) -> None:
        import bounter  # noqa: PLC0415 - only where this peer takes part

        self._sketch = bounter.CountMinSketch(width=WIDTH, depth=DEPTH)

    def adding(self) -> Callable[[str], object]:
        """Return the call that takes a text."""
        call: Callable[[str], object] = self._sketch.increment
        return call

    def add_all(self, texts: Sequence[str]) -> None:
        """Add the texts."""
        deque(map(self._sketch.increment, texts), maxlen=0)

    def estimates(self, texts: Iterable[str]) -> list[float]:
        """Return how often each came."""
        return [*map(self._sketch.__getitem__, texts)]
