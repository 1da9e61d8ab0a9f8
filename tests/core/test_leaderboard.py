"""Leaderboard beside its model, and at its edges."""

from __future__ import annotations

import copy
import ctypes
import gc
import pickle
import platform
import subprocess
import sys
import threading
import time
import weakref
from array import array
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from models.leaderboard import LeaderboardModel

from engagehub_core import Entry, Leaderboard, SkipList, ranking
from engagehub_core.errors import EngageHubError, Incompatible, InvalidArgument, InvalidType, UnknownMember

HALF_LIFE = 3600
INSTANTS = st.integers(0, 40).map(lambda count: count * HALF_LIFE)
POINTS = st.integers(-20, 20)


class LeaderboardMachine(RuleBasedStateMachine):
    """Random changes and questions, in whole half-lives so that doubles are exact."""

    @initialize(
        half_life=st.sampled_from([None, HALF_LIFE]),
        ties=st.sampled_from(["competition", "dense", "ordinal"]),
        order=st.sampled_from(["arrival", "member"]),
        text=st.booleans(),
        max_members=st.sampled_from([None, None, 1, 5]),
    )
    def start(self, half_life, ties, order, text, max_members):
        self.board = Leaderboard(half_life, ties=ties, order=order, max_members=max_members)
        self.model = LeaderboardModel(half_life, ties, order, max_members)
        self.name = (lambda number: f"é{number}") if text else (lambda number: number)

    @rule(number=st.integers(-4, 8), points=POINTS, at=INSTANTS)
    def add(self, number, points, at):
        member = self.name(number)
        assert self.board.add(member, points, at) == self.model.add(member, points, at)

    @rule(changes=st.lists(st.tuples(st.integers(-4, 8), POINTS, INSTANTS), max_size=20))
    def update(self, changes):
        self.board.update([self.name(c[0]) for c in changes], [c[1] for c in changes], [c[2] for c in changes])
        for number, points, at in changes:
            self.model.add(self.name(number), points, at)

    @rule(number=st.integers(-4, 8), score=POINTS, at=INSTANTS)
    def set(self, number, score, at):
        member = self.name(number)
        if at < self.model.last.get(member, at):
            with pytest.raises(InvalidArgument, match="at must not be before the member's newest change"):
                self.board.set(member, score, at)
        else:
            assert self.board.set(member, score, at) == self.model.set(member, score, at)

    @rule(number=st.integers(-4, 8), at=INSTANTS)
    def remove(self, number, at):
        member = self.name(number)
        if member in self.model.sums:
            assert self.board.remove(member, at) == self.model.score(member, at)
            self.model.remove(member)
        else:
            with pytest.raises(UnknownMember):
                self.board.remove(member)

    @rule(below=POINTS, at=INSTANTS)
    def prune(self, below, at):
        assert self.board.prune(below, at) == self.model.prune(below, at)

    @rule(half_life=st.sampled_from([None, HALF_LIFE]))
    def rebuild(self, half_life):
        self.board.rebuild(half_life)
        self.model.rebuild(half_life)

    @rule(changes=st.lists(st.tuples(st.integers(-4, 8), POINTS, INSTANTS), max_size=8))
    def merge(self, changes):
        other = Leaderboard(self.model.half_life, order=self.model.order)
        model = LeaderboardModel(self.model.half_life, "ordinal", self.model.order)
        for number, points, at in changes:
            assert other.add(self.name(number), points, at) == model.add(self.name(number), points, at)
        self.board.merge(other)
        self.model.merge(model)

    @rule()
    def carry_over(self):
        clock, skew = self.board.clock, self.board.max_skew
        through = {
            "bytes": lambda: Leaderboard.from_bytes(self.board.to_bytes(), clock=clock, max_skew=skew),
            "JSON": lambda: Leaderboard.from_json(self.board.to_json(), clock=clock, max_skew=skew),
            "pickle": lambda: pickle.loads(pickle.dumps(self.board)),
            "copy": lambda: copy.deepcopy(self.board),
        }
        for carry in through.values():
            before = self.board.to_bytes()
            self.board = carry()
            assert self.board.to_bytes() == before

    @precondition(lambda self: self.model.sums)
    @rule(data=st.data(), at=INSTANTS, n=st.integers(0, 4))
    def ask(self, data, at, n):
        rows = self.model.rows(at)
        member = data.draw(st.sampled_from(sorted(self.model.sums)))
        position = [row[1] for row in rows].index(member)
        assert self.board.rank(member) == rows[position][0]
        assert self.board.score(member, at) == rows[position][2]
        assert self.board.percentile(member) == self.model.percentile(member)
        assert self.board.around(member, n, at) == rows[max(0, position - n) : position + n + 1]
        assert self.board.page(n, 3, at) == rows[n : n + 3]
        assert self.board.ranks([member], missing=0).tolist() == [rows[position][0]]
        assert self.board.scores([member, self.name(99)], at, missing=-1).tolist() == [rows[position][2], -1]
        low, high = sorted(data.draw(st.tuples(POINTS, POINTS)))
        inside = [row for row in rows if low <= row[2] <= high]
        assert self.board.between(low, high, at) == inside
        assert self.board.count(low, high, at) == len(inside)

    @invariant()
    def agree(self):
        if not hasattr(self, "board"):
            return
        self.board._check()
        assert self.board.top(len(self.board) + 1, at=0) == self.model.rows(0)
        assert self.board.evicted == self.model.evicted


