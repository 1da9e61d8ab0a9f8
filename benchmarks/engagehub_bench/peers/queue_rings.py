"""Queues in C++, compiled from the checkout and run in this process: items of 24 bytes between threads of their own."""

from __future__ import annotations

import ctypes
from functools import cache

from engagehub_bench.peers import yardsticks

__all__ = ["names", "transfer"]


@cache
def _library() -> ctypes.CDLL:
    library = ctypes.CDLL(str(yardsticks.compiled("queue", shared=True)))
    library.queue_count.restype = ctypes.c_size_t
    library.queue_name.restype = ctypes.c_char_p
    library.queue_name.argtypes = [ctypes.c_size_t]
    library.queue_transfer.restype = ctypes.c_double
    library.queue_transfer.argtypes = [ctypes.c_size_t] * 4
    return library


@cache
def names() -> tuple[str, ...]:
    """Return which queues there are."""
    library = _library()
    return tuple(library.queue_name(which).decode() for which in range(library.queue_count()))


def transfer(name: str, producers: int, consumers: int, items: int) -> float | None:
    """Hand items from producers to consumers, each a thread.

    Parameters
    ----------
    name : str
        The queue.
    producers, consumers : int
        How many threads.
    items : int
        A multiple of both numbers.

    Returns
    -------
    float or None
        The nanoseconds from the moment where all threads run until the last item is out; None if other items came out
        than went in, or those of one producer in another order.
    """
    nanoseconds: float = _library().queue_transfer(names().index(name), producers, consumers, items)
    return nanoseconds if nanoseconds >= 0 else None
