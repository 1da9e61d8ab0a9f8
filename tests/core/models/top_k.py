"""The exact weight of every item as of any instant."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal, localcontext


class DecayedCounts:
    """Keeps every event. The truth is computed with 60 decimal digits."""

    def __init__(self, half_life: int | None) -> None:
        self.half_life = half_life
        self.events: defaultdict[int | str, list[tuple[Decimal, int]]] = defaultdict(list)
        self.newest: int | None = None

    def add(self, item: int | str, weight: float, at: int) -> None:
        if weight == 0:
            return
        self.events[item].append((Decimal(weight), at))
        self.newest = at if self.newest is None else max(self.newest, at)

    def truth(self, item: int | str, at: int) -> Decimal:
        with localcontext() as context:
            context.prec = 60
            now = at if self.newest is None else max(at, self.newest)
            total = Decimal(0)
            for weight, when in self.events.get(item, ()):
                halvings = Decimal(0) if self.half_life is None else Decimal(when - now) / self.half_life
                total += weight * Decimal(2) ** halvings
            return total

    def merge(self, other: DecayedCounts) -> None:
        for item, events in other.events.items():
            for weight, at in events:
                self.add(item, float(weight), at)