TestLeaderboardMachine = LeaderboardMachine.TestCase
TestLeaderboardMachine.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_the_score_halves_with_every_half_life():
    board = Leaderboard(half_life=timedelta(days=7))
    assert board.add("ada", 10, at=0) == 10.0
    assert board.score("ada", at=7 * 86_400) == 5.0
    assert board.half_life == 7 * 86_400.0


def test_rows_name_their_fields():
    board = Leaderboard()
    board.add("ada", 3, at=5)
    assert board.top(1) == [Entry(rank=1, member="ada", score=3.0, last_at=5.0)]


@pytest.mark.parametrize(
    "at",
    [
        1_700_000_000,
        1_700_000_000.0,
        datetime.fromtimestamp(1_700_000_000, UTC),
        datetime.fromtimestamp(1_700_000_000, timezone(timedelta(hours=-9, minutes=30))),
    ],
)
def test_an_instant_may_be_seconds_or_an_aware_datetime(at):
    board = Leaderboard()
    board.add("ada", 1, at=at)
    assert board.newest_at == 1_700_000_000.0


def test_instants_keep_microseconds_before_the_epoch_too():
    board = Leaderboard()
    board.add("ada", 1, at=datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC))
    assert board.newest_at == -1e-06


def test_at_none_is_the_clock():
    board = Leaderboard(clock=lambda: 42)
    board.add("ada", 1)
    assert board.top(1)[0].last_at == 42.0


@pytest.mark.parametrize(
    ("member", "points", "at", "error", "message"),
    [
        (True, 1, 0, InvalidType, "member must be int or str, got bool"),
        (None, 1, 0, InvalidType, "member must be int or str, got NoneType"),
        (1.5, 1, 0, InvalidType, "member must be int or str, got float"),
        (b"ada", 1, 0, InvalidType, "member must be int or str, got bytes"),
        (2**63, 1, 0, InvalidArgument, "member must fit in a signed 64-bit integer, got 9223372036854775808"),
        ("\ud800", 1, 0, InvalidArgument, "member must be text without lone surrogates"),
        ("ada", float("nan"), 0, InvalidArgument, "points must be finite, got nan"),
        ("ada", float("inf"), 0, InvalidArgument, "points must be finite, got inf"),
        ("ada", 10**400, 0, InvalidArgument, "points must fit in a double"),
        ("ada", 1e291, 0, InvalidArgument, "points must be a finite number of at most 1e290 either way"),
        ("ada", True, 0, InvalidType, "points must be int or float, got bool"),
        ("ada", "3", 0, InvalidType, "points must be int or float, got str"),
        ("ada", 1, float("nan"), InvalidArgument, "at must be Unix seconds between the years 1 and 9999, got nan"),
        ("ada", 1, 1_700_000_000_000, InvalidArgument, "at must be Unix seconds between the years 1 and 9999"),
        ("ada", 1, datetime(2026, 1, 1), InvalidArgument, "at must be an aware datetime, got a naive one"),
        ("ada", 1, True, InvalidType, "at must be Unix seconds .* got bool"),
        ("ada", 1, "now", InvalidType, "at must be Unix seconds .* got str"),
    ],
)
def test_bad_input_is_refused_by_name_and_changes_nothing(member, points, at, error, message):
    board = Leaderboard()
    board.add("bob", 1, at=0)
    for call in (board.add, board.set):
        with pytest.raises(error, match=message.replace("points", "(points|score)")) as caught:
            call(member, points, at)
        assert isinstance(caught.value, EngageHubError)
    with pytest.raises(error):
        board.update([member], [points], [at])
    assert board.top(9, at=0) == [(1, "bob", 1.0, 0.0)]


