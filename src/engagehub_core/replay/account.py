"""What became of every row that was read."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Account", "Rejection"]

SHOWN = 10


@dataclass(frozen=True, slots=True)
class Rejection:
    """A row that was refused: where, and why."""

    input: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.input}, line {self.line}: {self.reason}"


@dataclass(slots=True)
class Account:
    """Rows read, written, found stored before, and rejected.

    Examples
    --------
    >>> account = Account(read=3, written=2)
    >>> account.reject("events.csv", 4, "no member")
    >>> account.missing, account.counts()
    (0, {'read': 3, 'written': 2, 'duplicate': 0, 'rejected': 1, 'not_stored': 0})
    """

    read: int = 0
    written: int = 0
    duplicate: int = 0
    rejected: int = 0
    rejections: list[Rejection] = field(default_factory=list)

    def reject(self, name: str, line: int, reason: str) -> None:
        """Count a refused row and keep it if it is among the first ten."""
        self.rejected += 1
        if len(self.rejections) < SHOWN:
            self.rejections.append(Rejection(name, line, reason))

    @property
    def missing(self) -> int:
        """Rows that were read and are in none of the other three numbers: 0 unless storing failed."""
        return self.read - self.written - self.duplicate - self.rejected

    def counts(self) -> dict[str, int]:
        """Return all numbers; the first is the sum of the others."""
        return {
            "read": self.read,
            "written": self.written,
            "duplicate": self.duplicate,
            "rejected": self.rejected,
            "not_stored": self.missing,
        }
