"""A leaderboard as bytes, JSON and pickle: exact, and nothing that isn't a board is taken for one."""

from __future__ import annotations

import json
import pickle
import random
import struct
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engagehub_core import Leaderboard, SkipList
from engagehub_core.errors import Corrupted, EngageHubError, Incompatible, InvalidArgument, InvalidType

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


def small_board():
    board = Leaderboard("7d", ties="dense", order="member", max_members=9, max_skew=None)
    board.update(["ada", "böb", "cy " * 9], [3, -1.5, 0.1], at=[0, 86_400.5, -1e9])
    return board


def carried(board):
    yield Leaderboard.from_bytes(board.to_bytes(), max_skew=None)
    yield Leaderboard.from_bytes(memoryview(bytearray(board.to_bytes())), max_skew=None)
    yield Leaderboard.from_json(board.to_json(), max_skew=None)
    yield Leaderboard.from_json(board.to_json(indent=1).encode(), max_skew=None)
    yield pickle.loads(pickle.dumps(board))


@given(
    scores=st.dictionaries(TEXT, st.floats(-1e290, 1e290), max_size=20),
    half_life=st.sampled_from([None, 0.001, 3600, 3e9]),
    at=st.integers(-(10**10), 10**10),
)
def test_any_board_is_carried_over_to_the_last_bit(scores, half_life, at):
    board = Leaderboard(half_life, max_skew=None)
    board.update(list(scores), list(scores.values()), at=at)
    for twin in carried(board):
        assert twin.to_bytes() == board.to_bytes()
        assert twin.top(99, at=at) == board.top(99, at=at)
        twin._check()


def test_what_is_carried_over_is_everything():
    board = small_board()
    for _ in range(20):
        board.add(f"guest {len(board)} {board.evicted}", 7, at=86_401)
    for twin in carried(board):
        facts = ("ties", "order", "half_life", "max_members", "evicted", "newest_at")
        assert [getattr(twin, fact) for fact in facts] == [getattr(board, fact) for fact in facts]
        twin.add("dee", 8, at=90_000)
        assert len(twin) == 9


def test_arrivals_are_carried_over_as_the_order_of_ties():
    board = Leaderboard(ties="ordinal")
    for member in ("zoe", "ada", "mia"):
        board.add(member, 1, at=0)
    for twin in carried(board):
        twin.add("bob", 1, at=0)
        assert [row.member for row in twin.top()] == ["zoe", "ada", "mia", "bob"]


def test_the_clock_stays_with_a_pickle():
    board = pickle.loads(pickle.dumps(Leaderboard(clock=time.time_ns, max_skew="1m")))
    assert (board.clock, board.max_skew) == (time.time_ns, 60.0)
    assert pickle.loads(pickle.dumps(Leaderboard(max_skew=None))).max_skew is None


def test_bytes_cut_anywhere_are_refused():
    data = small_board().to_bytes()
    for length in range(len(data)):
        with pytest.raises((Corrupted, Incompatible)):
            Leaderboard.from_bytes(data[:length])
    with pytest.raises(Corrupted):
        Leaderboard.from_bytes(data + b"\0")


