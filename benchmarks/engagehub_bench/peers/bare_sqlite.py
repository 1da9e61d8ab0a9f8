"""Rows that are stored in SQLite by ``executemany`` and nothing else: a transaction a batch, ahead in a log."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

__all__ = ["SUMMARY", "BareSqlite", "missing", "version"]

SUMMARY = "sqlite3, executemany of ready rows"

#: Of one community: id, kind, member, channel, microseconds, value and data.
Rows = list[tuple[int, str, int | str, int | str, int, float, None]]

_TABLE = (
    "CREATE TABLE events (seq INTEGER PRIMARY KEY, community INTEGER NOT NULL, id NOT NULL, kind TEXT NOT NULL,"
    " member NOT NULL, channel, at INTEGER NOT NULL, value REAL NOT NULL, data TEXT, UNIQUE (community, id))"
)
_INSERT = (
    "INSERT INTO events (community, id, kind, member, channel, at, value, data)"
    " VALUES (1, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (community, id) DO NOTHING"
)


def version() -> str:
    """Return the peer's line in the report."""
    return f"SQLite {sqlite3.sqlite_version}, journal_mode=WAL, synchronous=NORMAL"


def missing() -> str | None:
    """Return why the peer can't take part, or None."""
    return None


class BareSqlite:
    """A new database with the columns and the key of the sink's table.

    Parameters
    ----------
    path : pathlib.Path
        Where no file is.
    """

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.execute(_TABLE)

    def store(self, batches: Iterable[Rows]) -> None:
        """Store ready rows, a transaction a batch."""
        connection = self._connection
        for batch in batches:
            connection.execute("BEGIN")
            connection.executemany(_INSERT, batch)
            connection.execute("COMMIT")

    def rows(self) -> Sequence[tuple[object, ...]]:
        """Return what is stored, in order."""
        query = "SELECT id, kind, member, channel, at, value, data FROM events ORDER BY seq"
        return self._connection.execute(query).fetchall()

    def close(self) -> None:
        """Close the database."""
        self._connection.close()
