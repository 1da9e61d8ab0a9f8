"""Check an installed engagehub-core against golden values: ``python -m engagehub_core.selftest``.

It needs nothing but the package itself. Every structure is fed the same seeded input and compared with what it must
answer, bit for bit, on every platform; every byte format makes a round trip; a 10,000-event stream is replayed into a
database twice. A build in which a constant, a hash or an estimator differs fails.
"""

from __future__ import annotations

import hashlib
import json
import queue
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from engagehub_core import (
    CountMinSketch,
    DistinctWindow,
    EventProcessor,
    HyperLogLog,
    Leaderboard,
    MpmcQueue,
    SkipList,
    TopK,
    TotalWindow,
    __version__,
)
from engagehub_core.demo import write_demo
from engagehub_core.errors import Corrupted, Incompatible, ShutDown, SinkError
from engagehub_core.replay.run import Replay

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from engagehub_core import EventBatch

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

    def digest(self, what: str, values: Iterable[object], wanted: str) -> None:
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
    for half_life, golden, in_bytes in (
        (None, "2f35fe52583d4a8b", "04cad14520b8afd5"),
        ("1s", "7fd94749920728ef", "0d937702ea235024"),
        ("7d", "c5457e1075f14408", "7922a4cb3a9b2b13"),
        ("3652d", "b48800c5f45639b1", "8b02c381bebe0311"),
    ):
        board = Leaderboard(half_life, max_skew=None)
        draw = numbers(2)
        for _ in range(3_000):
            member, points, at = f"m{next(draw) % 300}", next(draw) / 1_000 - 800_000, next(draw) * 2 - 10**9
            board.add(member, points, at)
        rows = board.top(300, at=4_000_000_000)
        checks.digest(f"Leaderboard rows, half_life={half_life}", list(rows), golden)
        checks.equal(f"Leaderboard merge with itself, half_life={half_life}", _doubled(board), True)
        checks.digest(f"Leaderboard bytes, half_life={half_life}", [board.to_bytes().hex()], in_bytes)
        _round_trip(checks, board)


def _doubled(board: Leaderboard) -> bool:
    twin = board.copy()
    twin.merge(board)
    at = 4_000_000_000
    pairs = zip(twin.top(300, at=at), board.top(300, at=at), strict=True)
    return all(two.score == 2 * one.score and two[:2] == one[:2] for two, one in pairs)


def check_hyperloglog(checks: Checks) -> None:
    """Compare with the bytes and estimates of servers, from sparse to dense, and merge in either order."""
    few = HyperLogLog()
    few.update(["a", "b", "c"])
    wanted = "48594c4c01000000000000000000008060f38050b1844bfb80425a"
    checks.equal("HyperLogLog of three items as a server stores it", few.to_redis().hex(), wanted)
    few_there = HyperLogLog(hash="postgresql")
    few_there.update(["a", "b", "c"])
    stored = few_there.to_postgresql(log2m=11)
    checks.equal("HyperLogLog of three items as PostgreSQL stores it", stored.hex(), "138b7f11213dc29ae2")
    back = HyperLogLog.from_postgresql(stored).to_postgresql()
    checks.equal("HyperLogLog of three items from PostgreSQL and back", back, stored)
    checks.digest("HyperLogLog of three items", [few.to_bytes().hex()], "0c70661cc7060672")
    for count, estimate, servers in (
        (1_000, 1_000, 996),
        (5_000, 5_002, 4_987),
        (20_000, 19_939, 19_865),
        (100_000, 100_362, 100_648),
    ):
        seen = HyperLogLog()
        seen.update([f"item-{number}" for number in range(count)])
        checks.equal(f"HyperLogLog estimate of {count} items", round(seen.estimate()), estimate)
        data = seen.to_redis()
        read = HyperLogLog.from_redis(data)
        checks.equal(f"HyperLogLog estimate of {count} items on a server", round(read.estimate()), servers)
        checks.equal(f"HyperLogLog of {count} items from a server and back", read.to_redis(), data)
        _round_trip(checks, seen)
        _round_trip(checks, read)
    for p, golden in ((4, "42e0afec116ebaf8"), (11, "9fcc8c2d409eaf7d"), (18, "3e0c7c615c38f70d")):
        halves = HyperLogLog(p), HyperLogLog(p)
        for half, start in zip(halves, (0, 20_000), strict=True):
            half.update(range(start, start + 30_000))
        checks.equal(f"HyperLogLog merges in either order at p={p}", halves[0] | halves[1], halves[1] | halves[0])
        both = halves[0] | halves[1]
        checks.digest(f"HyperLogLog of integers at p={p}", [both.estimate(), both.to_bytes().hex()], golden)


