"""Boards, trends and windows that an EventProcessor keeps current: the same for any number of workers."""

from __future__ import annotations

import random
import threading

import pytest
from processing import AT, FOREVER, check, run_threads
from waiting import PATIENCE, until

from engagehub_core import BoardSpec, DistinctWindow, EventProcessor, Leaderboard, TopK, TrendSpec, WindowSpec
from engagehub_core.errors import InvalidArgument, InvalidType

BOARDS = {
    "week": BoardSpec(half_life="7d", points={"message": 1, "join": 5}),
    "all": BoardSpec(per_community=False, order="member"),
    "small": BoardSpec(max_members=20),
}
TRENDS = {"channels": TrendSpec(100, half_life="1h"), "kinds": TrendSpec(item="kind", per_community=True)}
WINDOWS = {
    "active": WindowSpec("24h", "1h"),
    "joined": WindowSpec("24h", "1h", kinds=["join"], per_community=True),
}
COMMUNITIES = ["", "school", *range(40)]


def drawn(count, seed=1):
    """Return events of many communities, some late, some with an id that came before."""
    chosen = random.Random(seed)
    return [
        {
            "kind": chosen.choice(["message", "message", "message", "join", "leave"]),
            "member": chosen.randrange(300),
            "channel": chosen.choice(["general", "help", None]),
            "at": AT + n * 3 - chosen.choice([0, 0, 0, 60, 5_000, 200_000]),
            "community": chosen.choice(COMMUNITIES),
            "id": n if chosen.random() < 0.8 else chosen.randrange(n + 1),
            "value": chosen.choice([1.0, 1.0, 2.5, -1.0]),
        }
        for n in range(count)
    ]


def columns_of(rows):
    return {name: [row[name] for row in rows] for name in rows[0]}


def bytes_of(events):
    """Return the state of every structure by name and community."""
    asked = [("board", "week"), ("board", "small"), ("trend", "kinds"), ("window", "joined")]
    states = {(name, c): getattr(events, kind)(name, c).to_bytes() for kind, name in asked for c in COMMUNITIES}
    states["all"] = events.board("all").to_bytes()
    states["channels"] = events.trend("channels").to_bytes()
    states["active"] = events.window("active").to_bytes()
    return states


def make(sink=None, **settings):
    return EventProcessor(
        sink, boards=BOARDS, trends=TRENDS, windows=WINDOWS, clock=lambda: AT + 10**6, overflow="block", **settings
    )


def test_structures_are_bytes_for_bytes_those_of_a_replay_by_hand():
    rows = drawn(5_000)
    with make(workers=3, capacity=64) as events:
        for row in rows:
            events.push(**row)
        events.flush(timeout=PATIENCE)
        states = bytes_of(events)
        stats = check(events.stats())
    seen = set()
    weeks = {c: Leaderboard(half_life="7d", max_skew=None) for c in COMMUNITIES}
    everybody = Leaderboard(order="member", max_skew=None)
    channels = TopK(100, half_life="1h", max_skew=None)
    active = DistinctWindow("24h", "1h", max_skew=None)
    points = {"message": 1, "join": 5}
    for row in rows:
        community, at, member = row["community"], row["at"], row["member"]
        if (community, row["id"]) in seen:
            continue
        seen.add((community, row["id"]))
        if row["kind"] in points:
            weeks[community].add(member, points[row["kind"]] * row["value"], at=at)
        everybody.add(member, row["value"], at=at)
        if row["channel"] is not None:
            channels.add(row["channel"], at=at)
        active.add(member, at=at)
    assert {c: states["week", c] for c in COMMUNITIES} == {c: board.to_bytes() for c, board in weeks.items()}
    assert states["all"] == everybody.to_bytes()
    assert states["channels"] == channels.to_bytes()
    assert states["active"] == active.to_bytes()
    assert (stats.accepted, stats.duplicate) == (len(seen), len(rows) - len(seen))
    assert events.structures()["windows"]["active"].skipped == active.late > 0


@pytest.mark.parametrize("how", ["push", "push_many"])
@pytest.mark.parametrize("batches", [False, True], ids=["without sink", "with sink"])
def test_structures_are_the_same_bytes_for_any_number_of_workers(how, batches):
    rows = drawn(4_000, seed=2)
    states = []
    for workers in (1, 2, 4, 7):
        delivered = []
        with make(delivered.extend if batches else None, workers=workers, capacity=256) as events:
            if how == "push":
                for row in rows:
                    events.push(**row)
            else:
                for first in range(0, len(rows), 700):
                    events.push_many(columns_of(rows[first : first + 700]))
            events.flush(timeout=PATIENCE)
            states.append((bytes_of(events), events.structures()))
            check(events.stats())
        assert len(delivered) == (events.stats().accepted if batches else 0)
    assert all(state == states[0] for state in states)


