"""A bounded queue for many producers and consumers, by the names of :class:`queue.Queue`."""

from __future__ import annotations

import queue
from typing import NoReturn, TypeVar

from engagehub_core import _native
from engagehub_core.errors import ShutDown
from engagehub_core.loop_waits import until

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

    async def aput(self, item: _T, timeout: float | None = None) -> None:  # noqa: ASYNC109 - as of put
        """Put an item, and wait for room without blocking the loop.

        Parameters
        ----------
        item : object
            What to put.
        timeout : float, optional
            Seconds to wait at most; None waits for ever.

        Raises
        ------
        queue.Full
            If there was no room in time.
        ShutDown
            If the queue was shut down.
        InvalidType, InvalidArgument
            If `timeout` is refused.

        Notes
        -----
        While there is no room it looks every 1 to 16 ms, so tasks and threads that wait are served in any order. If it
        is cancelled, nothing was put.

        Examples
        --------
        >>> import asyncio
        >>> queue = MpmcQueue(4)
        >>> asyncio.run(queue.aput("ada"))
        >>> queue.get()
        'ada'
        """
        self.put_many((), timeout)  # puts nothing, and refuses what is no timeout

        def is_put() -> bool:
            try:
                self.put_nowait(item)
            except ShutDown:  # before Python 3.13 it is a kind of Full
                raise
            except queue.Full:
                return False
            return True

        if not await until(is_put, timeout):
            raise queue.Full

    async def aget(self, timeout: float | None = None) -> _T:  # noqa: ASYNC109 - as of get
        """Take an item, and wait for one without blocking the loop.

        Parameters
        ----------
        timeout : float, optional
            Seconds to wait at most; None waits for ever.

        Returns
        -------
        object
            The item.

        Raises
        ------
        queue.Empty
            If there was none in time.
        ShutDown
            If the queue was shut down and is empty.
        InvalidType, InvalidArgument
            If `timeout` is refused.

        Notes
        -----
        While there is none it looks every 1 to 16 ms, so tasks and threads that wait are served in any order. If it is
        cancelled, nothing was taken.

        Examples
        --------
        >>> import asyncio
        >>> queue = MpmcQueue(4)
        >>> queue.put("ada")
        >>> asyncio.run(queue.aget(timeout=1))
        'ada'
        """
        self.put_many((), timeout)  # puts nothing, and refuses what is no timeout
        taken: list[_T] = []

        def is_taken() -> bool:
            try:
                taken.append(self.get_nowait())
            except ShutDown:
                raise
            except queue.Empty:
                return False
            return True

        if not await until(is_taken, timeout):
            raise queue.Empty
        return taken[0]

    def __reduce__(self) -> NoReturn:
        message = "MpmcQueue can't be pickled or copied: it belongs to the threads of one process"
        raise TypeError(message)

    def __repr__(self) -> str:
        return f"<MpmcQueue of {self.qsize()} of {self.capacity} items>"
