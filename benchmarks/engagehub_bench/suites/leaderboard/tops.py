"""Whether the first ten cost the same at every size and at every instant."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from engagehub_bench.boards import OurBoard, empty_questions
from engagehub_bench.rows import Case, Row, against
from engagehub_bench.timing import Contestant, interleaved
from engagehub_bench.workloads import START, WEEK, Population, members_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engagehub_bench.plan import Plan

__all__ = ["cases"]

_SMALLEST = 1_000


def cases(plan: Plan) -> Iterator[Case]:
    """Yield the case: boards of all sizes in one race, asked at another instant in each call."""
    sizes = sorted({_SMALLEST, *plan.sizes})
    instants = [START + each * 3_600.0 for each in range(plan.operations // 4)]
    boards = {}
    models = {}
    for size in sizes:
        models[size] = Population(members_of("int", size, plan.seed), WEEK, plan.seed)
        boards[size] = OurBoard(models[size].members, models[size].scores, START, WEEK)
    contestants = [
        Contestant(
            f"{size:,} members",
            partial(boards[size].top_each, instants),
            len(instants),
            partial(empty_questions, instants),
        )
        for size in sizes
    ]
    rows: list[Row] = []
    for size, timed in zip(sizes, interleaved(contestants, plan.repeats), strict=True):
        model = models[size]
        expected = [model.members[index] for index in model.order()[:10]]
        correct = boards[size].page(0, 10, instants[-1]) == expected
        row = Row.of(f"Leaderboard of {size:,}, half-life 7 days", timed, correct=correct)
        if rows:
            row.claims.append(against(f"at most 1.5 × that of {sizes[0]:,}", row, rows[0], at_most=1.5))
        rows.append(row)
    yield Case("leaderboard/top(10), flat", None, "ns", rows)
