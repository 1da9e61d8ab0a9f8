"""Events in an SQLite database: one community's rows in the order in which they were accepted, each exactly once."""

from __future__ import annotations

import os
import sqlite3
import threading
from itertools import chain, compress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from engagehub_core.errors import Closed, Incompatible, SinkError
from engagehub_core.sinks import WriteResult

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from engagehub_core.processor import EventBatch

__all__ = ["SqliteSink"]

#: «EngH» in ASCII, kept in the header of the file, so that another application's database is never written to.
APPLICATION_ID = 0x456E6748
SCHEMA_VERSION = 1
#: Names are integers or text. A column without a type keeps them as they are: 1 and '1' are different names.
_SCHEMA = """
CREATE TABLE communities (
    id INTEGER PRIMARY KEY,
    name NOT NULL UNIQUE
);
CREATE TABLE events (
    seq INTEGER PRIMARY KEY,  -- the order of acceptance
    community INTEGER NOT NULL REFERENCES communities (id),
    id NOT NULL,
    kind TEXT NOT NULL,
    member NOT NULL,
    channel,
    at INTEGER NOT NULL,  -- microseconds since 1970, UTC
    value REAL NOT NULL,
    data TEXT,
    UNIQUE (community, id)
);
"""
_COLUMNS = 8
#: Rows of one statement at the most: sqlite3 lets go of the GIL once per step, and a whole statement is one step.
_ROWS_PER_STATEMENT = 1_000
#: Identities are hashes, so the unique key is written all over: what is cached, and how many pages the log may hold
#: before they go to the table, decide how often a page is written.
_CACHE_KIB = 49_152
_LOG_PAGES = 8_192
#: How often to try again when another connection switches the same new file to the log.
_SWITCHES = 100