def test_one_board_keeps_to_one_kind_of_member():
    board = Leaderboard()
    board.add("ada", 1, at=0)
    with pytest.raises(InvalidType, match="member must be str as all before it, got int"):
        board.add(7, 1, at=0)
    with pytest.raises(InvalidType, match=r"members\[1\] must be str as all before it, got int"):
        board.update(["bob", 7], 1, at=0)
    assert [row.member for row in board.top()] == ["ada"]
    board.clear()
    board.add(7, 1, at=0)


def test_a_batch_is_checked_whole_before_its_first_change():
    board = Leaderboard()
    for points in ([1, float("nan")], [1, "2"], [1, 1e300], [1]):
        with pytest.raises(EngageHubError):
            board.update(["ada", "bob"], points, at=0)
    with pytest.raises(InvalidArgument, match="at must have 2 values as the items have, got 3"):
        board.update(["ada", "bob"], 1, at=[0, 1, 2])
    with pytest.raises(InvalidType, match="members must be a sequence or an array, got str"):
        board.update("ada", 1, at=0)
    assert len(board) == 0


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"])
def test_batches_take_numpy_arrays_of_any_integer_type(dtype):
    numpy = pytest.importorskip("numpy")
    members = numpy.array([1, 2, 1], dtype=dtype)
    board = Leaderboard()
    board.update(members, numpy.array([1.5, 2, 3], dtype="float32"), numpy.array([0, 1, 2], dtype=dtype))
    assert board.top(2, at=2) == [(1, 1, 4.5, 2.0), (2, 2, 2.0, 1.0)]
    assert board.add(members[0], numpy.float64(1), numpy.int64(2)) == 5.5


def test_batches_refuse_arrays_that_they_would_misread():
    numpy = pytest.importorskip("numpy")
    board = Leaderboard()
    with pytest.raises(InvalidType, match="members must be a buffer of integers"):
        board.update(numpy.array([1.0]), 1, at=0)
    with pytest.raises(InvalidArgument, match="members must be a contiguous buffer"):
        board.update(numpy.arange(10)[::2], 1, at=0)
    with pytest.raises(InvalidArgument, match="members must have one dimension, got 2"):
        board.update(numpy.zeros((2, 2), dtype="int64"), 1, at=0)
    with pytest.raises(InvalidType, match=r"native int8 to int64, .* got one of dtype >i8"):
        board.update(numpy.array([1], dtype=">i8"), 1, at=0)
    with pytest.raises(InvalidArgument, match=r"members\[1\] must fit in a signed 64-bit integer"):
        board.update(numpy.array([1, 2**63], dtype="uint64"), 1, at=0)
    with pytest.raises(InvalidType, match=r"native int8 to int64, .* got one of dtype bool"):
        board.update(numpy.array([True]), 1, at=0)
    assert len(board) == 0


def test_stamps_far_ahead_of_the_clock_are_refused_unless_trusted():
    board = Leaderboard(clock=lambda: 1000, max_skew=60)
    board.add("ada", 1, at=1060)
    with pytest.raises(InvalidArgument, match=r"at must be at most 60.* s ahead of the clock"):
        board.add("ada", 1, at=1060.5)
    with pytest.raises(InvalidArgument, match="ahead of the clock"):
        board.update(["ada", "bob"], 1, at=[0, 2000])
    assert board.top() == [(1, "ada", 1.0, 1060.0)]
    trusting = Leaderboard(clock=lambda: 1000, max_skew=None)
    trusting.add("ada", 1, at=10**10)


