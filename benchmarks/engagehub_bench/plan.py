"""What a run was asked to do."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Plan"]


@dataclass(frozen=True)
class Plan:
    """The options of a run, as suites read them.

    Attributes
    ----------
    sizes : tuple of int
        Members of a board, ascending.
    repeats : int
        How often each loop is timed.
    quick : bool
        Shorter loops.
    peers : frozenset of str
        Names of the peers that are asked for and there.
    seed : int
        Of every workload.
    """

    sizes: tuple[int, ...]
    repeats: int
    quick: bool
    peers: frozenset[str]
    seed: int = 1

    @property
    def operations(self) -> int:
        """How many single calls a timed loop makes."""
        return 4_000 if self.quick else 20_000

    @property
    def long_batch(self) -> int:
        """How many changes the longest batch holds."""
        return 100_000 if self.quick else 1_000_000