def test_bytes_with_a_flipped_bit_are_refused():
    data = small_board().to_bytes()
    for position in range(len(data) * 8):
        altered = bytearray(data)
        altered[position // 8] ^= 1 << position % 8
        with pytest.raises((Corrupted, Incompatible)):
            Leaderboard.from_bytes(altered)


@pytest.mark.parametrize("data", [None, 7, "text"])
def test_bytes_must_be_a_buffer(data):
    with pytest.raises(InvalidType, match="data must be bytes"):
        Leaderboard.from_bytes(data)


def changed(**fields):
    return json.dumps({**json.loads(small_board().to_json()), **fields})


def changed_row(**fields):
    content = json.loads(small_board().to_json())
    content["rows"][1] = {**content["rows"][1], **fields}
    return json.dumps(content)


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("", Corrupted, "text must be JSON: Expecting value"),
        ("{", Corrupted, "text must be JSON"),
        ("[" * 100_000, Corrupted, "text must be JSON"),
        (b"\xff", Corrupted, "text must be JSON"),
        ("1" * 10_000, Corrupted, "text must be"),
        ("[]", Corrupted, "text must be an object whose format is 'engagehub leaderboard'"),
        (changed(format="other"), Corrupted, "format is 'engagehub leaderboard'"),
        (changed(version=2), Incompatible, "version must be at most 1, got 2: a newer release wrote it"),
        (changed(version=True), Corrupted, "version must be 1, got True"),
        (changed(version=1.0), Corrupted, "version must be 1, got 1.0"),
        (small_board().to_json().encode("utf-16"), Corrupted, "text must be JSON"),
        (changed(version="1"), Corrupted, "version must be 1, got '1'"),
        (changed(half_life_us=0), Corrupted, "half_life_us must be an integer from 1 .* or null, got 0"),
        (changed(half_life_us=2.5), Corrupted, "half_life_us must be an integer"),
        (changed(half_life_us=999), Corrupted, "half_life must be at least 1 millisecond"),
        (changed(ties="fair"), Corrupted, "ties must be one of 'competition', 'dense', 'ordinal', got 'fair'"),
        (changed(ties=[]), Corrupted, "ties must be one of"),
        (changed(order=None), Corrupted, "order must be one of 'arrival', 'member', got None"),
        (changed(max_members=0), Corrupted, "max_members must be an integer from 1"),
        (changed(max_members=2), Corrupted, "rows must be at most max_members"),
        (changed(evicted=-1), Corrupted, "evicted must be an integer from 0"),
        (changed(evicted=None), Corrupted, "evicted must be an integer from 0 to 9223372036854775807, got None"),
        (changed(newest_at_us=None), Corrupted, "rows must be none on a board without a newest change"),
        (changed(newest_at_us=10**18), Corrupted, "the newest change must be between the years 1 and 9999"),
        (changed(newest_at_us=0), Corrupted, "rows must not be newer than the board"),
        (changed(newest_at_us=True), Corrupted, "newest_at_us must be an integer"),
        (changed(rows={}), Corrupted, "rows must be a list"),
        (changed(rows=[1]), Corrupted, r"rows\[0\] must have a member, a sum of mantissa and exponent"),
        (changed_row(member=None), Corrupted, r"rows\[1\] must have a member"),
        (changed_row(member=True), Corrupted, r"rows\[1\] must have a member"),
        (changed_row(member=7), Corrupted, "rows must be of one kind"),
        (changed_row(member=2**63), Corrupted, r"rows\[1\] must have a member"),
        (changed_row(member="\ud800"), Corrupted, "member must be text without lone surrogates"),
        (changed_row(member="ada"), Corrupted, "rows must name a member once"),
        (changed_row(sum=[1.5]), Corrupted, r"rows\[1\] must have a member"),
        (changed_row(sum=[True, 0]), Corrupted, r"rows\[1\] must have a member"),
        (changed_row(sum=[0.5, 0]), Corrupted, "rows must have possible sums, row 1"),
        (changed_row(sum=[2.0, 0]), Corrupted, "rows must have possible sums"),
        (changed_row(sum=[-0.0, 0]), Corrupted, "rows must have possible sums"),
        (changed_row(sum=[0.0, 1]), Corrupted, "rows must have possible sums"),
        (changed_row(sum=[float("nan"), 0]), Corrupted, "rows must have possible sums"),
        (changed_row(sum=[float("inf"), 0]), Corrupted, "rows must have possible sums"),
        (changed_row(sum=[10**400, 0]), Corrupted, r"rows\[1\] must have a member"),
        (changed_row(sum=[1.5, 2**62]), Corrupted, "rows must have a score that the half-life allows"),
        (changed_row(sum=[1.5, 2**63]), Corrupted, r"rows\[1\] must have a member"),
        (changed_row(sum=[1.5, 99]), Corrupted, "rows must be in descending order"),
        (changed_row(last_at_us=None), Corrupted, r"rows\[1\] must have a member"),
        (changed_row(last_at_us=-(10**17)), Corrupted, "rows must not be newer than the board"),
        (7, InvalidType, "text must be str or bytes, got int"),
    ],
)
def test_json_that_is_no_board_is_refused_and_says_why(text, error, message):
    with pytest.raises(error, match=message):
        Leaderboard.from_json(text)


def test_a_row_that_is_wrong_is_named_by_its_number():
    with pytest.raises(Corrupted) as caught:
        Leaderboard.from_json(changed_row(sum=[0.5, 0]))
    assert caught.value.offset == 1


def test_json_with_random_damage_gives_an_error_or_a_board():
    rnd = random.Random(3)
    text = small_board().to_json()
    refused = 0
    for _ in range(3_000):
        altered = list(text)
        for _ in range(rnd.randint(1, 3)):
            altered[rnd.randrange(len(altered))] = rnd.choice('0123456789.,:[]{}"-e ntf\\')
        try:
            board = Leaderboard.from_json("".join(altered), max_skew=None)
        except EngageHubError:
            refused += 1
        else:
            board._check()
            assert Leaderboard.from_bytes(board.to_bytes(), max_skew=None).to_bytes() == board.to_bytes()
    assert 2_000 < refused < 3_000


def test_json_is_for_people_too():
    board = Leaderboard("1h")
    board.add("ada", 8, at=0)
    board.add("bob", 1, at=3600)
    content = json.loads(board.to_json())
    assert [(row["member"], row["score"]) for row in content["rows"]] == [("ada", 4.0), ("bob", 1.0)]
    assert (content["half_life_us"], content["newest_at_us"], content["max_members"]) == (
        3_600_000_000,
        3_600_000_000,
        None,
    )
    assert "\n" in board.to_json(indent=2)


def test_empty_boards_are_carried_over():
    for twin in carried(Leaderboard()):
        assert (len(twin), twin.newest_at, twin.half_life) == (0, None, None)
    emptied = Leaderboard("1d")
    emptied.add("ada", 1, at=5)
    emptied.remove("ada")
    for twin in carried(emptied):
        assert (len(twin), twin.newest_at) == (0, 5.0)
        twin.add(7, 1, at=6)


def test_options_of_the_new_board_are_checked():
    data = Leaderboard().to_bytes()
    with pytest.raises(InvalidType, match="clock must be callable, got int"):
        Leaderboard.from_bytes(data, clock=7)
    with pytest.raises(InvalidArgument, match="max_skew must be a number and a unit"):
        Leaderboard.from_bytes(data, max_skew="soon")


def test_a_subclass_stays_one():
    class Weekly(Leaderboard):
        pass

    board = Weekly("7d")
    board.add("ada", 1, at=0)
    assert type(board.copy()) is Weekly
    assert type(Weekly.from_bytes(board.to_bytes())) is Weekly
    assert type(Weekly.from_json(board.to_json())) is Weekly


def test_a_skip_list_is_pickled_with_its_order():
    ranked = SkipList({"zoe": 1, "ada": 1, "mia": -0.0}, ties="ordinal", order="arrival")
    twin = pickle.loads(pickle.dumps(ranked))
    assert (twin.ties, twin.order, list(twin), twin["mia"]) == ("ordinal", "arrival", ["zoe", "ada", "mia"], 0.0)
    assert struct.pack("d", twin["mia"]) == bytes(8)
