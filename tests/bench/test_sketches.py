"""The suite of sketches: every row on tiny workloads, the peers as contenders, the bare loops beside plain models."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from importlib.util import find_spec

import numpy as np
import pytest
from click.testing import CliRunner, Result

from engagehub_bench import record, scale
from engagehub_bench.calibration import HASH_LOOP_NS
from engagehub_bench.peers import (
    bounter_package,
    data_sketches,
    hll_package,
    python_counter,
    rhll_package,
    sketch_loops,
    yardsticks,
)
from engagehub_bench.plan import Plan
from engagehub_bench.rows import Planned, Row
from engagehub_bench.sketches import OurCounts, OurDistinct, OurTrends
from engagehub_bench.suites.sketches import adds, batches, window
from engagehub_core.cli.root import engagehub

TINY = ("sketches", "--quick", "--sizes", "200", "--repeats", "2")
SEED, FACTOR, MASK = 0xADC83B19, 0xC6A4A7935BD1E995, (1 << 64) - 1
DISTINCT = {
    "ours": (None, OurDistinct),
    "datasketches": ("datasketches", data_sketches.Hll),
    "rhll": ("rhll", rhll_package.Rhll),
    "hll": ("HLL", hll_package.Hll),
}


def bench(*arguments: str) -> Result:
    result = CliRunner().invoke(engagehub, ["bench", *arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture(autouse=True)
def short_loops(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("engagehub_bench.plan.Plan.short_calls", 400)
    monkeypatch.setattr("engagehub_bench.plan.Plan.long_batch", 3_000)
    monkeypatch.setattr("engagehub_bench.suites.sketches.window._RATE", 5_000)


@pytest.fixture
def needs_compiler():
    if (reason := yardsticks.missing()) is not None:
        pytest.skip(reason)


def contender(module: str | None, make):
    if module is not None:
        pytest.importorskip(module, reason=f"{module} isn't installed")
    return make()


def test_tiny_run_has_every_row_and_no_wrong_answer(tmp_path):
    path = tmp_path / "run.json"
    result = bench(*TINY, "--json", str(path))
    assert result.exit_code == 0, result.output
    cases = {case.name: case for case in record.read(path).cases}
    assert set(cases) == {
        "sketches/HyperLogLog.add/int",
        "sketches/HyperLogLog.add/str",
        "sketches/HyperLogLog.update/int64 array",
        "sketches/HyperLogLog.update/list of str",
        "sketches/HyperLogLog, merge",
        "sketches/HyperLogLog, estimate after a change",
        "sketches/HyperLogLog, estimate, nothing changed",
        "sketches/CountMinSketch.add/str, 4 × 2,048",
        "sketches/CountMinSketch.update/int64 array",
        "sketches/TopK.add/str, k = 100",
        "sketches/DistinctWindow.estimate while 200,000 events a second come in",
    }
    rows = [row for case in cases.values() for row in case.rows]
    measured = [row for row in rows if row.samples and row.name != scale.HASH_LOOP]
    assert all(row.correct is True for row in measured)
    assert all(row.claims for case in cases.values() for row in case.rows[:1])
    assert {row.name for row in cases["sketches/TopK.add/str, k = 100"].rows} == {"TopK", "Counter"}
    if yardsticks.missing() is None:
        assert {"UltraLogLog loop", "HyperLogLog loop", "conservative loop"} <= {row.name for row in measured}


def test_peers_that_are_not_there_decide_nothing(tmp_path):
    path = tmp_path / "run.json"
    result = bench(*TINY, "--peers", "none", "--json", str(path))
    assert result.exit_code == 0, result.output
    cases = record.read(path).cases
    others = [row for case in cases for row in case.rows[1:]]
    assert {row.note for row in others} == {"peer missing"}
    assert {"rhll", "HLL", "datasketches HLL_8", "bounter", "Counter", "UltraLogLog loop", "conservative loop"} <= {
        row.name for row in others
    }
    assert {claim.reached for case in cases for row in case.rows for claim in row.claims} == {None}


def test_wrong_estimate_fails_the_run(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(
        "engagehub_bench.suites.sketches.planned", lambda plan: [Planned("adds", lambda: adds.distinct(plan, "int"))]
    )
    estimating = OurDistinct.estimating
    monkeypatch.setattr(OurDistinct, "estimating", lambda self: lambda: 1.1 * estimating(self)())
    result = bench(*TINY, "--peers", "none")
    assert result.exit_code == 1
    assert "WRONG ANSWERS: sketches/HyperLogLog.add/int: HyperLogLog" in result.output


def test_dropped_events_fail_the_row():
    flow = window._Flow()
    flow.run(0.05)
    assert flow.is_correct()
    flow.refused += 1
    assert not flow.is_correct()


def test_window_that_forgets_is_wrong():
    flow = window._Flow()
    flow.run(0.05)
    flow.window.clear()
    assert not flow.is_correct()


def test_too_slow_a_flow_is_no_row(monkeypatch: pytest.MonkeyPatch):
    send = window._Flow._send

    def late(self):
        send(self)
        self.seconds *= 2

    monkeypatch.setattr(window._Flow, "_send", late)
    ((row,),) = (case.rows for case in window.cases(Plan((200,), 1, quick=True, peers=frozenset())))
    assert row.correct is True
    assert row.valid is False
    assert row.note.startswith("too few events to count: ")


@pytest.mark.parametrize("name", DISTINCT)
def test_distinct_contenders_count_merge_and_answer(name: str):
    first, second = contender(*DISTINCT[name]), contender(*DISTINCT[name])
    numbers = np.random.default_rng(3).integers(1 << 56, 1 << 62, 900)
    first.add_numbers(numbers[:600])
    second.add_numbers(numbers[300:])
    assert adds.is_near(first.estimating()(), 600)
    first.merging(second)()
    assert adds.is_near(first.estimating()(), 900)


@pytest.mark.parametrize("name", DISTINCT)
@pytest.mark.parametrize("keys", ["int", "str"])
def test_distinct_contenders_take_items_or_say_that_they_do_not(name: str, keys: str):
    sketch = contender(*DISTINCT[name])
    add = sketch.adding(keys)
    if add is None:
        assert (name, keys) in {("rhll", "int"), ("hll", "int")}
        return
    for item in range(500):
        add(item if keys == "int" else f"name-{item}")
    assert adds.is_near(sketch.estimating()(), 500)


@pytest.mark.parametrize(
    ("module", "make"),
    [(None, OurCounts), ("datasketches", data_sketches.CountMin), ("bounter", bounter_package.CountMin)],
    ids=["ours", "datasketches", "bounter"],
)
def test_frequency_contenders_count(module: str | None, make):
    sketch = contender(module, make)
    sketch.add_all(["ada", "bob", "ada"])
    sketch.adding()("ada")
    assert sketch.estimates(["ada", "bob", "eve"]) == [3, 1, 0]


@pytest.mark.parametrize(
    ("module", "make"),
    [(None, OurTrends), ("datasketches", data_sketches.FrequentStrings)],
    ids=["ours", "datasketches"],
)
def test_trend_contenders_know_the_top(module: str | None, make):
    sketch = contender(module, make)
    sketch.add_all(["ada"] * 3 + ["bob"] * 2 + ["eve"])
    assert sketch.top(2) == ["ada", "bob"]


def test_counter_counts():
    counter = python_counter.CounterCounts()
    counter.add_each(["ada", "bob", "ada"])
    assert counter.estimates(["ada", "bob"]) == [2, 1]


def murmur64a(data: bytes) -> int:
    """MurmurHash64A by its description, under the seed of Redis."""
    value = SEED ^ (len(data) * FACTOR & MASK)
    whole = len(data) // 8 * 8
    for start in range(0, whole, 8):
        word = int.from_bytes(data[start : start + 8], "little") * FACTOR & MASK
        word ^= word >> 47
        value = (value ^ (word * FACTOR & MASK)) * FACTOR & MASK
    if whole < len(data):
        value = (value ^ int.from_bytes(data[whole:], "little")) * FACTOR & MASK
    value = (value ^ value >> 47) * FACTOR & MASK
    return value ^ value >> 47


def ranks_of(hashes) -> dict[int, set[int]]:
    """Which ranks each register has seen, on Redis's split of the bits."""
    seen = defaultdict(set)
    for value in hashes:
        rest = value >> 14 | 1 << 50
        seen[value % 16_384].add((rest & -rest).bit_length())
    return seen


