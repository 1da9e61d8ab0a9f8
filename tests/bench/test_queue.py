"""The suite of queues: every row on tiny workloads, and the yardsticks beside what they must be."""

from __future__ import annotations

from queue import SimpleQueue

import pytest
from click.testing import CliRunner, Result

from engagehub_bench import record
from engagehub_bench.calibration import HASH_LOOP_NS
from engagehub_bench.peers import call_noop, queue_rings, yardsticks
from engagehub_bench.plan import Plan
from engagehub_bench.rows import Row
from engagehub_bench.scale import HASH_LOOP
from engagehub_bench.suites.queue import batches, calls, native, threads, waiting
from engagehub_core import MpmcQueue
from engagehub_core.cli.root import engagehub

TINY = Plan((200,), 1, quick=True, peers=frozenset())
RING, PADDED = native.RINGS


def bench(*arguments: str) -> Result:
    result = CliRunner().invoke(engagehub, ["bench", *arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture(autouse=True)
def short_loops(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("engagehub_bench.plan.Plan.queued", 2_500)  # batches of different lengths
    monkeypatch.setattr("engagehub_bench.plan.Plan.short_calls", 300)
    monkeypatch.setattr("engagehub_bench.plan.Plan.transferred", 5_000)


@pytest.fixture
def needs_compiler():
    if (reason := yardsticks.missing()) is not None:
        pytest.skip(reason)


@pytest.fixture
def needs_headers():
    if (reason := call_noop.missing()) is not None:
        pytest.skip(reason)


def test_tiny_run_has_every_row_and_no_wrong_answer(tmp_path):
    path = tmp_path / "run.json"
    result = bench("queue", "--quick", "--repeats", "2", "--json", str(path))
    assert result.exit_code == 0, result.output
    cases = {case.name.partition(" threads on ")[0]: case for case in record.read(path).cases}
    names = {name: [row.name for row in case.rows] for name, case in cases.items()}
    python = ["MpmcQueue", "SimpleQueue"]
    expected = {
        "queue/put_nowait": python,
        "queue/get_nowait": python,
        "queue/put_many, get_many": ["put_many", "get_many"],
        "queue/2 producers, 2 consumers": python,
        "queue/a waiting get, idle": python,
        "queue/put until a waiting get has it": python,
    }
    compiled = yardsticks.missing() is None
    if compiled:
        expected["queue/put_many, get_many"].append(HASH_LOOP)
        rows = ["MpmcQueue", "BlockingQueue", RING, PADDED, HASH_LOOP, "moodycamel"]
        expected |= {f"queue/C++ {each} to {each} threads, 24-byte items": rows for each in (1, 2)}
        crowd = names.pop("queue/C++")
        assert {"MpmcQueue, 1 to 1", "BlockingQueue, 1 to 1"} <= set(crowd)
    else:
        expected |= {f"queue/C++ {each} to {each} threads, 24-byte items": ["MpmcQueue"] for each in (1, 2)}
    assert names == expected
    measured = [row for case in cases.values() for row in case.rows if row.samples and row.name != HASH_LOOP]
    assert all(row.correct is True for row in measured)
    demands = {claim.text for case in cases.values() for row in case.rows for claim in row.claims}
    assert {"no slower than SimpleQueue", "under 1 % of a core"} <= demands
    assert not compiled or {"3.5 × faster than moodycamel", "at least half the peak"} <= demands


def test_peers_that_are_not_there_decide_nothing(tmp_path):
    path = tmp_path / "run.json"
    result = bench("queue", "--quick", "--repeats", "1", "--peers", "none", "--json", str(path))
    assert result.exit_code == 0, result.output
    rows = [row for case in record.read(path).cases for row in case.rows]
    assert {row.name for row in rows if row.note == "peer missing"} == {"SimpleQueue", "MpmcQueue"}
    assert {claim.text for row in rows for claim in row.claims if claim.reached is not None} == {"under 1 % of a core"}


class Confused(MpmcQueue):
    """Gives other items than those that were put."""

    def get(self, *arguments, **keywords):
        return super().get(*arguments, **keywords) + 1

    def get_nowait(self):
        super().get_nowait()
        return object()

    def get_many(self, *arguments, **keywords):
        return super().get_many(*arguments, **keywords)[::-1]


class Forgetful(MpmcQueue):
    def put_nowait(self, item):
        if self.qsize() != 100:
            super().put_nowait(item)


@pytest.mark.parametrize("part", [calls, batches, threads, waiting])
def test_other_items_make_a_row_wrong(part, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(part, "MpmcQueue", Confused)
    cases = [case for case in part.cases(TINY) if "until" not in case.name]
    assert {row.correct for case in cases for row in case.rows if row.samples} == {False}
    assert {claim.reached for case in cases for row in case.rows for claim in row.claims} == {None}


def test_lost_items_make_a_row_wrong(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(calls, "MpmcQueue", Forgetful)
    assert next(calls.cases(TINY)).rows[0].correct is False


@pytest.mark.usefixtures("needs_compiler")
def test_lost_items_make_a_row_of_a_ring_wrong(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(queue_rings, "transfer", lambda name, *_: None if name == "MpmcQueue" else 1e6)
    plan = Plan((200,), 2, quick=True, peers=frozenset({"native"}))
    cases = [*native.cases(plan)]
    found = {row.name.partition(",")[0]: row.correct for case in cases for row in case.rows if row.name != HASH_LOOP}
    assert {name for name, correct in found.items() if correct is False} == {"MpmcQueue"}


def test_idle_is_processor_time_while_time_passes(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(waiting, "process_time", iter([3.0, 3.5]).__next__)
    monkeypatch.setattr(waiting, "perf_counter", iter([10.0, 12.0]).__next__)
    assert waiting.idle(SimpleQueue(), 0.0) == (25.0, True)


def rings(ours: float, packed: float, padded: float, moodycamel: float | None, hash_loop: float = HASH_LOOP_NS):
    costs = {"MpmcQueue": ours, "BlockingQueue": ours, RING: packed, PADDED: padded, HASH_LOOP: hash_loop}
    if moodycamel is not None:
        costs["moodycamel"] = moodycamel
    case = native.judged((2, 2), {name: Row(name, [cost] * 3) for name, cost in costs.items()})
    return {row.name: row for row in case.rows}


def test_ring_is_held_against_the_better_of_two():
    for packed, padded in ((10, 12), (12, 10)):
        found = rings(12, packed, padded, 42)
        assert [claim.reached for claim in found["MpmcQueue"].claims] == [True, True]
        assert [claim.reached for claim in rings(12.1, packed, padded, 42)["MpmcQueue"].claims] == [False, False]


@pytest.mark.parametrize(("slowness", "valid"), [(1.0, True), (1.26, False)])
@pytest.mark.parametrize("hash_loop", [1.6, 3.2, 6.4])
def test_ring_that_misses_its_published_figure_decides_nothing(slowness: float, valid: bool, hash_loop: float):
    scale = hash_loop / HASH_LOOP_NS
    found = rings(10 * scale, 11.9 * slowness * scale, 20 * scale, 60 * scale, hash_loop)
    assert found[RING].valid is valid
    assert [claim.reached for claim in found["MpmcQueue"].claims] == [True if valid else None, True]


def test_demand_on_a_queue_without_headers_stays_undecided():
    found = rings(10, 10, 10, None)
    assert found["moodycamel"].note == "its headers aren't installed"
    assert [claim.reached for claim in found["MpmcQueue"].claims] == [True, None]


@pytest.mark.usefixtures("needs_compiler")
def test_rings_hand_over_every_item_in_order():
    assert {"Vyukov ring, packed", "Vyukov ring, padded"} <= set(queue_rings.names())
    for name in queue_rings.names():
        for producers, consumers in ((1, 1), (2, 2), (4, 2), (1, 3)):
            nanoseconds = queue_rings.transfer(name, producers, consumers, 60_000)  # more than there are slots
            assert nanoseconds is not None, name
            assert nanoseconds > 0


@pytest.mark.usefixtures("needs_headers")
def test_noop_takes_an_event_apart():
    noop = call_noop.noop()
    number, text = 1 << 60, "mitglied-ä"
    assert noop("message", number, -number, at=1_700_000_000.25) is True
    assert call_noop.last() == ("message", number, -number, 1_700_000_000_250_000, 0)
    assert noop("join", text, "general", at=0.0000015, id=text) is True
    assert call_noop.last() == ("join", text, "general", 2, text)


@pytest.mark.usefixtures("needs_headers")
@pytest.mark.parametrize(
    ("arguments", "keywords", "error"),
    [
        (("", 1, 2), {"at": 1.0}, TypeError),
        ((3, 1, 2), {"at": 1.0}, TypeError),
        (("message", 1.5, 2), {"at": 1.0}, TypeError),
        (("message", 1, None), {"at": 1.0}, TypeError),
        (("message", 1 << 63, 2), {"at": 1.0}, ValueError),
        (("message", 1, 2), {"at": float("nan")}, ValueError),
        (("message", 1, 2), {"at": 1e20}, ValueError),
        (("message", 1, 2), {"at": "now"}, TypeError),
        (("message", 1, 2), {"id": 1}, TypeError),
        (("message", 1, 2), {"at": 1.0, "when": 1.0}, TypeError),
        (("message", 1, 2), {}, TypeError),
        (("message", 1), {"at": 1.0}, TypeError),
        (("message", "\ud800", 2), {"at": 1.0}, UnicodeEncodeError),
    ],
)
def test_noop_refuses_what_no_event_can_be(arguments: tuple[object, ...], keywords: dict[str, object], error):
    with pytest.raises(error):
        call_noop.noop()(*arguments, **keywords)
