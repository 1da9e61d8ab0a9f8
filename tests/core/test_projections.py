"""Specs of boards, trends and windows, and the live structures that are made by them."""

from __future__ import annotations

import copy
import pickle
import random
import sys
import threading
from datetime import timedelta

import pytest

from engagehub_core import BoardSpec, DistinctWindow, Leaderboard, TopK, TrendSpec, WindowSpec
from engagehub_core.errors import InvalidArgument, InvalidType
from engagehub_core.projections import Projections

START = 1_700_000_000


def message(member, channel=None, community="", at=START, value=1.0, kind="message"):
    return kind, member, channel, community, at, value


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: BoardSpec(half_life="7 parsecs"), InvalidArgument, "half_life must be a number and a unit"),
        (
            lambda: BoardSpec(ties="fair"),
            InvalidArgument,
            "ties must be 'competition', 'dense' or 'ordinal', got 'fair'",
        ),
        (lambda: BoardSpec(order="age"), InvalidArgument, "order must be 'arrival' or 'member', got 'age'"),
        (lambda: BoardSpec(max_members=0), InvalidArgument, "max_members must be at least 1, got 0"),
        (lambda: BoardSpec(points=["message"]), InvalidType, "points must be a mapping from str to number, got list"),
        (lambda: BoardSpec(points={1: 1}), InvalidType, "points must have kinds that are str, got int"),
        (lambda: BoardSpec(points={"join": "1"}), InvalidType, r"points\['join'\] must be int or float, got str"),
        (lambda: BoardSpec(points={"join": True}), InvalidType, r"points\['join'\] must be int or float, got bool"),
        (
            lambda: BoardSpec(points={"join": float("nan")}),
            InvalidArgument,
            r"points\['join'\] must be a finite number",
        ),
        (lambda: BoardSpec(points={"join": -2e290}), InvalidArgument, r"points\['join'\] must be .* got -2e\+290"),
        (lambda: BoardSpec(points={}), InvalidArgument, "points must name a kind, or be None for every kind, got none"),
        (lambda: BoardSpec(per_community=1), InvalidType, "per_community must be bool, got int"),
        (
            lambda: BoardSpec(max_communities=0),
            InvalidArgument,
            r"max_communities must be between 1 and 2\*\*24, got 0",
        ),
        (lambda: BoardSpec(max_communities=2**24 + 1), InvalidArgument, "max_communities must be between 1 and"),
        (lambda: BoardSpec(max_communities=1.5), InvalidType, "max_communities must be int, got float"),
        (lambda: TrendSpec(0), InvalidArgument, r"k must be between 1 and 2\^20, got 0"),
        (lambda: TrendSpec(baseline="1d"), InvalidArgument, "baseline must be longer than half_life"),
        (lambda: TrendSpec(width=0), InvalidArgument, "width must be between 1 and"),
        (lambda: TrendSpec(depth=65), InvalidArgument, "depth must be between 1 and 64"),
        (lambda: TrendSpec(key=b"short"), InvalidArgument, "key must be 16 bytes, got 5"),
        (
            lambda: TrendSpec(item="emoji"),
            InvalidArgument,
            "item must be 'member', 'channel', 'kind' or 'community', got",
        ),
        (lambda: TrendSpec(kinds="message"), InvalidType, "kinds must be a collection of str, got str"),
        (lambda: TrendSpec(kinds=7), InvalidType, "kinds must be a collection of str, got int"),
        (lambda: TrendSpec(kinds=[7]), InvalidType, "kinds must be str, got int"),
        (lambda: TrendSpec(kinds=[]), InvalidArgument, "kinds must name a kind, or be None for every kind, got none"),
        (lambda: WindowSpec("-1h"), InvalidArgument, "span must be a number and a unit"),
        (lambda: WindowSpec("24h", 0), InvalidArgument, "resolution must be between 1 microsecond"),
        (lambda: WindowSpec("24h", p=3), InvalidArgument, "p must be between 4 and 18, got 3"),
        (lambda: WindowSpec("24h", item=None), InvalidArgument, "item must be .* got None"),
        (lambda: Projections({"a": TrendSpec()}), InvalidType, r"boards\['a'\] must be a BoardSpec, got TrendSpec"),
        (lambda: Projections([BoardSpec()]), InvalidType, "boards must be a mapping from str to BoardSpec, got list"),
        (lambda: Projections({1: BoardSpec()}), InvalidType, "boards must have names that are str, got int"),
        (lambda: Projections(clock=0), InvalidType, "clock must be callable, got int"),
    ],
)
def test_what_is_wrong_is_said_at_once(make, error, text):
    with pytest.raises(error, match=text):
        make()


def test_specs_are_values():
    one = BoardSpec(half_life="7d", points={"message": 1})
    assert one == BoardSpec(half_life="7d", points={"message": 1}) != BoardSpec(half_life="7d", points={"message": 2})
    assert {TrendSpec(kinds=["join"]), TrendSpec(kinds=("join",)), TrendSpec()} == {
        TrendSpec(kinds=["join"]),
        TrendSpec(),
    }
    assert hash(one) == hash(copy.deepcopy(one))
    for spec in (one, TrendSpec(7, key=b"0" * 16), WindowSpec(timedelta(hours=24), 3600, kinds=["join"])):
        assert pickle.loads(pickle.dumps(spec)) == spec
        assert "0000" not in repr(spec)
    with pytest.raises(AttributeError):
        one.half_life = "1d"


