"""Seeded events, column by column: who did something where and when."""

from __future__ import annotations

import random
import time
from itertools import count
from typing import TYPE_CHECKING, Literal

from engagehub_bench.workloads import members_of

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["KIND", "Events", "Names"]

#: Known integers; the same as texts, a new object each time; texts that nobody has seen.
Names = Literal["int", "str", "new str"]

KIND = "message"
_MEMBERS, _CHANNELS = 10_000, 50


class Events:
    """Columns of events, as many in each repeat; equal for all who are made with the same options.

    Parameters
    ----------
    names : {"int", "str", "new str"}
        What members and channels are called by.
    size : int
        Events of a repeat.
    seed : int
        Of members, channels and their order.
    """

    members: list[int | str]
    channels: list[int | str]
    #: Never given before.
    ids: list[int]
    #: Of the minute that has just passed, in 64ths of a second, which are whole microseconds.
    instants: list[float]

    def __init__(self, names: Names, size: int, seed: int) -> None:
        self.size = size
        self._names = names
        self._random = random.Random(seed)
        self._known_members: Sequence[int | str] = members_of("int", _MEMBERS, seed)
        self._known_channels: Sequence[int | str] = members_of("int", _CHANNELS, seed)
        self._next_text = count()
        self._next_id = count(1 << 59)
        self.draw()

    def draw(self) -> None:
        """Make the events of the next repeat."""
        self.members = [*map(self._name, self._random.choices(self._known_members, k=self.size))]
        self.channels = [*map(self._name, self._random.choices(self._known_channels, k=self.size))]
        self.ids = [next(self._next_id) for _ in range(self.size)]
        began = float(int(time.time()) - 60)
        self.instants = [began + place * 59 * 64 // self.size / 64 for place in range(self.size)]

    def _name(self, number: int | str) -> int | str:
        if self._names == "int":
            return number
        return str(number) if self._names == "str" else f"{next(self._next_text):018}"

    def rows(self) -> list[tuple[int, str, int | str, int | str, int, float, None]]:
        """Return what a database holds of them: id, kind, member, channel, microseconds, value and data."""
        return [
            (identity, KIND, member, channel, round(at * 1e6), 1.0, None)
            for identity, member, channel, at in zip(self.ids, self.members, self.channels, self.instants, strict=True)
        ]
