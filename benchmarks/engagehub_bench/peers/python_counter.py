"""collections.Counter: exact, and as large as there are different items."""

from __future__ import annotations

import platform
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["SUMMARY", "CounterCounts", "missing", "version"]

SUMMARY = "counter[x] += 1"


def version() -> str:
    """Return the peer's line in the report."""
    return f"collections.Counter of {platform.python_implementation()} {platform.python_version()}"


def missing() -> str | None:
    """Return why the peer can't take part, or None."""
    return None


class CounterCounts:
    """Exact counts."""

    def __init__(self) -> None:
        self._counter: Counter[str] = Counter()

    def add_each(self, texts: Iterable[str]) -> None:
        """Add the texts, one statement each."""
        counter = self._counter
        for text in texts:
            counter[text] += 1

    def estimates(self, texts: Iterable[str]) -> list[float]:
        """Return how often each came."""
        return [self._counter[text] for text in texts]
