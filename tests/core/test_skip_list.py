"""SkipList beside a sorted list, and at its edges."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from models.leaderboard import LeaderboardModel

from engagehub_core import Ranked, SkipList
from engagehub_core.errors import InvalidArgument, InvalidType, UnknownMember

SCORES = st.integers(-5, 5)


class SkipListMachine(RuleBasedStateMachine):
    """The leaderboard's model without time."""

    @initialize(ties=st.sampled_from(["competition", "dense", "ordinal"]), order=st.sampled_from(["arrival", "member"]))
    def start(self, ties, order):
        self.ranked = SkipList(ties=ties, order=order)
        self.model = LeaderboardModel(None, ties, order)

    @rule(member=st.integers(0, 200), score=SCORES)
    def set(self, member, score):
        assert self.ranked.set(member, score) == self.model.set(member, score, 0)

    @rule(member=st.integers(0, 200), amount=SCORES)
    def add(self, member, amount):
        assert self.ranked.add(member, amount) == self.model.add(member, amount, 0)

    @rule(changes=st.lists(st.tuples(st.integers(0, 200), SCORES), max_size=150))
    def update(self, changes):
        self.ranked.update([c[0] for c in changes], [c[1] for c in changes])
        for member, score in changes:
            self.model.set(member, score, 0)

    @rule(member=st.integers(0, 200))
    def remove(self, member):
        if member in self.model.sums:
            assert self.ranked.remove(member) == float(self.model.sums[member])
            self.model.remove(member)
        else:
            with pytest.raises(UnknownMember):
                self.ranked.remove(member)

    @rule(highest=st.booleans())
    def pop(self, highest):
        rows = self.model.rows(0)
        pop = self.ranked.pop_highest if highest else self.ranked.pop_lowest
        if rows:
            row = rows[0 if highest else -1]
            assert pop() == row[:3]
            self.model.remove(row[1])
        else:
            with pytest.raises(IndexError, match="the list must have a row to pop, but it is empty"):
                pop()

    @rule()
    def carry_over(self):
        self.ranked = pickle.loads(pickle.dumps(self.ranked))

    @rule(start=st.integers(0, 250), length=st.integers(0, 50), low=SCORES, high=SCORES)
    def ask(self, start, length, low, high):
        rows = [row[:3] for row in self.model.rows(0)]
        assert self.ranked.range(start, start + length) == rows[start : start + length]
        inside = [row for row in rows if low <= row[2] <= high]
        assert self.ranked.between(low, high) == inside
        assert self.ranked.count(low, high) == len(inside)

    @invariant()
    def agree(self):
        if not hasattr(self, "ranked"):
            return
        self.ranked._check()
        rows = [row[:3] for row in self.model.rows(0)]
        assert self.ranked.range(0, len(rows) + 1) == rows
        assert list(self.ranked) == [row[1] for row in rows]
        members = [row[1] for row in rows]
        assert self.ranked.ranks(members).tolist() == [row[0] for row in rows]
        assert self.ranked.scores(members).tolist() == [row[2] for row in rows]
        for rank, member, score in rows[:: max(1, len(rows) // 7)]:
            assert (self.ranked.rank(member), self.ranked[member]) == (rank, score)
            assert self.ranked.at(members.index(member)) == (rank, member, score)


TestSkipListMachine = SkipListMachine.TestCase
TestSkipListMachine.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)


def test_positions_count_from_either_end():
    ranked = SkipList()
    ranked.update(["ada", "bob", "cy"], [3, 1, 2])
    assert ranked.at(0) == Ranked(1, "ada", 3.0)
    assert ranked.at(-1) == (3, "bob", 1.0)
    for position in (3, -4):
        with pytest.raises(IndexError, match=f"position must be from -3 to 2, got {position}"):
            ranked.at(position)
    with pytest.raises(IndexError):
        SkipList().at(0)


def test_copies_keep_the_order_among_ties_and_are_independent():
    ranked = SkipList(ties="ordinal")
    for member in ("zoe", "ada", "mia"):
        ranked.set(member, 1)
    for twin in (ranked.copy(), copy.copy(ranked), copy.deepcopy(ranked)):
        assert list(twin) == ["zoe", "ada", "mia"]
        twin.set("ada", 5)
    assert ranked["ada"] == 1.0


def test_bad_input_is_refused_by_name_and_changes_nothing():
    ranked = SkipList()
    ranked.set("ada", 1)
    with pytest.raises(InvalidArgument, match="score must be finite, got nan"):
        ranked.set("ada", float("nan"))
    with pytest.raises(InvalidArgument, match="amount must be a finite number of at most 1e290"):
        ranked.add("ada", -1e300)
    with pytest.raises(InvalidType, match="member must be str as all before it, got int"):
        ranked.set(1, 1)
    with pytest.raises(InvalidArgument, match=r"scores\[1\] must be finite, got inf"):
        ranked.update(["bob", "cy"], [1, float("inf")])
    with pytest.raises(InvalidArgument, match="start must be at least 0, got -1"):
        ranked.range(-1, 2)
    assert ranked.range(0, 9) == [(1, "ada", 1.0)]


def test_negative_zero_ties_with_zero():
    ranked = SkipList()
    ranked.set("ada", 0.0)
    ranked.set("bob", -0.0)
    assert str(ranked["bob"]) == "0.0"
    assert ranked.rank("bob") == 1


def test_a_list_is_built_from_a_mapping_or_from_pairs():
    scores = {f"m{number}": number % 7 for number in range(500)}
    by_one = SkipList()
    for member, score in scores.items():
        by_one.set(member, score)
    for built in (SkipList(scores), SkipList(scores.items()), SkipList(iter(scores.items()))):
        built._check()
        assert built.range(0, 500) == by_one.range(0, 500)
    assert SkipList([("ada", 1), ("ada", 2)])["ada"] == 2.0
    assert list(SkipList({})) == []


@pytest.mark.parametrize("scores", [7, ["ada"], [("ada",)], [("ada", 1, 2)], {"ada", "bob"}])
def test_what_is_no_mapping_and_no_pairs_is_refused(scores):
    with pytest.raises(InvalidType, match="scores must be a mapping from member to score, or pairs of them"):
        SkipList(scores)


def test_scores_that_a_list_is_built_from_are_checked():
    with pytest.raises(InvalidArgument, match=r"scores\[1\] must be finite, got nan"):
        SkipList({"ada": 1, "bob": float("nan")})
    with pytest.raises(InvalidType, match=r"members\[1\] must be str as all before it, got int"):
        SkipList({"ada": 1, 2: 2})


def test_rows_leave_from_either_end():
    ranked = SkipList({"ada": 3, "bob": 1, "cy": 3, "dee": 2})
    assert ranked.pop_lowest() == Ranked(4, "bob", 1.0)
    assert ranked.pop_highest() == Ranked(1, "ada", 3.0)
    assert ranked.pop_highest() == Ranked(1, "cy", 3.0)
    assert ranked.pop_lowest() == Ranked(1, "dee", 2.0)
    with pytest.raises(IndexError, match="must have a row to pop, but it is empty"):
        ranked.pop_lowest()
    with pytest.raises(TypeError, match=r"pop_lowest\(\) takes at most 0 positional arguments \(1 given\)"):
        ranked.pop_lowest(1)


def test_changes_while_iterating_don_t_disturb():
    ranked = SkipList({number: number for number in range(100)})
    for member in ranked:
        ranked.remove(member)
    assert len(ranked) == 0