def check_count_min_sketch(checks: Checks) -> None:
    """Estimates, bounds and bytes of a skewed stream, in every kind of cell and under a key."""
    key = bytes(range(16))
    for counts, golden in (
        (CountMinSketch(width=300, depth=4), "fc54bd64030e0bba"),
        (CountMinSketch(width=300, depth=4, cell_bits=32), "b8f5a5d1f574228a"),
        (CountMinSketch(width=300, depth=4, half_life="1h"), "14b168c8fd912550"),
        (CountMinSketch(width=300, depth=4, key=key), "14fbe1588bee0745"),
    ):
        truth: dict[str, int] = {}
        draw = numbers(3)
        start, end = 1_700_000_000, 1_700_020_000
        for step in range(5_000):
            item, weight = f"i{next(draw) % (1 + next(draw) % 900)}", next(draw) % 5
            counts.add(item, weight, at=start + 4 * step)
            truth[item] = truth.get(item, 0) + weight
        if counts.half_life is None:
            under = [item for item, count in truth.items() if counts.bounds(item)[1] < count]
            checks.equal("CountMinSketch items that are under-estimated", under, [])
        answers = [counts.answer(item, at=end) for item in truth]
        checks.digest(f"{counts!r}", [*answers, counts.to_bytes().hex()], golden)
        try:
            CountMinSketch.from_bytes(counts.to_bytes())
        except Incompatible:
            read = CountMinSketch.from_bytes(counts.to_bytes(), key)
            checks.equal("CountMinSketch read back under its key", read, counts)
        else:
            _round_trip(checks, counts)


def check_top_k(checks: Checks) -> None:
    """Heavy hitters with and without decay, and growth."""
    for half_life, baseline, golden in (
        (None, None, "fb1a1601023db8fb"),
        ("1h", None, "c238c798817d43a9"),
        ("1s", "1m", "787f7f4fa89200d1"),
    ):
        trends = TopK(20, half_life=half_life, baseline=baseline, width=128)
        draw = numbers(4)
        for step in range(5_000):
            trends.add(next(draw) % (1 + next(draw) % 400), at=1_700_000_000 + step * 7)
        name = f"half_life={half_life}, baseline={baseline}"
        checks.digest(f"TopK rows, {name}", [*trends.top(20, at=1_700_040_000), trends.to_bytes().hex()], golden)
        _round_trip(checks, trends)
    trends = TopK(20, half_life="1h", baseline="1d")
    for day in range(10):
        trends.update(["general"] * 48 + ["help"] * 2, at=[86_400 * day + 1_800 * half for half in range(48)] + [0, 1])
    trends.update(["new"] * 9 + ["help"] * 9, at=864_000)
    # Their logarithms are those of the platform, which may differ in the last digits.
    rows = [(row.item, *(round(value, 6) for value in row[1:])) for row in trends.growth(at=864_000)]
    checks.digest("TopK growth", rows, "1e5b69358d5e4f66")


def check_distinct_window(checks: Checks) -> None:
    """Buckets that come and go, late members, and the interval that an answer covers."""
    window = DistinctWindow("1h", max_skew=None)
    draw = numbers(5)
    for step in range(5_000):
        window.add(next(draw) % 3_000, at=1_700_000_000 + step * 2 - next(draw) % 9_000)
    answers = [window.answer(span, at=1_700_010_000) for span in ("1m", "10m", "1h")]
    covered = [window.interval(span, at=1_700_010_000) for span in ("1m", "10m", "1h")]
    checks.digest("DistinctWindow", [window.late, *answers, *covered, window.to_bytes().hex()], "2135f33a0faa27e1")
    _round_trip(checks, window)


def check_total_window(checks: Checks) -> None:
    """Add up ints and floats, below the last bit of a sum too."""
    window = TotalWindow("1h", max_skew=None)
    draw = numbers(6)
    for step in range(5_000):
        value = next(draw) if step % 3 else next(draw) / 2.0 ** (next(draw) % 90)
        window.add(value, at=1_700_000_000 + step * 2 - next(draw) % 9_000)
    window.update([0.5 / 2**63, 1.5 / 2**64, 2.5 / 2**64, 0.5 / 2**64], at=1_700_010_000)
    answers = [(window.total(span, 1_700_010_000), window.count(span, 1_700_010_000)) for span in ("1m", "10m", "1h")]
    values = [window.late, *answers, *window.series(at=1_700_010_000), window.to_bytes().hex()]
    checks.digest("TotalWindow", values, "2d062d965558b057")
    _round_trip(checks, window)


