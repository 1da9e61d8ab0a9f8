"""Seeded workloads: the same members, scores and instants for every contender of a case."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["START", "WEEK", "Changes", "Keys", "Population", "members_of", "names_of"]

Keys = Literal["int", "str"]

#: Unix seconds of the first change, long past.
START = 1_700_000_000.0
WEEK = 7 * 86_400.0
_LARGEST_SCORE = 1e6
_STEP = 1.0  # whole seconds, which no board rounds


def members_of(keys: Keys, size: int, seed: int = 1) -> list[int] | list[str]:
    """Return different members in random order: 60-bit integers as chat services number people, or texts of them.

    Parameters
    ----------
    keys : {"int", "str"}
        Their kind.
    size : int
        How many.
    seed : int, default 1
        Of the order and the gaps.

    Returns
    -------
    list of int or list of str
        No two of which are equal.
    """
    draw = random.Random(seed)
    numbers = []
    number = 700_000_000_000_000_000
    for _ in range(size):
        number += draw.randrange(1, 1 << 22)
        numbers.append(number)
    draw.shuffle(numbers)
    return numbers if keys == "int" else [f"member-{number:x}" for number in numbers]


def names_of(size: int) -> list[str]:
    """Return different texts of twelve bytes, from the ten-millionth on of more."""
    return [f"name-{number:07}" for number in range(size)]


@dataclass
class Changes:
    """What one repeat does, column by column."""

    members: list[int | str]
    points: list[float]
    instants: list[float]


@dataclass
class Population:
    """Members with the scores that a contender must have: the obviously right model, and what to do next to it.

    Each change takes a random member to a random score, so that it moves anywhere on the board; its points are what is
    missing to that score from the present, decayed one.

    Attributes
    ----------
    members : list
        All of them.
    half_life : float or None
        Seconds.
    seed : int
        Of scores and changes.
    """

    members: list[int] | list[str]
    half_life: float | None
    seed: int = 1
    scores: list[float] = field(init=False)
    last: list[float] = field(init=False)
    now: float = START

    def __post_init__(self) -> None:
        self._draw = random.Random(self.seed)
        self.scores = [self._draw.uniform(0.0, _LARGEST_SCORE) for _ in self.members]
        self.last = [START] * len(self.members)

    def score(self, index: int, at: float) -> float:
        """Return the decayed score of the member at an index."""
        fading = 1.0 if self.half_life is None else 2.0 ** -((at - self.last[index]) / self.half_life)
        return self.scores[index] * fading

    def changes(self, count: int) -> Changes:
        """Return the next changes, which the model has made when this returns."""
        result = Changes([], [], [])
        for _ in range(count):
            self.now += _STEP
            index = self._draw.randrange(len(self.members))
            target = self._draw.uniform(0.0, _LARGEST_SCORE)
            result.members.append(self.members[index])
            result.points.append(target - self.score(index, self.now))
            result.instants.append(self.now)
            self.scores[index], self.last[index] = target, self.now
        return result

    def picked(self, count: int) -> list[int | str]:
        """Return random members, for questions."""
        return self._draw.choices(self.members, k=count)

    def order(self) -> list[int]:
        """Return the indices of the members, highest score first."""
        return sorted(range(len(self.members)), key=lambda index: -self.score(index, self.now))