def test_a_spec_keeps_what_it_was_given():
    points = {"message": 1}
    spec = BoardSpec(points=points)
    points["join"] = 2
    assert spec.points == {"message": 1}


@pytest.fixture
def kept():
    return Projections(
        boards={"week": BoardSpec(half_life="7d", points={"message": 1, "join": 5}, ties="dense"), "all": BoardSpec()},
        trends={"channels": TrendSpec(100, half_life="1h"), "kinds": TrendSpec(item="kind", per_community=True)},
        windows={"active": WindowSpec("24h", "1h"), "joined": WindowSpec("24h", kinds=["join"], per_community=True)},
        clock=lambda: START + 7 * 86_400,
        max_skew=None,
    )


def test_live_structures_are_structures_that_follow_events(kept):
    board, trend, window = kept.board("week", 7), kept.trend("channels"), kept.window("active")
    assert (type(board), type(trend), type(window)) == (Leaderboard, TopK, DistinctWindow)
    assert board.top() == []
    assert trend.top() == []
    assert window.estimate() == 0.0
    kept._apply(
        [
            message("ada", "general", 7),
            message("bob", "help", 7, value=2),
            message("ada", None, 7, kind="join"),
            message("cy", "help", 8),
            message("ada", "general", 7, kind="reaction"),
        ]
    )
    assert [(row.rank, row.member, row.score) for row in board.top(at=START)] == [(1, "ada", 6.0), (2, "bob", 2.0)]
    assert board.score("ada") == 3.0  # by the processor's clock
    assert board.ties == "dense"
    assert board.half_life == 7 * 86_400
    assert kept.board("week", 8).top(at=START)[0].member == "cy"
    assert kept.board("all", 7).score("ada") == 3.0
    assert {row.item: row.estimate for row in trend.top(at=START)} == {"general": 2.0, "help": 2.0}
    assert {row.item: row.estimate for row in kept.trend("kinds", 7).top()} == {
        "message": 2.0,
        "join": 1.0,
        "reaction": 1.0,
    }
    assert round(window.estimate("1h", at=START)) == 3
    assert round(kept.window("joined", 7).estimate(at=START)) == 1
    assert kept.window("joined", 8).estimate(at=START) == 0.0


def test_a_live_board_answers_every_question(kept):
    kept._apply([message(member, at=START + member, value=member) for member in range(1, 11)])
    board, own = kept.board("week"), Leaderboard(half_life="7d", ties="dense")
    for member in range(1, 11):
        own.add(member, member, at=START + member)
    asked = {"at": START + 20}
    for ask in (
        lambda one: one.top(3, **asked),
        lambda one: one.page(2, 3, **asked),
        lambda one: one.around(5, 2, **asked),
        lambda one: one.between(2, 5, **asked),
        lambda one: (one.count(2, 5, **asked), one.percentile(5), one.rank(5), one.score(5, **asked)),
        lambda one: (len(one), 5 in one, 11 in one, one.newest_at, one.as_of(START), one.evicted, one.max_members),
        lambda one: (list(one.ranks([1, 5])), list(one.scores([1, 5], **asked))),
        lambda one: (one.to_bytes(), one.to_json(), one.half_life, one.ties, one.order),
    ):
        assert ask(board) == ask(own)


CHANGES = [
    ("board", lambda board: board.add("ada", 1)),
    ("board", lambda board: board.set("ada", 1)),
    ("board", lambda board: board.remove("ada")),
    ("board", lambda board: board.update(["ada"], 1)),
    ("board", lambda board: board.merge(Leaderboard(half_life="7d"))),
    ("board", lambda board: board.clear()),
    ("board", lambda board: board.prune(1)),
    ("board", lambda board: board.rebuild("1d")),
    ("trend", lambda trend: trend.add("general")),
    ("trend", lambda trend: trend.update(["general"])),
    ("trend", lambda trend: trend.merge(TopK(100, half_life="1h"))),
    ("trend", lambda trend: trend.clear()),
    ("window", lambda window: window.add("ada")),
    ("window", lambda window: window.update(["ada"])),
    ("window", lambda window: window.merge(DistinctWindow("24h", "1h"))),
    ("window", lambda window: window.clear()),
]
NAMES = {"board": "week", "trend": "channels", "window": "active"}


@pytest.mark.parametrize(("section", "change"), CHANGES, ids=[f"{name}-{n}" for n, (name, _) in enumerate(CHANGES)])
def test_events_alone_change_a_live_structure(kept, section, change):
    kept._apply([message("ada", "general")])
    live = getattr(kept, section)(NAMES[section])
    before = live.to_bytes()
    with pytest.raises(
        InvalidType, match=r"got a live one, which events alone change; copy\(\) gives you one of your own"
    ):
        change(live)
    assert live.to_bytes() == before
    change(live.copy())