def test_a_clock_that_raises_changes_nothing():
    def clock():
        raise OSError("no clock")

    board = Leaderboard(clock=clock)
    with pytest.raises(OSError, match="no clock"):
        board.add("ada", 1)
    assert len(board) == 0


def test_unknown_members_raise_a_key_error_that_shows_them():
    board = Leaderboard()
    for ask in (board.score, board.rank, board.percentile, board.around, board.remove):
        with pytest.raises(UnknownMember, match=r"^member must be present, got 'ada'$") as caught:
            ask("ada")
        assert isinstance(caught.value, KeyError)
    assert "ada" not in board


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"half_life": 0}, "half_life must be between"),
        ({"half_life": "seven days"}, "half_life must be a number and a unit"),
        ({"half_life": -1}, "half_life must be between"),
        ({"half_life": float("nan")}, "half_life must be between"),
        ({"ties": "fair"}, "ties must be 'competition', 'dense' or 'ordinal', got 'fair'"),
        ({"ties": 5}, "ties must be 'competition', 'dense' or 'ordinal', got 5"),
        ({"order": None}, "order must be 'arrival' or 'member', got None"),
        ({"order": "\ud800"}, "a policy must be text without lone surrogates"),
        ({"order": "age"}, "order must be 'arrival' or 'member', got 'age'"),
        ({"clock": 7}, "clock must be callable, got int"),
        ({"max_skew": "soon"}, "max_skew must be a number and a unit"),
    ],
)
def test_bad_options_are_refused_by_name(arguments, message):
    with pytest.raises(EngageHubError, match=message):
        Leaderboard(**arguments)


def test_negative_sizes_are_refused():
    board = Leaderboard()
    with pytest.raises(InvalidArgument, match="n must be at least 0, got -1"):
        board.top(-1)
    with pytest.raises(InvalidType, match="n must be int, got float"):
        board.top(1.0)
    with pytest.raises(InvalidArgument, match="limit must be at least 0, got -2"):
        board.page(0, -2)
    with pytest.raises(InvalidArgument, match="high must be finite, got nan"):
        board.count(0, float("nan"))
    assert board.count(float("-inf"), float("inf")) == 0


def test_boards_of_different_half_lives_do_not_merge():
    with pytest.raises(Incompatible, match="half_life must be equal to merge"):
        Leaderboard("7d").merge(Leaderboard("6d"))


def test_merging_takes_several_boards_all_or_nothing():
    board, one, two = Leaderboard(), Leaderboard(), Leaderboard()
    one.add("ada", 1, at=0)
    two.update(["ada", "bob"], [2, 5], at=0)
    board.merge()
    board.merge(one, two, board)
    assert [row[1:3] for row in board.top()] == [("bob", 5.0), ("ada", 3.0)]
    numbers = Leaderboard()
    numbers.add(7, 1, at=0)
    with pytest.raises(Incompatible, match="members must be of one kind to merge"):
        board.merge(one, numbers)
    with pytest.raises(InvalidType, match="others must be Leaderboard, got SkipList"):
        board.merge(one, SkipList())
    huge = Leaderboard()
    huge.add("bob", 1e290, at=0)
    with pytest.raises(InvalidArgument, match="scores must stay within the range of a double"):
        for _ in range(100):
            huge.merge(huge)
    assert huge.score("bob") < float("inf")
    assert board.score("ada") == 3.0


def test_ranks_are_the_same_at_every_instant():
    board = Leaderboard("1h")
    board.update(["ada", "bob"], [1, 5], at=0)
    assert [board.rank("ada", at=at) for at in (0, 10**9)] == [2, 2]
    assert board.percentile("bob", at=10**9) == 50.0
    with pytest.raises(InvalidType):
        board.rank("ada", at="soon")


def test_a_copy_is_independent():
    board = Leaderboard("1d", ties="dense", order="member", clock=lambda: 5, max_skew=9)
    board.add("ada", 1)
    for twin in (board.copy(), copy.copy(board), copy.deepcopy(board)):
        twin.add("ada", 1)
        assert (twin.ties, twin.order, twin.half_life, twin.clock()) == ("dense", "member", 86_400.0, 5)
        with pytest.raises(InvalidArgument):
            twin.add("ada", 1, at=15)
    assert board.score("ada") == 1.0