def _round_trip(
    checks: Checks, structure: CountMinSketch | DistinctWindow | HyperLogLog | Leaderboard | TopK | TotalWindow
) -> None:
    """Read the bytes back, and refuse them with any one byte altered."""
    data = structure.to_bytes()
    name = type(structure).__name__
    checks.equal(f"{name} read back", type(structure).from_bytes(data).to_bytes(), data)
    for place in range(0, len(data), 1 + len(data) // 50):
        altered = bytearray(data)
        altered[place] ^= 0x10
        try:
            type(structure).from_bytes(bytes(altered))
        except Corrupted:
            continue
        checks.equal(f"{name} with byte {place} altered", "accepted", "refused")
    checks.passed += 1


def check_mpmc_queue(checks: Checks) -> None:
    """Order, bounds and the end of a queue."""
    items: MpmcQueue[int] = MpmcQueue(5)
    checks.equal("MpmcQueue capacity, rounded up", items.capacity, 8)
    checks.equal("MpmcQueue capacity, a power of two already", MpmcQueue(8).capacity, 8)
    checks.equal("MpmcQueue put_many", items.put_many(range(8)), 8)
    try:
        items.put_nowait(8)
    except queue.Full:
        checks.passed += 1
    else:
        checks.equal("MpmcQueue that is full", "accepted", "refused")
    checks.equal("MpmcQueue get_many", items.get_many(5), [0, 1, 2, 3, 4])
    items.shutdown()
    checks.equal("MpmcQueue drained after its shutdown", items.get_many(9), [5, 6, 7])
    try:
        items.get_nowait()
    except ShutDown:
        checks.passed += 1
    else:
        checks.equal("MpmcQueue after its shutdown", "open", "shut down")


def check_event_processor(checks: Checks) -> None:
    """Every event at the sink, once, in order; a failing sink is accounted for."""
    members: list[object] = []

    def sink(batch: EventBatch) -> None:
        if "bad" in batch.columns()["kind"]:
            message = "refused by the self-test"
            raise ValueError(message)
        members.extend(batch.columns()["member"])

    events = EventProcessor(sink, batch_size=100, overflow="block")
    for number in range(2_500):
        events.push("message", number, "general", at=1_700_000_000 + number)
    events.flush(timeout=60)
    checks.equal("EventProcessor order of delivery", members, list(range(2_500)))
    events.push("bad", 1, at=0)
    try:
        events.close(timeout=60)
    except SinkError:
        checks.passed += 1
    else:
        checks.equal("EventProcessor with a failing sink", "silent", "raises SinkError")
    stats = events.stats()
    account = (stats.offered, stats.accepted, stats.delivered, stats.dead_lettered, stats.queued, stats.in_flight)
    checks.equal("EventProcessor account", account, (2_501, 2_501, 2_500, 1, 0, 0))


def check_replay(checks: Checks) -> None:
    """Replay a stream into a database, then once more: the second time everything is a duplicate."""
    with tempfile.TemporaryDirectory() as folder:
        stream = str(write_demo(Path(folder, "selftest.csv"), members=500, events=10_000))
        database = str(Path(folder, "selftest.db"))
        reports = []
        for written, duplicate in ((10_000, 0), (0, 10_000)):
            with Replay([stream], database) as replay:
                outcome = replay.run()
            account = outcome.account
            rows = (account.read, account.written, account.duplicate, account.rejected)
            checks.equal("Replay account", rows, (10_000, written, duplicate, 0))
            checks.equal("Replay failure", outcome.failure, None)
            reports.append(outcome.answers and json.dumps(outcome.answers.report(), sort_keys=True))
        checks.equal("Replay answers from the stored rows", reports[1], reports[0])
        checks.digest("Replay answers", reports[:1], "4c08a59966c5d7b4")


CHECKS: tuple[Callable[[Checks], None], ...] = (
    check_skip_list,
    check_leaderboard,
    check_hyperloglog,
    check_count_min_sketch,
    check_top_k,
    check_distinct_window,
    check_total_window,
    check_mpmc_queue,
    check_event_processor,
    check_replay,
)


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
