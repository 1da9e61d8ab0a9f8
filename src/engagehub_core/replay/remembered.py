"""What each community was last replayed with, beside its events in their database."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from engagehub_core.replay.answers import Question

if TYPE_CHECKING:
    from engagehub_core.sinks.sqlite import SqliteSink

__all__ = ["Remembered"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS replays (
    community PRIMARY KEY NOT NULL,  -- its name
    points TEXT NOT NULL,            -- JSON object kind -> points
    half_life_micros INTEGER         -- NULL for none
)
"""


class Remembered:
    """Points and half-life of the last replay of each community, in a table of its own.

    Parameters
    ----------
    store : SqliteSink
        The database of the events.

    Examples
    --------
    >>> from engagehub_core.sinks.sqlite import SqliteSink
    >>> with SqliteSink(":memory:") as store:
    ...     remembered = Remembered(store)
    ...     remembered.keep("school", Question(points={"message": 2.0}, half_life_micros=None))
    ...     remembered.of("school"), remembered.of("club") == (Question().points, Question().half_life_micros)
    (({'message': 2.0}, None), True)
    """

    def __init__(self, store: SqliteSink) -> None:
        self._store = store

    def keep(self, community: int | str, question: Question) -> None:
        """Remember what a community is replayed with.

        Raises
        ------
        SinkError
            If the database refused.
        """
        self._store.execute(_SCHEMA)
        points = json.dumps(dict(question.points), sort_keys=True)
        self._store.execute(
            "INSERT OR REPLACE INTO replays VALUES (?, ?, ?)", (community, points, question.half_life_micros)
        )

    def of(self, community: int | str) -> tuple[dict[str, float], int | None]:
        """Return the points and the half-life in microseconds; the defaults for a community that no replay wrote to."""
        if self._store.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'replays'"):
            query = "SELECT points, half_life_micros FROM replays WHERE community = ?"
            for points, half_life_micros in self._store.execute(query, (community,)):
                return json.loads(points), half_life_micros
        question = Question()
        return dict(question.points), question.half_life_micros
