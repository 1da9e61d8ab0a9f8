"""Decayed scores beside sums of sixty digits: the promised error, the nearest double, and the order at any age."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest
from mpmath import mp, mpf

from engagehub_core import Leaderboard

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = 1_000_000
YEAR = 31_557_600 * SECOND
#: One rounding of a double.
UNIT = mpf(2) ** -53
#: Half the distance between the smallest doubles.
TINIEST = mpf(2) ** -1075


@pytest.fixture(autouse=True)
def sixty_digits():
    with mp.workdps(60):
        yield


class Truth:
    """What a member's changes amount to: the exact score at one instant, and how far a board may be from it."""

    def __init__(self, changes, now, half_life):
        score, magnitude = mpf(0), mpf(0)
        for points, at in changes:
            part = mpf(points) * mpf(2) ** (mpf(at - now) / half_life)
            score += part
            magnitude += abs(part)
        self.score = score
        self.bound = (len(changes) + 16) * UNIT * magnitude

    def agrees_with(self, shown):
        slack = TINIEST if abs(self.score) < mpf(2) ** -1022 else 0
        return abs(mpf(shown) - self.score) <= self.bound + slack


def seconds(micros):
    """Return Unix seconds that say these very microseconds; the years around the epoch have them."""
    value = micros / 1e6
    assert round(value * 1e6) == micros
    return value


def random_half_life(rnd):
    return rnd.choice([SECOND, 10 * YEAR, round(10 ** rnd.uniform(6, 14.49)), 604_800 * SECOND + 1])


def random_points(rnd):
    return rnd.choice(
        [rnd.uniform(-10, 10), rnd.uniform(0, 1) * 10.0 ** rnd.randint(-30, 30), float(rnd.randint(-3, 9))]
    )


def played(rnd, half_life, counts):
    """Return a board, and the changes of each of its members over a hundred years, late ones among them."""
    board = Leaderboard(timedelta(microseconds=half_life), max_skew=None)
    first = rnd.randrange(-60 * YEAR, -20 * YEAR)  # on both sides of the epoch, where doubles hold microseconds
    changes = {}
    for member, count in enumerate(counts):
        # Some members live in a few half-lives, where sums cancel; others over the century.
        span = rnd.choice([1 + half_life // 10, 20 * half_life, 100 * YEAR])
        start = first + rnd.randrange(0, 100 * YEAR)
        own = [(random_points(rnd), min(start + rnd.randrange(0, span), first + 100 * YEAR)) for _ in range(count)]
        if member % 7 == 0:  # a way down to zero and beyond
            own += [(-points, at) for points, at in own[: rnd.randint(0, len(own))]]
        changes[member] = own
    everything = [(member, points, at) for member, own in changes.items() for points, at in own]
    rnd.shuffle(everything)
    cut = len(everything) // 2
    for member, points, at in everything[:cut]:
        board.add(member, points, at=seconds(at))
    members, points, instants = zip(*everything[cut:], strict=True)
    board.update(members, points, at=[seconds(at) for at in instants])
    return board, changes


def check_against_truth(board, changes, half_life, now):
    truths = {member: Truth(own, now, half_life) for member, own in changes.items()}
    rows = board.top(len(board), at=EPOCH + timedelta(microseconds=now))
    assert len(rows) == len(changes)
    for row in rows:
        assert truths[row.member].agrees_with(row.score), (row, truths[row.member].score)
    listed = [truths[row.member] for row in rows]
    for place, higher in enumerate(listed):
        for lower in listed[place + 1 :]:
            assert lower.score - higher.score <= max(lower.bound, higher.bound), rows[place]


@pytest.mark.parametrize("seed", range(12))
def test_scores_and_order_are_those_of_sixty_digits(seed):
    rnd = random.Random(seed)
    half_life = random_half_life(rnd)
    board, changes = played(rnd, half_life, [rnd.randint(1, 12) for _ in range(120)])
    newest = max(at for own in changes.values() for _, at in own)
    for now in (newest, newest + half_life // 3, newest + 10 * half_life):
        check_against_truth(board, changes, half_life, now)


def test_members_that_both_show_zero_are_in_order():
    board = Leaderboard("1s", max_skew=None)
    changes = {}
    for member in range(200):
        changes[member] = [((-1) ** member * (1 + member / 1_000), member * 7 * SECOND)]
        board.add(member, changes[member][0][0], at=changes[member][0][1] / 1e6)
    now = 100 * YEAR
    assert {row.score for row in board.top(200, at=now / 1e6)} == {0.0}
    check_against_truth(board, changes, SECOND, now)


def test_scores_below_the_smallest_normal_double_are_the_nearest_double():
    board = Leaderboard("1s", max_skew=None)
    board.add("ada", 1.0, at=0)
    for age, shown in ((1022, 2.0**-1022), (1074, 5e-324), (1075, 0.0), (1076, 0.0), (5_000, 0.0)):
        assert board.score("ada", at=age) == shown
    board.add("bob", 1.5, at=0)
    assert board.score("bob", at=1074) == 1e-323  # halfway between two doubles: the even one
    assert board.score("bob", at=1075) == 5e-324


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("half_life", [SECOND, 604_800 * SECOND, 10 * YEAR])
def test_a_hundred_thousand_changes_stay_within_the_bound(half_life):
    rnd = random.Random(half_life)
    board, changes = played(rnd, half_life, [100_000, 100_000, *[3] * 40])
    newest = max(at for own in changes.values() for _, at in own)
    check_against_truth(board, changes, half_life, newest)
