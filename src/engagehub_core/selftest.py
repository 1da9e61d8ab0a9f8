"""Check an installed engagehub-core against golden values: ``python -m engagehub_core.selftest``.

It needs nothing but the package itself. Every structure is fed the same seeded input and compared with what it must
answer, bit for bit, on every platform; every byte format makes a round trip; a 10,000-event stream is replayed into a
database twice. A build in which a constant, a hash or an estimator differs fails.
"""

from __future__ import annotations

import hashlib
import sys
from typing import TYPE_CHECKING

from engagehub_core import Leaderboard, SkipList, __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["SelfTestFailure", "run"]


class SelfTestFailure(AssertionError):
    """A value differs from the golden one."""


class Checks:
    """Counts comparisons, and stops at the first that fails."""

    def __init__(self) -> None:
        self.passed = 0

    def equal(self, what: str, got: object, wanted: object) -> None:
        """Compare one value."""
        if got != wanted:
            message = f"{what}: expected {wanted!r}, got {got!r}"
            raise SelfTestFailure(message)
        self.passed += 1

    def digest(self, what: str, values: Iterator[object] | list[object], wanted: str) -> None:
        """Compare the SHA-256 of many values; floats count to the last bit."""
        text = "\n".join(_canonical(value) for value in values)
        self.equal(what, hashlib.sha256(text.encode()).hexdigest()[:16], wanted)


def _canonical(value: object) -> str:
    if isinstance(value, float):
        return value.hex()
    if isinstance(value, tuple):
        return " ".join(_canonical(part) for part in value)
    return str(value)


def numbers(seed: int) -> Iterator[int]:
    """Yield 31-bit pseudo-random numbers (a Lehmer generator), the same on every platform and Python version."""
    state = seed
    while True:
        state = state * 48_271 % 0x7FFFFFFF
        yield state


def check_skip_list(checks: Checks) -> None:
    """Ranks, positions and ranges after random changes, for every policy."""
    for ranked, golden in (
        (SkipList(ties="competition", order="arrival"), "901ae0ad643d3f9e"),
        (SkipList(ties="dense", order="member"), "91c7d1b09f5fba96"),
        (SkipList(ties="ordinal", order="arrival"), "6c545d4b753a73bc"),
    ):
        draw = numbers(1)
        for _ in range(3_000):
            member, score = next(draw) % 500, next(draw) % 40 - 20
            if next(draw) % 4:
                ranked.add(member, score)
            elif member in ranked:
                ranked.remove(member)
        checks.digest(f"rows of {ranked!r}", list(ranked.range(0, 600)), golden)


def check_leaderboard(checks: Checks) -> None:
    """Decayed scores to the last bit, late changes and centuries included."""
    for half_life, golden in (
        (None, "2f35fe52583d4a8b"),
        ("1s", "7fd94749920728ef"),
        ("7d", "c5457e1075f14408"),
        ("3652d", "b48800c5f45639b1"),
    ):
        board = Leaderboard(half_life, max_skew=None)
        draw = numbers(2)
        for _ in range(3_000):
            member, points, at = f"m{next(draw) % 300}", next(draw) / 1_000 - 800_000, next(draw) * 2 - 10**9
            board.add(member, points, at)
        rows = board.top(300, at=4_000_000_000)
        checks.digest(f"Leaderboard rows, half_life={half_life}", list(rows), golden)
        checks.equal(f"Leaderboard merge with itself, half_life={half_life}", _doubled(board), True)


def _doubled(board: Leaderboard) -> bool:
    twin = board.copy()
    twin.merge(board)
    at = 4_000_000_000
    pairs = zip(twin.top(300, at=at), board.top(300, at=at), strict=True)
    return all(two.score == 2 * one.score and two[:2] == one[:2] for two, one in pairs)


CHECKS: tuple[Callable[[Checks], None], ...] = (check_skip_list, check_leaderboard)


def run() -> int:
    """Run every check and print one line for each.

    Returns
    -------
    int
        The exit code: 0, or 1 where a check failed.

    Examples
    --------
    >>> from engagehub_core import selftest
    >>> selftest.run()  # doctest: +SKIP
    0
    """
    total = 0
    for check in CHECKS:
        checks = Checks()
        name = check.__name__.removeprefix("check_")
        try:
            check(checks)
        except SelfTestFailure as failure:
            sys.stdout.write(f"{name}: FAILED: {failure}\n")
            return 1
        sys.stdout.write(f"{name}: {checks.passed} checks passed\n")
        total += checks.passed
    sys.stdout.write(f"engagehub-core {__version__}: {total} checks passed\n")
    return 0


if __name__ == "__main__":
    sys.exit(run())
