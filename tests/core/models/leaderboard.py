"""An obviously right leaderboard: exact rational arithmetic, everything sorted anew for every question."""

from __future__ import annotations

from fractions import Fraction


class LeaderboardModel:
    """Scores halve every whole ``half_life`` seconds; instants are multiples of it, so that decay is exact."""

    def __init__(self, half_life: int | None, ties: str, order: str, max_members: int | None = None) -> None:
        self.half_life = half_life
        self.ties = ties
        self.order = order
        self.max_members = max_members
        self.evicted = 0
        self.sums: dict[int | str, Fraction] = {}
        self.last: dict[int | str, int] = {}
        self.arrival: dict[int | str, int] = {}
        self.newest = 0
        self.changes = 0

    def weight(self, at: int) -> Fraction:
        return Fraction(2) ** (at // self.half_life) if self.half_life else Fraction(1)

    def _change(self, member: int | str, total: Fraction, at: int) -> float:
        self.changes += 1
        if self.sums.get(member) != total:
            self.arrival[member] = self.changes
        self.sums[member] = total
        self.last[member] = max(at, self.last.get(member, at))
        self.newest = max(self.newest, at)
        shown = float(total / self.weight(self.last[member]))
        self._evict()
        return shown

    def _evict(self) -> None:
        while self.max_members is not None and len(self.sums) > self.max_members:
            self.remove(self.members()[-1])
            self.evicted += 1

    def add(self, member: int | str, points: int, at: int) -> float:
        return self._change(member, self.sums.get(member, Fraction(0)) + points * self.weight(at), at)

    def set(self, member: int | str, score: int, at: int) -> float:
        return self._change(member, score * self.weight(at), at)

    def remove(self, member: int | str) -> None:
        for column in (self.sums, self.last, self.arrival):
            del column[member]

    def score(self, member: int | str, at: int) -> float:
        return float(self.sums[member] / self.weight(max(at, self.newest)))

    def _key(self, member: int | str) -> tuple[Fraction, int | bytes]:
        tie = self.arrival[member] if self.order == "arrival" else member
        return -self.sums[member], tie.encode() if isinstance(tie, str) else tie

    def members(self) -> list[int | str]:
        return sorted(self.sums, key=self._key)

    def prune(self, below: float, at: int) -> int:
        leaving = [member for member in self.sums if self.score(member, at) < below]
        for member in leaving:
            self.remove(member)
        return len(leaving)

    def merge(self, other: LeaderboardModel) -> None:
        """Members arrive in the other's order; who must leave is found at the end."""
        theirs = [(member, other.sums[member], other.last[member]) for member in other.members()]
        bound, self.max_members = self.max_members, None
        for member, total, last in theirs:
            self._change(member, self.sums.get(member, Fraction(0)) + total, last)
        self.newest = max(self.newest, other.newest)
        self.max_members = bound
        self._evict()

    def rebuild(self, half_life: int | None) -> None:
        scores = {member: self.sums[member] / self.weight(self.newest) for member in self.sums}
        self.half_life = half_life
        self.sums = {member: score * self.weight(self.newest) for member, score in scores.items()}

    def rows(self, at: int) -> list[tuple[int, int | str, float, float]]:
        rows = []
        for position, member in enumerate(self.members()):
            higher = [total for total in self.sums.values() if total > self.sums[member]]
            rank = {"ordinal": position, "dense": len(set(higher)), "competition": len(higher)}[self.ties] + 1
            rows.append((rank, member, self.score(member, at), float(self.last[member])))
        return rows

    def percentile(self, member: int | str) -> float:
        below = sum(total < self.sums[member] for total in self.sums.values())
        return 100.0 * below / len(self.sums)