def expected_bytes(which: str, hashes) -> list[int]:
    registers = [0] * 16_384
    for index, ranks in ranks_of(hashes).items():
        rank = max(ranks)
        known = 2 * (rank - 1 in ranks) + (rank - 2 in ranks)
        registers[index] = rank if which == "hyperloglog" else 4 * (rank + 1) + known
    return registers


@pytest.mark.usefixtures("needs_compiler")
@pytest.mark.parametrize("which", ["hyperloglog", "ultraloglog"])
def test_bare_registers_are_those_of_a_plain_model(which: str):
    # In few registers, so that most see several ranks, in any order.
    draw = random.Random(1)
    numbers = [draw.getrandbits(63) - (1 << 62) for _ in range(30_000)]
    hashes = [murmur64a(number.to_bytes(8, "little", signed=True)) for number in numbers]
    numbers = [number for number, value in zip(numbers, hashes, strict=True) if value % 16_384 < 600]
    hashes = [value for value in hashes if value % 16_384 < 600]
    sketch_loops.clear(which)
    array = np.array(numbers, dtype=np.int64)
    loop = sketch_loops.integers(which, array)
    loop.empty()
    assert not sketch_loops.bytes_of(which).any()
    loop.run()
    assert sketch_loops.bytes_of(which).tolist() == expected_bytes(which, hashes)

    texts = [text * count for text in ("a", "ä", "日", "\N{PARTY POPPER}") for count in range(26)]
    sketch_loops.texts(which, sketch_loops.Texts(texts)).run()
    hashes += [murmur64a(text.encode()) for text in texts]
    assert sketch_loops.bytes_of(which).tolist() == expected_bytes(which, hashes)
    sketch_loops.clear(which)
    assert not sketch_loops.bytes_of(which).any()


