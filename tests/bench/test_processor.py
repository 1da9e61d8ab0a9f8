"""The suite of the event processor: every row on tiny workloads, and the yardstick of its sink."""

from __future__ import annotations

import time
from contextlib import closing

import pytest
from click.testing import CliRunner, Result

from engagehub_bench import record
from engagehub_bench.events import Events
from engagehub_bench.peers import call_noop, yardsticks
from engagehub_bench.peers.bare_sqlite import BareSqlite
from engagehub_bench.plan import Plan
from engagehub_bench.scale import HASH_LOOP
from engagehub_bench.suites.processor import database, lag, pushes, structures
from engagehub_core import EventProcessor
from engagehub_core.cli.root import engagehub

TINY = Plan((200,), 1, quick=True, peers=frozenset())
KINDS = ("int", "str", "new str")


def bench(*arguments: str) -> Result:
    result = CliRunner().invoke(engagehub, ["bench", *arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture(autouse=True)
def short_loops(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("engagehub_bench.plan.Plan.pushed", 300)
    monkeypatch.setattr("engagehub_bench.plan.Plan.stored", 2_500)  # the last batch is shorter
    monkeypatch.setattr("engagehub_bench.plan.Plan.streamed", 2_500)
    monkeypatch.setattr("engagehub_bench.suites.processor.lag._RATE", 5_000)


def test_tiny_run_has_every_row_and_no_wrong_answer(tmp_path):
    path = tmp_path / "run.json"
    result = bench("processor", "--quick", "--repeats", "2", "--json", str(path))
    assert result.exit_code == 0, result.output
    cases = {case.name: case for case in record.read(path).cases}
    calls = [pushes.OURS, pushes.QUEUE, pushes.NOOP]
    expected = {f"processor/push/{kind}": calls for kind in KINDS}
    expected |= {f"processor/push/{kind}, with ids": [pushes.OURS, pushes.CHECKED, *calls[1:]] for kind in KINDS}
    expected |= {f"processor/push, call by call/{kind}": [pushes.OURS] for kind in KINDS}
    expected |= {"processor/until all is in a trend and a window": [*structures.OURS]}
    expected |= {"processor/from a push to a query, 5,000 events a second": ["EventProcessor"]}
    expected |= {"processor/SqliteSink": [database.OURS, database.BARE]}
    if yardsticks.missing() is None:
        for name in ("processor/SqliteSink", "processor/until all is in a trend and a window"):
            expected[name].append(HASH_LOOP)
    assert {name: [row.name for row in case.rows] for name, case in cases.items()} == expected
    measured = [row for case in cases.values() for row in case.rows if row.samples and row.name != HASH_LOOP]
    assert all(row.correct is True for row in measured)
    if call_noop.missing() is None:
        assert pushes.NOOP in {row.name for row in measured}
    demands = {
        "int": ["at most 0.7 × SimpleQueue.put of a tuple", "at most 2.5 × no-op"],
        "str": ["at most 5 × no-op"],
        "new str": ["at most 10 × no-op"],
    }
    for kind, texts in demands.items():
        (unchecked, *_), (with_id, checked, *_) = (
            cases[f"processor/push/{kind}{ids}"].rows for ids in ("", ", with ids")
        )
        assert all([claim.text for claim in row.claims] == texts for row in (unchecked, with_id, checked))
    rates = [claim.text for row in cases["processor/until all is in a trend and a window"].rows for claim in row.claims]
    assert [text.partition(" a second")[0] for text in rates] == ["at least 5 million", "at least 30 million"]


def test_peers_that_are_not_there_decide_nothing(tmp_path):
    path = tmp_path / "run.json"
    result = bench("processor", "--quick", "--repeats", "1", "--peers", "none", "--json", str(path))
    assert result.exit_code == 0, result.output
    rows = [row for case in record.read(path).cases for row in case.rows]
    assert {row.name for row in rows if row.note == "peer missing"} == {pushes.QUEUE, pushes.NOOP, database.BARE}
    decided = {claim.text for row in rows for claim in row.claims if claim.reached is not None}
    assert decided <= {"p99 at most 5 × the median", "p99 at most 10 ms"}


class Deaf(EventProcessor):
    """Drops an event, and says that it took it."""

    __slots__ = ("calls",)

    def push(self, *arguments, **keywords):
        self.calls = getattr(self, "calls", 0) + 1
        return self.calls == 20 or super().push(*arguments, **keywords)


class Confused(EventProcessor):
    """Takes channels for members."""

    __slots__ = ()

    def push(self, kind, member, channel=None, **keywords):
        return super().push(kind, channel or "nobody", member, **keywords)

    def push_many(self, columns):
        return super().push_many({**columns, "member": columns["channel"]})


class Repetitive(EventProcessor):
    """Knows no id again."""

    __slots__ = ()

    def __init__(self, sink=None, **options):
        super().__init__(sink, **{**options, "dedupe_horizon": None})


@pytest.mark.parametrize("contender", [Deaf, Confused])
@pytest.mark.parametrize("kind", KINDS)
def test_events_that_do_not_arrive_make_a_row_wrong(contender, kind: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pushes, "EventProcessor", contender)
    cases = [*pushes.cases(TINY, kind)]
    assert {row.correct for case in cases for row in case.rows if row.samples} == {False}
    assert {claim.reached for case in cases for row in case.rows for claim in row.claims} == {None}


def test_ids_that_are_not_known_again_make_a_row_wrong(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pushes, "EventProcessor", Repetitive)
    _, case, _ = pushes.cases(TINY, "int")
    assert {row.name: row.correct for row in case.rows if row.samples} == {pushes.OURS: True, pushes.CHECKED: False}


@pytest.mark.parametrize("contender", [Deaf, Confused])
def test_events_that_reach_no_structure_make_a_row_wrong(contender, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(structures, "EventProcessor", contender)
    (case,) = structures.cases(TINY)
    assert case.rows[0].correct is False
    assert case.rows[1].correct is (contender is Deaf)  # which hears columns


def test_lag_counts_what_a_query_shows(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lag, "_RATE", 1_000)
    flow = lag.Flow(Events("int", 300, 1))
    taken = flow.run(0.05)
    assert len(taken) == flow.marks > 0
    assert flow.seen() == flow.marks
    assert flow.is_correct()
    flow.processor.push("mark", 2, at=time.time())
    assert not flow.is_correct()
    flow.processor.close()


def test_too_slow_a_flow_is_no_row(monkeypatch: pytest.MonkeyPatch):
    run = lag.Flow.run

    def late(self, seconds):
        taken = run(self, seconds)
        self.seconds *= 2
        return taken

    monkeypatch.setattr(lag.Flow, "run", late)
    ((row,),) = (case.rows for case in lag.cases(TINY))
    assert row.correct is True
    assert row.valid is False
    assert row.note.startswith("too few events to count: ")
    assert [claim.reached for claim in row.claims] == [None]


def test_other_rows_make_a_database_wrong(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(database, "EventProcessor", Confused)
    (case,) = database.cases(TINY)
    assert case.rows[0].correct is False


def test_events_are_new_in_each_repeat_and_equal_for_all():
    for kind in KINDS:
        first, second = Events(kind, 400, 1), Events(kind, 400, 1)
        assert (first.members, first.channels, first.ids) == (second.members, second.channels, second.ids)
        assert not any(a is b for a, b in zip(first.members, second.members, strict=True)) or kind == "int"
        members, ids = set(first.members), set(first.ids)
        first.draw()
        assert not ids & set(first.ids)
        assert members != set(first.members)
        assert kind != "new str" or not members & set(first.members)
        assert sorted(first.instants) == first.instants
        assert all(at * 1e6 == round(at * 1e6) for at in first.instants)


def test_bare_database_holds_its_rows_once(tmp_path):
    rows = [(number, "message", 7, 8, 9_000_000 + number, 1.0, None) for number in range(5)]
    with closing(BareSqlite(tmp_path / "bare.db")) as bare:
        bare.store([rows[:3], rows[1:]])
        assert bare.rows() == rows
