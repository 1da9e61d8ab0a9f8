"""The identity of an event that brings none: the same row of the same file gets the same id in every run."""

from __future__ import annotations

import sqlite3
from hashlib import blake2b
from itertools import islice

__all__ = ["Identities", "Occurrences", "Values", "canonical"]

#: Community, kind, member, channel, microseconds, value, data.
Values = tuple[str, str, str, str | None, int, float, str | None]

#: Hashes whose occurrences are counted in memory before they go to disk.
IN_MEMORY = 1_000_000


def canonical(event: Values) -> bytes:
    """Return the bytes that two events share only if all their values are equal.

    Every value is preceded by its length and an absent one is ``-``, so none can run into the next.

    Examples
    --------
    >>> canonical(("school", "message", "ada", None, 5, 1.0, None))
    b'6:school7:message3:ada-1:53:1.0-'
    """
    community, kind, member, channel, at, value, data = event
    where = "-" if channel is None else f"{len(channel)}:{channel}"
    rest = "-" if data is None else f"{len(data)}:{data}"
    instant, amount = str(at), repr(value + 0.0)  # adding zero makes -0.0 the zero that it equals
    return (
        f"{len(community)}:{community}{len(kind)}:{kind}{len(member)}:{member}{where}"
        f"{len(instant)}:{instant}{len(amount)}:{amount}{rest}"
    ).encode()


class Occurrences:
    """Counts how often each hash was seen, in bounded memory.

    Parameters
    ----------
    in_memory : int, default 1,000,000
        Counts kept in memory; when there are more, they go to a private database on disk that vanishes with the object.

    Notes
    -----
    Keys are 64 bits of a 128-bit hash. Should two hashes share them, the second only starts at a higher number, which
    is the same in every run, and both identities stay unique.
    """

    def __init__(self, in_memory: int = IN_MEMORY) -> None:
        self._counts: dict[int, int] = {}
        self._in_memory = in_memory
        self._disk: sqlite3.Connection | None = None

    def before(self, key: int) -> int:
        """Count one more of a key and return how many there were before."""
        seen = self._counts.get(key)
        if seen is None:
            seen = 0 if self._disk is None else self._stored(self._disk, key)
            if len(self._counts) >= self._in_memory:
                self._spill()
        self._counts[key] = seen + 1
        return seen

    @staticmethod
    def _stored(disk: sqlite3.Connection, key: int) -> int:
        row = disk.execute("SELECT seen FROM occurrences WHERE key = ?", (key,)).fetchone()
        return 0 if row is None else int(row[0])

    def _spill(self) -> None:
        if self._disk is None:
            # An empty name makes a file of its own that SQLite removes at the end, whatever way the process ends.
            self._disk = sqlite3.connect("", isolation_level=None)
            self._disk.execute("PRAGMA journal_mode=OFF")
            self._disk.execute("PRAGMA cache_size=-8192")
            self._disk.execute("CREATE TABLE occurrences (key INTEGER PRIMARY KEY, seen INTEGER NOT NULL)")
        # The older half: equal rows are often near each other. In the order of the table, whose pages are written once.
        oldest = sorted(islice(self._counts, (len(self._counts) + 1) // 2))
        self._disk.execute("BEGIN")
        self._disk.executemany(
            "INSERT OR REPLACE INTO occurrences VALUES (?, ?)", ((key, self._counts.pop(key)) for key in oldest)
        )
        self._disk.execute("COMMIT")

    def close(self) -> None:
        """Forget everything and remove the file."""
        self._counts = {}
        if self._disk is not None:
            self._disk.close()
            self._disk = None


class Identities:
    """Names the events of one input.

    Parameters
    ----------
    in_memory : int, default 1,000,000
        See :class:`Occurrences`.

    Examples
    --------
    >>> identities = Identities()
    >>> event = ("school", "message", "ada", None, 5, 1.0, None)
    >>> first, second = identities(event), identities(event)
    >>> len(first), second == first + ":2"
    (43, True)
    """

    def __init__(self, in_memory: int = IN_MEMORY) -> None:
        self.occurrences = Occurrences(in_memory)

    def __call__(self, event: Values) -> str:
        """Return the event's second, 128 bits of BLAKE2b over its values and, from its second equal on, the number.

        All of it is hexadecimal. The second stands first so that events in the order of time have identities in order:
        the database then adds to the end of its unique key, where a mere hash would rewrite pages all over it.
        """
        digest = blake2b(canonical(event), digest_size=16).digest()
        seen = self.occurrences.before(int.from_bytes(digest[:8], "little", signed=True))
        name = f"{event[4] // 1_000_000:010x}-{digest.hex()}"
        return f"{name}:{seen + 1}" if seen else name

    def close(self) -> None:
        """Forget all counts."""
        self.occurrences.close()
