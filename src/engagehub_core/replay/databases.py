"""Where events are kept, as a URL or a path."""

from __future__ import annotations

from engagehub_core.replay.errors import BadUsage

__all__ = ["DEFAULT", "database_path"]

DEFAULT = "sqlite:///engagehub.db"


def database_path(url: str) -> str:
    """Return the path of an SQLite database.

    Parameters
    ----------
    url : str
        ``sqlite:///relative.db``, ``sqlite:////absolute.db``, or a plain path.

    Returns
    -------
    str

    Raises
    ------
    BadUsage
        If the scheme is another one, or there is no path.

    Examples
    --------
    >>> database_path("sqlite:///events.db"), database_path("sqlite:////var/events.db"), database_path("events.db")
    ('events.db', '/var/events.db', 'events.db')
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        path = url
    elif scheme.lower() != "sqlite":
        message = f"--db {url}: unknown scheme {scheme!r}; sqlite:///PATH or a plain path is needed"
        raise BadUsage(message)
    elif not rest.startswith("/"):
        message = f"--db {url}: sqlite takes no host; write sqlite:///relative.db or sqlite:////absolute.db"
        raise BadUsage(message)
    else:
        path = rest[1:]
    if not path or "\0" in path:
        message = f"--db {url!r}: a path is needed, such as sqlite:///engagehub.db"
        raise BadUsage(message)
    return path