class SqliteSink:
    """A sink that stores events in an SQLite database and reads them back in order.

    Parameters
    ----------
    path : str or pathlib.Path
        The database file.
    create : bool, default True
        Make the file and its tables where they are missing; otherwise a missing file is an error.
    read_only : bool, default False
        Be content with reading where the file or its folder can't be written, as on a medium that is mounted
        read-only. Goes without `create`.

    Raises
    ------
    SinkError
        If the file can't be opened or written.
    Incompatible
        If it is no database, belongs to another application, or was written by a newer release.

    Notes
    -----
    Write-ahead log, ``synchronous=NORMAL``, one transaction a batch: a killed process loses what it had not committed
    and nothing else; a power cut may lose the last transactions, never a part of one. An event whose id is stored in
    its community already is a duplicate and writes nothing; one without an id (None or "") can't be told from its
    equals and is rejected. The first events of a batch are stored first, so the rows of a community are always a prefix
    of what was pushed. Ids, communities, channels and members stay what they are, integers or text.

    Thread safety: every method takes the sink's lock, so a worker may write while another thread asks.

    Examples
    --------
    >>> with SqliteSink(":memory:") as sink:
    ...     first = sink.store(
    ...         {
    ...             "id": ["a", "b"],
    ...             "kind": ["message"] * 2,
    ...             "community": ["school"] * 2,
    ...             "member": ["ada", "bob"],
    ...             "channel": ["maths", None],
    ...             "at_us": [0, 1],
    ...             "value": [1.0, 1.0],
    ...             "data": [None, None],
    ...         }
    ...     )
    ...     (first.written, first.duplicate, sink.communities())
    (2, 0, ['school'])
    """

    def __init__(self, path: str | Path, *, create: bool = True, read_only: bool = False) -> None:
        self.path = str(path)
        self._numbers: dict[int | str, int] = {}
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        if not create and self.path != ":memory:" and not os.path.lexists(self.path):
            message = f"{self.path}: no such database"
            raise SinkError(message)
        try:
            connection = self._connected("mode=rwc" if create else "mode=rw", create=create)
        except sqlite3.Error as error:
            reading = self._connected_for_reading() if read_only and not create and _is_read_only(self.path) else None
            if reading is None:
                raise _unopened(self.path, error) from error
            connection = reading
        variables = connection.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER)
        self._step = min(_ROWS_PER_STATEMENT, variables // _COLUMNS) * _COLUMNS

    def _connected(self, parameters: str, *, create: bool) -> sqlite3.Connection:
        target = self.path if self.path == ":memory:" else f"{Path(self.path).absolute().as_uri()}?{parameters}"
        try:
            # The worker of an event processor writes, the thread that made the sink asks: one at a time, by the lock.
            connection = sqlite3.connect(target, uri=True, isolation_level=None, timeout=30, check_same_thread=False)
            self._connection = connection
            self._prepare(connection, create=create)
        except BaseException:
            self.close()
            raise
        return connection

    def _connected_for_reading(self) -> sqlite3.Connection | None:
        # A log needs a file beside it that can't be made here. Without a log nothing but the database itself is to be
        # read, and where its folder can't be written no log can come.
        log = Path(f"{self.path}-wal")
        logless = not (log.exists() and log.stat().st_size)
        for parameters in ("mode=ro", *(["mode=ro&immutable=1"] if logless else [])):
            try:
                return self._connected(parameters, create=False)
            except sqlite3.Error:
                continue
        return None

    def _prepare(self, connection: sqlite3.Connection, *, create: bool) -> None:
        connection.execute("BEGIN")  # one moment for the three: somebody else may be making the tables just now
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        empty = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
        connection.execute("COMMIT")
        if application == 0 and version == 0 and empty and create:
            _log_ahead(connection)
            connection.execute("BEGIN IMMEDIATE")
            # Another process may have made the tables since we looked.
            if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
                for statement in _SCHEMA.split(";\n"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
            connection.execute("COMMIT")
        elif application == 0 and version == 0 and empty:
            message = f"{self.path}: the database is empty, nothing was ever stored in it"
            raise SinkError(message)
        elif application != APPLICATION_ID:
            message = f"{self.path}: this database belongs to another application"
            raise Incompatible(message)
        elif version > SCHEMA_VERSION:
            message = f"{self.path}: schema version {version} is newer than this release knows ({SCHEMA_VERSION})"
            raise Incompatible(message)
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute(f"PRAGMA wal_autocheckpoint={_LOG_PAGES}")
        connection.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            message = f"{self.path}: the sink is closed"
            raise Closed(message)
        return self._connection

    def write(self, batch: EventBatch) -> WriteResult:
        """Store a batch of an event processor in one transaction.

        Parameters
        ----------
        batch : EventBatch
            What an event processor hands to its sink.

        Returns
        -------
        WriteResult
            How many events were written, how many were stored before, and how many have no id.

        Raises
        ------
        SinkError
            If the database refused; nothing of the batch is stored then.

        Examples
        --------
        >>> from engagehub_core import EventProcessor
        >>> sink = SqliteSink(":memory:")
        >>> events = EventProcessor(sink)
        >>> [events.push("message", "ada", at=0, id="a") for _ in range(2)]
        [True, False]
        >>> events.flush()
        >>> sink.last_seq()
        1
        >>> events.close()
        """
        return self.store(batch.columns())

    def store(self, columns: Mapping[str, Sequence[Any]]) -> WriteResult:
        """Store events given as columns in one transaction.

        Parameters
        ----------
        columns : mapping
            Equally long ``id``, ``kind``, ``community``, ``member``, ``channel``, ``at_us``, ``value`` and
            ``data``.

        Returns
        -------
        WriteResult
            How many events were written, how many were stored before, and how many have no id.

        Raises
        ------
        SinkError
            If the database refused; nothing is stored then.

        Examples
        --------
        >>> with SqliteSink(":memory:") as sink:
        ...     sink.store(
        ...         {
        ...             "id": ["a", None],
        ...             "kind": ["message"] * 2,
        ...             "community": ["school"] * 2,
        ...             "member": ["ada", "bob"],
        ...             "channel": [None] * 2,
        ...             "at_us": [0, 1],
        ...             "value": [1.0] * 2,
        ...             "data": [None] * 2,
        ...         }
        ...     )
        WriteResult(written=1, duplicate=0, rejected=1)
        """
        given = len(columns["at_us"])
        if None in columns["id"] or "" in columns["id"]:
            named = [not (identity is None or identity == "") for identity in columns["id"]]
            columns = {name: list(compress(column, named)) for name, column in columns.items()}
        count = len(columns["at_us"])
        with self._lock:
            connection = self._open()
            known = dict(self._numbers)
            try:
                connection.execute("BEGIN IMMEDIATE")
                written = self._insert(connection, columns)
                connection.execute("COMMIT")
            except BaseException as error:
                self._numbers = known
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                if isinstance(error, sqlite3.Error):
                    raise _explained(self.path, error) from error
                raise
        return WriteResult(written=written, duplicate=count - written, rejected=given - count)

    def _insert(self, connection: sqlite3.Connection, columns: Mapping[str, Sequence[Any]]) -> int:
        numbers = self._numbers
        for name in dict.fromkeys(columns["community"]):  # in the order of their first event
            if name in numbers:
                continue
            connection.execute("INSERT INTO communities (name) VALUES (?) ON CONFLICT (name) DO NOTHING", (name,))
            query = "SELECT id FROM communities WHERE name = ?"
            numbers[name] = connection.execute(query, (name,)).fetchone()[0]
        rows = zip(
            map(numbers.__getitem__, columns["community"]),
            columns["id"],
            columns["kind"],
            columns["member"],
            (None if channel == "" else channel for channel in columns["channel"]),
            columns["at_us"],
            columns["value"],
            columns["data"],
            strict=True,
        )
        values = list(chain.from_iterable(rows))
        step = self._step
        return sum(self._insert_rows(connection, values[start : start + step]) for start in range(0, len(values), step))

    @staticmethod
    def _insert_rows(connection: sqlite3.Connection, values: list[Any]) -> int:
        # Only the unique key may be ignored: any other refusal of a row has to be heard.
        places = ",".join(["(?,?,?,?,?,?,?,?)"] * (len(values) // _COLUMNS))
        return connection.execute(
            f"INSERT INTO events (community, id, kind, member, channel, at, value, data) VALUES {places}"  # noqa: S608
            " ON CONFLICT (community, id) DO NOTHING",
            values,
        ).rowcount

    def communities(self) -> list[int | str]:
        """Return the names of all communities.

        Returns
        -------
        list of int or str
            In the order of their first event.

        Examples
        --------
        >>> with SqliteSink(":memory:") as sink:
        ...     sink.communities()
        []
        """
        return [name for (name,) in self.execute("SELECT name FROM communities ORDER BY id")]

    def has_events(self, community: int | str) -> bool:
        """Say whether any event of a community is stored.

        Parameters
        ----------
        community : int or str
            Its name.

        Returns
        -------
        bool
            False also for a community that nobody has heard of.

        Examples
        --------
        >>> with SqliteSink(":memory:") as sink:
        ...     sink.has_events("school")
        False
        """
        query = "SELECT 1 FROM events WHERE community = (SELECT id FROM communities WHERE name = ?) LIMIT 1"
        return bool(self.execute(query, (community,)))

    def last_seq(self) -> int:
        """Return the number of the newest row.

        Returns
        -------
        int
            Of all communities; 0 if there is no row.

        Examples
        --------
        >>> with SqliteSink(":memory:") as sink:
        ...     sink.last_seq()
        0
        """
        return int(self.execute("SELECT coalesce(max(seq), 0) FROM events")[0][0])

    def columns(self, community: int | str, *, size: int = 8_192) -> Iterator[dict[str, tuple[Any, ...]]]:
        """Yield a community's events in the order of acceptance, in columns of bounded length.

        Parameters
        ----------
        community : int or str
            The name of the community.
        size : int, default 8192
            Events of one step at the most.

        Yields
        ------
        dict of str to tuple
            ``kind``, ``member``, ``channel`` and ``at_us`` (microseconds).

        Examples
        --------
        >>> with SqliteSink(":memory:") as sink:
        ...     [sum(columns["at_us"]) for columns in sink.columns("school")]
        []
        """
        # Walk the table itself: the unique key would bring the rows in the order of their ids. Each step is a query of
        # its own, so that nothing stays open between two steps.
        query = (
            "SELECT seq, kind, member, channel, at FROM events WHERE seq > ? AND +community ="
            " (SELECT id FROM communities WHERE name = ?) ORDER BY seq LIMIT ?"
        )
        seq = 0
        while rows := self.execute(query, (seq, community, size)):
            numbers, kind, member, channel, at = zip(*rows, strict=True)
            seq = numbers[-1]
            yield {"kind": kind, "member": member, "channel": channel, "at_us": at}

    def execute(self, query: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """Run one statement of SQL in a transaction of its own and return its rows.

        Parameters
        ----------
        query : str
            The statement, for questions of one's own or for tables beside those of the sink.
        values : tuple
            The values of its places.

        Returns
        -------
        list of tuple
            The rows; none for a statement that isn't a question.

        Raises
        ------
        SinkError
            If the database refused.

        Examples
        --------
        >>> with SqliteSink(":memory:") as sink:
        ...     sink.execute("SELECT count(*) FROM events WHERE value > ?", (1.0,))
        [(0,)]
        """
        with self._lock:
            try:
                return self._open().execute(query, values).fetchall()
            except sqlite3.Error as error:
                raise _explained(self.path, error) from error

    def close(self) -> None:
        """Close the database; closing twice is fine.

        Examples
        --------
        >>> sink = SqliteSink(":memory:")
        >>> sink.close()
        """
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _log_ahead(connection: sqlite3.Connection) -> None:
    """Switch to the write-ahead log; of two that do it at once SQLite refuses one."""
    for _ in range(_SWITCHES):
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname != "SQLITE_BUSY":
                raise
        else:
            return
    connection.execute("PRAGMA journal_mode=WAL")


def _is_read_only(path: str) -> bool:
    """Say whether a database that is there can't be written, or no file made beside it."""
    there = Path(path)
    return there.is_file() and not (os.access(there, os.W_OK) and os.access(there.resolve().parent, os.W_OK))


def _unopened(path: str, error: sqlite3.Error) -> SinkError | Incompatible:
    """Say what SQLite doesn't: why it was unable to open a file."""
    name = getattr(error, "sqlite_errorname", "")
    if name.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY")):
        return SinkError(f"{path}: {_obstacle(Path(path)) or error}")
    return _explained(path, error)


def _obstacle(path: Path) -> str | None:
    folder = path.parent
    try:
        if path.is_dir():
            return "is a directory"
        if path.is_symlink():
            path.stat()
        os.stat(f"{folder}/.")  # noqa: PTH116 - a path object drops the dot that asks for a folder
    except FileNotFoundError:
        return "is a link to a missing file" if path.is_symlink() else f"there is no folder {folder}"
    except OSError as error:  # a loop, or a folder that is none
        return error.strerror
    return _protection(path)


def _protection(path: Path) -> str | None:
    if path.exists() and not os.access(path, os.R_OK):
        return "may not be read"
    if path.exists() and not os.access(path, os.W_OK):
        return "is read-only"
    return None if os.access(path.parent, os.W_OK) else f"the folder {path.parent} is read-only"


def _explained(path: str, error: sqlite3.Error) -> SinkError | Incompatible:
    if getattr(error, "sqlite_errorname", "") == "SQLITE_NOTADB":
        return Incompatible(f"{path}: not an SQLite database")
    return SinkError(f"{path}: {error}")
