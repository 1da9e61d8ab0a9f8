"""Tells errors that pass by themselves from those that a batch brings with it.

Of a driver nothing is imported: its errors are known by the codes that they carry and the names of their classes.
"""

from __future__ import annotations

import errno
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["is_transient"]

#: What the system says when it lacks room, a connection, or a moment. Not every system knows them all.
_ERRNOS = frozenset(
    getattr(errno, name)
    for name in (
        *("ENOSPC", "EDQUOT", "ENOMEM", "ENOBUFS", "EMFILE", "ENFILE", "ENOLCK"),
        *("EAGAIN", "EWOULDBLOCK", "EINTR", "EBUSY", "EDEADLK", "ETIMEDOUT", "ETIME"),
        *("EIO", "ESTALE", "EREMOTEIO", "ENOLINK", "EPIPE", "EPROTO"),
        *("ECONNABORTED", "ECONNREFUSED", "ECONNRESET", "ENOTCONN", "ESHUTDOWN", "EALREADY", "EINPROGRESS"),
        *("ENETDOWN", "ENETUNREACH", "ENETRESET", "EHOSTDOWN", "EHOSTUNREACH", "EADDRNOTAVAIL", "ENONET"),
    )
    if hasattr(errno, name)
)

#: Primary result codes of SQLite (https://www.sqlite.org/rescode.html).
_SQLITE = frozenset(
    {
        5,  # BUSY: "database is locked"
        6,  # LOCKED
        7,  # NOMEM
        9,  # INTERRUPT
        10,  # IOERR
        13,  # FULL: "database or disk is full"
        14,  # CANTOPEN, also for want of file descriptors
        15,  # PROTOCOL: lost too many races for the log
    }
)

_SQLSTATE = re.compile("[0-9A-Z]{5}")

#: SQLSTATEs by their first letters, the longest that fits decides
#: (https://www.postgresql.org/docs/current/errcodes-appendix.html). What isn't here is a matter of the batch.
_SQLSTATES: dict[str, bool | None] = {
    "08": True,  # connection
    "25006": True,  # read-only: the server became a standby
    "25P03": True,  # the connection was idle in a transaction for too long
    "25P04": True,  # the transaction took too long
    "40": True,  # rolled back: serialization, deadlock
    "40002": False,  # ... for a constraint
    "53": True,  # resources: disk full, memory, connections
    "55006": True,  # object in use
    "55P03": True,  # lock not available
    "57": True,  # an operator, a shutdown, a time-out
    "57P04": False,  # the database was dropped
    "58030": True,  # input and output
    "HYT": True,  # time-outs of ODBC
    "HY": None,  # MySQL says HY000 for anything
    "IM": None,
    "00": None,
}

#: Error numbers of MySQL and MariaDB (https://dev.mysql.com/doc/mysql-errors/8.4/en/); 1205 also of SQL Server.
_MYSQL = frozenset(
    {
        1021,  # disk full
        *(1037, 1038, 1041),  # out of memory
        1040,  # too many connections
        1053,  # shutdown
        1114,  # the table is full
        *(1158, 1159, 1160, 1161),  # the network
        *(1203, 1226),  # a user's limits
        1205,  # waited too long for a lock
        1213,  # deadlock
        *(1290, 1836),  # read-only: the server became a replica
        *(1317, 1927, 3024),  # interrupted, killed, took too long
        3572,  # a lock that can't be had at once
        4031,  # the connection was idle for too long
    }
)
_MYSQL_NUMBERS = range(1_000, 10_000)
_MYSQL_CLIENT = range(2_000, 3_000)  # no connection, or a lost one

#: The classes of PEP 249, and of clients that have classes of their own for it. The first of a class's bases decides.
_NAMES: dict[str, bool] = {
    "DataError": False,
    "IntegrityError": False,
    "NotSupportedError": False,
    "ProgrammingError": False,
    "InterfaceError": True,  # mostly a connection that is closed
    "OperationalError": True,
    # Redis
    "BusyLoadingError": True,
    "ClusterDownError": True,
    "ConnectionError": True,
    "MasterDownError": True,
    "OutOfMemoryError": True,
    "ReadOnlyError": True,
    "TimeoutError": True,
    "TryAgainError": True,
    "WatchError": True,
    # the standard library
    "BlockingIOError": True,
    "IncompleteReadError": True,
    "InterruptedError": True,
    "SSLCertVerificationError": False,
    "SSLError": True,
    "gaierror": True,
    "herror": True,
}

