"""A bounded queue for many producers and consumers, by the names of :class:`queue.Queue`."""

from __future__ import annotations

from typing import NoReturn, TypeVar

from engagehub_core import _native

__all__ = ["MpmcQueue"]

_T = TypeVar("_T")


class MpmcQueue(_native.MpmcQueue[_T]):
    """A bounded first-in first-out queue between threads.

    It has the methods, the exceptions and the shutdown of :class:`queue.Queue`, and moves many items in one call with
    `put_many` and `get_many`.

    Parameters
    ----------
    capacity : int, default 16384
        How many items there is room for, from 2 to 2**30; rounded up to a power of two.

    Raises
    ------
    InvalidArgument
        If `capacity` is out of range.
    InvalidType
        If `capacity` isn't an int.

    Notes
    -----
    Thread safety: every method from any thread. Items of one producer come out in the order in which it put them.

    Every operation is O(1) an item: one compare-and-swap on the index of its side of the ring. The queue takes 16
    bytes a place. Who waits spins for some microseconds, then sleeps. A queue can't be pickled, and must not be
    shared with the child of a fork.

    References
    ----------
    Dmitry Vyukov, "Bounded MPMC queue", 1024cores.net.

    Examples
    --------
    >>> queue = MpmcQueue(1000)
    >>> queue.capacity
    1024
    >>> queue.put("ada")
    >>> queue.put_many(["bob", "cleo"])
    2
    >>> queue.get(), queue.get_many(10)
    ('ada', ['bob', 'cleo'])
    """

    __slots__ = ()

    def __reduce__(self) -> NoReturn:
        message = "MpmcQueue can't be pickled or copied: it belongs to the threads of one process"
        raise TypeError(message)

    def __repr__(self) -> str:
        return f"<MpmcQueue of {self.qsize()} of {self.capacity} items>"