def test_a_clock_that_refers_to_its_board_is_collected():
    def clock_of_a_board_in_a_cycle():
        holder = []
        holder.append(Leaderboard(clock=lambda: len(holder)))
        return weakref.ref(holder[0].clock)

    clock = clock_of_a_board_in_a_cycle()
    gc.collect()
    assert clock() is None


def test_threads_lose_no_change():
    board = Leaderboard("1d", clock=lambda: 0)
    members = list(range(50))

    def work():
        for _ in range(40):
            board.update(members, 1, at=0)
            board.add(7, 1, at=0)
            board.top(5)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    board._check()
    assert board.score(7) == 320.0
    assert {row.score for row in board.page(1, 49)} == {160.0}


def test_a_utcoffset_that_is_no_timedelta_is_refused():
    class Odd(datetime):
        def utcoffset(self):
            return 5

    with pytest.raises(InvalidType, match=r"at\.utcoffset\(\) must be a timedelta, got int"):
        Leaderboard().add("ada", 1, at=Odd(2026, 1, 1, tzinfo=UTC))


def test_an_error_of_the_callers_own_comes_through():
    class Number:
        def __init__(self, error):
            self.error = error

        def __index__(self):
            raise self.error

    board = Leaderboard()
    for add in (lambda number: board.add(number, 1), lambda number: board.add("ada", number)):
        with pytest.raises(ZeroDivisionError):
            add(Number(ZeroDivisionError()))
        with pytest.raises(KeyboardInterrupt):
            add(Number(KeyboardInterrupt()))
    with pytest.raises(InvalidType, match="member must be int, got Number"):
        board.add(Number(TypeError()), 1)
    assert len(board) == 0


def test_the_clock_of_the_system_is_read_unless_it_was_replaced(monkeypatch):
    before = time.time()
    board = Leaderboard()
    board.add("ada", 1)
    assert before <= board.newest_at + 1e-6 <= time.time() + 2e-6
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: 5.0)
        board = Leaderboard(clock=time.time)
        board.add("ada", 1)
    assert board.newest_at == 5.0


@pytest.mark.thread_unsafe(reason="it replaces the function of time.time")
def test_a_clock_whose_function_was_replaced_is_called():
    """As libraries do that let tests travel in time: the object stays, its C function doesn't."""

    class Definition(ctypes.Structure):
        _fields_ = [("name", ctypes.c_char_p), ("function", ctypes.c_void_p)]

    def definition(function):  # the first field behind the object's head
        address = ctypes.c_void_p.from_address(id(function) + object.__basicsize__)
        return Definition.from_address(address.value)

    board = Leaderboard()
    original = definition(time.time).function
    definition(time.time).function = definition(time.monotonic).function
    try:
        board.add("ada", 1)
        monotonic = time.monotonic()
    finally:
        definition(time.time).function = original
    assert board.newest_at <= monotonic + 1e-6
    assert board.newest_at > monotonic - 60


def test_as_of_is_the_instant_of_an_answer():
    board = Leaderboard(clock=lambda: 50)
    assert board.as_of() == 50.0
    board.add("ada", 1, at=100)
    assert (board.as_of(), board.as_of(at=7), board.as_of(at=datetime(1970, 1, 1, 0, 3, tzinfo=UTC))) == (100, 100, 180)
    with pytest.raises(InvalidType, match="at must be Unix seconds"):
        board.as_of("soon")


def test_changes_return_the_score_as_of_the_members_own_newest_change():
    board = Leaderboard("1h")
    board.add("bob", 1, at=10 * 3600)
    assert board.add("ada", 8, at=3600) == 8.0  # bob's later change doesn't matter
    assert board.add("ada", 8, at=0) == 12.0
    assert board.score("ada", at=0) == 12 / 2**9
    assert board.set("ada", 3, at=2 * 3600) == 3.0


