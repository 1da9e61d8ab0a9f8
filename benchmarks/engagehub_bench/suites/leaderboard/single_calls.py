"""One call a change or a question, from Python."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from engagehub_bench.boards import OurBoard, empty_changes, empty_questions, empty_timed
from engagehub_bench.peers.plain_dict import DictScores
from engagehub_bench.peers.redis_server import RedisScores
from engagehub_bench.peers.sorted_list import SortedScores
from engagehub_bench.rows import Case, Row, against
from engagehub_bench.summary import latency
from engagehub_bench.timing import Contestant, interleaved, without_collector
from engagehub_bench.workloads import START, WEEK, Changes, Keys, Population, members_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from engagehub_bench.boards import Adding, Ranking
    from engagehub_bench.plan import Plan

__all__ = ["NO_DECAY", "cases"]

NO_DECAY = "Leaderboard"
DECAY = "Leaderboard, half-life 7 days"
_CHECKED = 300


@dataclass
class _Standing:
    """A contender and the model that goes with it."""

    name: str
    board: Adding
    model: Population
    ranks: Ranking | None = None


def cases(plan: Plan, keys: Keys, size: int) -> Iterator[Case]:
    """Yield the cases of one kind of members and one size, all on the same boards."""
    standing = list(_standings(plan, keys, size))
    try:
        yield _adds(plan, keys, size, standing)
        yield _single_adds(plan, keys, size, standing)
        yield _ranks(plan, keys, size, standing)
        yield from _rows(plan, keys, size, [each for each in standing if each.name != "Redis"])
    finally:
        for each in standing:
            if isinstance(each.board, RedisScores):
                each.board.close()


def _standings(plan: Plan, keys: Keys, size: int) -> Iterator[_Standing]:
    members = members_of(keys, size, plan.seed)
    for name, half_life in ((NO_DECAY, None), (DECAY, WEEK)):
        model = Population(members, half_life, plan.seed)
        ours = OurBoard(members, model.scores, START, half_life)
        yield _Standing(name, ours, model, ours)
    if "dict" in plan.peers:
        model = Population(members, None, plan.seed)
        yield _Standing("dict", DictScores(members, model.scores), model)
    if "sorted_list" in plan.peers:
        model = Population(members, None, plan.seed)
        theirs = SortedScores(members, model.scores)
        yield _Standing("dict + SortedList", theirs, model, theirs)
    if "redis" in plan.peers:
        model = Population(members, None, plan.seed)
        yield _Standing("Redis", RedisScores(members, model.scores), model)


def _adds(plan: Plan, keys: Keys, size: int, standing: Sequence[_Standing]) -> Case:
    current: dict[str, Changes] = {}

    def contestant(each: _Standing) -> Contestant:
        def prepare() -> None:
            current[each.name] = each.model.changes(plan.operations)

        return Contestant(
            each.name,
            lambda: each.board.add_each(current[each.name]),
            plan.operations,
            lambda: empty_changes(current[each.name], with_instants=isinstance(each.board, OurBoard)),
            prepare,
        )

    timed = interleaved([contestant(each) for each in standing], plan.repeats)
    rows = {
        each.name: Row.of(each.name, result, correct=_has_scores(each))
        for each, result in zip(standing, timed, strict=True)
    }
    for name in (NO_DECAY, DECAY):
        ours = rows[name]
        if (peer := rows.get("dict")) is not None:
            ours.claims.append(against("at most 3 × dict", ours, peer, at_most=3))
        if (peer := rows.get("dict + SortedList")) is not None:
            ours.claims.append(against("10 × faster than SortedList", ours, peer, at_most=1 / 10))
    return Case(f"leaderboard/add/{keys}", size, "ns", list(rows.values()))


def _has_scores(each: _Standing) -> bool:
    """Return whether every member has the score that the model says, to a millionth of a point."""
    model = each.model
    found = each.board.scores(model.members, model.now)
    return all(abs(score - model.score(index, model.now)) < 1e-6 for index, score in enumerate(found))


def _single_adds(plan: Plan, keys: Keys, size: int, standing: Sequence[_Standing]) -> Case:
    rows = []
    for each in standing:
        changes = each.model.changes(plan.operations)
        with without_collector():
            overhead = latency(empty_timed(changes)).p50
            raw = each.board.add_timed(changes)
        samples = [max(sample - overhead, 0.0) for sample in raw]
        row = Row(each.name, correct=_has_scores(each), latency=latency(samples))
        row.note = f"{overhead:.0f} ns for the clock subtracted from each of {len(samples):,} calls"
        rows.append(row)
    return Case(f"leaderboard/add, call by call/{keys}", size, "ns", rows)


def _ranks(plan: Plan, keys: Keys, size: int, standing: Sequence[_Standing]) -> Case:
    asked = standing[0].model.picked(plan.operations)
    able = [each for each in standing if isinstance(each.board, (OurBoard, SortedScores, RedisScores))]
    contestants = [
        Contestant(each.name, partial(_rank_each, each, asked), len(asked), partial(empty_questions, asked))
        for each in able
    ]
    timed = interleaved(contestants, plan.repeats)
    rows = {
        each.name: Row.of(each.name, result, correct=_has_ranks(each)) for each, result in zip(able, timed, strict=True)
    }
    if (peer := rows.get("dict + SortedList")) is not None:
        for name in (NO_DECAY, DECAY):
            rows[name].claims.append(against("6 × faster than bisect", rows[name], peer, at_most=1 / 6))
    return Case(f"leaderboard/rank/{keys}", size, "ns", list(rows.values()))


def _rank_each(each: _Standing, asked: Sequence[int | str]) -> None:
    assert isinstance(each.board, (OurBoard, SortedScores, RedisScores))
    each.board.rank_each(asked)


def _has_ranks(each: _Standing) -> bool:
    assert isinstance(each.board, (OurBoard, SortedScores, RedisScores))
    order = each.model.order()
    step = max(len(order) // _CHECKED, 1)
    places = range(0, len(order), step)
    return each.board.ranks(each.model.members[order[place]] for place in places) == [place + 1 for place in places]


def _rows(plan: Plan, keys: Keys, size: int, standing: Sequence[_Standing]) -> Iterator[Case]:
    able = [each for each in standing if each.ranks is not None]
    instants = [each * 3_600.0 + standing[0].model.now for each in range(plan.operations // 4)]
    asked = standing[0].model.picked(plan.operations // 4)
    middle = max(size // 2 - 5, 0)
    orders = {each.name: each.model.order() for each in able}

    def case(
        name: str,
        demand: tuple[str, float],
        loop: Callable[[Ranking], Callable[[], None]],
        questions: Sequence[object],
        right: Callable[[_Standing], bool],
    ) -> Case:
        contestants = []
        for each in able:
            assert each.ranks is not None
            contestants.append(
                Contestant(each.name, loop(each.ranks), len(questions), partial(empty_questions, questions))
            )
        timed = interleaved(contestants, plan.repeats)
        rows = {
            each.name: Row.of(each.name, result, correct=right(each)) for each, result in zip(able, timed, strict=True)
        }
        if (peer := rows.get("dict + SortedList")) is not None:
            for ours in (rows[NO_DECAY], rows[DECAY]):
                ours.claims.append(against(demand[0], ours, peer, at_most=demand[1]))
        return Case(f"leaderboard/{name}/{keys}", size, "ns", list(rows.values()))

    def has_page(each: _Standing, offset: int) -> bool:
        assert each.ranks is not None
        expected = [each.model.members[index] for index in orders[each.name][offset : offset + 10]]
        return each.ranks.page(offset, 10, each.model.now) == expected

    def has_around(each: _Standing) -> bool:
        assert each.ranks is not None
        order, members = orders[each.name], each.model.members
        for place in range(0, size, max(size // 50, 1)):
            expected = [members[index] for index in order[max(place - 5, 0) : place + 6]]
            if each.ranks.around(members[order[place]]) != expected:
                return False
        return True

    no_slower = ("no slower than the slice", 1.0)
    yield case(
        "top(10)",
        ("at most 2 × the slice", 2.0),
        lambda ranks: partial(ranks.top_each, instants),
        instants,
        lambda each: has_page(each, 0),
    )
    yield case(
        "page of ten in the middle",
        no_slower,
        lambda ranks: partial(ranks.page_each, middle, instants),
        instants,
        lambda each: has_page(each, middle),
    )
    yield case("around(member, 5)", no_slower, lambda ranks: partial(ranks.around_each, asked), asked, has_around)