#: An error of these says that the batch or the program is wrong, whatever was being handled when it came up.
_MISTAKES = (ArithmeticError, AssertionError, AttributeError, LookupError, NameError, TypeError, ValueError)


def is_transient(error: BaseException, sink: object = None) -> bool:
    """Say whether the same batch may be stored later, or has to be split.

    Parameters
    ----------
    error : BaseException
        What the sink raised.
    sink : object, optional
        The sink. If it has a method ``is_transient(error)``, that is asked first: True and False decide, None leaves
        the decision to this function. What it raises becomes a note of the error, and decides nothing.

    Returns
    -------
    bool
        True for no connection, time-outs, deadlocks, locks and no room; False for everything that isn't known.

    Notes
    -----
    Codes decide before classes: result codes of ``sqlite3``, SQLSTATEs (psycopg, asyncpg, pg8000, pyodbc), error
    numbers of MySQL drivers and of the system. Then names of classes do: those of PEP 249 (``OperationalError`` and
    ``InterfaceError`` without a code are transient) and those of Redis. ``__cause__`` is looked at too, and
    ``__context__`` unless the error itself is one of a program, such as a `ValueError` that comes up while a lost
    connection is being handled. A group is transient if all of its errors are.

    Complexity: O(length of the chain). Thread safety: any thread.

    Examples
    --------
    >>> is_transient(ConnectionRefusedError()), is_transient(ValueError("no such kind"))
    (True, False)
    """
    decide = getattr(sink, "is_transient", None)
    if decide is not None:
        try:
            decided = decide(error)
            if decided is not None:
                return bool(decided)
        except BaseException as failure:  # noqa: BLE001 - the batch is still there and somebody has to decide
            BaseException.add_note(error, f"the sink's is_transient raised {type(failure).__name__}")
    chain = list(_chain(error))
    for judge in (_by_code, _by_class):
        for link in chain:
            verdict = judge(link)
            if verdict is not None:
                return verdict
    return False


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        if link.__cause__ is not None:
            link = link.__cause__
        elif link.__suppress_context__ or isinstance(link, _MISTAKES):
            link = None
        else:
            link = link.__context__


def _by_code(error: BaseException) -> bool | None:
    if isinstance(error, BaseExceptionGroup):
        return all(is_transient(member) for member in error.exceptions)
    names = {kind.__name__ for kind in type(error).__mro__}
    if isinstance(error, OSError):
        # What has a class of its own is known by that, and may count in a way of its own.
        return None if error.errno is None or not names.isdisjoint(_NAMES) else error.errno in _ERRNOS
    code = _attribute(error, "sqlite_errorcode")
    if isinstance(code, int):
        return code & 0xFF in _SQLITE
    first = error.args[0] if error.args and not names.isdisjoint({"DatabaseError", "InterfaceError"}) else None
    verdict = _by_sqlstate(
        _attribute(error, "sqlstate"),  # psycopg, asyncpg
        _attribute(error, "pgcode"),  # psycopg2
        first.get("C") if isinstance(first, dict) else first,  # pg8000, pyodbc
    )
    if verdict is not None:
        return verdict
    for number in (_attribute(error, "errno"), first):
        if isinstance(number, int) and number in _MYSQL_NUMBERS:
            return number in _MYSQL or number in _MYSQL_CLIENT
    return None


def _by_class(error: BaseException) -> bool | None:
    names = (kind.__name__ for kind in type(error).__mro__)
    return next((_NAMES[name] for name in names if name in _NAMES), None)


def _by_sqlstate(*candidates: object) -> bool | None:
    for state in candidates:
        if isinstance(state, str) and _SQLSTATE.fullmatch(state):
            return next((_SQLSTATES[state[:n]] for n in (5, 3, 2) if state[:n] in _SQLSTATES), False)
    return None


def _attribute(error: BaseException, name: str) -> object:
    try:
        return getattr(error, name, None)
    except Exception:  # noqa: BLE001 - a property of a class that we don't know
        return None