def test_each_community_has_its_own_and_some_are_shared():
    with make() as events:
        events.push("message", 1, "general", at=AT, community="a")
        events.push("join", 2, "help", at=AT, community="b")
        events.flush(timeout=PATIENCE)
        assert [row[1:3] for row in events.board("week", community="a").top(at=AT)] == [(1, 1.0)]
        assert [row[1:3] for row in events.board("week", community="b").top(at=AT)] == [(2, 5.0)]
        assert events.board("week", community="c").top() == []
        assert len(events.board("all")) == 2
        assert {row.item for row in events.trend("channels").top()} == {"general", "help"}
        assert [row.item for row in events.trend("kinds", "b").top()] == ["join"]
        assert round(events.window("active").estimate("1h", at=AT)) == 2
        assert round(events.window("joined", "b").estimate("1h", at=AT)) == 1
        assert round(events.window("joined", "a").estimate("1h", at=AT)) == 0
        with pytest.raises(InvalidArgument, match="community must be left out for 'all'"):
            events.board("all", "a")
        with pytest.raises(InvalidArgument, match="one of the processor's boards, 'all', 'small', 'week', got 'day'"):
            events.board("day")
        assert events.structures()["boards"]["week"].communities == 2
        assert events.structures()["boards"]["all"].communities is None


CHANGES = {
    "board": ("week", [lambda one: one.add(1, 1), lambda one: one.clear(), lambda one: one.update([1], 1)]),
    "trend": ("channels", [lambda one: one.add("x"), lambda one: one.clear(), lambda one: one.update(["x"])]),
    "window": ("active", [lambda one: one.add(1), lambda one: one.clear(), lambda one: one.update([1])]),
}


@pytest.mark.parametrize("section", CHANGES)
def test_only_events_change_a_live_view_and_a_copy_is_ones_own(section):
    name, changes = CHANGES[section]
    with make() as events:
        events.push("message", 1, "general", at=AT)
        events.flush(timeout=PATIENCE)
        live = getattr(events, section)(name)
        before = live.to_bytes()
        for change in changes:
            with pytest.raises(InvalidType, match=r"copy\(\) gives you one of your own"):
                change(live)
        assert live.to_bytes() == before
        twin = live.copy()
        events.push("message", 2, "help", at=AT)
        events.flush(timeout=PATIENCE)
        assert twin.to_bytes() == before
        assert live.to_bytes() != before
        for change in changes:
            change(twin)


def test_views_go_on_to_answer_after_the_end():
    with make() as events:
        events.push("message", 1, "general", at=AT)
    live = events.board("all")
    del events
    assert live.score(1) == 1.0


def test_flush_waits_for_the_structures_too():
    with make(workers=4) as events:
        board = events.board("all")
        for n in range(500):
            events.push("message", n, at=AT)
            if n % 50 == 0:
                events.flush(timeout=PATIENCE)
                assert len(board) == n + 1


def test_structures_are_current_though_the_sink_is_down():
    is_mended = threading.Event()

    def sink(batch):
        if not is_mended.is_set():
            raise TimeoutError("down")

    with make(sink, retry_first=FOREVER, retry_max=FOREVER) as events:
        for n in range(50):
            events.push("message", n, at=AT)
        until(lambda: events.stats().applied == 50)
        members, delivered = len(events.board("all")), check(events.stats()).delivered
        is_mended.set()  # first, for a sink that is down would hold up the end
    assert (members, delivered) == (50, 0)


def test_what_a_structure_could_not_take_is_counted_with_its_reason():
    with make() as events:
        events.push("message", 1, at=AT)
        events.push("message", "ada", at=AT)
        events.flush(timeout=PATIENCE)
        account = events.structures()["boards"]["all"]
        assert account.skipped == 1
        assert account.first_reason == "members of a board must be all int or all str, got both"
        stats = check(events.stats())
        assert stats.skipped == sum(one.skipped for part in events.structures().values() for one in part.values())
        assert (stats.accepted, stats.applied, stats.delivered) == (2, 2, 2)


@pytest.mark.thread_unsafe(reason="starts threads of its own")
def test_questions_are_answered_while_events_come():
    rows = drawn(6_000, seed=3)
    is_over = threading.Event()
    with make(workers=2, capacity=128) as events:

        def produce():
            try:
                for row in rows:
                    events.push(**row)
            finally:
                is_over.set()

        def ask():
            size = 0
            while not is_over.is_set():
                board = events.board("all")
                assert size <= len(board) <= 300  # members never leave it
                size = len(board)
                scores = [entry.score for entry in board.top(50)]
                assert scores == sorted(scores, reverse=True)
                assert all(row.low <= row.estimate <= row.high for row in events.trend("channels").top())
                assert events.window("active").estimate() <= 310
                copied = events.board("week", 7).copy()
                assert len(copied) <= 300

        run_threads(produce, ask, ask)
        events.flush(timeout=PATIENCE)
        states = bytes_of(events)
    with make(workers=1) as events:
        events.push_many(columns_of(rows))
    assert bytes_of(events) == states
