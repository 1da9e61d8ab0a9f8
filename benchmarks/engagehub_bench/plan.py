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
        Members of a board, names in a stream, items of the longest error curve; ascending.
    repeats : int
        How often each loop is timed.
    quick : bool
        Shorter loops.
    peers : frozenset of str
        Names of the peers that are asked for and there.
    streams : int
        How many streams an error curve is measured on.
    seed : int
        Of every workload.
    """

    sizes: tuple[int, ...]
    repeats: int
    quick: bool
    peers: frozenset[str]
    streams: int = 1
    seed: int = 1

    @property
    def operations(self) -> int:
        """How many single calls a timed loop makes."""
        return 4_000 if self.quick else 20_000

    @property
    def short_calls(self) -> int:
        """How many calls a timed loop makes where one takes some nanoseconds."""
        return 10_000 if self.quick else 100_000

    @property
    def long_stream(self) -> int:
        """How many items a stream holds whose frequencies are estimated."""
        return 100_000 if self.quick else 10_000_000

    @property
    def long_batch(self) -> int:
        """How many changes the longest batch holds."""
        return 100_000 if self.quick else 1_000_000

    @property
    def queued(self) -> int:
        """How many items a queue of the usual capacity holds when single calls are timed."""
        return 10_000

    @property
    def transferred(self) -> int:
        """How many items threads in C++ hand over at a time."""
        return 100_000 if self.quick else 500_000

    @property
    def pushed(self) -> int:
        """How many events a timed loop pushes."""
        return 10_000 if self.quick else 100_000

    @property
    def stored(self) -> int:
        """How many events a database takes."""
        return 5_000 if self.quick else 50_000

    @property
    def streamed(self) -> int:
        """How many events go into sketches in a repeat."""
        return 50_000 if self.quick else 1_000_000
