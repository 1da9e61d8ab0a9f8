"""The same questions answered exactly, in plain Python and from the stored rows alone."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from engagehub_core.replay.answers import ALL

if TYPE_CHECKING:
    from engagehub_core.replay.answers import Answers

__all__ = ["verified"]

#: Terms of one sum that are kept before they are added up; each time costs one rounding.
_TERMS = 256
#: Scores are sums of doubles in another order than here: this much of a score may be rounding.
_ROUNDING = 1e-9
#: The bounds of a distinct count are two standard errors wide; one beyond three is a fault.
_SIGMAS = 3 / 2

Columns = Mapping[str, Sequence[Any]]


def _order(name: int | str) -> tuple[int, bytes]:
    return (name, b"") if isinstance(name, int) else (0, name.encode())


class _Sums:
    """Decayed sums by name, relative to one instant so that no age makes them vanish beside each other."""

    def __init__(self) -> None:
        self._terms: defaultdict[int | str, list[float]] = defaultdict(list)

    def add(self, name: int | str, term: float) -> None:
        terms = self._terms[name]
        terms.append(term)
        if len(terms) >= _TERMS:
            self._terms[name] = [math.fsum(terms)]

    def ranked(self) -> list[tuple[int | str, float]]:
        """Return names and sums, highest first, equal ones by number or by the bytes of the text."""
        sums = [(name, math.fsum(terms)) for name, terms in self._terms.items()]
        return sorted(sums, key=lambda pair: (-pair[1], _order(pair[0])))


def verified(stored: Iterable[Columns], answers: Answers) -> dict[str, Any]:
    """Recompute answers exactly and set each estimate beside the truth.

    Parameters
    ----------
    stored : iterable of columns
        The community's events, ``kind``, ``member``, ``channel`` and ``at_us``, as the database holds them.
    answers : Answers
        What the structures say.

    Returns
    -------
    dict
        ``leaderboard``, ``trending`` and ``distinct`` with ``truth`` and ``error`` beside each number, ``same_order``
        (the rows of the board are the exact ones), ``bounds_hold`` and ``passed``.

    Notes
    -----
    A truth may lie outside the bounds of two standard errors once in twenty answers; ``passed`` wants it within three.
    Rows of the board that differ by less than rounding may stand in either order.
    """
    question, at, newest = answers.question, answers.at, answers.newest
    intervals = {name: interval for name, interval in answers.intervals().items() if interval and name != ALL}
    scores, trends = _Sums(), _Sums()
    members: dict[str, set[int | str]] = {name: set() for name in answers.intervals()}
    for columns in stored:
        for kind, member, channel, micros in zip(
            columns["kind"], columns["member"], columns["channel"], columns["at_us"], strict=True
        ):
            if question.at is not None and micros > question.at:
                continue
            members[ALL].add(member)
            for name, (start, end) in intervals.items():
                if start <= micros < end:
                    members[name].add(member)
            points = question.points.get(kind, 0.0)
            if points:
                weight = _decay((newest or 0) - micros, question.half_life_micros)
                scores.add(member, points * weight)
                if not (channel is None or channel == ""):
                    trends.add(channel, weight)
    fading = _decay((at or 0) - (newest or 0), question.half_life_micros)
    board = _board(answers.leaderboard(), scores.ranked(), fading, question.top)
    trending = _trending(answers.trending(), dict(trends.ranked()), fading)
    distinct = {name: _counted(answer, len(members[name])) for name, answer in answers.distinct().items()}
    same_order = all(row["same"] for row in board)
    bounds_hold = all(row["within"] for row in trending) and all(row["within"] for row in distinct.values())
    near = all(row.pop("near") for row in distinct.values())
    return {
        "leaderboard": board,
        "trending": trending,
        "distinct": distinct,
        "same_order": same_order,
        "bounds_hold": bounds_hold,
        "passed": same_order and near and all(row["within"] for row in trending),
    }


def _decay(age: int, half_life_micros: int | None) -> float:
    return 1.0 if half_life_micros is None else 2.0 ** (-age / half_life_micros)


def _board(
    given: list[dict[str, Any]], exact: list[tuple[int | str, float]], fading: float, top: int
) -> list[dict[str, Any]]:
    sums = dict(exact)
    rows = []
    for row, (member, expected) in zip_longest(given, exact[:top], fillvalue=(None, 0.0)):
        if not isinstance(row, dict):
            listed: dict[str, Any] = {"rank": None, "member": member, "score": 0.0}
        else:
            listed = {name: row[name] for name in ("rank", "member", "score")}
        total = sums.get(listed["member"], 0.0)
        truth = total * fading
        same = isinstance(row, dict) and _close(total, expected) and _close(listed["score"], truth)
        rows.append({**listed, "truth": truth, "error": listed["score"] - truth, "same": same})
    return rows


def _close(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=_ROUNDING, abs_tol=5e-324 / _ROUNDING)


def _trending(given: list[dict[str, Any]], sums: dict[int | str, float], fading: float) -> list[dict[str, Any]]:
    rows = []
    for row in given:
        truth = sums.get(row["item"], 0.0) * fading
        within = row["low"] * (1 - _ROUNDING) <= truth <= row["high"] * (1 + _ROUNDING)
        rows.append({**row, "truth": truth, "error": row["estimate"] - truth, "within": within})
    return rows


def _counted(answer: dict[str, Any], truth: int) -> dict[str, Any]:
    estimate, low, high = answer["estimate"], answer["low"], answer["high"]
    near = estimate - _SIGMAS * (estimate - low) <= truth <= estimate + _SIGMAS * (high - estimate)
    return {
        "estimate": estimate, "low": low, "high": high, "truth": truth, "error": estimate - truth,
        "within": low <= truth <= high, "near": near,
    }  # fmt: skip
