"""Which errors of a sink pass by themselves."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import sqlite3
import ssl
import threading

import pytest

from engagehub_core.errors import SinkError
from engagehub_core.sinks import is_transient
from engagehub_core.sinks.sqlite import SqliteSink

COLUMNS = {
    "id": ["a"],
    "kind": ["message"],
    "community": ["school"],
    "member": ["ada"],
    "channel": [None],
    "at_us": [0],
    "value": [1.0],
    "data": [None],
}


def raised(call, *arguments):
    try:
        call(*arguments)
    except BaseException as error:
        return error
    pytest.fail("nothing was raised")


def caused(outer: BaseException, inner: BaseException) -> BaseException:
    outer.__cause__ = inner
    return outer


def while_handling(outer: BaseException, inner: BaseException) -> BaseException:
    outer.__context__ = inner
    return outer


def driver(name: str, *, of: tuple[str, ...] = ("DatabaseError", "Error"), **attributes) -> type[Exception]:
    """Make a class as drivers have them, with bases that have these names."""
    kind: type[Exception] = Exception
    for base in reversed(of):
        kind = type(base, (kind,), {})
    return type(name, (kind,), attributes)


# ---- the standard library ----


@pytest.mark.parametrize(
    "error",
    [
        ConnectionError(),
        ConnectionResetError("reset by peer"),
        BrokenPipeError(errno.EPIPE, "broken pipe"),
        TimeoutError(),
        TimeoutError("timed out"),
        socket.timeout(),  # noqa: UP041 - that they are one is what is shown
        asyncio.TimeoutError(),  # noqa: UP041
        asyncio.IncompleteReadError(b"", 4),
        InterruptedError(),
        BlockingIOError(),
        socket.gaierror(socket.EAI_NONAME, "name or service not known"),
        socket.herror(1, "unknown host"),
        ssl.SSLEOFError(8, "EOF occurred in violation of protocol"),
    ],
    ids=repr,
)
def test_connections_and_timeouts_pass(error: BaseException):
    assert is_transient(error)


@pytest.mark.parametrize(
    "name",
    [
        "ENOSPC",
        "EDQUOT",
        "EAGAIN",
        "EIO",
        "EINTR",
        "EMFILE",
        "ENETDOWN",
        "ENETUNREACH",
        "EHOSTUNREACH",
        "ETIMEDOUT",
        "ECONNREFUSED",
        "EBUSY",
    ],
)
def test_what_the_system_lacks_passes(name: str):
    number = getattr(errno, name, None)
    if number is None:
        pytest.skip(f"this system has no {name}")
    assert is_transient(OSError(number, os.strerror(number)))


@pytest.mark.parametrize(
    "error",
    [
        OSError("disk full"),  # says so, but not so that one can rely on it
        PermissionError(errno.EACCES, "permission denied"),
        FileNotFoundError(errno.ENOENT, "no such file"),
        OSError(errno.EROFS, "read-only file system"),
        IsADirectoryError(errno.EISDIR, "is a directory"),
        ssl.SSLCertVerificationError(1, "certificate verify failed"),
        ValueError("no such kind"),
        KeyError("channel"),
        UnicodeEncodeError("ascii", "é", 0, 1, "ordinal not in range"),
        MemoryError(),
        RuntimeError("HELLO"),
        Exception(1205, "a number that is no driver's"),
        SystemExit(1),
        KeyboardInterrupt(),
        SinkError("refused"),
    ],
    ids=repr,
)
def test_everything_else_is_a_matter_of_the_batch(error: BaseException):
    assert not is_transient(error)


# ---- SQLite ----


def test_a_locked_database_passes(tmp_path):
    path = tmp_path / "events.db"
    with sqlite3.connect(path, isolation_level=None) as first, sqlite3.connect(path, timeout=0) as second:
        first.execute("CREATE TABLE events (id)")
        first.execute("BEGIN EXCLUSIVE")
        error = raised(second.execute, "INSERT INTO events VALUES (1)")
        assert "database is locked" in str(error)
        assert is_transient(error)
    first.close()
    second.close()


def test_a_full_disk_passes():
    with sqlite3.connect(":memory:") as connection:
        connection.execute("CREATE TABLE events (id)")
        connection.execute("PRAGMA max_page_count=10")
        error = raised(connection.execute, "INSERT INTO events VALUES (randomblob(100000))")
        assert "full" in str(error)
        assert is_transient(error)
    connection.close()


def test_errors_of_the_sqlite_sink_are_known_through_it(tmp_path):
    path = str(tmp_path / "events.db")
    with SqliteSink(path) as sink:
        sink.execute("PRAGMA busy_timeout=0")
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        error = raised(sink.store, COLUMNS)
        other.close()
        assert isinstance(error, SinkError)
        assert is_transient(error)
        assert sink.store(COLUMNS).written == 1
        error = raised(sink.store, {**COLUMNS, "id": ["b"], "data": [{}]})
        assert not is_transient(error)
        error = raised(sink.execute, "SELECT nothing FROM nowhere")
        assert isinstance(error.__cause__, sqlite3.OperationalError)
        assert not is_transient(error)


@pytest.mark.parametrize(
    "statement",
    ["INSERT INTO events VALUES (1)", "INSERT INTO events VALUES (NULL)", "INSERT INTO nowhere VALUES (1)", "NONSENSE"],
)
def test_what_sqlite_refuses_for_good_does_not_pass(statement: str):
    with sqlite3.connect(":memory:") as connection:
        connection.execute("CREATE TABLE events (id NOT NULL UNIQUE)")
        connection.execute("INSERT INTO events VALUES (1)")
        assert not is_transient(raised(connection.execute, statement))
    connection.close()
    assert not is_transient(raised(connection.execute, statement))  # closed


def test_a_value_that_sqlite_cannot_hold_does_not_pass():
    with sqlite3.connect(":memory:") as connection:
        for value in (2**70, object()):
            assert not is_transient(raised(connection.execute, "SELECT ?", (value,)))
    connection.close()


# ---- SQLSTATEs ----

STATES = {
    True: [
        *("08000", "08001", "08003", "08006", "08P01", "08S01"),
        *("40000", "40001", "40003", "40P01"),
        *("53000", "53100", "53200", "53300", "53400"),
        *("57014", "57P01", "57P02", "57P03", "57P05"),
        *("55P03", "55006", "25006", "25P03", "58030", "HYT00", "HYT01"),
    ],
    False: [
        *("22001", "22003", "22P02", "22021", "23502", "23503", "23505", "23514", "25P02", "28P01", "3D000", "40002"),
        *("42601", "42703", "42P01", "42501", "54000", "55000", "57P04", "P0001", "XX000"),
    ],
}


@pytest.mark.parametrize(("state", "expected"), [(state, answer) for answer in STATES for state in STATES[answer]])
def test_an_sqlstate_decides_in_every_driver(state: str, expected: bool):
    psycopg = driver("Specific", of=("OperationalError", "DatabaseError", "Error"), sqlstate=state)
    psycopg2 = driver("Specific", of=("OperationalError", "DatabaseError", "Error"), sqlstate=None, pgcode=state)
    asyncpg = driver("SomethingError", of=("PostgresError",), sqlstate=state)
    pg8000 = driver("DatabaseError", of=("Error",))({"S": "FATAL", "C": state, "M": "text"})
    pyodbc = driver("ProgrammingError")(state, "[HY000] text")
    for error in (psycopg("text"), psycopg2("text"), asyncpg("text"), pg8000, pyodbc):
        assert is_transient(error) is expected, error


def test_without_a_code_the_classes_of_pep_249_decide():
    for name in ("OperationalError", "InterfaceError"):
        assert is_transient(driver(name, sqlstate=None)("the connection is closed"))
        assert is_transient(driver(name, of=("Error",))())
        assert is_transient(driver("Own", of=(name, "DatabaseError", "Error"))())
    for name in ("DataError", "IntegrityError", "ProgrammingError", "NotSupportedError", "InternalError"):
        assert not is_transient(driver(name)("refused"))
    # asyncpg has data errors that are errors of its interface, too
    assert not is_transient(driver("DataError", of=("InterfaceError",))("invalid input for query argument"))


# ---- MySQL ----


@pytest.mark.parametrize("number", [1021, 1040, 1053, 1114, 1205, 1213, 2002, 2003, 2006, 2013, 3572])
def test_mysql_numbers_that_pass(number: int):
    assert is_transient(driver("OperationalError", of=("DatabaseError", "Error"))(number, "text"))
    assert is_transient(driver("InternalError", errno=number, sqlstate="HY000")("text"))  # mysql-connector


@pytest.mark.parametrize("number", [1045, 1049, 1054, 1062, 1146, 1264, 1366, 1406, 3140, 3819])
def test_mysql_numbers_of_bad_events_do_not_pass(number: int):
    # Drivers call whatever they don't know an OperationalError, a violated check among them.
    assert not is_transient(driver("OperationalError")(number, "text"))
    assert not is_transient(driver("DatabaseError", of=("Error",), errno=number, sqlstate=None)("text"))


# ---- Redis ----


def test_redis_errors_are_known():
    import redis

    for name in ("ConnectionError", "TimeoutError", "BusyLoadingError", "ReadOnlyError", "ClusterDownError"):
        assert is_transient(getattr(redis.exceptions, name)("text"))
    for name in ("DataError", "ResponseError", "NoScriptError"):
        assert not is_transient(getattr(redis.exceptions, name)("text"))


# ---- chains and groups ----


def test_a_wrapper_is_looked_through():
    operational = driver("OperationalError")  # Django's, which has no code
    of_postgres = driver("Specific", of=("OperationalError", "DatabaseError", "Error"))
    of_postgres.sqlstate = "57014"
    assert is_transient(caused(operational("canceled"), of_postgres("canceled")))
    of_postgres.sqlstate = "42P01"
    assert not is_transient(caused(operational("no such table"), of_postgres("no such table")))
    assert is_transient(caused(SinkError("events"), ConnectionError()))
    assert is_transient(caused(ValueError("events"), ConnectionError()))  # somebody said so
    assert is_transient(caused(SinkError("a"), caused(RuntimeError("b"), OSError(errno.ENOSPC, "full"))))


def test_what_was_being_handled_counts_unless_the_program_is_wrong():
    assert is_transient(while_handling(SinkError("events"), ConnectionError()))
    assert not is_transient(while_handling(ValueError("bad fallback"), ConnectionError()))
    hidden = while_handling(SinkError("events"), ConnectionError())
    hidden.__suppress_context__ = True
    assert not is_transient(hidden)
    integrity = while_handling(driver("IntegrityError")("duplicate"), ValueError())
    assert not is_transient(caused(SinkError("events"), integrity))


def test_a_circle_of_causes_ends():
    first, second = SinkError("a"), SinkError("b")
    first.__cause__, second.__cause__ = second, first
    assert not is_transient(first)


def test_a_group_passes_if_all_of_it_does():
    assert is_transient(ExceptionGroup("two", [ConnectionError(), ExceptionGroup("more", [TimeoutError()])]))
    assert not is_transient(ExceptionGroup("two", [ConnectionError(), ValueError()]))


def test_an_error_with_broken_attributes_is_only_unknown():
    class Broken(Exception):
        @property
        def sqlstate(self):
            raise RuntimeError

        @property
        def errno(self):
            raise RuntimeError

    assert not is_transient(Broken())
    assert is_transient(caused(Broken(), ConnectionError()))
    assert not is_transient(driver("Odd", sqlstate=b"08006", pgcode=8006, errno="1213")([], {}))


# ---- sinks that decide ----


class Deciding:
    def __init__(self, answer) -> None:
        self.answer = answer
        self.asked: list[BaseException] = []

    def is_transient(self, error: BaseException):
        self.asked.append(error)
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


def test_a_sink_may_decide():
    error = ValueError("quota exceeded")
    sink = Deciding(answer=True)
    assert is_transient(error, sink) is True
    assert sink.asked == [error]
    assert is_transient(ConnectionError(), Deciding(answer=False)) is False
    assert is_transient(ConnectionError(), Deciding(answer=None)) is True
    assert is_transient(error, Deciding(answer=None)) is False
    assert is_transient(ConnectionError(), object()) is True
    assert is_transient(error, Deciding(answer=1)) is True


@pytest.mark.parametrize("failure", [RuntimeError("broken"), SystemExit(1)], ids=repr)
def test_what_a_sink_raises_while_it_decides_becomes_a_note(failure: BaseException):
    error = ConnectionError()
    assert is_transient(error, Deciding(answer=failure)) is True
    assert error.__notes__ == [f"the sink's is_transient raised {type(failure).__name__}"]


# ---- PostgreSQL ----


@pytest.fixture
def psycopg(postgres_url: str):
    import psycopg  # where there is a server, there is the library that it loads

    return psycopg


def test_a_refused_connection_to_postgresql_passes(psycopg):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # and never listens
        url = f"postgresql://127.0.0.1:{unused.getsockname()[1]}/nowhere"
        error = raised(lambda: psycopg.connect(url, connect_timeout=5))
    assert isinstance(error, psycopg.OperationalError)
    assert is_transient(error)


@pytest.fixture
def connections(postgres_url: str, psycopg):
    """Give two connections to a server that has a table of two rows."""
    table = f"transient_{os.getpid()}_{threading.get_ident()}"
    try:
        first = psycopg.connect(postgres_url, connect_timeout=5, autocommit=True)
    except psycopg.OperationalError as error:
        pytest.skip(f"no server answers at ENGAGEHUB_TEST_POSTGRES_URL: {error}")
    with first, psycopg.connect(postgres_url, connect_timeout=5) as second:
        first.execute(f"CREATE TABLE {table} (id int PRIMARY KEY, value int CHECK (value < 100))")
        first.execute(f"INSERT INTO {table} VALUES (1, 0), (2, 0)")
        first.autocommit = False
        try:
            yield first, second, table
        finally:
            second.close()
            first.rollback()
            first.autocommit = True
            first.execute(f"DROP TABLE {table}")


def test_a_deadlock_in_postgresql_passes(connections):
    first, second, table = connections
    first.execute(f"UPDATE {table} SET value = 1 WHERE id = 1")
    second.execute(f"UPDATE {table} SET value = 2 WHERE id = 2")
    errors = []

    def cross(connection, row: int) -> None:
        try:
            connection.execute(f"UPDATE {table} SET value = 3 WHERE id = {row}")
            connection.rollback()
        except BaseException as error:
            connection.rollback()
            errors.append(error)

    threads = [threading.Thread(target=cross, args=(first, 2)), threading.Thread(target=cross, args=(second, 1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [type(error).__name__ for error in errors] == ["DeadlockDetected"]
    assert is_transient(errors[0])


def test_timeouts_and_conflicts_in_postgresql_pass(connections):
    first, second, table = connections
    first.execute(f"UPDATE {table} SET value = 1 WHERE id = 1")
    second.execute("SET lock_timeout = '1ms'")
    second.commit()
    error = raised(second.execute, f"UPDATE {table} SET value = 2 WHERE id = 1")
    assert type(error).__name__ == "LockNotAvailable"
    assert is_transient(error)
    second.rollback()
    second.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    second.execute(f"SELECT * FROM {table}")
    first.commit()
    error = raised(second.execute, f"UPDATE {table} SET value = 2 WHERE id = 1")
    assert type(error).__name__ == "SerializationFailure"
    assert is_transient(error)


def test_a_connection_that_postgresql_ends_passes(connections):
    first, second, _ = connections
    first.execute("SELECT pg_terminate_backend(%s)", (second.info.backend_pid,))
    error = raised(second.execute, "SELECT 1")
    assert is_transient(error)
    assert is_transient(raised(second.execute, "SELECT 1"))  # "the connection is closed"


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("INSERT INTO {} VALUES (1, 0)", "UniqueViolation"),
        ("INSERT INTO {} VALUES (3, 100)", "CheckViolation"),
        ("INSERT INTO {} VALUES (3000000000, 1)", "NumericValueOutOfRange"),
        ("INSERT INTO {} VALUES ('x', 1)", "InvalidTextRepresentation"),
        ("INSERT INTO nowhere VALUES (1)", "UndefinedTable"),
    ],
)
def test_what_postgresql_refuses_for_good_does_not_pass(connections, statement: str, name: str):
    first, _, table = connections
    error = raised(first.execute, statement.format(table))
    assert type(error).__name__ == name
    assert not is_transient(error)


def test_text_that_postgresql_cannot_hold_does_not_pass(connections):
    first, _, _ = connections
    error = raised(first.execute, "SELECT %s::text", ("a\0b",))
    assert not is_transient(error)
