"""The bare loops of sketches in C++, compiled from the checkout and run in this process on the items of the others."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from engagehub_bench.peers import yardsticks

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = [
    "HASH_LOOP_ITEMS",
    "Counts",
    "Loop",
    "Registers",
    "Texts",
    "bytes_of",
    "clear",
    "estimates",
    "hash_loop",
    "integers",
    "texts",
]

Registers = Literal["hyperloglog", "ultraloglog"]
Counts = Literal["counts32", "counts64"]

#: As many as the driver gives it: its cost depends on how full its registers are.
HASH_LOOP_ITEMS = 500_000
_REGISTERS = 16_384


@cache
def _library() -> ctypes.CDLL:
    library = ctypes.CDLL(str(yardsticks.compiled("sketches", shared=True)))
    library.hash_loop_run.restype = ctypes.c_uint64
    for which in ("hyperloglog", "ultraloglog"):
        getattr(library, f"{which}_bytes").restype = ctypes.POINTER(ctypes.c_uint8)
    return library


def hash_loop() -> None:
    """Run the calibrating loop over its items."""
    _library().hash_loop_run(ctypes.c_size_t(HASH_LOOP_ITEMS))


class Texts:
    """Where the UTF-8 of a list's texts lies: pointers into the very objects, and sizes.

    Parameters
    ----------
    items : sequence of str
        Kept alive by this.
    """

    def __init__(self, items: Sequence[str]) -> None:
        self.items = items
        utf8 = ctypes.pythonapi.PyUnicode_AsUTF8AndSize
        utf8.restype = ctypes.c_void_p
        utf8.argtypes = [ctypes.py_object, ctypes.POINTER(ctypes.c_ssize_t)]
        size = ctypes.c_ssize_t()
        self.pointers = (ctypes.c_void_p * len(items))()
        self.sizes = (ctypes.c_size_t * len(items))()
        for index, item in enumerate(items):
            self.pointers[index] = utf8(item, ctypes.byref(size))
            self.sizes[index] = size.value

    def __len__(self) -> int:
        return len(self.items)


def clear(which: Registers | Counts) -> None:
    """Empty a sketch."""
    getattr(_library(), f"{which}_clear")()


@dataclass(frozen=True)
class Loop:
    """A loop over items that are bound to it.

    Attributes
    ----------
    run : callable
        Adds them.
    empty : callable
        The same call without items, whose cost isn't the loop's.
    """

    run: Callable[[], object]
    empty: Callable[[], object]


def integers(which: Registers | Counts, numbers: Any, *, to_all: bool = False) -> Loop:
    """Return the loop over a contiguous array of int64, which the caller keeps.

    Parameters
    ----------
    which : str
        The sketch.
    numbers : numpy.ndarray
        What it adds.
    to_all : bool, default False
        For counts: write to all four cells, without a branch.
    """
    loop = getattr(_library(), f"{which}_integers{'_to_all' if to_all else ''}")
    return _bound(loop, len(numbers), ctypes.c_void_p(numbers.ctypes.data))


def texts(which: Registers, items: Texts) -> Loop:
    """Return the loop over the texts of a list."""
    return _bound(getattr(_library(), f"{which}_texts"), len(items), items.pointers, items.sizes)


def _bound(loop: Callable[..., object], count: int, *columns: object) -> Loop:
    return Loop(partial(loop, *columns, ctypes.c_size_t(count)), partial(loop, *columns, ctypes.c_size_t(0)))


def bytes_of(which: Registers) -> Any:
    """Return a copy of the 16,384 registers as they lie in memory."""
    return np.ctypeslib.as_array(getattr(_library(), f"{which}_bytes")(), (_REGISTERS,)).copy()


def estimates(which: Counts, numbers: Any) -> Any:
    """Return how often each of the int64 was added, by the sketch."""
    found = np.empty(len(numbers), dtype=np.uint64)
    arguments = (
        ctypes.c_void_p(numbers.ctypes.data),
        ctypes.c_size_t(len(numbers)),
        ctypes.c_void_p(found.ctypes.data),
    )
    getattr(_library(), f"{which}_estimates")(*arguments)
    return found