def test_many_ranks_and_scores_come_as_arrays():
    numpy = pytest.importorskip("numpy")
    board = Leaderboard("1h")
    board.update([1, 2, 3], [4, 8, 4], at=0)
    ranks = board.ranks(numpy.array([3, 1, 2]))
    assert (ranks.dtype, ranks.tolist()) == (numpy.int64, [2, 2, 1])
    scores = board.scores([3, 9], at=3600, missing=float("nan"))
    assert scores.dtype == numpy.float64
    assert scores[0] == 2.0
    assert numpy.isnan(scores[1])
    scores[0] = 7  # it is the caller's own
    with pytest.raises(UnknownMember, match="member must be present, got 9"):
        board.ranks([1, 9])
    with pytest.raises(UnknownMember, match="member must be present, got 9"):
        board.scores([9])
    with pytest.raises(InvalidType, match="members must be a sequence or an array"):
        board.ranks("ada")
    assert board.ranks([]).tolist() == []
    assert board.ranks(["ada"], missing=-1).tolist() == [-1]


def test_without_numpy_arrays_are_those_of_the_standard_library(monkeypatch):
    monkeypatch.setattr(ranking, "_numpy", lambda: None)
    board = Leaderboard()
    board.update(["ada", "bob"], [4, 8], at=0)
    assert board.ranks(["bob", "ada"]) == array("q", [1, 2])
    assert board.scores(["bob", "ada"]) == array("d", [8, 4])


def test_long_answers_are_the_same_as_short_ones():
    board = Leaderboard()
    board.update(range(5_000), range(5_000), at=0)
    assert [row.member for row in board.top(4_000)] == list(range(4_999, 999, -1))
    assert board.page(1_000, 3_000)[-1] == board.page(3_999, 1)[0] == Entry(4_000, 1_000, 1_000.0, 0.0)
    assert [row.member for row in board.around(2_500, 1_000)] == list(range(3_500, 1_499, -1))
    assert len(board.between(10, 4_000)) == board.count(10, 4_000) == 3_991
    assert board.page(5_000, 5) == board.page(10**15, 10**15) == board.top(0) == []
    with pytest.raises(UnknownMember):
        board.around(9_999, 5_000)


def test_a_full_board_lets_the_lowest_leave():
    board = Leaderboard("1h", max_members=2)
    board.update(["ada", "bob", "cy"], [4, 8, 6], at=0)
    assert ([row.member for row in board.top()], board.evicted, board.max_members) == (["bob", "cy"], 1, 2)
    assert board.add("dee", 1, at=0) == 1.0  # who comes may be the one who leaves
    assert "dee" not in board
    assert board.add("dee", 3, at=2 * 3600) == 3.0  # by then worth more than the others
    assert [row.member for row in board.top()] == ["dee", "bob"]
    board.add("bob", -100, at=2 * 3600)  # who is there stays
    assert (len(board), board.evicted, Leaderboard().max_members) == (2, 3, None)
    for bound, error in ((0, InvalidArgument), (-1, InvalidArgument), (1.5, InvalidType), (True, InvalidType)):
        with pytest.raises(error, match="max_members must be"):
            Leaderboard(max_members=bound)


def test_merging_sums_before_anybody_leaves():
    board, one, two = (Leaderboard(max_members=1) for _ in range(3))
    one.add("ada", 2, at=0)
    two.add("bob", 3, at=0)
    board.add("ada", 2, at=0)
    board.merge(one, two)
    assert [(row.member, row.score) for row in board.top()] == [("ada", 4.0)]