@pytest.mark.parametrize("section", ["board", "trend", "window"])
def test_a_copy_is_ones_own(kept, section):
    kept._apply([message("ada", "general")])
    live = getattr(kept, section)(NAMES[section])
    copies = [live.copy(), copy.copy(live), copy.deepcopy(live)]
    if section != "board":
        assert all(twin == live for twin in copies)
    before = [twin.to_bytes() for twin in copies]
    kept._apply([message("bob", "help")])
    assert [twin.to_bytes() for twin in copies] == before
    assert live.to_bytes() not in before
    assert copies[0].clock() == START + 7 * 86_400
    assert copies[0].max_skew is None


@pytest.mark.parametrize("section", ["board", "trend", "window"])
def test_a_live_structure_may_be_merged_into_ones_own(kept, section):
    kept._apply([message("ada", "general")])
    live = getattr(kept, section)(NAMES[section])
    own = live.copy()
    own.clear()
    own.merge(live)
    assert own.to_bytes() == live.to_bytes()


def test_a_live_structure_outlives_the_projections(kept):
    kept._apply([message("ada", "general")])
    board = kept.board("week")
    del kept
    assert board.score("ada", at=START) == 1.0


def test_names_and_communities_that_there_are_not(kept):
    with pytest.raises(InvalidArgument, match="name must be one of the processor's boards, 'all', 'week', got 'day'"):
        kept.board("day")
    with pytest.raises(
        InvalidArgument, match="name must be one of the processor's trends, of which it has none, got 'week'"
    ):
        Projections({"week": BoardSpec()}).trend("week")
    with pytest.raises(InvalidType, match="name must be str, got int"):
        kept.window(7)
    with pytest.raises(InvalidType, match="community must be int or str, got float"):
        kept.board("week", 7.0)
    with pytest.raises(
        InvalidArgument, match="community must be left out for 'channels', which holds all communities together, got 7"
    ):
        kept.trend("channels", 7)


def test_what_could_not_change_anything_is_counted():
    kept = Projections(
        boards={
            "a": BoardSpec(max_communities=1),
            "b": BoardSpec(points={"join": 1}),
            "c": BoardSpec(per_community=False),
        },
        windows={"w": WindowSpec("2h", "1h")},
    )
    kept._apply([message("ada", community=1, at=START), message(7, community=1, at=START)])
    kept._apply([message("bob", at=START - 86_400)])
    kept._apply([message("bob", community=n, at=START) for n in range(10_000)])
    stats = kept.stats()
    assert stats["boards"]["b"] == (0, None, 0)
    assert stats["boards"]["c"] == (1, "members of a board must be all int or all str, got both", None)
    assert stats["windows"]["w"] == (2, "members of a window must be all int or all str, got both", None)
    board = stats["boards"]["a"]
    assert board.communities == 256 * 16
    assert board.skipped == 1 + 10_001 - 256 * 16  # the community "" came first
    assert board.first_reason == "members of a board must be all int or all str, got both"


def test_asking_for_communities_takes_no_room():
    kept = Projections({"a": BoardSpec(max_communities=1)})
    asked = [kept.board("a", n) for n in range(10_000)]
    assert kept.stats()["boards"]["a"].communities == 0
    kept._apply([message("ada", community=9_999)])
    assert [len(board) for board in asked] == [0] * 9_999 + [1]
    del asked
    assert len(kept.board("a", 9_999)) == 1


@pytest.mark.thread_unsafe(reason="starts threads of its own and sets the switch interval")
def test_workers_and_questions_at_once():
    kept = Projections(
        boards={"week": BoardSpec(half_life="7d")},
        trends={"channels": TrendSpec(10, half_life="1h")},
        windows={"active": WindowSpec("24h", "1h")},
    )
    chosen = random.Random(5)
    rows = [message(chosen.randrange(100), chosen.randrange(30), at=START + n) for n in range(30_000)]
    board, trend, window = kept.board("week"), kept.trend("channels"), kept.window("active")
    is_over = threading.Event()
    failures = []

    def ask():
        while not is_over.is_set():
            top = board.top(5, at=START)
            if [row.score for row in top] != sorted((row.score for row in top), reverse=True):
                failures.append(top)
            if any(not row.low <= row.estimate <= row.high for row in trend.top(5, at=START)):
                failures.append(trend)
            window.estimate(at=START)
            board.copy()
            kept.board("week", chosen.randrange(1_000))

    switch = sys.getswitchinterval()
    sys.setswitchinterval(1e-4)
    threads = [threading.Thread(target=ask) for _ in range(3)]
    try:
        for thread in threads:
            thread.start()
        for first in range(0, len(rows), 1_000):
            kept._apply(rows[first : first + 1_000])
    finally:
        is_over.set()
        for thread in threads:
            thread.join()
        sys.setswitchinterval(switch)
    assert not failures
    own = Leaderboard(half_life="7d")
    for _, member, _, _, at, value in rows:
        own.add(member, value, at=at)
    assert board.to_bytes() == own.to_bytes()
