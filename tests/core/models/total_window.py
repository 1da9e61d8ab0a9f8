"""The values of a window as a list of events."""

from __future__ import annotations

from fractions import Fraction


class TotalWindowModel:
    """Keeps every event that isn't late; instants are whole seconds."""

    def __init__(self, buckets: int, resolution: int) -> None:
        self.buckets, self.resolution = buckets, resolution
        self.events: list[tuple[float, int]] = []
        self.late = 0

    def add(self, value: float, at: int) -> bool:
        newest = max((each // self.resolution for _, each in self.events), default=None)
        if newest is not None and at // self.resolution <= newest - self.buckets:
            self.late += 1
            return False
        self.events.append((value, at))
        return True

    def values(self, interval: tuple[float, float]) -> list[float]:
        start, end = interval
        return [value for value, at in self.events if start <= at < end]

    def total(self, interval: tuple[float, float]) -> float:
        values = self.values(interval)
        if all(isinstance(value, int) for value in values):
            return sum(values)
        return float(sum(Fraction(value) for value in values))