def test_rebuilding_keeps_the_scores_of_the_moment():
    board = Leaderboard("1h")
    board.update(["ada", "bob"], [8, 2], at=[0, 3600])
    board.rebuild("2h")
    assert (board.half_life, board.score("ada", at=0), board.score("ada", at=3 * 3600)) == (7200.0, 4.0, 2.0)
    board.rebuild(None)
    assert (board.half_life, board.score("ada", at=10**9)) == (None, 4.0)
    with pytest.raises(InvalidArgument, match="half_life must be"):
        board.rebuild(0)
    assert board.half_life is None


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda board: board.add("ada"), r"add\(\) missing required argument 'points' \(pos 2\)"),
        (lambda board: board.add("ada", 1, 2, 3), r"add\(\) takes at most 3 positional arguments \(4 given\)"),
        (lambda board: board.add("ada", 1, when=2), r"add\(\) got an unexpected keyword argument 'when'"),
        (lambda board: board.add("ada", 1, points=2), r"add\(\) got multiple values for argument 'points'"),
        (lambda board: Leaderboard.add(SkipList(), "ada", 1), "descriptor 'add'"),
        (lambda board: Leaderboard.add(Leaderboard.__new__(Leaderboard), "ada", 1), r"__init__\(\) was not called"),
    ],
)
def test_calls_are_refused_as_python_refuses_them(call, message):
    board = Leaderboard()
    with pytest.raises(TypeError, match=message):
        call(board)
    assert len(board) == 0


def test_every_argument_may_be_named():
    board = Leaderboard(clock=lambda: 0)
    assert board.add(points=3, member="ada", at=0) == 3.0
    assert board.set(score=5, member="ada") == 5.0
    assert board.top(at=0, n=1) == board.page(limit=1, offset=0) == board.around(n=0, member="ada") == board.top()
    assert board.count(high=5) == len(board.between(low=5)) == 1


@pytest.mark.parametrize(
    "number", [0, 1, -1, 2**30 - 1, 2**30, -(2**30), 2**60 - 1, 2**60, -(2**60) + 1, -(2**60), 2**63 - 1, -(2**63)]
)
def test_integers_of_every_size_come_back(number):
    board = Leaderboard()
    board.add(number, 1, at=0)
    board.update([number], 1, at=0)
    assert board.top() == [(1, number, 2.0, 0.0)]


def test_an_empty_board_is_small():
    """Thousands of boards fit into a process: each takes less than a kilobyte."""
    script = """
import ctypes, sys
from engagehub_core import Leaderboard

class Mallinfo2(ctypes.Structure):
    names = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"
    _fields_ = [(name, ctypes.c_size_t) for name in names.split()]

libc = ctypes.CDLL(None)
libc.mallinfo2.restype = Mallinfo2
boards = [Leaderboard("7d")]
before = libc.mallinfo2()
boards += [Leaderboard("7d") for _ in range(2000)]
after = libc.mallinfo2()
allocated = after.uordblks + after.hblkhd - before.uordblks - before.hblkhd
print(allocated / 2000 + sys.getsizeof(boards[0]))  # objects of Python have an allocator of their own
"""
    if platform.libc_ver()[0] != "glibc" or not hasattr(ctypes.CDLL(None), "mallinfo2"):
        pytest.skip("mallinfo2 is glibc's, from 2.33 on")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert 100 < float(done.stdout) < 1024


def test_memory_that_runs_out_in_a_batch_leaves_a_valid_board():
    script = """
import resource
from array import array
from engagehub_core import Leaderboard, SkipList

def limited(call):
    with open("/proc/self/statm") as statm:
        used = int(statm.read().split()[0]) * resource.getpagesize()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + ROOM, hard))
    try:
        call()
    except MemoryError as error:
        return error.applied
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))

ROOM = 24 << 20
members, points = array("q", range(400_000)), array("d", [1.0]) * 400_000
board = Leaderboard("7d")
board.update(range(1000), 1, at=0)
print(limited(lambda: board.update(members, points, at=0)), len(board))
board._check()
bounded = Leaderboard(max_members=300_000)  # goes one by one where members may have to leave
texts = [f"a member whose name is longer than most names are: {number}" for number in range(400_000)]
applied = limited(lambda: bounded.update(texts, points, at=0))
bounded._check()
print(0 < applied == len(bounded) < 300_000, bounded.score(texts[applied - 1]), texts[applied] in bounded)
ranked = SkipList()
ranked.update(members[:10], points[:10])
print(limited(lambda: ranked.update(members, points)), len(ranked))
ranked._check()
board.add(-1, 1, at=0)
print(board.rank(-1))
"""
    if not sys.platform.startswith("linux"):
        pytest.skip("limits of the address space are tested where /proc says how much is in use")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "1000", "True", "1.0", "False", "0", "10", "1"]


