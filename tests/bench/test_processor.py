"""The suite of the event processor: every row on tiny workloads, and the yardstick of its sink."""

from __future__ import annotations

from contextlib import closing

import pytest
from click.testing import CliRunner, Result

from engagehub_bench import record
from engagehub_bench.events import Events
from engagehub_bench.peers import call_noop, yardsticks
from engagehub_bench.peers.bare_sqlite import BareSqlite
from engagehub_bench.plan import Plan
from engagehub_bench.scale import HASH_LOOP
from engagehub_bench.suites.processor import database, pushes
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


def test_tiny_run_has_every_row_and_no_wrong_answer(tmp_path):
    path = tmp_path / "run.json"
    result = bench("processor", "--quick", "--repeats", "2", "--json", str(path))
    assert result.exit_code == 0, result.output
    cases = {case.name: case for case in record.read(path).cases}
    calls = [pushes.OURS, pushes.QUEUE, pushes.NOOP]
    expected = {f"processor/push/{kind}": calls for kind in KINDS}
    expected |= {f"processor/push, call by call/{kind}": [pushes.OURS] for kind in KINDS}
    expected |= {"processor/SqliteSink": [database.OURS, database.BARE]}
    if yardsticks.missing() is None:
        expected["processor/SqliteSink"].append(HASH_LOOP)
    assert {name: [row.name for row in case.rows] for name, case in cases.items()} == expected
    measured = [row for case in cases.values() for row in case.rows if row.samples and row.name != HASH_LOOP]
    assert all(row.correct is True for row in measured)
    if call_noop.missing() is None:
        assert pushes.NOOP in {row.name for row in measured}
    demands = {kind: [claim.text for claim in cases[f"processor/push/{kind}"].rows[0].claims] for kind in KINDS}
    assert demands == {
        "int": ["at most 0.7 × SimpleQueue.put of a tuple", "at most 2.5 × no-op"],
        "str": ["at most 5 × no-op"],
        "new str": ["at most 10 × no-op"],
    }


def test_peers_that_are_not_there_decide_nothing(tmp_path):
    path = tmp_path / "run.json"
    result = bench("processor", "--quick", "--repeats", "1", "--peers", "none", "--json", str(path))
    assert result.exit_code == 0, result.output
    rows = [row for case in record.read(path).cases for row in case.rows]
    assert {row.name for row in rows if row.note == "peer missing"} == {pushes.QUEUE, pushes.NOOP, database.BARE}
    decided = {claim.text for row in rows for claim in row.claims if claim.reached is not None}
    assert decided == {"p99 at most 5 × the median"}


class Deaf(EventProcessor):
    """Drops an event, and says that it took it."""

    __slots__ = ("calls",)

    def push(self, *arguments, **keywords):
        self.calls = getattr(self, "calls", 0) + 1
        return self.calls == 200 or super().push(*arguments, **keywords)


class Confused(EventProcessor):
    """Takes channels for members."""

    __slots__ = ()

    def push(self, kind, member, channel, **keywords):
        return super().push(kind, channel, member, **keywords)

    def push_many(self, columns):
        return super().push_many({**columns, "member": columns["channel"]})


@pytest.mark.parametrize("contender", [Deaf, Confused])
@pytest.mark.parametrize("kind", KINDS)
def test_events_that_do_not_arrive_make_a_row_wrong(contender, kind: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pushes, "EventProcessor", contender)
    cases = [*pushes.cases(TINY, kind)]
    assert [case.rows[0].correct for case in cases] == [False, False]
    assert {claim.reached for case in cases for row in case.rows for claim in row.claims} == {None}


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
