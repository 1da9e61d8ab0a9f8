"""Everything that the library raises on purpose.

Each error is an :class:`EngageHubError` and, where Python has a fitting built-in, that one too, so that code written
for ``ValueError`` or ``queue.Full`` keeps working.
"""

from __future__ import annotations

import queue

__all__ = [
    "CapacityExceeded",
    "Closed",
    "Corrupted",
    "EngageHubError",
    "Incompatible",
    "InvalidArgument",
    "InvalidType",
    "ShutDown",
    "SinkError",
    "UnknownMember",
]


class EngageHubError(Exception):
    """Base of all errors of the library."""


class InvalidArgument(EngageHubError, ValueError):
    """An argument is out of its range; nothing was changed."""


class InvalidType(EngageHubError, TypeError):
    """An argument is of the wrong type; nothing was changed."""


class UnknownMember(EngageHubError, KeyError):
    """The member isn't on the board."""

    def __str__(self) -> str:
        return Exception.__str__(self)


class CapacityExceeded(EngageHubError):
    """A limit that was set on purpose is reached."""


class Incompatible(EngageHubError, ValueError):
    """Two objects, or a reader and its data, don't belong together."""


class Corrupted(EngageHubError, ValueError):
    """Bytes that no writer of this library produced.

    Attributes
    ----------
    offset : int
        Where the reader stopped believing them.
    """

    def __init__(self, message: str, *, offset: int = 0) -> None:
        super().__init__(message)
        self.offset = offset


class Closed(EngageHubError):
    """The object was closed before."""


class SinkError(EngageHubError):
    """A sink failed; ``__cause__`` is its own exception."""


try:
    from queue import ShutDown  # type: ignore[attr-defined,unused-ignore]
except ImportError:  # before Python 3.13

    class ShutDown(queue.Empty, queue.Full):  # type: ignore[no-redef]
        """The queue was shut down."""