def test_merging_several_boards_is_merging_one_after_the_other():
    emptied, one, two = Leaderboard(), Leaderboard(), Leaderboard()
    emptied.add(7, 1, at=50)
    emptied.remove(7)
    one.update(["ada", "bob"], [0.1, 0.7], at=10)
    two.update(["cy", "ada", "dee"], [0.7, 0.2, 0.7], at=20)
    for others in ((emptied, one, two), (one, emptied, two), (two, one, emptied)):
        together, apart = Leaderboard(), Leaderboard()
        together.add("ada", 0.3, at=0)
        apart.add("ada", 0.3, at=0)
        together.merge(*others)
        for other in others:
            apart.merge(other)
        assert together.to_bytes() == apart.to_bytes()
        assert together.newest_at == 50.0


@pytest.mark.parametrize("structure", [Leaderboard, SkipList])
def test_what_stands_for_missing_members_is_checked(structure):
    empty = structure()
    for missing, error in ((2**70, InvalidArgument), ("x", InvalidType), (True, InvalidType), (1.5, InvalidType)):
        with pytest.raises(error, match="missing must"):
            empty.ranks(["ada"], missing=missing)
    for missing, error in (("x", InvalidType), (True, InvalidType), (10**400, InvalidArgument)):
        with pytest.raises(error, match="missing must"):
            empty.scores(["ada"], missing=missing)
    assert empty.scores(["ada"], missing=float("-inf")).tolist() == [float("-inf")]
    assert empty.ranks(["ada"], missing=-1).tolist() == [-1]


def test_a_number_that_python_refuses_to_print_is_refused_without_it():
    board = Leaderboard()
    huge = 10**5_000  # beyond sys.get_int_max_str_digits()
    with pytest.raises(
        InvalidArgument, match="member must fit in a signed 64-bit integer, got one of type int that can't"
    ):
        board.add(huge, 1)
    with pytest.raises(InvalidArgument, match="points must fit in a double, got one of type int"):
        board.add("ada", huge)
    with pytest.raises(InvalidArgument, match="n must fit in a signed 64-bit integer, got one of type int"):
        board.top(huge)


def test_elements_without_a_size_are_refused():
    numpy = pytest.importorskip("numpy")

    class Nothing(ctypes.Structure):
        _fields_ = []

    for odd in ((Nothing * 3)(), numpy.zeros(3, dtype=[])):
        for call in (
            lambda odd=odd: SkipList().ranks(odd),
            lambda odd=odd: Leaderboard().update(odd, 1, at=0),
            lambda odd=odd: Leaderboard().update([1, 2, 3], odd, at=0),
            lambda odd=odd: Leaderboard().update([1, 2, 3], 1, at=odd),
        ):
            with pytest.raises(EngageHubError):
                call()


@pytest.mark.parametrize(
    "at",
    [
        datetime.min.replace(tzinfo=timezone(timedelta(hours=14))),
        datetime.max.replace(tzinfo=timezone(timedelta(hours=-14))),
    ],
)
def test_datetimes_outside_the_years_of_utc_are_refused(at):
    board = Leaderboard("1ms", max_skew=None)
    for call in (
        lambda: board.add("ada", 1, at=at),
        lambda: board.update(["ada"], 1, at=at),
        lambda: board.update(["ada"], 1, at=[at]),
        lambda: board.top(at=at),
        lambda: Leaderboard(clock=lambda: at).add("ada", 1),
    ):
        with pytest.raises(InvalidArgument, match="must be between the years 1 and 9999 of UTC"):
            call()
    assert (len(board), board.newest_at) == (0, None)


def test_an_offset_of_millions_of_years_is_refused():
    class Far(datetime):
        def utcoffset(self):
            return timedelta.max

    with pytest.raises(InvalidArgument, match="must be between the years 1 and 9999 of UTC"):
        Leaderboard(max_skew=None).update(["ada"], 1, at=Far(2026, 1, 1, tzinfo=UTC))


def test_an_error_inside_the_callers_iterator_is_his():
    def members():
        yield 1
        raise TypeError("my own bug")

    board = Leaderboard()
    with pytest.raises(TypeError, match="my own bug"):
        board.update(members(), 1, at=0)
    assert len(board) == 0