@pytest.mark.usefixtures("needs_compiler")
@pytest.mark.parametrize("which", ["counts32", "counts64"])
@pytest.mark.parametrize("to_all", [False, True])
def test_bare_counts_are_those_of_a_plain_model(which: str, to_all: bool):
    draw = random.Random(2)
    numbers = [draw.randrange(3_000) for _ in range(9_000)]
    cells: Counter[tuple[int, int]] = Counter()

    def places(number: int) -> list[tuple[int, int]]:
        value = murmur64a(number.to_bytes(8, "little"))
        return [(row, (value >> 11 * row) % 2_048) for row in range(4)]

    for number in numbers:
        raised = min(cells[place] for place in places(number)) + 1
        for place in places(number):
            cells[place] = max(cells[place], raised)
    array = np.array(numbers, dtype=np.int64)
    sketch_loops.clear(which)
    sketch_loops.integers(which, array, to_all=to_all).run()
    asked = np.arange(3_000, dtype=np.int64)
    expected = [min(cells[place] for place in places(number)) for number in range(3_000)]
    assert sketch_loops.estimates(which, asked).tolist() == expected


def test_registers_are_estimated():
    draw = random.Random(3)
    hashes = [draw.getrandbits(64) for _ in range(60_000)]
    for count in (1_000, 60_000):
        for which, known_below in (("hyperloglog", 0), ("ultraloglog", 2)):
            registers = np.array(expected_bytes(which, hashes[:count]), dtype=np.uint8)
            assert adds.is_near(batches.estimate_of(registers, known_below=known_below), count)


@pytest.mark.parametrize(("cost", "valid"), [(7.5, True), (7.51, False)])
@pytest.mark.parametrize("slowness", [0.5, 1.0, 2.0])
def test_bare_loop_must_reach_its_published_figure(cost: float, valid: bool, slowness: float):
    hash_loop = Row(scale.HASH_LOOP, [HASH_LOOP_NS * slowness] * 3)
    row = scale.proven(Row("loop", [cost * slowness] * 3), hash_loop, 6.0)
    assert row.valid is valid
    assert row.note.startswith("yardstick invalid: ") is not valid


def test_limits_are_scaled_by_the_hash_loop():
    hash_loop = Row(scale.HASH_LOOP, [HASH_LOOP_NS * 2] * 3)
    row = Row("merge", [5_000.0] * 3)
    assert scale.no_more_than("at most 3 µs", row, hash_loop, 3_000).reached is True
    assert scale.no_more_than("at most 2 µs", row, hash_loop, 2_000).reached is False
    assert scale.no_more_than("at most 3 µs", row, None, 3_000).reached is None
    row = Row("update", [50.0] * 3)
    assert scale.rate_of_at_least(40.0, row, hash_loop).reached is True
    assert scale.rate_of_at_least(41.0, row, hash_loop).reached is False
    assert scale.rate_of_at_least(40.0, row, None).reached is None


def test_absent_package_says_so(monkeypatch: pytest.MonkeyPatch):
    from engagehub_bench.peers import distributions

    assert distributions.missing_one("no-such-distribution") == "no-such-distribution isn't installed"
    for name, module in (("rhll", rhll_package), ("HLL", hll_package), ("bounter", bounter_package)):
        expected = None if find_spec(name) else f"{name} isn't installed"
        assert module.missing() == expected
