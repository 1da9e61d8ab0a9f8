"""The members of a window as a list of events."""

from __future__ import annotations


class DistinctWindowModel:
    """Keeps every event that isn't late; instants are whole seconds."""

    def __init__(self, buckets: int, resolution: int) -> None:
        self.buckets, self.resolution = buckets, resolution
        self.events: list[tuple[int, int]] = []
        self.late = 0

    @property
    def newest_bucket(self) -> int | None:
        return max((at // self.resolution for _, at in self.events), default=None)

    def add(self, member: int, at: int) -> bool:
        newest = self.newest_bucket
        if newest is not None and at // self.resolution <= newest - self.buckets:
            self.late += 1
            return False
        self.events.append((member, at))
        return True

    def interval(self, window: int, at: int) -> tuple[int, int]:
        end = at // self.resolution + 1
        start = end - -(-window // self.resolution)
        newest = self.newest_bucket
        if newest is not None:
            start = min(end, max(start, newest - self.buckets + 1))
        return start * self.resolution, end * self.resolution

    def members(self, interval: tuple[float, float]) -> set[int]:
        start, end = interval
        return {member for member, at in self.events if start <= at < end}
